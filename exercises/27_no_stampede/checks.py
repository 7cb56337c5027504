"""Checks of 27_no_stampede. The server numbers its calls; names and times come from the seed."""

import random
import re
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

SERVER = '''
import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("upstream", log_level="ERROR")
calls, now = 0, set()
failures = FAILURES

async def one(tool, city, user):
    global calls
    calls += 1
    number = calls
    now.add(number)
    with anyio.move_on_after(1):
        while not {*range(1, TOGETHER + 1)} <= now:
            await anyio.sleep(0.001)
    if number <= failures:
        raise ToolError(f"down, call {number}")
    return f"{tool} of {city} for {user}, call {number} of {len(now)}"

@server.tool()
async def forecast(city: str, user: str) -> str:
    """The weather, the same for everybody."""
    return await one("forecast", city, "everybody")

@server.tool()
async def agenda(city: str, user: str) -> str:
    """Appointments of a user in a city."""
    return await one("agenda", city, user)
'''
Round = dict[str, Any]


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


def at(seconds: int, *asks: tuple[str, str, str]) -> Round:
    """A round; asks are (user, tool, city)."""
    return {"at": seconds, "asks": [{"user": user, "tool": tool, "city": city} for user, tool, city in asks]}


def answers(submission: Submission, *rounds: Round, failures: int = 0, together: int = 0) -> list[list[dict[str, Any]]]:
    source = SERVER.replace("FAILURES", str(failures)).replace("TOGETHER", str(together))
    found = submission.drive("answers", source, list(rounds))
    shape = [len(each["asks"]) for each in rounds]
    good = isinstance(found, list) and all(isinstance(each, list) for each in found)
    expect_true(good and [len(each) for each in found] == shape, f"for rounds of {shape} asks, answers are {found!r}")
    for each in found:
        for answer in each:
            fine = isinstance(answer, dict) and isinstance(answer.get("text"), str) and "error" in answer
            expect_true(fine, f"an answer is {answer!r}, not what fetch returns")
    return found


def numbers(found: list[list[dict[str, Any]]]) -> list[list[int]]:
    """For each round, the calls that its answers came of."""
    return [[int(re.findall(r"call (\d+)", answer["text"])[0]) for answer in each] for each in found]


@check(
    "one call for all who ask the same at the same time",
    points=3,
    reason="When an entry expires, everybody who comes until the next answer finds nothing: a stampede on the server.",
    about="answers",
)
def test_together(submission: Submission, rng: random.Random) -> None:
    user, city, crowd = word(rng), word(rng), rng.randint(10, 30)
    for tool in ("forecast", "agenda"):
        asks = [(user, tool, city)] * crowd
        found = numbers(answers(submission, at(0, *asks), at(60, *asks)))
        expect(found, [[1] * crowd, [2] * crowd], f"the calls of two rounds with {crowd} times the same ask of {tool}")


@check(
    "what is private stays with its user",
    points=4,
    reason="A key without its user, or one in which names run together, hands one user's answers to the next.",
    about="answers",
)
def test_own(submission: Submission, rng: random.Random) -> None:
    one, other, city = word(rng), word(rng), word(rng)
    users = [(one, city), (other, city), (one[1:], city + one[0]), (one + city[0], city[1:]), ("", city + one)]
    for mark in ",:| ":
        users += [(f"{one}{mark}{other}", city), (other, f"{city}{mark}{one}"), (one, f"{other}{mark}{city}")]
    rounds = [at(second, (user, "agenda", place)) for second, (user, place) in enumerate(users * 2)]
    found = answers(submission, *rounds)
    for (user, place), (answer,) in zip(users * 2, found, strict=True):
        wanted = f"agenda of {place} for {user},"
        expect_true(answer["text"].startswith(wanted), f"{user!r} asks for {place!r} and is given {answer['text']!r}")
    calls = [*range(1, len(users) + 1)] * 2
    expect(numbers(found), [[call] for call in calls], "the calls for each user's agenda, asked for twice")
    mixed = answers(submission, at(0, (one, "forecast", city)), at(1, (one, "agenda", city)))
    expect_true(mixed[1][0]["text"].startswith("agenda"), f"for an agenda there was {mixed[1][0]['text']!r}")


@check(
    "what is public is fetched once for everybody",
    points=2,
    reason="Keys with the user in all of them are safe, and a cache that nobody finds anything in.",
    about="answers",
)
def test_shared(submission: Submission, rng: random.Random) -> None:
    city = word(rng)
    rounds = [at(second, (word(rng), "forecast", city)) for second in range(4)]
    expect(numbers(answers(submission, *rounds)), [[1]] * 4, "the calls when four users ask for one forecast")
    crowd = [(word(rng), "forecast", city) for _ in range(5)] * 2
    asked_first = answers(submission, at(0, crowd[0]), at(1, *crowd))
    expect(numbers(asked_first), [[1], [1] * 10], "the calls when five users ask for a forecast that is there")


@check(
    "an answer counts for its time",
    points=2,
    reason="For ever is no time to live: the first forecast would be the last one.",
    about="answers",
)
def test_expires(submission: Submission, rng: random.Random) -> None:
    start, user, city = rng.randint(0, 1000), word(rng), word(rng)
    times = [start, start + 59, start + 60, start + 119, start + 120, start + 500]
    for tool in ("forecast", "agenda"):
        found = numbers(answers(submission, *(at(second, (user, tool, city)) for second in times)))
        since = [second - start for second in times]
        expect(found, [[1], [1], [2], [2], [3], [4]], f"the calls of {tool} {since} seconds after the first")


@check(
    "an error counts for a moment",
    points=3,
    reason="Kept like an answer, it makes a second of trouble a minute; not kept at all, everybody goes on asking.",
    about="answers",
)
def test_errors(submission: Submission, rng: random.Random) -> None:
    start, user, city = rng.randint(0, 1000), word(rng), word(rng)
    times = [0, 4, 5, 9, 10, 69, 70]
    tool = rng.choice(["agenda", "forecast"])
    rounds = [at(start + second, (user, tool, city)) for second in times]
    found = answers(submission, *rounds, failures=2)
    expect(numbers(found), [[1], [1], [2], [2], [3], [3], [4]], f"the calls at {times}, the first two of which fail")
    errors = [answer["error"] for (answer,) in found]
    expect(errors, [True] * 4 + [False] * 3, f"`error` at {times}")


@check(
    "different asks go on side by side",
    points=2,
    reason="A lock around the cache lets one slow answer hold up all the others.",
    about="answers",
)
def test_beside(submission: Submission, rng: random.Random) -> None:
    one, other, city = word(rng), word(rng), word(rng)
    asks = [(one, "agenda", city), (other, "agenda", city), (one, "forecast", city), (one, "forecast", word(rng))]
    found = answers(submission, at(0, *asks), together=len(asks))
    for answer in found[0]:
        expect_true(answer["text"].endswith("of 4"), f"of 4 calls at the same time, one says {answer['text']!r}")
