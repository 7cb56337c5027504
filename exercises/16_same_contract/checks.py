"""Checks of 16_same_contract. Tools are made from the seed, written as pydantic writes schemas, and as zod does."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def words(rng: random.Random, count: int) -> list[str]:
    found = set[str]()
    while len(found) < count:
        found.add("".join(rng.choices("bdfgklmnprst", k=2)) + rng.choice("aeiou") + "".join(rng.choices("klmnst", k=2)))
    return rng.sample(sorted(found), count)


class Member:
    """An argument or a member of a result: its types (none: any), bounds, and whether it has to be there."""

    def __init__(self, *types: str, required: bool = True, **bounds: float) -> None:
        self.types, self.required, self.bounds = types, required, bounds


Members = dict[str, Member]


def pydantic(members: Members, title: str) -> Schema:
    def one(name: str, member: Member) -> Schema:
        kinds = [{"type": each} for each in member.types]
        written: Schema = {} if not kinds else kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        return {"title": name.title(), **written, **member.bounds}

    made = {name: one(name, member) for name, member in members.items()}
    needed = [name for name, member in members.items() if member.required]
    return {"type": "object", "title": title, "properties": made} | ({"required": needed} if needed else {})


def zod(members: Members, title: str) -> Schema:
    def one(name: str, member: Member) -> Schema:
        kinds: Schema = {"type": member.types[0] if len(member.types) == 1 else list(member.types)}
        return {**member.bounds, **(kinds if member.types else {}), "description": f"The {name}."}

    backwards = list(reversed(members.items()))
    made = {name: one(name, member) for name, member in backwards}
    needed = [name for name, member in backwards if member.required]
    return {"$schema": DIALECT, "type": "object", "properties": made, "required": needed, "additionalProperties": False}


class Pair:
    """A server's tools, and what another offers in their place: equal until somebody changes `offered`."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.tool, self.other, self.extra = words(rng, 3)
        self.a, self.b, self.c, self.d = words(rng, 4)
        self.low, self.high = rng.randint(-9, 0), rng.randint(10, 99)
        self.known: dict[str, tuple[Members, Members | None]] = {
            self.tool: (
                {
                    self.a: Member("string", "null"),
                    self.b: Member("number", minimum=self.low, maximum=self.high),
                    self.c: Member("integer", required=False),
                    self.d: Member(required=False),
                },
                {
                    self.a: Member("string"),
                    self.b: Member("number", "null"),
                    self.c: Member("integer", minimum=self.low, maximum=self.high),
                    self.d: Member("array", required=False),
                },
            ),
            self.other: ({}, None),
        }
        self.offered = {name: (dict(given), out and dict(out)) for name, (given, out) in self.known.items()}

    def input(self, name: str, member: Member | None) -> "Pair":
        self._put(self.offered[self.tool][0], name, member)
        return self

    def output(self, name: str, member: Member | None) -> "Pair":
        members = self.offered[self.tool][1]
        assert members is not None
        self._put(members, name, member)
        return self

    @staticmethod
    def _put(members: Members, name: str, member: Member | None) -> None:
        members.pop(name, None)
        if member is not None:
            members[name] = member

    def ask(self, submission: Submission, *, turned: bool = False) -> Any:
        """The answer, with `known` written by one SDK and `offered` by the other."""
        writers = [pydantic, zod] if self.rng.random() < 0.5 else [zod, pydantic]
        lists = [self.listed(tools, writer) for tools, writer in zip((self.known, self.offered), writers, strict=True)]
        return submission.call("breaks", *(reversed(lists) if turned else lists))

    @staticmethod
    def listed(tools: dict[str, tuple[Members, Members | None]], write: Any) -> list[Schema]:
        rows: list[Schema] = []
        for name, (given, out) in tools.items():
            row: Schema = {"name": name, "description": f"{name}, by {write.__name__}."}
            row["inputSchema"] = write(given, f"{name}Arguments")
            rows.append(row | ({} if out is None else {"outputSchema": write(out, name)}))
        return rows if write is pydantic else rows[::-1]

    def places(self, *places: str) -> list[list[str]]:
        return sorted([self.tool, place] for place in places)


@check(
    "two spellings of one contract are one contract",
    points=3,
    reason="A comparison that reports spelling is switched off soon, and then nobody sees what breaks.",
    about="breaks",
)
def test_same(submission: Submission, rng: random.Random) -> None:
    for _ in range(3):
        pair = Pair(rng)
        expect(pair.ask(submission), [], "the same tools, written by pydantic and by zod")
        pair.offered[pair.extra] = ({pair.a: Member("string")}, None)
        expect(pair.ask(submission), [], f"the same, and a new tool {pair.extra}")
    pair = Pair(rng)
    pair.input(pair.extra, Member("string", required=False)).output(pair.extra, Member("string"))
    expect(pair.ask(submission), [], "one more argument that may be left out, and one more member of the result")


@check(
    "what is gone is missed",
    points=2,
    reason="A caller that still asks for it gets an error, or something else than it asked for.",
    about="breaks",
)
def test_gone(submission: Submission, rng: random.Random) -> None:
    pair = Pair(rng)
    del pair.offered[pair.other]
    expect(pair.ask(submission), [[pair.other, ""]], f"{pair.other} is not offered")
    del pair.offered[pair.tool]
    both = sorted([[pair.tool, ""], [pair.other, ""]])
    expect(pair.ask(submission), both, "no tool is offered")
    pair = Pair(rng)
    for name in (pair.a, pair.c):
        pair.input(name, None)
    expect(pair.ask(submission), pair.places(f"input.{pair.a}", f"input.{pair.c}"), "two arguments are gone")


