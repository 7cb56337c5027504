"""Checks of 29_lost_errand. Dishes are made from the seed; order is checked, never time."""

import json
import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Session

DISHES = ["soup", "rice", "eggs", "bread", "beans", "corn", "fish", "peas"]


def dishes(rng: random.Random, count: int) -> list[str]:
    return [f"{dish} {rng.randint(10, 9999)}" for dish in rng.sample(DISHES, count)]


def lines(session: Session) -> list[dict[str, Any]]:
    return json.loads(session.read("log://lines").text)


def ids(session: Session, dish: str) -> dict[str, str]:
    """What the log says of one dish: event and id."""
    return {
        line["event"].removesuffix(f" {dish}"): line["errand"]
        for line in lines(session)
        if line["event"].endswith(dish)
    }


def call(dish: str, wait: float) -> tuple[str, dict[str, Any]]:
    return ("tools/call", {"name": "order", "arguments": {"dish": dish, "wait": wait}})


@check(
    "orders side by side keep their ids",
    points=4,
    reason="A log in which two errands have one id, or one errand two, answers no question.",
    about="begin",
)
def test_side_by_side(submission: Submission, rng: random.Random) -> None:
    for era in ("2025-11-25", "2026-07-28"):
        session = submission.session("process", era)
        one, other = dishes(rng, 2)
        session.race(call(one, 0.7), call(other, 0.1))
        found = {
            dish: [ids(session, dish).get(event) for event in ("ordered", "cooked", "served")] for dish in (one, other)
        }
        for dish, seen in found.items():
            expect_true(
                len(set(seen)) == 1 and seen[0], f"ordered, cooked and served {dish} have the ids {seen} ({session})"
            )
        expect_true(found[one][0] != found[other][0], f"two orders have the same id {found[one][0]!r} ({session})")
        events = [line["event"] for line in lines(session)]
        waited = events.index(f"served {other}") < events.index(f"served {one}")
        expect_true(waited, f"an order that waits longer is served first ({session})")
        dish = dishes(rng, 1)[0]
        told = session.call("order", dish=dish, wait=0).text
        expect(
            ids(session, dish).get("served"), told, f"the id of `served {dish}`, which order has answered ({session})"
        )


@check(
    "the thread of pack knows the errand",
    points=3,
    reason="Work moves between tasks and threads, and the id has to come along.",
    about="order",
)
def test_thread(submission: Submission, rng: random.Random) -> None:
    session = submission.session("process", "2026-07-28")
    for dish in dishes(rng, 2):
        told = session.call("order", dish=dish, wait=0).text
        expect(ids(session, dish).get("packed"), told, f"the id of `packed {dish}`")


@check(
    "pack does not stop the others",
    points=1,
    reason="It blocks: in the event loop it would hold up every client.",
    about="order",
)
def test_blocking(submission: Submission, rng: random.Random) -> None:
    session = submission.session("process", "2026-07-28")
    one, other = dishes(rng, 2)
    session.race(call(one, 0), call(other, 0))
    events = [line["event"] for line in lines(session)]
    began = [events.index(f"packing {dish}") for dish in (one, other)]
    ended = [events.index(f"packed {dish}") for dish in (one, other)]
    expect_true(
        max(began) < min(ended), "the second order is packed only when the first has been: pack has to run in a thread"
    )


@check(
    "a sync tool has an errand of its own",
    points=2,
    reason="The SDK runs it in a thread, with the context of its call.",
    about="quick",
)
def test_quick(submission: Submission, rng: random.Random) -> None:
    session = submission.session("process", "2025-11-25")
    one, other = dishes(rng, 2)
    told = [session.call("quick", dish=dish).text for dish in (one, other)]
    expect([ids(session, dish).get("packed") for dish in (one, other)], told, "the ids of two `packed` lines")
    expect_true(told[0] != told[1], f"two calls of quick have the same id {told[0]!r}")


@check(
    "lines outside of an errand have no id",
    points=2,
    reason="A line that carries the id of an errand that is over sends its reader the wrong way.",
    about="log",
)
def test_outside(submission: Submission, rng: random.Random) -> None:
    session = submission.session("process", "2026-07-28")
    session.call("order", dish=dishes(rng, 1)[0], wait=0)
    found = {line["event"]: line["errand"] for line in lines(session)}
    expect(found.get("the kitchen is open"), "", "the id of `the kitchen is open`")
    expect(found.get("somebody looks"), "", "the id of `somebody looks`")


@check(
    "stdout carries frames only",
    points=1,
    reason="A strict client stops at the first line that is no frame.",
)
def test_stdout(submission: Submission, rng: random.Random) -> None:
    for era in ("2025-11-25", "2026-07-28"):
        session = submission.session("process", era)
        expect(session.call("quick", dish="tea").is_error, False, f"a call of quick ({session})")


@check(
    "stderr has one JSON object a line",
    points=1,
    reason="A log is read by programs first: one line, one event.",
)
def test_stderr(submission: Submission, rng: random.Random) -> None:
    said = submission.words_on_stderr("process", until="the kitchen is open")
    wanted = {"errand": "", "event": "the kitchen is open"}
    found = [line for line in said.splitlines() if line.startswith("{")]
    expect_true(
        any(read(line) == wanted for line in found),
        f"there is no line {json.dumps(wanted)} on stderr, only {said[-200:]!r}",
    )


def read(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
