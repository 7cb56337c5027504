"""Checks of 25_token_passthrough. Tokens, keys and names come from the seed."""

import base64
import hmac
import json
import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

PIECE = 8
"""So many characters of a secret in a row are a part of it."""


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=7))


def packed(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


class Gate:
    """A gateway with three backends, and clients with tokens."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self.rng = submission, rng
        self.me, self.sub, self.tool = f"https://{word(rng)}.example", word(rng), word(rng)
        self.backends = [word(rng) for _ in range(3)]
        self.backend = rng.choice(self.backends)
        self.now, self.issuer = rng.randint(1000, 9000), word(rng)
        self.secrets = {name: word(rng) for name in self.backends}
        self.roles = [word(rng), word(rng)]
        self.answer = {"content": [{"type": "text", "text": word(rng)}]}
        self.body = {"method": "tools/call", "params": {"name": self.tool, "arguments": {"x": rng.randint(1, 99)}}}
        self.away = list[str]()
        self.token = self.signed()

    def claims(self, **changes: Any) -> dict[str, Any]:
        return {"sub": self.sub, "roles": self.roles, "aud": self.me, "exp": self.now + 5000, **changes}

    def signed(self, **changes: Any) -> str:
        return self.issue(self.claims(**changes))

    def issue(self, claims: dict[str, Any]) -> str:
        return f"{packed(claims)}.{signature(self.issuer, packed(claims))}"

    def ask(self, token: str | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """What a rehearsal gave: answer, asked, log. With `headers`, they are all that is sent."""
        if headers is None:
            headers = {"Authorization": f"Bearer {token or self.token}", "Accept": "*/*"}
        names = ("me", "now", "issuer", "secrets", "away", "answer")
        settings = {name: getattr(self, name) for name in names}
        request = {"headers": headers, "backend": self.backend, "body": self.body}
        return self._submission.call("rehearse", settings, request)

    def passes(self, found: dict[str, Any], what: str) -> dict[str, str]:
        """The call was made and answered; the headers that the backend was sent."""
        expect(found["answer"], {"status": 200, "answer": self.answer}, f"the answer to {what}")
        expect(len(found["asked"]), 1, f"how often a backend was asked after {what}")
        backend, headers, body = found["asked"][0]
        expect([backend, body], [self.backend, self.body], f"backend and body after {what}")
        return headers

    def turned_away(self, found: dict[str, Any], what: str) -> None:
        expect(found["asked"], [], f"what backends were sent after {what}")
        expect(status(found), 401, f"the status after {what}")
        said = found["answer"].get("error")
        expect_true(isinstance(said, str) and said, f"the answer to {what} has no error that says why")

    def quiet(self, found: dict[str, Any], token: str, what: str) -> None:
        """Nothing of the token, or of a principal, is in the answer or in the log."""
        principals = [
            value for _, headers, _ in found["asked"] for name, value in headers.items() if name == "lab-principal"
        ]
        for place in ("answer", "log"):
            text = json.dumps(found[place])
            for kind, secret in [("token", token), *(("signed principal", each) for each in principals)]:
                for first in range(len(secret) - PIECE + 1):
                    piece = secret[first : first + PIECE]
                    expect_true(piece not in text, f"{what}: a part of the {kind}, {piece!r}, is in the {place}")


def status(found: dict[str, Any]) -> Any:
    answer = found["answer"]
    return answer.get("status", answer) if isinstance(answer, dict) else answer


@check(
    "a token for somebody else is turned away",
    points=4,
    reason="Whoever runs any server with the same issuer is sent such tokens, and would be everybody here.",
    about="handle",
)
def test_audience(submission: Submission, rng: random.Random) -> None:
    gate = Gate(submission, rng)
    gate.passes(gate.ask(), "a token for this gateway")
    others: list[Any] = [
        f"https://{word(rng)}.example",
        f"{gate.me}.evil.example",
        f"{gate.me}/",
        gate.me[:-1],
        "",
        None,
    ]
    others += [[], [f"{gate.me}/"], [gate.backend], gate.backend, "*"]
    for audience in others:
        gate.turned_away(gate.ask(gate.signed(aud=audience)), f"a token for {audience!r}")
    claims = gate.claims()
    del claims["aud"]
    gate.turned_away(gate.ask(gate.issue(claims)), "a token without aud")


@check(
    "no token and bad tokens are turned away",
    points=2,
    reason="What cannot be read is no reason to stumble: who stumbles shows more than he wants.",
    about="handle",
)
def test_tokens(submission: Submission, rng: random.Random) -> None:
    gate = Gate(submission, rng)
    gate.turned_away(gate.ask(gate.token + "0"), "a token with another signature")
    gate.turned_away(gate.ask(gate.signed(exp=gate.now)), "a token that has expired")
    cases = [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": gate.token}]
    cases += [{"Authorization": f"Basic {gate.token}"}, {"X-Authorization": f"Bearer {gate.token}"}]
    for headers in cases:
        gate.turned_away(gate.ask(headers=headers), f"the headers {headers}")


@check(
    "the backend is told who calls, and can check it",
    points=3,
    reason="Signed with its own key, for it alone and for a minute: nobody else can use it, and nobody can make it up.",
    about="handle",
)
def test_principal(submission: Submission, rng: random.Random) -> None:
    gate = Gate(submission, rng)
    for backend in gate.backends:
        gate.backend = backend
        for forged in (False, True):
            headers = {"Authorization": f"Bearer {gate.token}"} | ({"lab-principal": "e30=.00"} if forged else {})
            sent = gate.passes(gate.ask(headers=headers), f"a call of {gate.backend}").get("lab-principal", "")
            text, _, mac = sent.partition(".")
            right = hmac.compare_digest(mac.encode(), signature(gate.secrets[gate.backend], text).encode())
            expect_true(right, f"the lab-principal for {gate.backend}, {sent!r}, is not signed with its key")
            wanted = {"sub": gate.sub, "roles": gate.roles, "aud": gate.backend, "exp": gate.now + 60}
            expect(json.loads(base64.urlsafe_b64decode(text)), wanted, f"the principal for {gate.backend}")
    claims = gate.claims()
    del claims["roles"]
    text = gate.passes(gate.ask(gate.issue(claims)), "a token without roles")["lab-principal"].partition(".")[0]
    expect(json.loads(base64.urlsafe_b64decode(text))["roles"], [], "the roles of a token without any")


@check(
    "nothing else of the client reaches the backend",
    points=3,
    reason="Tokens, cookies and keys are the client's. What the gateway does not know it cannot judge.",
    about="handle",
)
def test_sent(submission: Submission, rng: random.Random) -> None:
    gate = Gate(submission, rng)
    bad = {"Cookie": f"session={word(rng)}", "X-Api-Key": word(rng), "Proxy-Authorization": f"Bearer {gate.token}"}
    bad |= {"LAB-Principal": "e30=.00", "X-Forwarded-User": "root", "X-Mcp-Token": gate.token, "Tracestate": "a=b"}
    for case in (str.lower, str.upper, str.title):
        headers = {case(name): value for name, value in {"Authorization": f"Bearer {gate.token}", **bad}.items()}
        sent = gate.passes(gate.ask(headers=headers), f"the headers {headers}")
        expect(sorted(sent), ["lab-principal"], f"the headers for the backend after {headers}")
        expect_true(sent["lab-principal"] != "e30=.00", "the client's own lab-principal was handed on")


@check(
    "what is right goes through",
    points=2,
    reason="Tokens may be for several servers. Traces and the protocol's headers belong to the request.",
    about="handle",
)
def test_legitimate(submission: Submission, rng: random.Random) -> None:
    gate = Gate(submission, rng)
    other = f"https://{word(rng)}.example"
    for audience in ([gate.me], [other, gate.me], [gate.me, other]):
        gate.passes(gate.ask(gate.signed(aud=audience)), f"a token for {audience}")
    for name, scheme in (("authorization", "Bearer"), ("AUTHORIZATION", "bearer"), ("Authorization", "BEARER")):
        gate.passes(gate.ask(headers={name: f"{scheme} {gate.token}"}), f"{name}: {scheme} ...")
    good = {"Traceparent": f"00-{word(rng)}", "Mcp-Method": "tools/call", "mcp-name": gate.tool}
    sent = gate.passes(gate.ask(headers={"Authorization": f"Bearer {gate.token}", **good}), f"the headers {good}")
    for name, value in good.items():
        expect(sent.get(name.lower()), value, f"the header {name.lower()} for the backend")


@check(
    "no secret is in an answer or in the log",
    points=3,
    reason="Logs and errors are read, copied and kept by people who should not be able to act as the user.",
    about="handle",
)
def test_secret(submission: Submission, rng: random.Random) -> None:
    gate = Gate(submission, rng)
    tokens = {
        "a call": gate.token,
        "a bad signature": f"{packed(gate.claims())}.{signature('x', word(rng))}",
        "another audience": gate.signed(aud=word(rng)),
        "an expired token": gate.signed(exp=1),
    }
    for what, token in tokens.items():
        gate.quiet(gate.ask(token), token, what)
    gate.away = gate.backends
    found = gate.ask()
    expect(status(found), 502, "the status when the backend gives no answer")
    expect_true(gate.backend in found["answer"]["error"], f"the error does not name {gate.backend}: {found['answer']}")
    gate.quiet(found, gate.token, "a backend that gives no answer")


@check(
    "each call leaves a line in the log",
    points=1,
    reason="Keeping secrets out of it is no reason to write nothing: who, what and where is what it is for.",
    about="handle",
)
def test_log(submission: Submission, rng: random.Random) -> None:
    gate = Gate(submission, rng)
    for away in ([], gate.backends):
        gate.away = away
        lines = gate.ask()["log"]
        told = [line for line in lines if all(name in line for name in (gate.sub, gate.backend, gate.tool))]
        expect(len(told), 1, f"lines that name {gate.sub}, {gate.backend} and {gate.tool}, in {lines}")
