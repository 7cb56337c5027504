"""`labkit interview`: in a pipe as in a terminal, with the exit codes of every command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from labkit.cli import app
from labkit.grading.spec import EXERCISES
from labkit.interview.bank import load_bank
from labkit.interview.record import Record
from labkit.interview.session import Session
from labkit.interview.store import Store

ANSWER = "Run several replicas behind a load balancer, since the protocol is stateless."


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "work"))
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "work"


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["interview", *arguments], input=stdin)


def test_a_session_is_talked_through_left_and_gone_on_with() -> None:
    lines = [
        "It is stateless.",
        "And it goes on.",
        ".",
        "",
        ":hint",
        ":time",
        ":nonsense",
        ":pause",
        "",
        ":skip",
        ":quit",
    ]
    begun = run("start", "--minutes", "12", "--seed", "3", stdin="\n".join(lines) + "\n")
    assert begun.exit_code == 0, begun.output
    for said in (
        "points seen",
        "A good answer makes",
        "Paused at",
        "On to the next",
        "Go on with: labkit interview resume",
    ):
        assert said in begun.output, said
    kept = Session.load()
    assert [entry.status for entry in kept.entries][:2] == ["done", "skipped"]
    assert kept.entries[0].answer == "It is stateless.\nAnd it goes on."
    assert kept.entries[1].hints == 1
    ended = run("resume", stdin=":finish\n")
    assert ended.exit_code == 0
    assert f"labkit interview report {kept.id}" in ended.output
    over = run("resume")
    assert over.exit_code == 1 and "no session to go on with" in over.output
    assert run("resume", kept.id).exit_code == 2


def test_the_end_of_the_input_keeps_the_session() -> None:
    assert run("--role", "architect", "--minutes", "20", stdin="half an answer").exit_code == 0
    kept = Session.load()
    assert (kept.role, kept.state, kept.entries[0].status) == ("architect", "paused", "open")


def test_a_kata_is_written_in_its_file_and_checked_on_enter(work: Path) -> None:
    from labkit.interview.drawing import Item

    session = Session.of([Item("kata", "p1_mcp_basics", "Basics", 20, "start")], "architect", 20)
    told = run("resume", session.id, stdin="\n:next\n")
    assert told.exit_code == 0, told.output
    assert "p1_mcp_basics.py" in told.output
    assert Session.load(session.id).entries[0].checks == 1
    assert (work / "p1_mcp_basics.py").is_file()


def test_a_task_is_shown_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit.interview.drawing import Item

    monkeypatch.setenv("COLUMNS", "60")
    for kind, id in (("kata", "33_pages"), ("tape", "04_two_tapes")):
        session = Session.of([Item(kind, id, "One", 20, "start")], "architect", 20)
        told = run("resume", session.id, stdin=":next\n").output
        task = (EXERCISES / id / "task.md").read_text(encoding="utf-8")
        plain = re.sub(r"[^A-Za-z0-9_]", "", re.sub(r"```\w*|\]\([^)]*\)", "", task))
        assert plain[:4000] in re.sub(r"[^A-Za-z0-9_]", "", told)


def test_an_earlier_answer_is_put_aside_and_said_to_be(work: Path) -> None:
    from labkit.interview.drawing import Item

    work.mkdir()
    (work / "p1_mcp_basics.py").write_text("mine = 1\n", encoding="utf-8")
    session = Session.of([Item("kata", "p1_mcp_basics", "Basics", 20, "start")], "architect", 20)
    told = run("resume", session.id, stdin=":quit\n").output
    assert "What was there is kept as" in told
    (kept,) = (work / "backups").iterdir()
    assert kept.name in told.replace("\n", "") and kept.read_text(encoding="utf-8") == "mine = 1\n"
    assert "is kept as" not in run("resume", session.id, stdin=":quit\n").output


def test_a_decision_that_nobody_has_made_is_none() -> None:
    from labkit.interview.drawing import Item

    session = Session.of([Item("design", "harbour_parcels", "Harbour", 20, "start")], "architect", 20)
    told = run("resume", session.id, stdin="\n:quit\n").output
    assert "Nothing in it has been changed" in told
    assert Session.load(session.id).entries[0].status == "open"


@pytest.mark.parametrize(
    "arguments",
    [
        ["start", "--role", "king"],
        ["start", "--minutes", "5"],
        ["questions", "--topic", "cooking"],
        ["questions", "--level", "wizard"],
        ["questions", "--notebook", "99"],
        ["show", "no-such-question"],
        ["answer", "no-such-question"],
        ["prove", "no-such-question"],
        ["answer", "how-to-scale"],
        ["report"],
    ],
)
def test_a_wrong_command_line_ends_with_two_and_a_sentence(arguments: list[str]) -> None:
    told = run(*arguments)
    assert told.exit_code == 2
    assert told.output.startswith("error: ") and "Traceback" not in told.output


def test_questions_are_listed_by_topic_and_level() -> None:
    told = run("questions", "--topic", "scaling", "--level", "senior")
    assert told.exit_code == 0
    rows = [line for line in told.stdout.splitlines() if " min " in line]
    assert rows and all(" scaling " in row and " senior " in row for row in rows)


@pytest.mark.parametrize("notebook", ["04", "04_stateless_era"])
def test_questions_are_listed_by_notebook(notebook: str) -> None:
    told = run("questions", "--notebook", notebook)
    listed = [line.split()[0] for line in told.stdout.splitlines()]
    assert sorted(listed) == sorted(each.id for each in load_bank().values() if each.notebook == "04_stateless_era")


def test_a_solution_is_shown_after_an_attempt_or_on_demand() -> None:
    closed = run("show", "how-to-scale")
    assert closed.exit_code == 1 and "A model answer" not in closed.output
    assert "A model answer" in run("show", "how-to-scale", "--now").output
    told = run("answer", "how-to-scale", stdin=ANSWER)
    assert told.exit_code == 0 and "points seen" in told.output
    assert "A model answer" in run("show", "how-to-scale").output
    assert Record().attempts()[0].answer == ANSWER


def test_a_score_can_be_had_as_json_and_a_judge_that_is_not_there_is_said() -> None:
    told = json.loads(run("answer", "how-to-scale", "--json", stdin=ANSWER).stdout)
    assert told["fraction"] > 0 and told["question"] == "how-to-scale"
    alone = run("answer", "how-to-scale", "--judge", stdin=ANSWER)
    assert alone.exit_code == 1 and "No model is configured" in alone.output


def test_what_is_due_the_report_and_the_history(work: Path, tmp_path: Path) -> None:
    assert "Nothing was answered yet" in run("due").output
    run("start", "--minutes", "10", stdin=":skip\n:quit\n")
    assert run("due").output.startswith("Nothing is due")
    assert "missed" in run("due", "--all").output
    told = run("report", "--out", str(tmp_path / "it.html"))
    assert told.exit_code == 0 and (tmp_path / "it.html").is_file()
    assert Store().ids()[0] in run("history", "--plot", str(tmp_path / "trend.svg")).output
    assert (tmp_path / "trend.svg").is_file()


def test_a_damaged_record_is_a_sentence(work: Path) -> None:
    run("answer", "how-to-scale", stdin=ANSWER)
    with Record().path.open("ab") as file:
        file.write(b"{\n")
    told = run("due", "--all")
    assert told.exit_code == 0 and "line 2 cannot be read" in told.stderr and "how-to-scale" in told.stdout
