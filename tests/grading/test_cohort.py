"""A class is graded in parallel, goes on after a kill, and no answer stops the others."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.grading.cohort import grade
from labkit.grading.spec import ExerciseError, load

ID = "03_negotiate"
SPEC = load(ID)


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "handed in"
    wrong = (SPEC.folder / "wrong" / "no_ping.py").read_text(encoding="utf-8")
    answers = {
        "ada": SPEC.solution,
        "bob": wrong,
        "=cmd": SPEC.starter,
        "eve": "import os\nos._exit(0)\n",
        "fay": "def broken(:\n",
    }
    for name, source in answers.items():
        (folder / name).mkdir(parents=True)
        (folder / name / f"{ID}.py").write_text(source, encoding="utf-8")
    (folder / "gus").mkdir()
    (folder / "hal" / f"{ID}.py").mkdir(parents=True)  # a folder where a file should be
    (folder / "ivy").mkdir()
    (folder / "ivy" / f"{ID}.py").write_bytes(b"\xff\xfe\x00 not text")
    (folder / "jo").mkdir()
    (folder / "jo" / f"{ID}.py").write_text(SPEC.solution, encoding="utf-8-sig")  # as editors on Windows save it
    return folder


def scores(path: Path) -> dict[str, int]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["learner"]: int(row["score"]) for row in csv.DictReader(file)}


def test_every_learner_gets_a_row_and_a_report(handed_in: Path, tmp_path: Path) -> None:
    out = tmp_path / "grades.csv"
    said: list[str] = []
    summary = grade(handed_in, out, jobs=2, say=said.append)
    nothing = dict.fromkeys(("'=cmd", "eve", "fay", "gus", "hal", "ivy"), 0)
    assert scores(out) == {"ada": 10, "bob": 8, "jo": 10} | nothing
    reports = {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "grades-reports").iterdir()
    }
    assert len(reports) == 9 == len(said)
    assert "A ping is always answered" in reports["bob.json"]["exercises"][ID]["feedback"]
    assert "exit code 0" in reports["eve.json"]["exercises"][ID]["feedback"]
    assert reports["gus.json"]["exercises"][ID]["outcome"] == "not attempted"
    worst = summary.checks[0]
    assert worst["exercise"] == ID and worst["not_passed"] >= 3
    assert (tmp_path / "grades-summary.svg").read_text(encoding="utf-8").count("<svg")
    assert "Checks that fail most" in str(summary)


def test_a_second_run_does_only_what_changed(handed_in: Path, tmp_path: Path) -> None:
    out = tmp_path / "grades.csv"
    first = grade(handed_in, out, jobs=2)
    assert grade(handed_in, out, jobs=2).graded < first.graded
    (handed_in / "bob" / f"{ID}.py").write_text(SPEC.solution, encoding="utf-8")
    again = grade(handed_in, out, jobs=2)
    # hal's folder cannot be read, so it is tried each time; it is never counted as graded.
    assert again.graded == 1
    assert scores(out)["bob"] == 10


def test_it_goes_on_after_a_kill(tmp_path: Path) -> None:
    folder, out = tmp_path / "class", tmp_path / "grades.csv"
    for number in range(30):
        (folder / f"l{number:02}").mkdir(parents=True)
        (folder / f"l{number:02}" / f"{ID}.py").write_text(f"{SPEC.solution}\n# {number}\n", encoding="utf-8")
    code = "import sys\nfrom pathlib import Path\nfrom labkit.grading.cohort import grade\n"
    code += "grade(Path(sys.argv[1]), Path(sys.argv[2]), jobs=1)"
    first = subprocess.Popen([sys.executable, "-c", code, str(folder), str(out)])
    reports, end = tmp_path / "grades-reports", time.monotonic() + 60
    while len(list(reports.glob("*.json"))) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    first.kill()
    first.wait()
    done = len(list(reports.glob("*.json")))
    assert 3 <= done < 30
    assert not out.exists()
    summary = grade(folder, out, jobs=2)
    assert summary.graded == 30 - done
    assert set(scores(out).values()) == {10}


def test_an_interrupt_does_not_wait_for_the_whole_class(tmp_path: Path) -> None:
    folder, out = tmp_path / "class", tmp_path / "grades.csv"
    for number in range(40):
        (folder / f"l{number:02}").mkdir(parents=True)
        (folder / f"l{number:02}" / f"{ID}.py").write_text(f"{SPEC.solution}\n# {number}\n", encoding="utf-8")

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade(folder, out, jobs=1, say=interrupt)
    assert 1 <= len(list((tmp_path / "grades-reports").glob("*.json"))) < 10


def test_nothing_to_grade_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ExerciseError, match="not a folder"):
        grade(tmp_path / "none", tmp_path / "g.csv")
    (tmp_path / "class" / "ada").mkdir(parents=True)
    with pytest.raises(ExerciseError, match=r"expected LEARNER/ID\.py"):
        grade(tmp_path / "class", tmp_path / "g.csv")
    with pytest.raises(ExerciseError, match="Did you mean"):
        grade(tmp_path / "class", tmp_path / "g.csv", only=["p1_mcp_basic"])


def test_a_table_that_cannot_be_written_is_refused_before_grading(handed_in: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    for out, why in ((tmp_path / "taken", "is a folder; name the table"), (tmp_path / "file" / "g.csv", "cannot be")):
        said: list[str] = []
        with pytest.raises(ExerciseError, match=why):
            grade(handed_in, out, say=said.append)
        assert not said


def test_an_answer_cannot_read_the_others(handed_in: Path, tmp_path: Path) -> None:
    spy = SPEC.solution.replace(
        "def allowed(", f"open({str(handed_in / 'ada' / f'{ID}.py')!r}).read()\n\n\ndef allowed("
    )
    (handed_in / "bob" / f"{ID}.py").write_text(spy, encoding="utf-8")
    grade(handed_in, tmp_path / "grades.csv", jobs=2)
    report = json.loads((tmp_path / "grades-reports" / "bob.json").read_text(encoding="utf-8"))
    assert "this folder is closed to answers" in report["exercises"][ID]["feedback"]
