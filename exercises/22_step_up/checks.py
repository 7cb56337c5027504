"""Checks of 22_step_up. Scopes, names and secrets come from the seed."""

import base64
import hashlib
import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


class Somebody:
    """A client in the middle of its work."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.submission, self.rng = submission, rng
        self.granted = [f"{self.word()}:read" for _ in range(2)]
        self.new = [f"{self.word()}:write" for _ in range(2)]
        self.client = {
            "client_id": self.word(),
            "redirect_uri": f"http://127.0.0.1:{rng.randint(2000, 9000)}/{self.word()}",
            "resource": f"https://{self.word()}.example/mcp",
            "granted": self.granted,
            "supported": [*self.granted, *self.new, f"{self.word()}:all"],
            "state": self.word(),
            "verifier": self.word() * 6,
        }

    def word(self) -> str:
        return "".join(self.rng.choices("bcdfghjklmnpqrstvwxz", k=8))

    def asks(self, challenge: str | None, scopes: list[str] | None, what: str, status: int = 403) -> None:
        """What is asked for after a refusal; no scopes: nothing."""
        found = self.submission.call("next_request", status, challenge, self.client)
        expect(found, scopes if scopes is None else self.request(scopes), f"the request after {what}: {challenge}")

    def request(self, scopes: list[str]) -> dict[str, Any]:
        hashed = hashlib.sha256(str(self.client["verifier"]).encode()).digest()
        made = {name: self.client[name] for name in ("client_id", "redirect_uri", "resource", "state")}
        made |= {"response_type": "code", "scope": " ".join(scopes), "code_challenge_method": "S256"}
        return made | {"code_challenge": base64.urlsafe_b64encode(hashed).decode().rstrip("=")}


@check(
    "more is asked for beside what there is",
    points=4,
    reason="The new token takes the place of the old one: what was not asked for again is gone.",
    about="next_request",
)
def test_union(submission: Submission, rng: random.Random) -> None:
    me = Somebody(submission, rng)
    old, new = me.granted, me.new
    for asked in (new, [new[0]], [old[0], new[0]], [new[1], old[1], new[0]], [new[0], new[0]]):
        more = list(dict.fromkeys(scope for scope in asked if scope not in old))
        me.asks(f'Bearer error="insufficient_scope", scope="{" ".join(asked)}"', [*old, *more], "a plain challenge")
    me.client["granted"] = []
    me.asks(f'Bearer error="insufficient_scope", scope="{new[1]} {new[0]}"', [new[1], new[0]], "a token without scopes")


@check(
    "without a scope in the challenge, what the server has is asked for",
    points=2,
    reason="The metadata says which scopes there are; better than to guess, or to give up.",
    about="next_request",
)
def test_supported(submission: Submission, rng: random.Random) -> None:
    me = Somebody(submission, rng)
    me.asks('Bearer error="insufficient_scope"', list(me.client["supported"]), "a challenge without scope")
    me.client["supported"] = [me.new[0], me.granted[1]]
    me.asks('Bearer error="insufficient_scope"', [*me.granted, me.new[0]], "a challenge without scope")


@check(
    "it stops when asking would change nothing",
    points=3,
    reason="A person who is asked the same over and over agrees to anything.",
    about="next_request",
)
def test_stops(submission: Submission, rng: random.Random) -> None:
    me = Somebody(submission, rng)
    old, new = me.granted, me.new
    for asked in (old, [old[1]], [], [old[0], old[0]]):
        me.asks(f'Bearer error="insufficient_scope", scope="{" ".join(asked)}"', None, "a scope that is there already")
    me.client["supported"] = old
    me.asks('Bearer error="insufficient_scope"', None, "a server that has no more scopes")
    plain = f'Bearer error="insufficient_scope", scope="{new[0]}"'
    for status in (200, 400, 401, 404, 500):
        me.asks(plain, None, f"status {status}", status)
    for challenge in (
        None,
        "",
        "Bearer",
        f'Bearer scope="{new[0]}"',
        f'Bearer error="invalid_token", scope="{new[0]}"',
    ):
        me.asks(challenge, None, "another refusal")
    me.asks(f'Basic error="insufficient_scope", scope="{new[0]}"', None, "another scheme")
    me.asks(f'Bearer realm="x", Basic error="insufficient_scope", scope="{new[0]}"', None, "another scheme")


@check(
    "a challenge is read however it is written",
    points=4,
    reason='Servers may write it in many ways, and proxies add their own: a search for scope=" finds the wrong one.',
    about="next_request",
)
def test_reads(submission: Submission, rng: random.Random) -> None:
    me = Somebody(submission, rng)
    one, two = me.new
    wanted, text = [*me.granted, one, two], f"{one} {two}"
    for challenge in (
        f'Bearer scope="{text}", error="insufficient_scope"',
        f'bearer ERROR="insufficient_scope",Scope="{text}"',
        f'BEARER error=insufficient_scope , scope = "{text}"',
        f'Bearer error="insufficient_scope", error_description="scope=\\"{me.word()}\\" or \\\\", scope="{text}"',
        f'Bearer realm="a, Basic b=c", error="insufficient_scope", scope="{text}"',
        f'Bearer error_scope="x", xscope="y", error="insufficient_scope", scope="{text}"',
        f'Basic realm="x, y", scope="{me.word()}", Bearer error="insufficient_scope", scope="{text}"',
        f'Bearer error="insufficient_scope", scope="{text}", Digest scope="{me.word()}", error="x"',
        f'Negotiate, Bearer error="insufficient_scope", scope="{text}"',
        f'Bearer error="insufficient_\\scope", scope="{one}  {two}"',
    ):
        me.asks(challenge, wanted, "a challenge")
    word = me.word()
    me.asks(f"Bearer error=insufficient_scope, scope={word}", [*me.granted, word], "a challenge of words")


@check(
    "the server that refused chooses nothing but the scopes",
    points=3,
    reason="A hostile server would have you get a token for somewhere else, and send people where it likes.",
    about="next_request",
)
def test_chooses(submission: Submission, rng: random.Random) -> None:
    me = Somebody(submission, rng)
    evil = f"https://{me.word()}.example"
    more = f'resource="{evil}", redirect_uri="{evil}", client_id="x", state="y", resource_metadata="{evil}", max_age=0'
    for challenge in (
        f'Bearer error="insufficient_scope", scope="{me.new[0]}", {more}',
        f'Bearer {more}, error="insufficient_scope", scope="{me.new[0]}"',
    ):
        me.asks(challenge, [*me.granted, me.new[0]], "a challenge that wants more")
