"""Checks of 20_exhaustion. Lines, texts and parts are made from the seed."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Session

MOST = 1000


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=6))


def served(submission: Submission, rng: random.Random, **settings: str) -> Session:
    """A server of its own for each check: one that was kept busy answers no other."""
    return submission.made({"RANGE_CANARY": word(rng), **settings})


def refused(session: Session, tool: str, words: str, what: str, **arguments: Any) -> None:
    reply = session.call(tool, **arguments)
    expect_true(reply.is_error, f"{what} is no error, it answers {reply.text[:60]!r}")
    expect_true(words in reply.text, f"the error of {what} lacks {words!r}: {reply.text[:200]!r}")


def answers(session: Session, tool: str, wanted: Any, what: str, **arguments: Any) -> None:
    reply = session.call(tool, **arguments)
    expect_true(not reply.is_error, f"{what} is refused: {reply.text[:200]!r}")
    expect(reply.data, {"result": wanted}, what)


def doubled(levels: int, last: list[str], name: str) -> dict[str, list[str]]:
    return {f"{name}{n}": [f"{name}{n + 1}"] * 2 for n in range(levels)} | {f"{name}{levels}": last}


@check(
    "attack: what comes in and goes out has an end",
    points=3,
    reason="A number from a caller is a request for memory, here and at the model that has to read the answer.",
    about="make",
)
def test_bounds(submission: Submission, rng: random.Random) -> None:
    lines = rng.randint(1000, 3000)
    session = served(submission, rng, RANGE_LINES=str(lines))
    tools = session.tools()
    found = tools["last_lines"]["inputSchema"]["properties"]["count"]
    seen = {key: found.get(key) for key in ("minimum", "maximum", "default")}
    expect(seen, {"minimum": 1, "maximum": 200, "default": 10}, "count in the schema of last_lines")
    found = tools["write_line"]["inputSchema"]["properties"]["line"]
    expect(found.get("maxLength"), 200, "maxLength of line in the schema of write_line")
    for count in (201, rng.randint(300, 900), 10**9, 0, -1, -5):
        reply = session.call("last_lines", count=count)
        expect_true(reply.is_error, f"last_lines({count}) answers with {len(reply.get('content', []))} lines")
    for length in (201, rng.randint(300, 900), 100_000):
        refused(session, "write_line", "", f"write_line with {length} characters", line="x" * length)
    answers(session, "last_lines", [f"{lines - 1:05} all is well"], "the last line afterwards", count=1)


@check(
    "attack: no text makes the pattern compute for long",
    points=4,
    reason="A pattern that can read a text in many ways tries them all before it says no.",
    about="make",
)
def test_pattern(submission: Submission, rng: random.Random) -> None:
    session = served(submission, rng)
    letter = rng.choice(string.ascii_lowercase)
    for text in (
        letter * 40,
        letter * 1000,
        f"{letter * 60}!:",
        "a " * 500,
        f"{word(rng)} " * 100 + ";",
        "_9" * 500,
        "ä" * 999,
    ):
        answers(session, "is_heading", False, f"is_heading of {len(text)} characters, {text[:8]!r}...", text=text)


@check(
    "attack: no parts of parts are more than may be looked at",
    points=3,
    reason="Each level that doubles is one more line to write, and twice the work; nothing in the end is work, too.",
    about="make",
)
def test_parts(submission: Submission, rng: random.Random) -> None:
    session = served(submission, rng)
    a, b = word(rng), word(rng)
    for what, parts, first in (
        ("nine levels of two", doubled(9, ["x"], a), f"{a}0"),
        ("thirteen levels of two", doubled(13, ["x"], a), f"{a}0"),
        ("thirteen levels of two, with nothing in the end", doubled(13, [], a), f"{a}0"),
        ("1000 parts", {a: ["x"] * MOST}, a),
        ("40 times 40 parts", {a: [b] * 40, b: ["x"] * 40}, a),
        ("a word that is a part of itself", {a: [a]}, a),
        ("a word that is a part of its part", {a: ["x", b], b: [a, "y"]}, a),
    ):
        refused(session, "expand", "1000", f"expand with {what}", parts=parts, word=first)


@check(
    "attack: no wait is longer than it may be",
    points=3,
    reason="Who waits keeps what he has: a task, a connection, the attention of a model.",
    about="make",
)
def test_wait(submission: Submission, rng: random.Random) -> None:
    missing = word(rng)
    session = served(submission, rng, RANGE_SECONDS="0.1", RANGE_LINES="20")
    refused(session, "wait_for", "in time", f"wait_for({missing!r}), which never comes,", word=missing)
    answers(session, "wait_for", "00007 all is well", "wait_for a word that is there", word="00007")


@check(
    "use: lines are written, read and waited for",
    points=2,
    reason="An end is for what is too much. What the tools are for has to work.",
    about="make",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    lines, news = rng.randint(300, 900), word(rng)
    session = served(submission, rng, RANGE_LINES=str(lines))
    wanted = [f"{n:05} all is well" for n in range(lines)]
    answers(session, "last_lines", wanted[-10:], "last_lines()")
    answers(session, "last_lines", wanted[-37:], "last_lines(37)", count=37)
    waiting = ("tools/call", {"name": "wait_for", "arguments": {"word": news}})
    writing = ("tools/call", {"name": "write_line", "arguments": {"line": f"the {news} is in"}})
    expect(len(session.race(waiting, writing)), 2, "answers, when one waits for a line and another writes it")
    answers(session, "wait_for", f"the {news} is in", "wait_for the line", word=news)
    answers(session, "write_line", lines + 2, "how many lines there are", line=news)
    answers(session, "wait_for", news, "wait_for, when two lines have the word: the last one", word=news)
    answers(served(submission, rng), "last_lines", ["04999 all is well"], "the last line without RANGE_LINES", count=1)


@check(
    "use: headings and parts are what they were",
    points=1,
    reason="A faster pattern is right when it says the same of every text.",
    about="make",
)
def test_same(submission: Submission, rng: random.Random) -> None:
    session = served(submission, rng)
    a, b = word(rng), word(rng)
    texts = [f"{a}:", f"{a} {b}:", f"{a} {b} :", f"{a} 3:", "9:", f"Über_{a} Größe:", f"{a}\t{b}:", f"{a}\n{b}:"]
    texts += [
        ":",
        f"{a}",
        f"{a}  {b}:",
        f" {a}:",
        f"{a}::",
        f"{a}: ",
        f"{a}-{b}:",
        f"{a}  :",
        "",
        " :",
        f"{a}.:",
        f"{a}:{b}:",
    ]
    for at, text in enumerate(texts):
        answers(session, "is_heading", at < 8, f"is_heading({text!r})", text=text)
    parts = {a: ["x", b, "y", b], b: ["z", "", a.upper()]}
    wanted = ["x", "z", "", a.upper(), "y", "z", "", a.upper()]
    answers(session, "expand", wanted, f"expand({parts}, {a!r})", parts=parts, word=a)
    answers(session, "expand", ["alone"], "expand of a word without parts", parts={}, word="alone")
    answers(session, "expand", [], "expand of a word with no parts at all", parts={a: []}, word=a)


@check(
    "near miss: as much as there may be is answered",
    points=2,
    reason="Long, deep and often used is not without end.",
    about="make",
)
def test_near(submission: Submission, rng: random.Random) -> None:
    session = served(submission, rng, RANGE_LINES="250")
    a = word(rng)
    answers(session, "last_lines", [f"{n:05} all is well" for n in range(50, 250)], "last_lines(200)", count=200)
    answers(session, "write_line", 251, "write_line with 200 characters", line="x" * 200)
    answers(session, "write_line", 252, "write_line with nothing", line="")
    answers(session, "is_heading", True, "a heading of 100 words", text="word " * 99 + "last:")
    answers(session, "is_heading", True, "a heading of 999 letters", text="x" * 999 + ":")
    answers(session, "expand", ["x"] * (MOST - 1), "expand with 999 parts", parts={a: ["x"] * (MOST - 1)}, word=a)
    answers(session, "expand", ["x"] * 256, "expand with eight levels of two", parts=doubled(8, ["x"], a), word=f"{a}0")
    chain = {f"{a}{n}": [f"{a}{n + 1}"] for n in range(MOST - 1)}
    answers(session, "expand", [f"{a}{MOST - 1}"], "expand of a chain of 999 words", parts=chain, word=f"{a}0")
    answers(
        served(submission, rng, RANGE_LINES="3"),
        "last_lines",
        ["00000 all is well", "00001 all is well", "00002 all is well"],
        "last_lines(200) of three lines",
        count=200,
    )
