"""Checks of 05_clean_stdout. Order is checked, never time, so a busy machine changes nothing."""

import random

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

ERAS = ("2025-11-25", "2026-07-28")


@check(
    "stdout carries frames only",
    points=3,
    reason="A strict client stops at the first line that is no frame, and the first line is the one printed at import.",
)
def test_stdout(submission: Submission, rng: random.Random) -> None:
    for era in ERAS:
        session = submission.session("process", era)
        expect(session.call("laps").is_error, False, f"a call of laps ({session})")
    expect(submission.session("process", ERAS[0]).hello["serverInfo"]["name"], "timer", "the server's name")


@check(
    "the operator still reads `timer ready`",
    points=1,
    reason="Silence is no repair: what the operator needs to know belongs on stderr.",
)
def test_stderr(submission: Submission, rng: random.Random) -> None:
    said = submission.words_on_stderr("process", until="timer ready")
    found = "timer ready" in (line.strip() for line in said.splitlines())
    expect_true(found, f"there is no line 'timer ready' on stderr, only {said[-200:]!r}")


@check(
    "a slow tool stops nobody else",
    points=2,
    reason="An async tool shares one thread with everything: whatever blocks there blocks every client's request.",
    about="wait",
)
def test_wait(submission: Submission, rng: random.Random) -> None:
    for era in ERAS:
        session = submission.session("process", era)
        order = session.race(("tools/call", {"name": "wait", "arguments": {"seconds": 0.4}}), ("tools/list", {}))
        expect(order, ["tools/list", "tools/call"], f"the order of the answers when wait is called first ({session})")


@check(
    "wait still counts laps",
    points=2,
    reason="A repair keeps what worked: every lap counts, once, after the waiting.",
    about="wait",
)
def test_laps(submission: Submission, rng: random.Random) -> None:
    session = submission.fresh("process", rng.choice(ERAS))
    expect(session.call("laps").data, {"result": 0}, "laps() at the start")
    seconds = rng.randint(1, 9) / 1000
    for lap in (1, 2):
        expect(session.call("wait", seconds=seconds).text, f"waited {seconds} s", f"wait({seconds})")
        expect(session.call("laps").data, {"result": lap}, f"laps() after {lap} calls of wait")
        expect(session.read("lab://status").text, f"{lap} laps", "lab://status")


@check(
    "reset takes its answer as an argument",
    points=2,
    reason="The server's stdin is the wire; what a person decides arrives in the call.",
    about="reset",
)
def test_reset(submission: Submission, rng: random.Random) -> None:
    session = submission.fresh("process", rng.choice(ERAS))
    schema = session.tools()["reset"]["inputSchema"]["properties"]
    expect(schema.get("sure", {}).get("type"), "boolean", "the type of `sure` in reset's schema")
    session.call("wait", seconds=0)
    expect(session.call("reset", sure=False).text, "kept", "reset(sure=False)")
    expect(session.call("laps").data, {"result": 1}, "laps() after reset(sure=False)")
    expect(session.call("reset", sure=True).text, "reset", "reset(sure=True)")
    expect(session.call("laps").data, {"result": 0}, "laps() after reset(sure=True)")
