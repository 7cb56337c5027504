"""Checks of 14_client_by_hand. Methods, parameters, texts and orders come from the seed."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

from labkit.grading.checks import check, expect, expect_true, show
from labkit.grading.submission import Submission

Json = dict[str, Any]
Script = list[tuple[str, Any]]
PATIENCE = 60
"""Seconds that no rehearsal takes: for servers that end by themselves."""


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


def line(**frame: Any) -> tuple[str, str]:
    return "says", json.dumps({"jsonrpc": "2.0", **frame}) + "\n"


class Wire:
    """Some requests, an answer to each, and servers that give them in their own way."""

    def __init__(self, submission: Submission, rng: random.Random, count: int = 0) -> None:
        self._submission, self.rng = submission, rng
        self.count = count or rng.randint(4, 6)
        self.requests: list[Json] = [
            {"method": word(rng), "params": {word(rng): rng.randint(1, 99)}} for _ in range(self.count)
        ]
        self.bodies: list[Json] = [{"result": {"n": n, "text": word(rng)}} for n in range(self.count)]
        self.bodies[rng.randrange(self.count)] = {"error": {"code": -rng.randint(1, 99), "message": word(rng)}}

    def answer(self, number: int, **other: Any) -> tuple[str, str]:
        """The line that answers the request with this number."""
        frame = {"jsonrpc": "2.0", "id": "ID", **(other or self.bodies[number])}
        return "says", json.dumps(frame, ensure_ascii=False).replace('"ID"', f"<{number}>") + "\n"

    def answers(self, *numbers: int) -> Script:
        """A server that answers these, each when it has been asked, and those before it."""
        return [step for n in numbers for step in (("hears", n + 1), self.answer(n))]

    def rehearse(self, *script: tuple[str, Any], patience: float = PATIENCE) -> Json:
        self.what = f"a server that {', '.join(f'{verb} {show(what, 80)}' for verb, what in script)}"
        shutil.copy(Path(__file__).with_name("rehearsal.py"), self._submission.folder)
        return self._submission.call("rehearse", list(script), self.requests, patience)

    def told(self, found: Json, missing: tuple[int, ...] = (), code: int | None = None) -> None:
        """All was answered but for these; the server ended with this code, if one is given, and the client knows."""
        expect_true("told" in found, f"ask raised {found.get('raised')}, with {self.what}")
        expect_true(found["code"] != 99, f"nothing happened any more, with {self.what}")
        bodies = [
            frame if frame is None else {key: value for key, value in frame.items() if key not in ("jsonrpc", "id")}
            for frame in found["told"]["answers"]
        ]
        wanted = [None if n in missing else body for n, body in enumerate(self.bodies)]
        expect(bodies, wanted, f"the answers, without jsonrpc and id, of {self.what}")
        if code is not None:
            expect(
                [found["code"], found["told"]["code"]], [code, code], f"the code, and what ask gives, of {self.what}"
            )


END: Script = [("waits", None), ("ends", 0)]


@check(
    "each request is a line",
    points=2,
    reason="The line end is all that tells where a frame ends; the id is all that tells whose an answer is.",
    about="ask",
)
def test_lines(submission: Submission, rng: random.Random) -> None:
    wire = Wire(submission, rng)
    wire.requests[1]["params"] = {"text": f"{word(rng)}\n{word(rng)} ü \u2028"}
    found = wire.rehearse(("hears", wire.count), *(wire.answer(n) for n in range(wire.count)), *END)
    wire.told(found)
    *lines, rest = found["heard"]
    expect([len(lines), rest], [wire.count, ""], f"lines that the server has heard, and what follows; it heard {lines}")
    frames = [json.loads(line) for line in lines]
    ids = [json.dumps(frame.pop("id")) for frame in frames]
    expect(frames, [{"jsonrpc": "2.0", **each} for each in wire.requests], "the frames, without their ids")
    expect(len(set(ids)), wire.count, f"different ids, of {ids}")
    for frame, id in zip(found["told"]["answers"], ids, strict=True):
        expect([frame["jsonrpc"], json.dumps(frame["id"])], ["2.0", id], "jsonrpc and id of an answer")
    nothing = Wire(submission, rng, 1)
    nothing.requests, nothing.bodies = [], []
    nothing.told(nothing.rehearse(*END))


@check(
    "answers may come in any order",
    points=3,
    reason="A server answers what is ready. The third answer may be that of the first request.",
    about="ask",
)
def test_order(submission: Submission, rng: random.Random) -> None:
    for _ in range(3):
        wire = Wire(submission, rng)
        order = rng.sample(range(wire.count), wire.count)
        wire.told(wire.rehearse(("hears", wire.count), *(wire.answer(n) for n in order), *END))
    wire = Wire(submission, rng)
    first, *others = order = rng.sample(range(wire.count), wire.count)
    twice = [wire.answer(first, result={"n": "again"}) for _ in range(2)]
    wire.told(wire.rehearse(("hears", wire.count), wire.answer(first), *twice, *(wire.answer(n) for n in others), *END))


@check(
    "what is no answer is passed over",
    points=3,
    reason="Notifications are allowed at any time; other lines are not, and come all the same: somebody prints.",
    about="ask",
)
def test_noise(submission: Submission, rng: random.Random) -> None:
    noise = [
        line(method="notifications/message", params={"level": "info", "data": word(rng)}),
        ("says", f"{word(rng)} is listening\n"),
        ("says", "\n"),
        ("says", '{"jsonrpc": "2.0", "id": \n'),
        ("says", f"caf\udce9 {word(rng)}\n"),
        *(("says", f"{text}\n") for text in ("[]", "7", "null", '"result"', "{}")),
        ("says", '{"jsonrpc": "2.0", "id": 987654, "result": {}}\n'),
        ("says", '{"jsonrpc": "2.0", "id": "nobody", "result": {}}\n'),
        ("says", '{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "?"}}\n'),
    ]
    rng.shuffle(noise)
    for each in noise:
        wire = Wire(submission, rng)
        first, *others = range(wire.count)
        wire.told(wire.rehearse(("hears", 1), each, *wire.answers(first), each, *wire.answers(*others), *END))


@check(
    "requests of the server are answered",
    points=3,
    reason="Their ids are the server's: the same number can be on its way in both directions.",
    about="ask",
)
def test_asked(submission: Submission, rng: random.Random) -> None:
    for method in ("ping", "sampling/createMessage", f"{word(rng)}/{word(rng)}"):
        wire = Wire(submission, rng)
        body: Json = {"result": {}} if method == "ping" else {"error": -32601}
        asking = [("says", f'{{"jsonrpc": "2.0", "id": <{n}>, "method": "{method}"}}\n') for n in range(wire.count)]
        ids: list[Any] = [0, rng.randint(100, 999), f"s-{word(rng)}"]
        asking += [line(id=id, method=method, params={"x": 1}) for id in ids]
        script = [("hears", wire.count), *asking, ("hears", 2 * wire.count + len(ids))]
        found = wire.rehearse(*script, *(wire.answer(n) for n in range(wire.count)), *END)
        wire.told(found)
        frames = [json.loads(line) for line in found["heard"][:-1]]
        mine = [frame["id"] for frame in frames if "method" in frame]
        for frame, id in zip(frames[wire.count :], [*mine, *ids], strict=True):
            got = {key: value for key, value in frame.items() if key not in ("jsonrpc", "id")}
            if "error" in got:
                expect_true(isinstance(got["error"].get("message"), str), f"the error {got['error']} has no message")
                got["error"] = got["error"]["code"]
            expect([frame.get("jsonrpc"), frame["id"], got], ["2.0", id, body], f"the reply to {method}")


@check(
    "letters and long lines arrive",
    points=2,
    reason="A line is what ends in a line end, not what a reader holds at once; and U+2028 is a letter like any other.",
    about="ask",
)
def test_texts(submission: Submission, rng: random.Random) -> None:
    wire = Wire(submission, rng)
    wire.bodies[0] = {"result": {"text": f"{word(rng)} ü € 🦊 \u2028 \x85 {word(rng)}"}}
    wire.bodies[1] = {"result": {"text": f"{word(rng)}ü€" * 40_000}}
    wire.told(wire.rehearse(*wire.answers(*range(wire.count)), *END))


@check(
    "a server that talks to stderr is not held up",
    points=1,
    reason="A pipe that nobody reads is full after 64 KiB. Then the server waits, and the client waits for the server.",
    about="ask",
)
def test_stderr(submission: Submission, rng: random.Random) -> None:
    wire = Wire(submission, rng)
    first, *others = range(wire.count)
    warning = ("warns", 300_000)
    wire.told(wire.rehearse(warning, *wire.answers(first), warning, *wire.answers(*others), *END))


@check(
    "a server that ends early leaves gaps",
    points=2,
    reason="Whoever waits for an answer of a process that is gone waits for ever; what came before is worth having.",
    about="ask",
)
def test_gone(submission: Submission, rng: random.Random) -> None:
    wire = Wire(submission, rng)
    code = rng.randint(1, 90)
    wire.told(wire.rehearse(("ends", code)), tuple(range(wire.count)), code)
    last = rng.randint(1, wire.count - 1)
    missing = tuple(range(last, wire.count))
    wire.told(wire.rehearse(*wire.answers(*range(last)), ("ends", code)), missing, code)


@check(
    "the server is told to end, and ends",
    points=2,
    reason="A server that is killed has no time to put away what it holds. One that does not go has to be.",
    about="ask",
)
def test_end(submission: Submission, rng: random.Random) -> None:
    for stays in (False, True):
        wire = Wire(submission, rng)
        code = rng.randint(1, 90)
        last: Script = [("stays", None)] if stays else [("waits", None), ("says", "bye\n"), ("ends", code)]
        found = wire.rehearse(*wire.answers(*range(wire.count)), *last, patience=0.01 if stays else PATIENCE)
        wire.told(found, code=-9 if stays else code)
        expect(found["closed"], True, "whether the server's stdin was closed")
