"""Checks of 25_name_collision. Names come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Backends = dict[str, list[str]]


def words(rng: random.Random, count: int) -> list[str]:
    found = set[str]()
    while len(found) < count:
        found.add("".join(rng.choices("bdfgklmnprst", k=2)) + rng.choice("aeiou") + "".join(rng.choices("klmnst", k=2)))
    return rng.sample(sorted(found), count)


class Script:
    """Events of a rehearsal, and what is expected of each."""

    def __init__(self, backends: Backends) -> None:
        self.backends, self.events, self.wanted = backends, list[list[Any]](), list[Any]()

    def expect(self, event: list[Any], wanted: Any) -> None:
        self.events.append(event)
        self.wanted.append(wanted)

    def offers(self, names: dict[str, list[str]]) -> None:
        """These names are there, and lead to these tools."""
        self.expect(["list"], sorted(names))
        for name, owner in names.items():
            self.expect(["call", name], [owner, owner])  # the answer, and who was asked

    def unknown(self, *names: str) -> None:
        for name in names:
            self.expect(["call", name], ["unknown"])

    def update(self, backend: str, tools: list[str], problems: list[list[str]]) -> None:
        self.expect(["update", backend, tools], problems)

    def compare(self, submission: Submission) -> None:
        found = submission.call("rehearse", self.backends, self.events)
        expect_true("log" in found, f"{self.backends}: {found.get('collision')}")
        for number, (event, got, wanted) in enumerate(zip(self.events, found["log"], self.wanted, strict=True)):
            before = [each for each in self.events[:number] if each[0] == "update"]
            expect(got, wanted, f"{event} with {self.backends}, after {before}")


@check(
    "a name reaches the tool that it was made of",
    points=4,
    reason="Split anywhere, a name fits several backends. The worst is that a wrong one answers as well.",
    about="Aggregator",
)
def test_apart(submission: Submission, rng: random.Random) -> None:
    a, b, c, x, y = words(rng, 5)
    script = Script(
        {a: [f"{b}_{x}", y], f"{a}_{b}": [y, f"{c}_{x}"], f"{a}_{b}_{c}": [y], f"_{c}": [x, f"{x}_"], c: [""]}
    )
    script.offers(
        {
            f"{a}_{b}_{x}": [a, f"{b}_{x}"],
            f"{a}_{y}": [a, y],
            f"{a}_{b}_{y}": [f"{a}_{b}", y],
            f"{a}_{b}_{c}_{x}": [f"{a}_{b}", f"{c}_{x}"],
            f"{a}_{b}_{c}_{y}": [f"{a}_{b}_{c}", y],
            f"_{c}_{x}": [f"_{c}", x],
            f"_{c}_{x}_": [f"_{c}", f"{x}_"],
            f"{c}_": [c, ""],
        }
    )
    script.unknown(f"{a}_{x}", f"{a}_{b}", a, f"{b}_{x}", "", "_", f"{c}_{x}", f"{a}_{b}_{c}_{y}_")
    script.compare(submission)


@check(
    "one name for two tools is refused at the start",
    points=3,
    reason="It is a mistake in somebody's configuration, and to mend it one has to know which two to look at.",
    about="Aggregator",
)
def test_start(submission: Submission, rng: random.Random) -> None:
    a, b, c, x, y = words(rng, 5)
    backends = {c: [x], a: [y, f"{b}_{x}"], f"{a}_{b}": [x, y]}
    for given in (backends, dict(reversed(backends.items()))):
        found = submission.call("rehearse", given, [])
        said = found.get("collision")
        expect_true(isinstance(said, str), f"Aggregator({given}) raised no Collision")
        rest = said.replace(f"{a}_{b}_{x}", "", 1)
        expect_true(rest != said, f"the message does not name {a}_{b}_{x}: {said!r}")
        expect_true(f"{a}_{b}" in rest, f"the message does not name the backend {a}_{b}: {said!r}")
        expect_true(a in rest.replace(f"{a}_{b}", ""), f"the message does not name the backend {a}: {said!r}")


@check(
    "backends may change their tools",
    points=2,
    reason="A tool that is gone cannot be called any more, and a new one can at once.",
    about="Aggregator",
)
def test_updates(submission: Submission, rng: random.Random) -> None:
    a, b, x, y, z = words(rng, 5)
    script = Script({a: [x, y], b: [x]})
    script.update(a, [y, z], [])
    script.offers({f"{a}_{y}": [a, y], f"{a}_{z}": [a, z], f"{b}_{x}": [b, x]})
    script.unknown(f"{a}_{x}")
    script.update(f"{a}_{b}", [x], [])
    script.update(a, [], [])
    script.offers({f"{b}_{x}": [b, x], f"{a}_{b}_{x}": [f"{a}_{b}", x]})
    script.unknown(f"{a}_{y}")
    script.compare(submission)


@check(
    "who has a name keeps it",
    points=4,
    reason="Otherwise a backend takes over any tool it likes, by offering one that is called the same.",
    about="Aggregator",
)
def test_keeps(submission: Submission, rng: random.Random) -> None:
    a, b, x, y, z = words(rng, 5)
    name, late = f"{a}_{b}_{x}", f"{a}_{b}"
    script = Script({a: [f"{b}_{x}"], late: [y]})
    script.update(late, [x, z], [[name, a, late]])
    script.offers({name: [a, f"{b}_{x}"], f"{late}_{z}": [late, z]})
    script.update(late, [x, x, z], [[name, a, late]])
    script.update(a, [y, f"{b}_{x}"], [[name, a, late]])
    script.offers({name: [a, f"{b}_{x}"], f"{a}_{y}": [a, y], f"{late}_{z}": [late, z]})
    script.compare(submission)
    script = Script({a: [y], late: [x]})  # and now the one that stands first is the newcomer
    script.update(a, [y, f"{b}_{x}"], [[name, late, a]])
    script.offers({name: [late, x], f"{a}_{y}": [a, y]})
    script.compare(submission)


@check(
    "a name that has become free goes to who waits",
    points=3,
    reason="What was a problem yesterday is none today: nobody should have to restart anything for it.",
    about="Aggregator",
)
def test_frees(submission: Submission, rng: random.Random) -> None:
    a, b, c, x, y = words(rng, 5)
    name, two, three = f"{a}_{b}_{c}_{x}", f"{a}_{b}", f"{a}_{b}_{c}"
    script = Script({a: [f"{b}_{c}_{x}"], two: [y]})
    script.update(three, [x], [[name, a, three]])
    script.update(two, [f"{c}_{x}"], sorted([[name, a, two], [name, a, three]]))
    script.update(a, [y], [[name, two, three]])
    script.offers({name: [two, f"{c}_{x}"], f"{a}_{y}": [a, y]})
    script.update(a, [f"{b}_{c}_{x}"], sorted([[name, two, a], [name, two, three]]))
    script.update(two, [], [[name, a, three]])
    script.update(a, [], [])
    script.offers({name: [three, x]})
    script.compare(submission)