@check(
    "what must be sent from now on is missed",
    points=2,
    reason="Callers leave out what they may leave out. The other way round they send more than they must.",
    about="breaks",
)
def test_required(submission: Submission, rng: random.Random) -> None:
    pair = Pair(rng)
    pair.input(pair.c, Member("integer")).input(pair.extra, Member("string"))
    expected = pair.places(f"input.{pair.c}", f"input.{pair.extra}")
    expect(pair.ask(submission), expected, f"{pair.c} must be sent now, and {pair.extra}, which is new")
    pair = Pair(rng)
    pair.input(pair.a, Member("string", "null", required=False))
    expect(pair.ask(submission), [], f"{pair.a} may be left out now")


@check(
    "arguments take at least the types they took",
    points=3,
    reason="For what callers send, more is welcome, and less breaks them.",
    about="breaks",
)
def test_argument_types(submission: Submission, rng: random.Random) -> None:
    pair = Pair(rng)
    bounds = pair.known[pair.tool][0][pair.b].bounds
    pair.input(pair.a, Member("string")).input(pair.b, Member("integer", **bounds))
    pair.input(pair.d, Member("string", "null", "number", "array", "object", required=False))
    expected = pair.places(f"input.{pair.a}", f"input.{pair.b}", f"input.{pair.d}")
    expect(pair.ask(submission), expected, "one takes no null any more, one no fractions, one no booleans")
    pair = Pair(rng)
    pair.input(pair.a, Member("string", "null", "array")).input(pair.c, Member("number", required=False))
    pair.input(pair.b, Member(**pair.known[pair.tool][0][pair.b].bounds))
    pair.input(pair.d, Member("null", "boolean", "number", "string", "array", "object", required=False))
    expect(pair.ask(submission), [], "all take more than they took, or the same")


@check(
    "arguments take at least the numbers they took",
    points=3,
    reason="A bound that moves by one breaks whoever stands on it. And who named none may have sent anything.",
    about="breaks",
)
def test_bounds(submission: Submission, rng: random.Random) -> None:
    for low, high, broken in ((1, 0, True), (0, -1, True), (0, 0, False), (-1, 1, False)):
        pair = Pair(rng)
        pair.input(pair.b, Member("number", minimum=pair.low + low, maximum=pair.high + high))
        what = f"bounds were {pair.low} and {pair.high}, are {pair.low + low} and {pair.high + high}"
        expect(pair.ask(submission), pair.places(f"input.{pair.b}") if broken else [], what)
    for side in ("minimum", "maximum"):
        pair = Pair(rng)
        pair.input(pair.c, Member("integer", required=False, **{side: 0}))
        expect(pair.ask(submission), pair.places(f"input.{pair.c}"), f"there is a {side} of 0 where there was none")
        pair = Pair(rng)
        kept = {each: value for each, value in pair.known[pair.tool][0][pair.b].bounds.items() if each != side}
        pair.input(pair.b, Member("number", **kept))
        expect(pair.ask(submission), [], f"the {side} is gone")


@check(
    "results keep what was promised, and nothing wider",
    points=3,
    reason="For what callers read it is the other way round: less is welcome, more breaks them.",
    about="breaks",
)
def test_results(submission: Submission, rng: random.Random) -> None:
    pair = Pair(rng)
    pair.output(pair.a, Member("string", "null")).output(pair.b, None)
    pair.output(pair.c, Member("number", minimum=pair.low, maximum=pair.high)).output(pair.d, Member(required=False))
    expected = pair.places(*(f"output.{name}" for name in (pair.a, pair.b, pair.c, pair.d)))
    expect(pair.ask(submission), expected, "a null, a member gone, a fraction, anything at all")
    pair = Pair(rng)
    pair.output(pair.b, Member("integer")).output(pair.d, Member("array"))
    pair.output(pair.c, Member("integer", minimum=pair.low + 1, maximum=pair.high - 1))
    expect(pair.ask(submission), [], "less is given than was promised to be borne, and one member always")
    pair = Pair(rng)
    pair.output(pair.d, None).output(pair.a, Member("string", required=False))
    expect(pair.ask(submission), pair.places(f"output.{pair.a}"), f"{pair.a} may be missing; {pair.d} always might")
    for low, high in ((-1, 0), (0, 1)):
        pair = Pair(rng)
        pair.output(pair.c, Member("integer", minimum=pair.low + low, maximum=pair.high + high))
        expect(pair.ask(submission), pair.places(f"output.{pair.c}"), "a result may be one off its bound")
    pair = Pair(rng)
    pair.offered[pair.tool] = (pair.offered[pair.tool][0], None)
    expected = pair.places(*(f"output.{name}" for name in (pair.a, pair.b, pair.c)))
    expect(pair.ask(submission), expected, f"{pair.tool} promises nothing any more")
    expect(pair.ask(submission, turned=True), [], f"{pair.tool} promised nothing, and does now")
