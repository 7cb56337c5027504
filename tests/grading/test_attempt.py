"""An exercise in a learner's hands: outcomes, hints, solution, reset, the cell magic."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.grading.attempt import Exercise, exercise, reset_all
from labkit.grading.report import CRASHED, FAILED, NOT_ATTEMPTED, PASSED
from labkit.grading.spec import ExerciseError, load


def write(toy: Exercise, source: str) -> None:
    toy.path.write_text(source, encoding="utf-8")


def test_opening_puts_the_starter_in_place(toy: Exercise) -> None:
    assert toy.path.read_text(encoding="utf-8") == toy.spec.starter
    write(toy, "mine = 1\n")
    toy.open()
    assert toy.path.read_text(encoding="utf-8") == "mine = 1\n", "an answer is never overwritten by opening"


def test_an_untouched_starter_is_not_attempted_and_not_recorded(toy: Exercise) -> None:
    assert toy.check().outcome == NOT_ATTEMPTED
    assert toy._progress.lines()[0].attempts == 0


def test_a_right_answer_passes_with_its_afterword(toy: Exercise) -> None:
    write(toy, toy.spec.solution)
    report = toy.check()
    assert report.passed and report.score == 3
    assert toy.spec.afterword.strip() in str(report)


def test_a_wrong_answer_shows_reason_and_line(toy: Exercise) -> None:
    write(toy, "\n\ndef double(number):\n    return number + 1\n")
    (check,) = toy.check().checks
    assert (check.status, check.line, check.code) == (FAILED, 3, "def double(number):")
    assert check.reason and "expected" in check.message


def test_an_error_in_the_answer_is_a_crash_at_its_own_line(toy: Exercise) -> None:
    write(toy, "def double(number):\n    return helper(number)\n\n\ndef helper(n):\n    return n / 0\n")
    (check,) = toy.check().checks
    assert (check.status, check.line, check.code) == (CRASHED, 6, "return n / 0")
    assert "ZeroDivisionError" in check.message


def test_what_the_answer_printed_is_shown_where_it_fails(toy: Exercise) -> None:
    write(toy, "def double(number):\n    print('number is', number)\n    return 1 / 0\n")
    report = toy.check()
    assert "number is" in report.checks[0].printed and "Traceback" not in report.checks[0].printed
    assert "printed: number is" in str(report)
    write(toy, toy.spec.solution.replace("return", "print('fine')\n    return"))
    assert toy.check().checks[0].printed == ""


def test_a_function_that_is_missing_is_named(toy: Exercise) -> None:
    write(toy, "def other():\n    return 1\n")
    (check,) = toy.check().checks
    assert check.status == FAILED
    assert "does not define double" in check.message


def test_a_seed_repeats_the_values(toy: Exercise) -> None:
    write(toy, "def double(number):\n    return -1\n")
    first = toy.check()
    assert toy.check(seed=first.seed).checks[0].message == first.checks[0].message
    others = {toy.check().checks[0].message for _ in range(5)}
    assert len(others) > 1, "without a seed the values differ"


def test_hints_come_one_at_a_time(toy: Exercise) -> None:
    assert str(toy.hint()).startswith("Hint 1 of 2.")
    assert str(toy.hint()).startswith("Hint 2 of 2.")
    assert "That was the last" in str(toy.hint())
    assert str(toy.hint(1)).startswith("Hint 1 of 2.")
    assert "from 1 to 2" in str(toy.hint(7))
    assert toy._progress.lines()[0].hints == 2, "a hint that is read twice counts once"
    toy.reset()
    assert str(toy.hint()).startswith("Hint 1 of 2.")


def test_the_record_says_whether_the_solution_came_before_passing(toy: Exercise) -> None:
    shown = str(toy.solution())
    assert toy.spec.solution.strip() in shown and toy.spec.afterword.strip() in shown
    assert toy._progress.lines()[0].solution == "on request"


def test_the_solution_after_passing_is_recorded_as_such(toy: Exercise) -> None:
    write(toy, toy.spec.solution)
    toy.check()
    toy.solution()
    assert toy._progress.lines()[0].solution == "after passing"


def test_reset_keeps_a_dated_backup(toy: Exercise) -> None:
    for number in (1, 2):
        write(toy, f"mine = {number}\n")
        assert "is kept as" in str(toy.reset())
        assert toy.path.read_text(encoding="utf-8") == toy.spec.starter
    kept = {path.read_text(encoding="utf-8") for path in (toy.path.parent / "backups").glob("toy.*.py")}
    assert kept == {"mine = 1\n", "mine = 2\n"}
    assert "is kept as" not in str(toy.reset()), "a starter needs no backup"


def test_reset_all_touches_only_what_was_begun(root: Path, tmp_path: Path) -> None:
    from labkit.grading.scaffold import new_exercise

    new_exercise("other", root)
    work = tmp_path / "work"
    toy = exercise("toy", root=root, work=work, warm=False)
    write(toy, "mine = 1\n")
    assert "toy.py" in str(reset_all(root=root, work=work))
    assert toy.path.read_text(encoding="utf-8") == toy.spec.starter
    assert not (work / "other.py").exists()


def test_a_deleted_answer_is_not_attempted_and_says_what_to_do(toy: Exercise) -> None:
    toy.path.unlink()
    report = toy.check()
    assert report.outcome == NOT_ATTEMPTED
    assert ".reset() in a notebook, puts the starter there" in str(report)


def test_bytes_that_are_no_text_are_reported(toy: Exercise) -> None:
    toy.path.write_bytes(b"\xff\xfe\x00")
    assert toy.check().outcome == CRASHED


def test_a_mark_at_the_beginning_is_no_part_of_the_answer(toy: Exercise) -> None:
    toy.path.write_text(toy.spec.solution, encoding="utf-8-sig")
    assert toy.check().passed
    toy.path.write_text(toy.spec.starter, encoding="utf-8-sig")
    assert toy.check().outcome == NOT_ATTEMPTED


def test_a_cell_is_saved_and_an_edited_file_backed_up(toy: Exercise) -> None:
    toy.save("one = 1\n")
    toy.save("two = 2\n")
    assert not (toy.path.parent / "backups").exists(), "cell after cell needs no backup"
    write(toy, "edited = 3\n")
    toy.save("four = 4\n")
    (kept,) = (toy.path.parent / "backups").glob("*.py")
    assert kept.read_text(encoding="utf-8") == "edited = 3\n"


def test_the_cell_magic_checks_without_running_the_cell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from labkit.grading.magic import register

    monkeypatch.setenv("LABKIT_WORK", str(tmp_path))
    shell = InteractiveShell()
    register(shell)
    solution = load("03_negotiate").solution
    report = shell.run_cell_magic("exercise", "03_negotiate", solution)
    assert report.passed
    assert "choose" not in shell.user_ns
    assert (tmp_path / "03_negotiate.py").read_text(encoding="utf-8") == solution
    assert "Which exercise?" in str(shell.run_cell_magic("exercise", "", "x = 1"))
    with pytest.raises(ExerciseError) as wrong:
        shell.run_cell_magic("exercise", "03_negotiat", "x = 1")
    assert str(wrong.value) == "There is no exercise '03_negotiat'. Did you mean '03_negotiate'?"


def test_a_full_disk_does_not_hide_the_report(toy: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    write(toy, toy.spec.solution)
    monkeypatch.setattr(toy._progress, "attempt", full)
    report = toy.check()
    assert report.passed
    assert "could not be recorded: no space left" in report.note


def test_the_task_is_shown_as_markdown(toy: Exercise) -> None:
    shown = toy._repr_markdown_()
    assert toy.spec.task in shown and "%%exercise toy" in shown and toy.spec.starter in shown
    assert toy.spec.title in repr(toy)
    assert PASSED not in shown


def test_a_failed_check_about_a_method_says_why_and_where(root: Path, tmp_path: Path) -> None:
    folder = root / "toy"
    use = "\n\ndef four():\n    return Doubler().twice(4)\n"
    starter = f"class Doubler:\n    def twice(self, number):\n        ...\n{use}"
    wrong = f"class Doubler:\n    def twice(self, number):\n        return number\n{use}"
    (folder / "starter.py").write_text(starter, encoding="utf-8")
    (folder / "checks.py").write_text(
        '''"""Checks of a class."""

from labkit.grading.checks import check, expect


@check("twice gives twice the number", points=3, reason="It says so.", about="Doubler.twice")
def test_twice(submission, rng):
    expect(submission.call("four"), 8, "twice(4)")
''',
        encoding="utf-8",
    )
    mine = Exercise(load("toy", root), tmp_path / "work").open()
    mine.save(wrong)
    (result,) = mine.check().checks
    assert (result.status, result.line) == (FAILED, 2) and "8" in result.message
    mine.save(starter + "OTHER = 1\n")
    (result,) = mine.check().checks
    assert result.status == NOT_ATTEMPTED
