"""Checks of 24_layers. Towers of tools are made from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Tools = dict[str, dict[str, Any]]


def words(rng: random.Random, count: int) -> list[str]:
    found = set[str]()
    while len(found) < count:
        found.add("".join(rng.choices("bdfgklmnprst", k=2)) + rng.choice("aeiou") + "".join(rng.choices("klmnst", k=2)))
    return rng.sample(sorted(found), count)


class Tower:
    """Four layers: the top tool needs a saving, a booking, and a look; the booking itself does so two layers down."""

    def __init__(self, rng: random.Random) -> None:
        self.top, self.middle, self.base, self.side, self.other = words(rng, 5)
        self.all, self.save, self.book, self.look, self.write, self.read = words(rng, 6)
        self.odd = words(rng, 1)[0] + "x"
        self.tools: Tools = {
            self.all: self.tool(self.top, [self.save, self.book, self.look]),
            self.save: self.tool(self.side, [], changes=True),
            self.book: self.tool(self.middle, [self.write, self.read]),
            self.look: self.tool(self.middle, []),
            self.write: self.tool(self.base, [], changes=True),
            self.read: self.tool(self.base, []),
            self.odd: self.tool(self.other, [], changes=True),
        }
        self.pings = [["ping", layer] for layer in (self.top, self.side, self.middle, self.base)]

    @staticmethod
    def tool(layer: str, below: list[str], *, changes: bool = False) -> dict[str, Any]:
        return {"layer": layer, "below": below, "changes": changes}

    def order(self) -> list[str]:
        """The tools in the order of their work."""
        return [self.look, self.save, self.read, self.write, self.book, self.all]

    def rehearse(self, submission: Submission, script: dict[str, Any], name: str = "") -> dict[str, Any]:
        whole = {"left": {}, "refuses": {}, **script}
        return submission.call("rehearse", self.tools, name or self.all, whole)


def worked(found: dict[str, Any]) -> list[str]:
    return [entry[1] for entry in found["log"] if entry[0] == "work"]


def pinged(found: dict[str, Any]) -> list[Any]:
    return [entry for entry in found["log"] if entry[0] == "ping"]


@check(
    "a call is answered by all layers below",
    points=3,
    reason="Each layer adds its own work to what the one below it has answered.",
    about="call",
)
def test_works(submission: Submission, rng: random.Random) -> None:
    tower = Tower(rng)
    read, write, save = f"{tower.read}()", f"{tower.write}()", f"{tower.save}()"
    below = {tower.save: save, tower.look: f"{tower.look}()"}
    below[tower.book] = (
        f"{tower.book}({', '.join(answer for _, answer in sorted([(tower.read, read), (tower.write, write)]))})"
    )
    whole = f"{tower.all}({', '.join(below[name] for name in sorted(below))})"
    found = tower.rehearse(submission, {})
    expect(found.get("answer"), whole, f"the answer of {tower.all} with {tower.tools}")
    answers = {entry[1]: entry[2] for entry in found["log"] if entry[0] == "work"}
    expect(answers[tower.all], below, f"the answers that {tower.all} was given")
    expect(tower.rehearse(submission, {}, tower.read).get("answer"), read, f"the answer of {tower.read}")


@check(
    "when a layer is away, nothing is begun",
    points=4,
    reason="Half of a job is worse than none: somebody has to find out which half, and which way leads there.",
    about="call",
)
def test_away(submission: Submission, rng: random.Random) -> None:
    tower = Tower(rng)
    ways = {
        tower.top: [tower.top],
        tower.side: [tower.top, tower.side],
        tower.middle: [tower.top, tower.middle],
        tower.base: [tower.top, tower.middle, tower.base],
    }
    for layer, way in ways.items():
        found = tower.rehearse(submission, {"left": {layer: 0}})
        expect(worked(found), [], f"what was done while {layer} was away, with {tower.tools}")
        expect(
            found.get("failed"), f"{' > '.join(way)}: away; nothing was changed", f"the error while {layer} was away"
        )
    found = tower.rehearse(submission, {"left": {tower.base: 0, tower.side: 0}})
    expect(
        found.get("failed"), f"{tower.top} > {tower.side}: away; nothing was changed", "the error while two were away"
    )


@check(
    "each layer that is needed is asked once, and no other",
    points=2,
    reason="A layer that this call does not need may be away, and asking costs a round trip.",
    about="call",
)
def test_asked(submission: Submission, rng: random.Random) -> None:
    tower = Tower(rng)
    expect(pinged(tower.rehearse(submission, {})), tower.pings, f"the layers that were asked, with {tower.tools}")
    found = tower.rehearse(submission, {"left": {tower.other: 0, tower.side: 0, tower.top: 0}}, tower.book)
    expect_true("answer" in found, f"{tower.book} needs neither {tower.other} nor {tower.side}, and failed: {found}")
    wanted = [["ping", tower.middle], ["ping", tower.base]]
    expect(pinged(found), wanted, f"the layers that were asked for {tower.book}")


@check(
    "reading comes before changing",
    points=3,
    reason="What only reads may refuse without any harm, as long as nothing has been changed before it.",
    about="call",
)
def test_reading(submission: Submission, rng: random.Random) -> None:
    tower = Tower(rng)
    order = worked(tower.rehearse(submission, {}))
    expect(order, tower.order(), f"the order of the work with {tower.tools}")
    tower.tools[tower.all]["below"] = [tower.book, tower.look, tower.save]
    wanted = [tower.look, tower.read, tower.write, tower.book, tower.save, tower.all]
    expect(worked(tower.rehearse(submission, {})), wanted, f"the order of the work with {tower.tools}")


@check(
    "what fails on the way says what was done before",
    points=4,
    reason="Between the ping and the work a process can end. Whoever cleans up needs the list, and it has to be true.",
    about="call",
)
def test_midway(submission: Submission, rng: random.Random) -> None:
    tower = Tower(rng)
    why = f"only {rng.randint(2, 99)} left"
    down = {
        tower.all: [tower.top],
        tower.save: [tower.top, tower.side],
        tower.book: [tower.top, tower.middle],
        tower.write: [tower.top, tower.middle, tower.base],
    }
    changed = {tower.save: [], tower.write: [tower.save], tower.book: [tower.save, tower.write]}
    changed[tower.all] = changed[tower.book]
    for name, way in down.items():
        found = tower.rehearse(submission, {"refuses": {name: why}})
        said = f"done already: {', '.join(changed[name])}" if changed[name] else "nothing was changed"
        expect(found.get("failed"), f"{' > '.join(way)}: {why}; {said}", f"the error when {name} refuses")
        expect(worked(found)[-1:] == [name], False, f"whether {name} was done")
    found = tower.rehearse(submission, {"left": {tower.base: 1}})
    way = " > ".join(down[tower.write])
    expect(
        found.get("failed"), f"{way}: away; done already: {tower.save}", f"the error when {tower.base} ends on the way"
    )
    last = tower.order()[: tower.order().index(tower.write)]
    expect(worked(found), last, f"what was done when {tower.base} ended after one call")
