"""Checks of 18_who_leaks. Journals are made from the seed: pids, functions, times."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

FUNCTIONS = ["search", "summarise", "translate", "answer", "index"]
SERVERS = ["notes", "weather", "filesystem"]


class Journal:
    """Writes a journal entry by entry; the clock moves when it is told to."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.clock, self.entries = rng, rng.randint(0, 99), list[dict[str, Any]]()
        self.pids = rng.sample(range(1000, 9999), 60)

    def put(self, event: str, pid: int, **more: Any) -> int:
        """An entry; its pid."""
        self.entries.append({"at": self.clock, "event": event, "pid": pid, **more})
        return pid

    def open(self, by: str = "", pid: int = 0) -> int:
        """A connection; its pid."""
        by = by or self.rng.choice(FUNCTIONS)
        return self.put("open", pid or self.pids.pop(), server=self.rng.choice(SERVERS), by=by)

    def pause(self, seconds: int = 0) -> None:
        """Time passes."""
        self.clock += seconds or self.rng.randint(1, 9)


@check(
    "still_open follows openings and closings",
    points=3,
    reason="What was opened and not closed is open, in the order of its opening; frames change nothing about that.",
    about="still_open",
)
def test_still_open(submission: Submission, rng: random.Random) -> None:
    journal = Journal(rng)
    pids = [journal.open() for _ in range(6)]
    for pid in rng.sample(pids, 6):
        journal.pause()
        journal.put("frame", pid)
    gone = rng.sample(pids, 3)
    for pid in gone:
        journal.put("close", pid)
    left = [pid for pid in pids if pid not in gone]
    expect(submission.call("still_open", journal.entries), left, "still_open(journal)")
    expect(submission.call("still_open", []), [], "still_open([])")


@check(
    "a pid that comes back is a new connection",
    points=2,
    reason="The number of an ended process goes to a new one: what was closed under it says nothing about now.",
    about="still_open",
)
def test_reused(submission: Submission, rng: random.Random) -> None:
    journal = Journal(rng)
    first = journal.open(by="search")
    journal.put("close", first)
    other = journal.open()
    journal.pause()
    journal.open(by="answer", pid=first)
    expect(
        submission.call("still_open", journal.entries), [other, first], f"still_open(journal): {first} was opened twice"
    )


@check(
    "peak is the most at one moment",
    points=2,
    reason="Neither the number of openings nor what is left at the end: a peak in between can fill a machine.",
    about="peak",
)
def test_peak(submission: Submission, rng: random.Random) -> None:
    journal = Journal(rng)
    most = rng.randint(3, 7)
    pids = [journal.open() for _ in range(most)]
    for pid in pids:
        journal.pause()
        journal.put("close", pid)
    for _ in range(most + 2):
        journal.put("close", journal.open())
    journal.open()
    expect(submission.call("peak", journal.entries), most, "peak(journal)")
    expect(submission.call("peak", []), 0, "peak([])")


@check(
    "idle leaves those at work alone",
    points=2,
    reason="A connection with a recent frame is at work, and one that was just opened has had no time for one.",
    about="idle",
)
def test_idle(submission: Submission, rng: random.Random) -> None:
    seconds = rng.randint(20, 60)
    journal = Journal(rng)
    forgotten, busy, edge = journal.open(), journal.open(), journal.open()
    journal.put("frame", forgotten)
    journal.pause(rng.randint(200, 300))
    journal.put("frame", edge)
    journal.pause(1)
    journal.put("frame", busy)
    fresh = journal.open()
    journal.pause(seconds - 1)
    last = journal.open()
    seen = f"{forgotten} long ago, {edge} {seconds} s, {busy} and {fresh} {seconds - 1} s before the end, {last} then"
    what = f"idle(journal, {seconds}), last seen: {seen}"
    expect(submission.call("idle", journal.entries, seconds), [forgotten, edge], what)
    back = Journal(rng)
    pid = back.open()
    back.put("frame", pid)
    back.put("close", pid)
    back.pause(seconds + 5)
    back.open(pid=pid)
    expect(submission.call("idle", back.entries, seconds), [], f"idle(journal, {seconds}): {pid} was just opened again")


@check(
    "leaks names who leaves more than one",
    points=3,
    reason="One kept connection may be on purpose; two that nobody uses were forgotten, and that number grows.",
    about="leaks",
)
def test_leaks(submission: Submission, rng: random.Random) -> None:
    one, two, many, tidy = rng.sample(FUNCTIONS, 4)
    count = rng.randint(3, 5)
    journal = Journal(rng)
    openers = [one, two, two, *[many] * count]
    rng.shuffle(openers)
    for by in openers:
        journal.open(by=by)
        journal.put("close", journal.open(by=tidy))
        journal.pause()
    journal.pause(100)
    for _ in range(3):
        journal.open(by=tidy)
    wanted = {two: 2, many: count}
    expect(submission.call("leaks", journal.entries, 60), wanted, "leaks(journal, 60)")
    expect(submission.call("leaks", journal.entries, 1000), {}, "leaks(journal, 1000)")
