"""Checks of 17_contract_test: the learner's test runs on tills, good ones and broken ones."""

import random

from labkit.grading.checks import CheckFailed, Crashed, check
from labkit.grading.submission import Submission

TILL = """
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

server = MCPServer("till", log_level="ERROR")
bills = []


@server.tool()
def split_bill(cents: int, people: PEOPLE) -> list[int]:
    "Split a bill."
    if REFUSED:
        ON_REFUSAL
        raise ToolError("WORDS")
    bills.append(cents)
    part, rest = divmod(cents, abs(people) or 1)
    parts = [part + 1] * rest + [part] * (people - rest)
    AFTER
    return parts


@server.tool()
def bills_today() -> list[int]:
    "The bills so far."
    return SHOWN


MORE
"""
GOOD = {
    "PEOPLE": "int",
    "REFUSED": "people < 1",
    "ON_REFUSAL": "pass",
    "WORDS": "there is nobody to pay",
    "AFTER": "pass",
    "SHOWN": "bills",
    "MORE": "",
}
EXTRA = '@server.tool()\ndef tip(cents: int) -> int:\n    "A tenth."\n    return cents // 10'


def till(**changes: str) -> str:
    """The source of a till, good but for the changes."""
    source = TILL
    for place, text in (GOOD | changes).items():
        source = source.replace(place, text)
    return source


def passes(submission: Submission, what: str, source: str) -> None:
    try:
        submission.drive("contract", source)
    except Crashed as crash:
        if crash.line is None:
            raise
        raise CheckFailed(f"a good till fails your test ({what}): {crash}") from None


def catches(submission: Submission, what: str, source: str) -> None:
    try:
        submission.drive("contract", source)
    except Crashed as crash:
        if crash.line is None:  # not in the learner's test: that would be the process, or time
            raise
        return
    raise CheckFailed(f"your test passes on a broken till: {what}")


@check(
    "good tills pass, however they differ",
    points=3,
    reason="A test that asserts more than was promised stops servers that do nothing wrong, and is soon switched off.",
)
def test_good(submission: Submission, rng: random.Random) -> None:
    passes(submission, "as in the notebook", till())
    passes(submission, "the smaller parts come first", till(AFTER="parts.reverse()"))
    passes(submission, "the error has other words", till(WORDS=f"refused, number {rng.randint(100, 999)}"))
    passes(submission, "the schema refuses", till(PEOPLE="Annotated[int, Field(ge=1)]"))
    passes(submission, "there is another tool", till(MORE=EXTRA))


@check(
    "a cent that is lost is noticed",
    points=2,
    reason="One example shows one number of people. The rule, tried for all of them, finds the one that is wrong.",
)
def test_sum(submission: Submission, rng: random.Random) -> None:
    catches(submission, "the rest is lost, always", till(AFTER="parts = [part] * people"))
    wrong = rng.randint(4, 12)
    after = f"parts = [parts[0] + (people == {wrong}), *parts[1:]]"
    catches(submission, f"the first pays a cent too much when there are {wrong}", till(AFTER=after))
    one = "parts = [2] if people == 1 and cents == 1 else parts"
    catches(submission, "one person pays 2 cents for 1", till(AFTER=one))


@check(
    "an unfair part is noticed",
    points=2,
    reason="The sum can be right while the first one pays for all.",
)
def test_fair(submission: Submission, rng: random.Random) -> None:
    unfair = "[part + rest] + [part] * (people - 1)"
    catches(submission, "the first pays the whole rest", till(AFTER=f"parts = {unfair}"))
    wrong = rng.randint(4, 12)
    after = (
        f"more = int(people == {wrong}); parts = [parts[0] + more, *parts[1:-1], *parts[1:][-1:]]; parts[-1] -= more"
    )
    catches(submission, f"the first pays a cent for the last when there are {wrong}", till(AFTER=after))
    shifted = "parts = [parts[0] + 1, *parts[1:-1], parts[-1] - 1] if part and not rest and people > 1 else parts"
    catches(submission, "the first pays for the last where it comes out even", till(AFTER=shifted))


@check(
    "a part that is missing is noticed",
    points=2,
    reason="Where there is less to pay than there are people, some pay 0, and have their place in the list.",
)
def test_count(submission: Submission, rng: random.Random) -> None:
    catches(submission, "who pays 0 is left out", till(AFTER="parts = [each for each in parts if each] or [0]"))
    wrong = rng.randint(4, 12)
    after = f"parts = parts + [0] * (people == {wrong})"
    catches(submission, f"for {wrong} people there is one part too many", till(AFTER=after))


@check(
    "people below 1 have to be refused",
    points=2,
    reason="What must fail is half of a contract. It is the half that a first try by hand never sees.",
)
def test_nobody(submission: Submission, rng: random.Random) -> None:
    catches(submission, "0 people split a bill into nothing", till(REFUSED="people < 0"))
    after = "parts = [cents]"
    catches(
        submission,
        "fewer than 0 people are taken for one",
        till(REFUSED="people == 0", AFTER=after + " if people < 0 else parts"),
    )


@check(
    "a bill of 0 cents is a bill",
    points=1,
    reason="0 is where `if cents:` and `if cents is not None:` part.",
)
def test_zero(submission: Submission, rng: random.Random) -> None:
    catches(submission, "0 cents are refused", till(REFUSED="people < 1 or not cents"))


@check(
    "what the till remembers is looked at",
    points=2,
    reason="A tool that answers rightly can still leave the wrong thing behind, most of all when it refuses.",
)
def test_memory(submission: Submission, rng: random.Random) -> None:
    catches(submission, "a refused bill is remembered", till(ON_REFUSAL="bills.append(cents)"))
    catches(submission, "equal bills are remembered once", till(SHOWN="list(dict.fromkeys(bills))"))
    catches(submission, "the bills are sorted", till(SHOWN="sorted(bills)"))
    catches(submission, "the last bill is forgotten", till(SHOWN="bills[:-1]"))
