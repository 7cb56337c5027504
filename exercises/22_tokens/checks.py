"""Checks of 22_tokens. Names and keys come from the seed; the service behind the server listens in here."""

import base64
import hmac
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import HttpAnswer, Submission

MODERN = "2026-07-28"
OWN = "io.modelcontextprotocol/"
DEMO = ec.derive_private_key(20261130, ec.SECP256R1())
"""The issuer of the range: its public half stands in the file."""
HEADERS = {
    "host": "127.0.0.1:8000",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": MODERN,
    "mcp-method": "tools/call",
    "mcp-name": "payslip",
}
META = {f"{OWN}protocolVersion": MODERN, f"{OWN}clientCapabilities": {}}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "payslip", "arguments": {}, "_meta": META},
}


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class Payroll:
    """The server with settings of its own, and an issuer whose key is known here."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.submission, self.rng = submission, rng
        self.key, self.stranger = (ec.derive_private_key(rng.getrandbits(200) + 2, ec.SECP256R1()) for _ in "ab")
        self.issuer, self.me = f"https://{self.word()}.example", f"https://{self.word()}.example/mcp"
        self.sub, self.secret = self.word(), self.word(24)
        self.jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key())), "alg": "ES256"}
        self.settings = {
            "RANGE_ISSUER": self.issuer,
            "RANGE_ISSUER_KEY": json.dumps(self.jwk),
            "RANGE_RESOURCE": self.me,
            "RANGE_UPSTREAM": "",
            "RANGE_UPSTREAM_KEY": self.secret,
        }

    def word(self, length: int = 9) -> str:
        return "".join(self.rng.choices("bcdfghjklmnpqrstvwxz", k=length))

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        whole = {"iss": self.issuer, "aud": self.me, "sub": self.sub, "exp": now + 900, "jti": self.word(), **changes}
        return {name: value for name, value in whole.items() if value is not None}

    def signed(self, *, key: Any = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        return jwt.encode(self.claims(**changes), key or self.key, "ES256", headers=headers)

    def hashed(self, secret: bytes, algorithm: str = "HS256") -> str:
        """Signed with something that everybody knows, as if it were a shared secret."""
        text = f"{part({'alg': algorithm})}.{part(self.claims())}"
        mac = hmac.digest(secret, text.encode(), f"sha{algorithm[2:]}")
        return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def verified(self, token: Any) -> Any:
        return self.submission.call("verify", self.settings, token)

    def refused(self, tokens: dict[str, str]) -> None:
        """None of these gets in."""
        for what, token in tokens.items():
            expect(self.verified(token), None, f"verify for {what}")

    def accepted(self, what: str, token: str, **changes: Any) -> None:
        """This one does, and its claims are read."""
        found = self.verified(token)
        expect_true(isinstance(found, dict), f"verify refuses {what}: {found!r}")
        for name, value in {"iss": self.issuer, "sub": self.sub, **changes}.items():
            expect(found.get(name), value, f"the claim {name} of {what}")

    def ask(self, token: str = "", **settings: str) -> HttpAnswer:
        headers = {**HEADERS, **({"authorization": f"Bearer {token}"} if token else {})}
        return self.submission.http({**self.settings, **settings}, headers=headers, body=CALL)

    @contextmanager
    def behind(self) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """The service with the payslips: its address, and the headers it is sent."""
        seen: list[dict[str, str]] = []
        secret = self.secret

        class Payslips(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen.append(headers)
                known = headers.get("authorization") == f"Bearer {secret}"
                said = f"payslip of {headers.get('x-on-behalf-of')} at {self.path}".encode() if known else b"who?"
                self.send_response(200 if known else 401)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Payslips)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def said(answer: HttpAnswer) -> str:
    result = answer.frames[0].get("result", {}) if answer.frames else {}
    return "\n".join(str(block.get("text")) for block in result.get("content", []))


@check(
    "attack: a token for somebody else",
    points=4,
    reason="Whoever runs any server of the same issuer is sent such tokens all day, and would be everybody here.",
    about="verify",
)
def test_audience(submission: Submission, rng: random.Random) -> None:
    payroll = Payroll(submission, rng)
    other = f"https://{payroll.word()}.example/mcp"
    audiences = [
        other,
        [other, f"{other}/2"],
        f"{payroll.me}/",
        f"{payroll.me}.evil.example",
        payroll.me[:-1],
        None,
        "",
        [],
    ]
    payroll.refused({f"a token for {each!r}": payroll.signed(aud=each) for each in audiences})


@check(
    "attack: a token of another issuer",
    points=2,
    reason="Two tenants of one provider share its keys; only the name says whose token it is.",
    about="verify",
)
def test_issuer(submission: Submission, rng: random.Random) -> None:
    payroll = Payroll(submission, rng)
    for name in (
        f"https://{payroll.word()}.example",
        f"{payroll.issuer}/{payroll.word()}",
        f"{payroll.issuer}.evil.example",
        None,
    ):
        payroll.refused({f"a token of {name!r}": payroll.signed(iss=name)})
    payroll.refused(
        {"a token of another issuer and its key": payroll.signed(iss="https://x.example", key=payroll.stranger)}
    )


@check(
    "attack: a token that the issuer has not signed",
    points=4,
    reason="Everybody can write claims. The signature makes them the issuer's, and the server chooses how it is made.",
    about="verify",
)
def test_signature(submission: Submission, rng: random.Random) -> None:
    payroll = Payroll(submission, rng)
    good = payroll.signed().split(".")
    pem = payroll.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payroll.refused(
        {
            "a token of a stranger": payroll.signed(key=payroll.stranger),
            "a token of a stranger that names a key": payroll.signed(
                key=payroll.stranger, headers={"jwk": payroll.jwk}
            ),
            "a token that says alg: none": jwt.encode(payroll.claims(), None, "none"),
            "a token that says alg: nOnE": f"{part({'alg': 'nOnE'})}.{part(payroll.claims())}.",
            "a token without its signature": f"{good[0]}.{good[1]}.",
            "a token with a new subject": f"{good[0]}.{part(payroll.claims(sub='root'))}.{good[2]}",
            "a token signed with the public key as a secret": payroll.hashed(
                payroll.settings["RANGE_ISSUER_KEY"].encode()
            ),
            "the same with the key as PEM": payroll.hashed(pem),
            "the same with HS512": payroll.hashed(payroll.settings["RANGE_ISSUER_KEY"].encode(), "HS512"),
            "no token at all": "",
            "two dots": "..",
            "a word": payroll.word(),
        }
    )


@check(
    "attack: a token whose time is over, or never will be",
    points=2,
    reason="A token that was stolen is good for as long as it lives.",
    about="verify",
)
def test_times(submission: Submission, rng: random.Random) -> None:
    payroll = Payroll(submission, rng)
    now = int(time.time())
    payroll.refused(
        {f"a token that ended {ago} s ago": payroll.signed(exp=now - ago) for ago in (rng.randint(70, 4000), 10**9)}
    )
    payroll.refused(
        {"a token without exp": payroll.signed(exp=None), "a token from tomorrow": payroll.signed(nbf=now + 86400)}
    )
    payroll.refused({"a token without sub": payroll.signed(sub=None)})


@check(
    "attack: the token does not travel on",
    points=3,
    reason="Whoever is handed a token can come back with it, or go elsewhere.",
    about="outgoing",
)
def test_travels(submission: Submission, rng: random.Random) -> None:
    payroll = Payroll(submission, rng)
    token = payroll.signed()
    with payroll.behind() as (url, seen):
        payroll.ask(token, RANGE_UPSTREAM=url)
        expect(len(seen), 1, "how often the service behind was asked")
        text = json.dumps(seen)
    for piece in [token, *token.split(".")]:
        expect_true(piece not in text, f"a part of the token is in what the service behind was sent: {text[:300]}")
    expect(
        submission.call("outgoing", payroll.settings, token, payroll.sub),
        {"authorization": f"Bearer {payroll.secret}", "x-on-behalf-of": payroll.sub},
        "the headers for the service behind",
    )


@check(
    "use: who has a good token gets the payslip, and who has none is told where to get one",
    points=2,
    reason="A server that lets nobody in is safe, and of no use.",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    payroll = Payroll(submission, rng)
    payroll.accepted("a token for this server", payroll.signed())
    payroll.accepted("a token for this server and another", payroll.signed(aud=[payroll.word(), payroll.me]))
    with payroll.behind() as (url, _):
        for sub in (payroll.sub, payroll.word()):
            answer = payroll.ask(payroll.signed(sub=sub), RANGE_UPSTREAM=url)
            expect([answer.status, said(answer)], [200, f"payslip of {sub} at /payslip"], f"the answer for {sub}")
        bad = payroll.ask(payroll.signed(), RANGE_UPSTREAM=url, RANGE_UPSTREAM_KEY=payroll.word())
        expect_true("401" in said(bad) and bad.frames[0]["result"]["isError"], f"a service that refuses: {said(bad)!r}")
    for token in ("", payroll.word()):
        answer = payroll.ask(token)
        challenge = {name.lower(): value for name, value in answer.headers.items()}.get("www-authenticate", "")
        expect(answer.status, 401, f"the status for the token {token!r}")
        where = payroll.me.replace(".example", ".example/.well-known/oauth-protected-resource")
        expect_true(f'resource_metadata="{where}"' in challenge, f"the challenge is {challenge!r}")
    now = int(time.time())
    mine = {
        "iss": "https://login.range.example",
        "aud": "https://payroll.range.example/mcp",
        "sub": "ada",
        "exp": now + 99,
    }
    headers = {**HEADERS, "authorization": f"Bearer {jwt.encode(mine, DEMO, 'ES256')}"}
    plain = submission.http({}, headers=headers, body=CALL)
    expect(said(plain), "ada has no payslip yet", "the answer with the settings of the file")


@check(
    "near miss: unusual tokens are good, too",
    points=1,
    reason="What looks odd is not wrong: the standard says what counts, and nothing else does.",
    about="verify",
)
def test_near_misses(submission: Submission, rng: random.Random) -> None:
    payroll = Payroll(submission, rng)
    now = int(time.time())
    payroll.accepted("a token that ends soon", payroll.signed(exp=now + 30), exp=now + 30)
    payroll.accepted("a token that has just begun", payroll.signed(nbf=now - 1, iat=now - 1))
    payroll.accepted("a token that names its key", payroll.signed(headers={"kid": payroll.word()}))
    payroll.accepted("an access token by its type", payroll.signed(headers={"typ": "at+jwt"}))
    payroll.accepted("a token with a claim alg", payroll.signed(alg="none"), alg="none")
    payroll.accepted("somebody called none", payroll.signed(sub="none"), sub="none")
    payroll.accepted("a token with scopes", payroll.signed(scope="a b", client_id="x"), scope="a b", client_id="x")
    payroll.accepted("a token of many claims", payroll.signed(**{payroll.word(): payroll.word() for _ in range(40)}))
