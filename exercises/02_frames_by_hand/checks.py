"""Checks of 02_frames_by_hand."""

import json
import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=6))


@check(
    "a request has version, id and method",
    points=2,
    reason="A peer finds the answer's owner by the id; params that are not there are left out, not null.",
    about="request",
)
def test_request(submission: Submission, rng: random.Random) -> None:
    for id in (rng.randint(1, 999), word(rng), 0):
        method, params = word(rng), {word(rng): rng.randint(1, 9)}
        full = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        expect(submission.call("request", id, method, params), full, f"request({id!r}, {method!r}, {params})")
        bare = {"jsonrpc": "2.0", "id": id, "method": method}
        expect(submission.call("request", id, method), bare, f"request({id!r}, {method!r})")
    empty = {"jsonrpc": "2.0", "id": 1, "method": "x", "params": {}}
    expect(submission.call("request", 1, "x", {}), empty, "request(1, 'x', {})")


@check(
    "a notification has no id",
    points=2,
    reason="Whatever has an id is waited for; `id: null` is an id, too.",
    about="notification",
)
def test_notification(submission: Submission, rng: random.Random) -> None:
    method, params = word(rng), {word(rng): rng.randint(1, 9)}
    wanted = {"jsonrpc": "2.0", "method": method, "params": params}
    expect(submission.call("notification", method, params), wanted, f"notification({method!r}, {params})")
    expect(submission.call("notification", method), {"jsonrpc": "2.0", "method": method}, f"notification({method!r})")


@check(
    "kind tells the four apart",
    points=2,
    reason="method with id, method without, result, error: nothing else is needed to route a frame.",
    about="kind",
)
def test_kind(submission: Submission, rng: random.Random) -> None:
    v, id = {"jsonrpc": "2.0"}, rng.choice([rng.randint(1, 99), word(rng)])
    for frame, wanted in (
        (v | {"id": id, "method": word(rng)}, "request"),
        (v | {"id": 0, "method": word(rng)}, "request"),
        (v | {"method": word(rng), "params": {}}, "notification"),
        (v | {"id": id, "result": {}}, "result"),
        (v | {"id": id, "error": {"code": -32601, "message": ""}}, "error"),
        (v | {"id": None, "error": {"code": -32700, "message": ""}}, "error"),
    ):
        expect(submission.call("kind", frame), wanted, f"kind({frame})")


@check(
    "kind refuses what is no frame",
    points=2,
    reason="What is let through here surprises somebody further in: a batch, an old version, an answer to nothing.",
    about="kind",
)
def test_invalid(submission: Submission, rng: random.Random) -> None:
    v = {"jsonrpc": "2.0"}
    frames: list[Any] = [
        {"id": 1, "method": word(rng)},
        {"jsonrpc": "1.0", "id": 1, "method": word(rng)},
        v | {"id": 1},
        v | {"id": 1, "result": {}, "error": {"code": 1, "message": ""}},
        v | {"id": 1, "method": "x", "result": {}},
        v | {"result": {}},
        v | {"error": {"code": 1, "message": ""}},
        v | {"id": None, "method": word(rng)},
        v | {"id": True, "method": word(rng)},
        v | {"id": 1.5, "method": word(rng)},
        v | {"id": None, "result": {}},
        v | {"method": 5},
        [v | {"id": 1, "method": word(rng)}],
        word(rng),
        None,
    ]
    for frame in frames:
        expect(submission.call("kind", frame), "invalid", f"kind({frame})")


@check(
    "reply computes and stays silent where it must",
    points=2,
    reason="A request gets one answer under its own id; notifications and answers get none, right or wrong.",
    about="reply",
)
def test_reply(submission: Submission, rng: random.Random) -> None:
    for id in (rng.randint(1, 999), word(rng)):
        numbers = [rng.randint(-99, 99) for _ in range(5)] + [0.5]
        line = json.dumps({"jsonrpc": "2.0", "id": id, "method": "sum", "params": {"numbers": numbers}})
        wanted = {"jsonrpc": "2.0", "id": id, "result": {"sum": sum(numbers)}}
        expect(submission.call("reply", line), wanted, f"reply({line!r})")
    for silent in (
        {"jsonrpc": "2.0", "method": "sum", "params": {"numbers": [1]}},
        {"jsonrpc": "2.0", "method": word(rng)},
        {"jsonrpc": "2.0", "id": 3, "result": {}},
        {"jsonrpc": "2.0", "id": 3, "error": {"code": -32601, "message": ""}},
    ):
        expect(submission.call("reply", json.dumps(silent)), None, f"reply({json.dumps(silent)!r})")


@check(
    "reply refuses with the right code",
    points=2,
    reason="The code says whose fault it is and whether trying again makes sense.",
    about="reply",
)
def test_errors(submission: Submission, rng: random.Random) -> None:
    head, id = '{"jsonrpc": "2.0", "id": %d, ', rng.randint(1, 999)
    head %= id
    for line, wanted_id, code in (
        ("{" + word(rng), None, -32700),
        ("[]", None, -32600),
        ('{"jsonrpc": "2.0", "id": 5}', None, -32600),
        (head + f'"method": "{word(rng)}"}}', id, -32601),
        (head + '"method": "sum"}', id, -32602),
        (head + '"method": "sum", "params": [1, 2]}', id, -32602),
        (head + '"method": "sum", "params": {"numbers": 7}}', id, -32602),
        (head + '"method": "sum", "params": {"numbers": [1, "2"]}}', id, -32602),
        (head + '"method": "sum", "params": {"numbers": [1, true]}}', id, -32602),
    ):
        got = submission.call("reply", line)
        expect_true(isinstance(got, dict) and "error" in got, f"reply({line!r}) should be an error, is {got!r}")
        expect(got["error"].get("code"), code, f"the error code for {line!r}")
        expect(got.get("id", "absent"), wanted_id, f"the id of the error for {line!r}")
        expect(got.get("jsonrpc"), "2.0", f"the version of the error for {line!r}")
        message = got["error"].get("message")
        expect_true(isinstance(message, str) and message, f"the error for {line!r} has no message")
        expect_true("result" not in got, f"the error for {line!r} has a result, too")
