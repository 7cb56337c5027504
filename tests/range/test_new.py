"""A new class of attack keeps the promises of the range before its first word is changed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from labkit.errors import CatalogError
from labkit.grading import spec
from labkit.grading.report import PASSED
from labkit.grading.warm import check_source
from labkit.range import drill
from labkit.range.new import main, new_drill


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("notebooks/security/20_untrusted_input.ipynb", "servers/vulnerable/README.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.anyio
async def test_the_attack_succeeds_against_the_one_and_not_the_other_and_both_are_of_use(root: Path) -> None:
    folder, _ = new_drill("zip_slip", "20", 'Archives that unpack "elsewhere"', root)
    made = drill("zip_slip", folder.parent)
    assert (made.number, made.title) == (1, "Archives that unpack 'elsewhere'")
    fell = await made.attack()
    assert len(fell.lines) == 2 and all("canary-" in line for line in fell.obtained), fell
    stood = await made.grade("fixed")
    assert all(outcome.held for outcome in stood.outcomes), stood
    assert (await made.legitimate()).held and (await made.near_misses()).held
    for which in ("vulnerable", "fixed"):
        docstring = ast.get_docstring(ast.parse((folder / f"{which}.py").read_text(encoding="utf-8")))
        assert (docstring or "").startswith(f"{which.capitalize()}: ")


def test_its_exercise_is_proven(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, exercise = new_drill("zip_slip", "20", "Archives", root)
    monkeypatch.setattr(spec, "RANGE", folder.parent)
    made = spec.load(exercise.name, exercise.parent)
    assert check_source(made, made.solution, seed=1).passed
    groups = {check.name: check.title.partition(":")[0] for check in made.checks}
    assert set(groups.values()) == {"attack", "use", "near miss"}
    assert len(made.wrong) >= 5 and set.union(*(set(each.fails) for each in made.wrong)) == set(groups)
    for wrong in made.wrong:
        report = check_source(made, wrong.path.read_text(encoding="utf-8"), seed=1)
        assert {check.name for check in report.checks if check.status != PASSED} == wrong.fails, (
            f"{wrong.name}\n{report}"
        )


@pytest.mark.parametrize(
    ("id", "notebook", "told"),
    [
        ("zip-slip", "20", "'zip-slip' cannot be an id"),
        ("zip_slip", "02", "no notebook '02'. Did you mean '20'"),
        ("taken", "20", "exercises/20_taken exists already"),
    ],
)
def test_what_cannot_be_made_is_said(root: Path, id: str, notebook: str, told: str) -> None:
    (root / "exercises" / "20_taken").mkdir(parents=True)
    with pytest.raises(CatalogError, match=told):
        new_drill(id, notebook, "Title", root)
    assert not (root / "servers" / "vulnerable" / id).exists()


def test_the_command_says_a_mistake_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paths", "20", "Paths"]) == 2
    assert capsys.readouterr().err.startswith("error: servers/vulnerable/paths exists already")
