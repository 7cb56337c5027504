"""Checks of 28_two_probes. Settings and times come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


class Script:
    """Events of a rehearsal, written down with what is expected of each."""

    def __init__(self, rng: random.Random) -> None:
        self.failures, self.cooldown, self.probes = rng.randint(2, 5), rng.randint(5, 30), rng.randint(2, 4)
        self.now = rng.randint(0, 100)
        self.events: list[list[Any]] = []
        self.wanted: list[Any] = []
        self.calls = 0

    def call(self, admitted: bool, state: str, times: int = 1) -> list[int]:
        """Begin calls; their numbers."""
        for _ in range(times):
            self.events.append(["call", self.now])
            self.wanted.append([admitted, state])
        self.calls += times
        return list(range(self.calls - times, self.calls))

    def end(self, numbers: list[int], outcome: str, state: str) -> None:
        for number in numbers:
            self.events.append(["end", self.now, number, outcome])
            self.wanted.append(state)

    def opened(self) -> None:
        """Calls that fail one after the other, until it opens."""
        for number in range(1, self.failures + 1):
            self.end(self.call(True, "closed"), "failed", "open" if number == self.failures else "closed")

    def half_open(self) -> list[int]:
        """Opened and waited; all probes are on their way."""
        self.opened()
        self.now += self.cooldown
        return self.call(True, "half-open", self.probes)

    def compare(self, submission: Submission) -> None:
        """Run it, and fail at the first event that went differently."""
        settings = {"failures": self.failures, "cooldown": self.cooldown, "probes": self.probes}
        log = submission.call("rehearse", settings, self.events)
        expect(len(log), len(self.events), "the number of events in the log")
        for number, (event, got, wanted) in enumerate(zip(self.events, log, self.wanted, strict=True)):
            what = "admitted, and the state then" if event[0] == "call" else "the state after it"
            before = self.events[max(0, number - 4) : number]
            expect(got, wanted, f"{settings}, event {event} after {before}: {what}")


@check(
    "failures in a row open it",
    points=3,
    reason="One failure now and then is life; a row of them is an outage. A cancelled call is neither.",
    about="Breaker",
)
def test_opens(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    script.call(True, "closed", 50)
    nearly = script.failures - 1
    for outcome in ("good", "cancelled"):
        script.end(script.call(True, "closed", nearly), "failed", "closed")
        script.end(script.call(True, "closed"), "good", "closed")
        script.end(script.call(True, "closed", 30), outcome, "closed")
    script.end(script.call(True, "closed", nearly), "failed", "closed")
    script.end(script.call(True, "closed", 9), "cancelled", "closed")
    script.end(script.call(True, "closed"), "failed", "open")
    script.compare(submission)


@check(
    "open means refused, for the whole cooldown",
    points=2,
    reason="The rest is what the other side needs to recover. After a probe that failed it is a whole one again.",
    about="Breaker",
)
def test_cooldown(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    script.opened()
    for _ in range(2):
        script.call(False, "open", 3)
        script.now += script.cooldown - 1
        script.call(False, "open", 3)
        script.now += 1
        script.end(script.call(True, "half-open"), "failed", "open")
    script.call(False, "open", 2)
    script.compare(submission)


@check(
    "of a crowd only the probes pass",
    points=3,
    reason="A hundred callers have waited for this moment. The dependency has just got up.",
    about="Breaker",
)
def test_crowd(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    script.half_open()
    script.call(False, "half-open", 100)
    script.now += script.cooldown * 3
    script.call(False, "half-open", 5)
    script.compare(submission)


@check(
    "it closes when all probes were good",
    points=2,
    reason="One answer can be luck. Closed again, it forgets what was.",
    about="Breaker",
)
def test_closes(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    *probes, last = script.half_open()
    rng.shuffle(probes)
    script.end(probes, "good", "half-open")
    script.call(False, "half-open", 2)
    script.end([last], "good", "closed")
    script.end(script.call(True, "closed", script.failures - 1), "failed", "closed")
    script.end(script.call(True, "closed"), "good", "closed")
    script.opened()
    script.compare(submission)


@check(
    "one probe that fails opens it",
    points=2,
    reason="The others may come back well afterwards: they do not know what is known by now.",
    about="Breaker",
)
def test_fails(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    first, second, *others = script.half_open()
    script.end([first], "good", "half-open")
    script.now += 1
    script.end([second], "failed", "open")
    script.end(others, "good", "open")
    script.now += script.cooldown - 1
    script.call(False, "open", 2)
    script.now += 1
    probes = script.call(True, "half-open", script.probes)
    script.call(False, "half-open", 2)
    script.end(probes[:-1], "good", "half-open")
    script.end(probes[-1:], "good", "closed")
    script.compare(submission)


@check(
    "a cancelled probe gives its place to one other",
    points=2,
    reason="Callers leave. If their places were lost, nobody would ever find out that all is well.",
    about="Breaker",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    first, *others = script.half_open()
    for _ in range(3):
        script.end([first], "cancelled", "half-open")
        (first,) = script.call(True, "half-open")
        script.call(False, "half-open", 3)
    script.end(others, "good", "half-open")
    script.end([first], "good", "closed")
    script.compare(submission)


@check(
    "what began before a change counts for nothing",
    points=2,
    reason="A call that hung for a minute tells how it was a minute ago.",
    about="Breaker",
)
def test_late(submission: Submission, rng: random.Random) -> None:
    script = Script(rng)
    old = script.call(True, "closed", 40)
    (slow,) = script.call(True, "closed")
    probes = script.half_open()
    script.end(old[:5], "good", "half-open")
    script.end(old[5:10], "cancelled", "half-open")
    script.call(False, "half-open", 2)
    script.end(old[10:15], "failed", "half-open")
    script.end(probes, "good", "half-open")
    script.wanted[-1] = "closed"
    script.end(old[15:30], "failed", "closed")
    nearly = script.call(True, "closed", script.failures)
    script.end(nearly[1:], "failed", "closed")
    script.end([slow], "good", "closed")
    script.end(nearly[:1], "failed", "open")
    script.end(old[30:35], "good", "open")
    script.call(False, "open", 2)
    script.compare(submission)
