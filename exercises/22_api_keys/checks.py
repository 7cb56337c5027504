"""Checks of 22_api_keys. Keys, names, scopes and times are made from the seed."""

import hmac
import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

OVERLAP = 3600


class Day:
    """What was asked for, and what came of it."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission = submission
        self.pepper, self.now = self.word(rng), rng.randint(1000, 9999)
        self.keys = ["lab_" + self.word(rng) for _ in range(6)]
        self.ada, self.bob, self.eve = (self.word(rng)[:6] for _ in range(3))
        self.read = self.word(rng)[:5] + ":read"
        self.scopes = [self.read + "-all", self.word(rng)[:5] + ":write"]

    def word(self, rng: random.Random) -> str:
        return "".join(rng.choices(string.ascii_lowercase, k=16))

    def digest(self, key: str) -> str:
        return hmac.new(self.pepper.encode(), key.encode(), "sha256").hexdigest()

    def run(self, *events: list[Any]) -> dict[str, Any]:
        settings = {"pepper": self.pepper, "keys": self.keys, "now": self.now}
        return self._submission.call("rehearse", settings, list(events))

    def statuses(self, *events: list[Any]) -> list[Any]:
        """Of the checks among the events."""
        return [each["status"] for each in self.run(*events)["results"] if isinstance(each, dict)]


@check(
    "attack: somebody has read the table",
    points=4,
    reason="Tables are copied: into backups, into tests, by an injection. What is in them must open nothing.",
    about="Keys",
)
def test_stolen(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    hashed = day.digest(day.keys[0])
    told = day.run(["issue", day.ada, day.scopes], ["check", hashed, day.scopes[0]], ["rotate", day.ada])
    expect(told["results"][1], {"status": 401}, "what is kept of a key, sent as a key")
    table = str(told["rows"])
    for number, key in enumerate(day.keys[:2]):
        expect_true(key[4:12] not in table, f"key {number} can be read in the rows: {table}")
        expect_true(day.digest(key) in table, f"the digest of key {number} is not in the rows: {table}")


@check(
    "attack: the time that a comparison takes",
    points=3,
    reason="Who may ask often enough learns from the time what no answer says; and each digest is paid for.",
    about="Keys",
)
def test_time(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    people = [["issue", who, [day.read]] for who in (day.ada, day.bob, day.eve)]
    asked = [["check", key, day.read] for key in (*day.keys[:3], day.keys[5], "", None)]
    told = day.run(*people, *asked)
    costs = [tuple(cost) for cost in told["costs"][3:]]
    expect(costs, [(1, 3)] * 6, "digests and comparisons of six checks with three rows")
    expect(told["costs"][0][1], 0, "comparisons for a new key")
    late = [["rotate", day.ada], ["time", day.now + OVERLAP], *asked[:2]]
    rows, costs = 4, [tuple(cost) for cost in day.run(*people, *late)["costs"][4:]]
    expect(costs, [(1, rows)] * 2, "digests and comparisons when one of four rows has ended")


@check(
    "attack: a key for one thing opens another",
    points=2,
    reason="A key that is copied out of a script should be worth what the script did, and no more.",
    about="Keys",
)
def test_scopes(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    wanted = [day.read, day.scopes[1] + "s", day.scopes[1][:-1], "", " ", ",", *day.scopes]
    asked = [["check", day.keys[0], scope] for scope in wanted]
    found = day.statuses(["issue", day.ada, day.scopes], *asked)
    expect(dict(zip(wanted, found, strict=True)), {s: 200 if s in day.scopes else 403 for s in wanted}, "by scope")
    expect(day.statuses(["issue", day.ada, []], ["check", day.keys[0], day.read]), [403], "a key without scopes")


@check(
    "attack: a key that was replaced or revoked",
    points=4,
    reason="A key is replaced because somebody may have the old one.",
    about="Keys",
)
def test_ended(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    one, two, three = [["check", key, day.read] for key in day.keys[:3]]
    mine, newer = ["issue", day.ada, [day.read]], ["rotate", day.ada]
    end = ["time", day.now + OVERLAP]
    expect(day.statuses(mine, newer, end, one, two), [401, 200], f"old and new key, {OVERLAP} s after a rotation")
    expect(day.statuses(mine, newer, newer, one, two, three), [401, 200, 200], "three keys after two rotations")
    again = day.statuses(mine, newer, ["time", day.now + 1], newer, ["time", day.now + OVERLAP], one, two, three)
    expect(again, [401, 200, 200], "three keys, at the end of the first overlap, after a second rotation in it")
    events = (mine, newer, ["issue", day.bob, [day.read]], ["revoke", day.ada], one, two, three)
    expect(day.statuses(*events), [401, 401, 200], "two keys of somebody whose keys were revoked, and another's")


@check(
    "attack: keys in the log",
    points=2,
    reason="Logs are read by more people than the table is.",
    about="Keys",
)
def test_log(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    asked = [["check", key, day.read] for key in (day.keys[0], day.keys[5], None)]
    told = day.run(["issue", day.ada, [day.read]], *asked, ["rotate", day.ada], ["revoke", day.ada])
    lines = "\n".join(map(str, told["log"]))
    for key in (day.keys[0], day.keys[1], day.keys[5]):
        pieces = [key[at : at + 8] for at in range(len(key) - 7)]
        expect_true(not any(piece in lines for piece in pieces), f"a part of {key} is in the log: {lines}")
        expect_true(day.digest(key) not in lines, f"the digest of {key} is in the log: {lines}")


@check(
    "use: keys are given out, asked for, and written down",
    points=1,
    reason="A server that lets nobody in is safe as well.",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    told = day.run(
        ["issue", day.ada, [day.read]],
        ["issue", day.bob, day.scopes],
        ["check", day.keys[0], day.read],
        ["check", day.keys[1], day.read],
        ["check", day.keys[2], day.read],
    )
    answers = [{"status": 200, "who": day.ada}, {"status": 403, "who": day.bob}, {"status": 401}]
    expect(told["results"], [*day.keys[:2], *answers], "two keys, and three checks")
    written = [f"{day.ada} {day.read}: 200", f"{day.bob} {day.read}: 403", f"unknown {day.read}: 401"]
    expect([line for line in told["log"] if line in written], written, "the lines of the log")


@check(
    "near miss: a rotation is no outage",
    points=2,
    reason="Whoever has to stop everything for a new key does not make one.",
)
def test_overlap(submission: Submission, rng: random.Random) -> None:
    day = Day(submission, rng)
    told = day.run(
        ["issue", day.ada, day.scopes], ["issue", day.bob, [day.read]], ["rotate", day.ada], ["rotate", day.eve]
    )
    expect(told["results"][2:], [day.keys[2], None], "what a rotation returns, for who has a key and who has none")
    asked = [["check", key, day.scopes[1]] for key in (day.keys[0], day.keys[2])]
    last = ["time", day.now + OVERLAP - 1]
    mine = ["issue", day.ada, day.scopes], ["issue", day.bob, [day.read]], ["rotate", day.ada]
    expect(day.statuses(*mine, *asked, last, *asked), [200] * 4, "old and new key, at once and in the last second")
    told = day.run(*mine, ["revoke", day.ada], ["rotate", day.ada], ["check", day.keys[1], day.read])
    expect(told["results"][-2:], [None, {"status": 200, "who": day.bob}], "a rotation for nobody, and another's key")
