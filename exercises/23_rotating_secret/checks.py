"""Checks of 23_rotating_secret. Keys, times and sums are made from the seed."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

KEEP = 60


class Day:
    """What happened, and what came of it."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self.rng = submission, rng
        self.old, self.new, self.third = (self.word() for _ in range(3))
        self.start = rng.randint(1000, 9999)

    def word(self) -> str:
        return "canary-" + "".join(self.rng.choices(string.ascii_lowercase, k=12))

    def run(self, *events: dict[str, Any]) -> dict[str, Any]:
        told = self._submission.call("rehearse", {"key": self.old}, [{"time": self.start}, *events])
        shown = str([told["results"], told["log"]])
        for key in (self.old, self.new, self.third):
            expect_true(key not in shown, f"after {events}, a key is in a result or in the log: {shown}")
        return told

    def statuses(self, *events: dict[str, Any]) -> list[Any]:
        return [result.get("status") for result in self.run(*events)["results"]]


@check(
    "attack: a key that was changed, and is refused",
    points=3,
    reason="Keys are changed because somebody may have the old one. Who goes on with it is locked out.",
    about="Payments",
)
def test_changed(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    cents = rng.randint(1, 999)
    told = day.run({"pay": 1}, {"good": day.new, "stored": day.new}, {"pay": cents}, {"pay": 2})
    expect([r["status"] for r in told["results"]], [200, 200, 200], "the key is changed between two payments: statuses")
    expect(told["results"][1], {"status": 200, "cents": cents}, "the answer of the second try")
    expect(
        (told["asked"], told["reads"]), ([day.old, day.old, day.new, day.new], 2), "keys used, and reads of the store"
    )
    told = day.run({"pay": 1}, {"good": day.third, "stored": day.new}, {"pay": 2})
    expect((told["results"][1]["status"], told["asked"][1:]), (401, [day.old, day.new]), "the new key is refused, too")
    told = day.run({"pay": 1}, {"good": day.third}, {"pay": 2})
    expect((told["results"][1]["status"], told["asked"][1:]), (401, [day.old]), "a key is refused, and still the same")


@check(
    "attack: an old key is used on",
    points=3,
    reason="A key that was taken away has to stop being used, even where it would still open.",
    about="Payments",
)
def test_old(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    told = day.run({"pay": 1}, {"time": day.start + KEEP, "stored": day.new}, {"good": day.new}, {"pay": 2})
    expect(told["asked"], [day.old, day.new], f"the keys that were used, {KEEP} s apart")
    busy = [{"time": day.start + second, "pay": 1} for second in (KEEP // 2 - 1, KEEP - 1, KEEP)]
    told = day.run({"pay": 1}, {"stored": day.new}, *busy)
    expect(told["asked"][-1], day.new, f"the last key, {KEEP} s after the first was read, with payments in between")
    events = [{"pay": 1}, {"away": True, "time": day.start + KEEP}, {"pay": 2}, {"away": False}, {"pay": 3}]
    told = day.run(*events)
    expect(
        [r["status"] for r in told["results"]], [200, 503, 200], "the store is away when the key is too old: statuses"
    )
    expect(told["asked"], [day.old] * 2, "keys that were used meanwhile")
    told = day.run({"pay": 1}, {"good": day.new, "away": True}, {"pay": 2}, {"pay": 3})
    expect([r["status"] for r in told["results"]], [200, 503, 503], "a key is refused, and the store away: statuses")
    expect(told["asked"], [day.old] * 2, "a key that was refused is used once more, no matter how often one pays")


@check(
    "attack: a key in a result or in the log",
    points=2,
    reason="Logs are read by more people than the store is.",
    about="Payments",
)
def test_shown(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    told = day.run({"away": True}, {"pay": 1}, {"away": False}, {"pay": 2}, {"good": day.new}, {"pay": 3})
    first = told["results"][0]
    expect_true(isinstance(first.get("error"), str) and first["error"], f"an error without a word: {first}")
    expect(set(first), {"status", "error"}, "the members of an error")


@check(
    "use: payments are made and written down",
    points=2,
    reason="A server that pays nothing needs no key.",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    sums = [rng.randint(1, 999) for _ in range(4)]
    told = day.run(*({"pay": cents} for cents in sums))
    expect(told["results"], [{"status": 200, "cents": cents} for cents in sums], "what the bank answered")
    expect(told["log"], [f"paid {cents}: 200" for cents in sums], "the lines of the log")
    told = day.run({"good": day.new}, {"pay": sums[0]})
    expect(
        (told["results"], told["log"]),
        ([{"status": 401, "error": "unknown key"}], [f"paid {sums[0]}: 401"]),
        "a refusal",
    )


@check(
    "near miss: the store is asked seldom, and may be away for a while",
    points=2,
    reason="A key is kept for good reasons: each question costs, and stores are restarted.",
)
def test_near_miss(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    events: list[dict[str, Any]] = [{"pay": 1}]
    for second in (1, KEEP // 2, KEEP - 1):
        events += [{"time": day.start + second, "away": second > 1}, {"pay": second}]
    told = day.run(*events)
    expect(([r["status"] for r in told["results"]], told["reads"]), ([200] * 4, 1), f"4 payments in {KEEP - 1} s")
    events = []
    for second in range(0, 4 * KEEP, KEEP // 4):
        events += [{"time": day.start + second}, {"pay": 1}]
    expect(day.run(*events)["reads"], 4, f"reads in {4 * KEEP} s of payments")
