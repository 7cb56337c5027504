"""An exercise's folder is validated, and a complaint points at the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.grading.scaffold import new_exercise
from labkit.grading.spec import ExerciseError, load


def _line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if line.startswith(text))


def _edit(root: Path, old: str, new: str, name: str = "exercise.toml") -> Path:
    path = root / "toy" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_new_exercise_is_valid_as_it_is(root: Path) -> None:
    spec = load("toy", root)
    assert spec.points == 3
    assert [check.name for check in spec.checks] == ["double"]
    assert all(answer.fails == {"double"} for answer in spec.wrong)


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ('kind = "write"', 'kind = "sing"', "kind", "must be one of write, repair"),
        ("difficulty = 1", "difficulty = 9", "difficulty", "1 to 5"),
        ("minutes = 15", 'minutes = "15"', "minutes", "must be a int"),
        ("points = 3", "points = 4", "points", "the checks give 3"),
        ("minutes = 15", "minuts = 15", "minuts", "did you mean 'minutes'"),
        ("objectives = [", "objectives = [1, ", "objectives", "list of sentences"),
        ("minutes = 15", 'minutes = 15\nkata = "yes"', "kata", "true or false"),
        ("minutes = 15", "minutes = 15\nkat = true", "kat", "did you mean 'kata'"),
        ("minutes = 15", "minutes = 9\nkata = true", "minutes", "10 to 30 minutes, not 9"),
        ("minutes = 15", "minutes = 31\nkata = true", "minutes", "10 to 30 minutes, not 31"),
        ("# [limits]  #", "[limits]\nspeed = 3\n#", "speed", "unknown limit"),
        ("# [limits]  #", "[limits]\ncpu = 0\n#", "cpu", "above zero"),
    ],
)
def test_a_complaint_names_file_and_line(root: Path, old: str, new: str, key: str, says: str) -> None:
    path = _edit(root, old, new)
    with pytest.raises(ExerciseError, match=says) as caught:
        load("toy", root)
    assert str(caught.value).startswith(f"{path}:{_line_of(path, key)}: ")


@pytest.mark.parametrize("minutes", [10, 30])
def test_a_kata_is_marked_by_a_key(root: Path, minutes: int) -> None:
    assert load("toy", root).kata is False
    _edit(root, "minutes = 15", f"minutes = {minutes}\nkata = true")
    assert load("toy", root).kata is True


def test_what_is_no_kata_takes_as_long_as_it_takes(root: Path) -> None:
    _edit(root, "minutes = 15", "minutes = 90\nkata = false")
    assert load("toy", root).kata is False


def test_broken_toml_names_the_line(root: Path) -> None:
    path = _edit(root, "minutes = 15", "minutes = = 15")
    with pytest.raises(ExerciseError, match=r"exercise.toml:\d+: not valid TOML") as caught:
        load("toy", root)
    assert f":{_line_of(path, 'minutes')}:" in str(caught.value)


def test_a_missing_key_is_named(root: Path) -> None:
    _edit(root, "minutes = 15\n", "")
    with pytest.raises(ExerciseError, match="'minutes' is missing"):
        load("toy", root)


def test_a_missing_file_is_named(root: Path) -> None:
    (root / "toy" / "task.md").unlink()
    with pytest.raises(ExerciseError, match=r"task\.md: the file is missing"):
        load("toy", root)


def test_a_check_without_its_decorator_is_refused(root: Path) -> None:
    path = _edit(root, "@check(", "# @check(", "checks.py")
    with pytest.raises(ExerciseError, match="no @check") as caught:
        load("toy", root)
    assert str(path) in str(caught.value)


def test_a_wrong_answer_that_names_no_check_is_refused(root: Path) -> None:
    _edit(root, "fails: double", "fails: dobule", "wrong/square.py")
    with pytest.raises(ExerciseError, match=r"square\.py:1: no check is called dobule"):
        _ = load("toy", root).wrong


def test_an_unknown_id_suggests_the_closest(root: Path) -> None:
    with pytest.raises(ExerciseError, match="Did you mean 'toy'"):
        load("toyy", root)


@pytest.mark.parametrize("id", ["../toy", "Toy", "", "a b"])
def test_a_bad_id_is_refused(root: Path, id: str) -> None:
    with pytest.raises(ExerciseError):
        new_exercise(id, root)
    with pytest.raises(ExerciseError):
        load(id, root)
