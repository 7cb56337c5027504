"""The trial of the oldest and the newest versions names what exists, and is done with LAB_WHOLE=1."""

from __future__ import annotations

import os

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import floors
from tests.test_packaging import ROOT, project

QUICK = [path for paths in floors.QUICK.values() for path in paths]


def test_the_quick_tests_are_there() -> None:
    for path in QUICK:
        file, _, name = path.partition("::")
        assert (ROOT / file).exists(), path
        assert not name or f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8"), path


def test_every_dependency_has_a_floor() -> None:
    lines = [
        *project()["dependencies"],
        *(each for extra in project()["optional-dependencies"].values() for each in extra),
    ]
    without = [line for line in lines if not any(s.operator in (">=", "==", "~=") for s in Requirement(line).specifier)]
    assert without == []
    ranges, extras = floors.declared()
    assert {canonicalize_name(Requirement(line).name) for line in project()["dependencies"]} <= set(ranges)
    assert set(extras) == set(project()["optional-dependencies"]) - floors.WITHOUT


def test_without_uv_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(floors.shutil, "which", lambda *_, **__: None)
    assert floors.main([]) == 2
    assert capsys.readouterr().err == f"error: {floors.GET_UV}\n"


def test_versions_are_told_beside_their_ranges() -> None:
    told = floors.told({"anyio": "4.12.0"})
    assert [line.split() for line in told.splitlines() if "anyio " in line] == [["anyio", "4.12.0", "<5,>=4.12"]]
    assert "not on this system" in told


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not os.environ.get("LAB_WHOLE"), reason="installs an environment for each: LAB_WHOLE=1 tries it")
@pytest.mark.parametrize("which", [[], ["--latest"]], ids=["oldest", "latest"])
def test_what_the_ranges_allow_works(which: list[str]) -> None:
    assert floors.main(which) == 0
