"""Checks of 21_read_the_audit. People, secrets, places and files are made from the seed."""

import base64
import json
import random
import string
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


class Trail:
    """Writes a trail, and cuts it into files."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.lines, self.n = rng, list[str](), 0
        self.people = [self.word() for _ in range(5)]
        self.secret = self.word(16)

    def word(self, length: int = 7) -> str:
        return "".join(self.rng.choices(string.ascii_lowercase, k=length))

    def put(self, who: str = "", result: Any = "done", **more: Any) -> dict[str, Any]:
        self.n += 1
        at = f"2026-11-{1 + self.n // 24:02}T{self.n % 24:02}:00:00Z"
        record = {"n": self.n, "at": at, "who": who or self.rng.choice(self.people), "client": "desk", "tool": "call"}
        record |= {"arguments": {"text": self.word()}, "outcome": "ok", "result": result, **more}
        self.lines.append(json.dumps(record))
        return record

    def coded(self, text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    def files(self) -> dict[str, list[str]]:
        """In three files or more, the newest first in the dict; each begins with a line of the ledger."""
        size = max(1, len(self.lines) // 3)
        parts = [self.lines[at : at + size] for at in range(0, len(self.lines), size)]
        names = [f"audit-{number:08}.jsonl" for number in range(9, 9 + len(parts))]
        files = {
            name: [json.dumps({"n": 0, "event": "file", "result": self.secret}), *part]
            for name, part in zip(names, parts, strict=True)
        }
        return {name: files[name] for name in reversed(files)}


def asked(submission: Submission, function: str, trail: Trail, wanted: Any, *arguments: Any) -> None:
    given = trail.files()
    expect(submission.call(function, given, *arguments), wanted, f"{function} of {len(trail.lines)} lines {arguments}")


@check(
    "records reads all files in their order, and passes over what is none",
    points=3,
    reason="The answer is often in a file that was put away yesterday, and half a line stands where a process died.",
    about="records",
)
def test_records(submission: Submission, rng: random.Random) -> None:
    trail = Trail(rng)
    wanted = [trail.put() for _ in range(rng.randint(7, 12))]
    half = json.dumps(wanted[0])[: rng.randint(5, 60)]
    for odd in ("", half, "7", "null", '["n"]', json.dumps({"n": 3, "event": "torn", "bytes": 9})):
        trail.lines.insert(rng.randint(0, len(trail.lines)), odd)
    asked(submission, "records", trail, wanted)
    expect(submission.call("records", {}), [], "records({})")


@check(
    "holding finds a secret wherever it stands",
    points=4,
    reason="A trail that holds it is a leak of its own, and somebody has to know which records to remove.",
    about="holding",
)
def test_holding(submission: Submission, rng: random.Random) -> None:
    trail = Trail(rng)
    secret = trail.secret
    places: list[dict[str, Any]] = [
        {"arguments": {"a": {"b": [1, {"c": f"it is {secret}."}]}}},
        {"arguments": {secret: 1}},
        {"result": f"{secret}", "outcome": "error"},
        {"client": secret},
        *({"arguments": [f"see {trail.coded('x' * shift + secret + '!')}, please"]} for shift in range(3)),
        {"result": [trail.coded(f"é {secret}")]},
        {"arguments": {trail.coded(secret): None}},
    ]
    rng.shuffle(places)
    wanted: list[int] = []
    for place in places:
        trail.put()
        wanted.append(trail.put(**place)["n"])
        trail.put(
            arguments={"text": secret[:-1], "coded": trail.coded(secret[1:]), "rest": f"{secret[:8]} {secret[8:]}"}
        )
    asked(submission, "holding", trail, wanted, secret)
    odd = f"{trail.word()}\\{trail.word()}\"{trail.word()}'s"
    wanted = [trail.put(arguments={"a": odd})["n"], trail.put(result=[f"<{odd}>"])["n"]]
    asked(submission, "holding", trail, wanted, odd)
    number = rng.randint(10**9, 10**10)
    wanted = [trail.put(arguments={"pin": number})["n"]]
    asked(submission, "holding", trail, wanted, str(number))
    asked(submission, "holding", trail, [], trail.word(20))


@check(
    "told names whoever was told it, and nobody else",
    points=3,
    reason="They have to be asked, and the secret changed. Who only sent it, or was refused, knows no more.",
    about="told",
)
def test_told(submission: Submission, rng: random.Random) -> None:
    trail = Trail(rng)
    one, two, three, four, five = trail.people
    trail.put(two, f"the key is {trail.secret}")
    trail.put(three, arguments={"text": trail.secret}, result="noted")
    trail.put(one, {"rows": [trail.coded(f"key {trail.secret}")]}, client=five)
    trail.put(four, f"refused: {trail.secret}", outcome="refused")
    trail.put(five, f"failed: {trail.secret}", outcome="error")
    trail.put(two, trail.secret)
    asked(submission, "told", trail, sorted([one, two]), trail.secret)
    asked(submission, "told", trail, [], trail.word(20))


@check(
    "strangers goes by what was proven",
    points=3,
    reason="A program can call itself anything. Only the token says whose answer it was.",
    about="strangers",
)
def test_strangers(submission: Submission, rng: random.Random) -> None:
    trail = Trail(rng)
    owner, one, two, three, four = trail.people
    for _ in range(4):
        trail.put(owner, f"notes of {owner}: milk", client=one)
    trail.put(two, f"notes of {owner}: milk", client=owner)
    trail.put(one, f"notes of {owner}: milk, bread")
    trail.put(one, f"notes of {owner}: milk")
    trail.put(three, f"notes of {owner}: not for you", outcome="refused")
    trail.put(three, f"notes of {three}: see the notes of {owner}: milk")
    trail.put(four, f"notes of {owner}{four}: milk")
    trail.put(result=7)
    trail.lines[-1] = trail.lines[-1].replace('"who": "', '"who": "x')
    asked(submission, "strangers", trail, [two, one], owner)
    asked(submission, "strangers", trail, [], four)
    nobody = Trail(rng)
    record = {**nobody.put(owner, f"notes of {owner}: milk"), "who": ""}
    nobody.lines[-1] = json.dumps(record)
    asked(submission, "strangers", nobody, [""], owner)


@check(
    "since_when says when it began",
    points=1,
    reason="Everything from then on has to be looked at; what came before need not be.",
    about="since_when",
)
def test_since(submission: Submission, rng: random.Random) -> None:
    trail = Trail(rng)
    owner, one = trail.people[:2]
    for _ in range(rng.randint(3, 9)):
        trail.put(owner, f"notes of {owner}: milk")
    asked(submission, "since_when", trail, None, owner)
    wanted = trail.put(one, f"notes of {owner}: milk")["at"]
    for who in [*[owner] * len(trail.lines), one]:
        trail.put(who, f"notes of {owner}: milk")
    asked(submission, "since_when", trail, wanted, owner)
