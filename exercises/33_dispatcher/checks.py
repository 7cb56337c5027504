"""Checks of 33_dispatcher. Numbers, ids and texts come from the seed."""

import json
import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Frame = dict[str, Any]


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=8))


def frame(method: Any, params: Any = None, **members: Any) -> Frame:
    given = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "method": method, **given, **members}


def rehearse(submission: Submission, *lines: Any) -> tuple[list[Any], list[Any]]:
    """Replies and calls; what is no text is sent as JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    found = submission.call("rehearse", texts)
    return found["replies"], found["called"]


def expect_error(got: Any, id: Any, code: int, line: Any) -> None:
    what = f"the reply to {line if isinstance(line, str) else json.dumps(line)}"
    expect_true(isinstance(got, dict) and isinstance(got.get("error"), dict), f"{what} is {got!r}, no error")
    message = got["error"].get("message")
    expect_true(isinstance(message, str) and message, f"{what} has the message {message!r}, not a sentence")
    wanted = {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}
    expect(got if id is not None else {"id": None, **got}, wanted, what)


@check(
    "a request is answered under its id",
    points=2,
    reason="0 and an empty text are ids like any other, and an empty result is a result.",
    about="dispatch",
)
def test_requests(submission: Submission, rng: random.Random) -> None:
    a, b = rng.randint(2, 99), rng.randint(2, 99)
    lines, wanted = [], []
    for id in (0, "", word(rng), rng.randint(1, 2**40)):
        lines += [frame("add", {"a": a, "b": b}, id=id), frame("add", {"a": b}, id=id), frame("forget", id=id)]
        wanted += [{"jsonrpc": "2.0", "id": id, "result": each} for each in ({"sum": a + b}, {"sum": b + 1}, {})]
    replies, called = rehearse(submission, *lines)
    for line, got, want in zip(lines, replies, wanted, strict=True):
        expect(got, want, f"the reply to {json.dumps(line)}")
    expect(called, [["add", a, b], ["add", b, 1], ["forget"]] * 4, "what was called")


@check(
    "what is no frame is told apart",
    points=2,
    reason="Somebody may wait: the id is given back where it can be read. Batches are history, and true is no number.",
    about="dispatch",
)
def test_invalid(submission: Submission, rng: random.Random) -> None:
    id, params = rng.randint(1, 999), {"a": rng.randint(2, 99)}
    good = frame("add", params, id=id)
    bare = frame("add", params)
    for line, known, code in (
        ("", None, -32700),
        (json.dumps(good)[:-1], None, -32700),
        ([], None, -32600),
        ([good], None, -32600),
        (rng.choice(["7", "null", '"add"']), None, -32600),
        ({}, None, -32600),
        ({"jsonrpc": "2.0", "id": id}, id, -32600),
        ({**good, "jsonrpc": "1.0"}, id, -32600),
        ({**good, "jsonrpc": 2.0}, id, -32600),
        ({"id": id, "method": "add", "params": params}, id, -32600),
        ({**good, "method": 7}, id, -32600),
        ({**bare, "method": None}, None, -32600),
        *(({**bare, "id": each}, None, -32600) for each in (None, True, 1.5, [id])),
    ):
        replies, called = rehearse(submission, line)
        expect_error(replies[0], known, code, line)
        expect(called, [], f"what was called for {line!r}")


@check(
    "unknown methods and unfit parameters",
    points=2,
    reason="The client's mistakes have codes of their own: what it can mend, it has to be told.",
    about="dispatch",
)
def test_unfit(submission: Submission, rng: random.Random) -> None:
    id, name = word(rng), word(rng)
    for line, code in (
        (frame(name, id=id), -32601),
        (frame(name, [1], id=id), -32601),
        (frame("add", id=id), -32602),
        (frame("add", {"b": 2}, id=id), -32602),
        (frame("add", {"a": 1, name: 2}, id=id), -32602),
        (frame("forget", {"a": 1}, id=id), -32602),
        (frame("add", [1, 2], id=id), -32602),
        (frame("forget", [], id=id), -32602),
        (frame("forget", "", id=id), -32602),
        (frame("forget", id=id) | {"params": None}, -32602),
    ):
        replies, called = rehearse(submission, line)
        expect_error(replies[0], id, code, line)
        expect(called, [], f"what was called for {line!r}")


@check(
    "a method that fails tells nothing",
    points=2,
    reason="Exceptions carry paths and keys. A TypeError from inside is the server's mistake, not the client's.",
    about="dispatch",
)
def test_failing(submission: Submission, rng: random.Random) -> None:
    id = rng.randint(1, 999)
    for kind in ("ValueError", "KeyError", "TypeError"):
        secret = word(rng)
        line = frame("fail", {"kind": kind, "text": secret}, id=id)
        replies, called = rehearse(submission, line)
        expect_error(replies[0], id, -32603, line)
        expect(called, [["fail", kind]], "what was called")
        shown = json.dumps(replies[0])
        expect_true(secret not in shown and kind not in shown, f"the reply tells of the {kind}: {shown}")


@check(
    "notifications are worked on in silence",
    points=2,
    reason="Nobody waits for a reply to a notification; it is work all the same, also where it fails.",
    about="dispatch",
)
def test_notifications(submission: Submission, rng: random.Random) -> None:
    a = rng.randint(2, 99)
    lines = [
        frame("add", {"a": a}),
        frame("forget"),
        frame(word(rng)),
        frame("add", {"c": a}),
        frame("add", [a]),
        frame("fail", {"kind": "KeyError", "text": word(rng)}),
    ]
    replies, called = rehearse(submission, *lines)
    for line, got in zip(lines, replies, strict=True):
        expect(got, None, f"the reply to {json.dumps(line)}")
    expect(called, [["add", a, 1], ["forget"], ["fail", "KeyError"]], "what was called")


@check(
    "answers are not answered",
    points=2,
    reason="Two peers that reply to replies do not stop. An answer that is malformed is still none of our business.",
    about="dispatch",
)
def test_answers(submission: Submission, rng: random.Random) -> None:
    id = rng.randint(0, 99)
    error = {"code": -32600, "message": word(rng)}
    for line in ({"jsonrpc": "2.0", "id": id, "result": {}}, {"jsonrpc": "2.0", "id": None, "error": error}):
        replies, called = rehearse(submission, line)
        expect([replies, called], [[None], []], f"replies to and calls for {json.dumps(line)}")
    both = frame("add", {"a": id}, id=id, result={})
    replies, _ = rehearse(submission, both)
    expect(replies, [{"jsonrpc": "2.0", "id": id, "result": {"sum": id + 1}}], f"the reply to {json.dumps(both)}")
