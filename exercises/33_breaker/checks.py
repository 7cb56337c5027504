"""Checks of 33_breaker. Settings come from the seed; time is the rehearsal's, and begins at 0."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


class Script:
    """Events of a rehearsal, with what is expected of each."""

    def __init__(self, rng: random.Random) -> None:
        self.failures, self.cooldown = rng.randint(3, 5), rng.randint(10, 40)
        self.events: list[list[Any]] = []
        self.wanted: list[Any] = []
        self.calls = 0

    def wait(self, seconds: int) -> None:
        self.events.append(["wait", seconds])

    def call(self, wanted: Any = "runs", times: int = 1) -> list[str]:
        """Calls begin, and run, or end like this at once; their names."""
        names = [f"call {number}" for number in range(self.calls, self.calls + times)]
        self.calls += times
        for name in names:
            self.events.append(["call", name])
            self.wanted.append(wanted)
        return names

    def refused(self, seconds: int, times: int = 1) -> None:
        self.call(["Open", seconds], times)

    def end(self, kind: str, names: list[str]) -> None:
        """Calls end, and their callers see it."""
        for name in names:
            seen = {"good": {"from": name}, "failed": ["OSError", name], "cancelled": ["CancelledError"]}
            self.events.append([kind, name])
            self.wanted.append(seen[kind])

    def opened(self) -> None:
        self.end("failed", self.call(times=self.failures))

    def compare(self, submission: Submission) -> None:
        log = submission.call("rehearse", self.failures, self.cooldown, self.events)
        told = [event for event in self.events if event[0] != "wait"]
        expect(len(log), len(told), "the number of events in the log")
        for number, (got, wanted) in enumerate(zip(log, self.wanted, strict=True)):
            settings = f"failures={self.failures}, cooldown={self.cooldown}"
            expect(got, wanted, f"{settings}: {told[number]} after {told[max(0, number - 5) : number]}")


@check(
    "failures in a row open it",
    points=2,
    reason="A failure now and then is life. Who called is told what happened, in any case.",
    about="Breaker",
)
def test_opens(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    many = script.call(times=20)
    for kind in ("good", "cancelled"):
        script.end("failed", script.call(times=script.failures - 1))
        script.end(kind, script.call(times=5))
        script.end("good", script.call())
    script.end("failed", many[: script.failures - 1])
    script.end("cancelled", many[script.failures - 1 : 10])
    script.end("failed", many[10:11])
    script.refused(script.cooldown, 3)
    script.compare(submission)


@check(
    "open says how long it still is",
    points=2,
    reason="Who knows when to come back need not try; who is let through early keeps the other side from getting up.",
    about="Breaker",
)
def test_open(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    script.opened()
    for part in (1, script.cooldown - 2):
        script.refused(script.cooldown if part == 1 else script.cooldown - 1)
        script.wait(part)
    script.refused(1, 2)
    script.wait(1)
    script.call()
    script.compare(submission)


@check(
    "one probe, and nobody else",
    points=2,
    reason="At this moment a hundred callers are waiting, and the other side has just got up.",
    about="Breaker",
)
def test_one(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    script.opened()
    script.wait(script.cooldown + rng.randint(0, 5))
    probe = script.call()
    script.refused(0, 20)
    script.wait(script.cooldown * 2)
    script.refused(0, 2)
    script.end("good", probe)
    script.call(times=10)
    script.compare(submission)


@check(
    "the probe decides",
    points=2,
    reason="A failed probe gives the other side a whole rest, from when it failed. A good one forgets what was.",
    about="Breaker",
)
def test_probe(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    script.opened()
    script.wait(script.cooldown)
    probe = script.call()
    script.wait(7)
    script.end("failed", probe)
    script.refused(script.cooldown)
    script.wait(script.cooldown - 1)
    script.refused(1)
    script.wait(1)
    script.end("good", script.call())
    script.end("failed", script.call(times=script.failures - 1))
    script.end("good", script.call())
    script.opened()
    script.refused(script.cooldown)
    script.compare(submission)


@check(
    "a cancelled probe gives its place away",
    points=2,
    reason="Callers leave. A place that is lost with them is lost for ever: nothing would pass any more.",
    about="Breaker",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    script.opened()
    script.wait(script.cooldown)
    for _ in range(3):
        probe = script.call()
        script.refused(0)
        script.end("cancelled", probe)
    probe = script.call()
    script.refused(0)
    script.end("failed", probe)
    script.refused(script.cooldown)
    script.compare(submission)


@check(
    "what began before it opened counts for nothing",
    points=2,
    reason="It tells how things were. Least of all may its end make room for a second probe.",
    about="Breaker",
)
def test_late(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    old = iter(script.call(times=30))

    def late() -> None:
        for kind in ("good", "failed", "cancelled"):
            script.end(kind, [next(old)])

    script.opened()
    script.wait(1)
    late()
    script.refused(script.cooldown - 1)
    script.wait(script.cooldown - 1)
    probe = script.call()
    late()
    script.refused(0)
    script.end("good", probe)
    script.end("failed", [next(old) for _ in range(script.failures)])
    row = script.call(times=script.failures)
    script.end("failed", row[1:])
    script.end("good", [next(old)])
    script.end("failed", row[:1])
    script.refused(script.cooldown)
    script.compare(submission)
