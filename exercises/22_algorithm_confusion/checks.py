"""Checks of 22_algorithm_confusion. Keys, names and claims come from the seed."""

import base64
import hashlib
import hmac
import json
import random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


def packed(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Keys:
    """A set of keys, and those who can sign with them."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.submission, self.rng = submission, rng
        self.private = {name: ec.derive_private_key(rng.getrandbits(200) + 2, ec.SECP256R1()) for name in self.words(2)}
        self.secret, self.job = rng.randbytes(32), self.word()
        self.keys = {name: self.public(key) for name, key in self.private.items()}
        self.keys[self.job] = {"kty": "oct", "alg": "HS256", "k": packed(self.secret)}
        self.name = next(iter(self.private))

    def word(self) -> str:
        return "".join(self.rng.choices("bcdfghjklmnpqrstvwxz", k=8))

    def words(self, count: int) -> list[str]:
        return [self.word() for _ in range(count)]

    def public(self, key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
        numbers = key.public_key().public_numbers()
        x, y = (packed(number.to_bytes(32)) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": x, "y": y}

    def claims(self, **more: Any) -> dict[str, Any]:
        return {"sub": self.word(), "aud": self.word(), **more}

    def text(self, header: Any, claims: Any) -> str:
        return f"{packed(header)}.{packed(claims)}"

    def es(self, header: Any, claims: Any, key: ec.EllipticCurvePrivateKey | None = None) -> str:
        """Signed by ES256, with the first key unless there is another."""
        text = self.text(header, claims)
        pair = (key or self.private[self.name]).sign(text.encode(), ec.ECDSA(SHA256()))
        return f"{text}.{packed(b''.join(part.to_bytes(32) for part in utils.decode_dss_signature(pair)))}"

    def hs(self, header: Any, claims: Any, secret: bytes) -> str:
        """Signed by HS256."""
        text = self.text(header, claims)
        return f"{text}.{packed(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    def verified(self, token: Any) -> Any:
        return self.submission.call("verify", token, self.keys)

    def refused(self, what: str, token: Any) -> None:
        expect(self.verified(token), None, f"verify for {what}")

    def accepted(self, what: str, token: str, claims: dict[str, Any]) -> None:
        expect(self.verified(token), claims, f"verify for {what}")


@check(
    "attack: a public key is no secret",
    points=4,
    reason="Everybody has the public key. Who may use it as the secret of an HMAC can sign anything.",
    about="verify",
)
def test_confusion(submission: Submission, rng: random.Random) -> None:
    keys = Keys(submission, rng)
    for name, private in keys.private.items():
        jwk, header = keys.keys[name], {"alg": "HS256", "kid": name}
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for secret in (json.dumps(jwk).encode(), json.dumps(jwk, separators=(",", ":")).encode(), pem, b""):
            keys.refused("HS256 with a public key", keys.hs(header, keys.claims(), secret))
        keys.refused(
            "hs256 in small letters", keys.hs({**header, "alg": "hs256"}, keys.claims(), json.dumps(jwk).encode())
        )
    keys.refused("ES256 with the name of the secret", keys.es({"alg": "ES256", "kid": keys.job}, keys.claims()))


@check(
    "attack: no algorithm is none",
    points=3,
    reason="A token that says that it needs no signature has none.",
    about="verify",
)
def test_none(submission: Submission, rng: random.Random) -> None:
    keys = Keys(submission, rng)
    for name in (keys.name, keys.job):
        for word in ("none", "None", "NONE", "nOnE", "", None, [], ["none"], 0):
            text = keys.text({"alg": word, "kid": name}, keys.claims())
            keys.refused(f"alg {word!r}", f"{text}.")
        keys.refused("alg none and a signature", keys.es({"alg": "none", "kid": name}, keys.claims()))
    keys.refused("no alg", keys.es({"kid": keys.name}, keys.claims()))


@check(
    "attack: a token brings no key",
    points=3,
    reason="Signed with a key of its own it always is. The name of a key says which one of ours has to fit.",
    about="verify",
)
def test_brings(submission: Submission, rng: random.Random) -> None:
    keys = Keys(submission, rng)
    own = ec.derive_private_key(rng.getrandbits(200) + 2, ec.SECP256R1())
    for kid in ({"kid": keys.name}, {"kid": keys.word()}, {}, {"kid": None}, {"kid": [keys.name]}):
        header = {"alg": "ES256", **kid, "jwk": keys.public(own), "jku": f"https://{keys.word()}.example/keys"}
        keys.refused(f"a key of its own, under {kid}", keys.es(header, keys.claims(), own))
    for kid in ({"kid": keys.word()}, {}, {"kid": list(keys.private)[1]}):
        keys.refused(f"a good signature under {kid}", keys.es({"alg": "ES256", **kid}, keys.claims()))
    keys.refused(
        "a secret of its own", keys.hs({"alg": "HS256", "kid": keys.job, "k": packed(b"x")}, keys.claims(), b"x")
    )


@check(
    "attack: what must be understood is not passed over",
    points=1,
    reason="With crit an issuer says: who does not know this must not accept the token (RFC 7515, section 4.1.11).",
    about="verify",
)
def test_crit(submission: Submission, rng: random.Random) -> None:
    keys = Keys(submission, rng)
    name = keys.word()
    keys.refused("crit", keys.es({"alg": "ES256", "kid": keys.name, "crit": [name], name: True}, keys.claims()))


@check(
    "attack: what cannot be read is refused",
    points=2,
    reason="A verifier that stumbles is a way to stop the server, and an exception often has the token in it.",
    about="verify",
)
def test_reads(submission: Submission, rng: random.Random) -> None:
    keys = Keys(submission, rng)
    good = keys.es({"alg": "ES256", "kid": keys.name}, keys.claims()).split(".")
    cases = [
        "",
        ".",
        "..",
        "...",
        good[0],
        ".".join(good[:2]),
        f"{'.'.join(good)}.",
        f"{good[0]}.{good[1]}.",
        f"{good[0]}..{good[2]}",
    ]
    cases += [
        f"{good[0]}.{packed(keys.claims())}.{good[2]}",
        f"{good[0]}.{good[1]}.{good[2][:-4]}",
        f"!.{good[1]}.{good[2]}",
    ]
    cases += [f"{packed(part)}.{good[1]}.{good[2]}" for part in ([], [1], 1, "x", None, {}, b"\xff", b"{")]
    for token in cases:
        keys.refused(f"the text {token[:40]!r}", token)
    for claims in ([], [{"sub": "x"}], "x", 7, None):
        keys.refused(f"a token with the claims {claims!r}", keys.es({"alg": "ES256", "kid": keys.name}, claims))


@check(
    "use: the tokens of all keys are good",
    points=3,
    reason="Two kinds of keys are in use here, each for its own: both stay.",
    about="verify",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    keys = Keys(submission, rng)
    for name, private in keys.private.items():
        claims = keys.claims(roles=[keys.word()])
        keys.accepted(f"a token of {name}", keys.es({"alg": "ES256", "kid": name}, claims, private), claims)
    claims = keys.claims(exp=rng.randint(1, 99))
    keys.accepted(
        "a token of the jobs", keys.hs({"alg": "HS256", "kid": keys.job, "typ": "JWT"}, claims, keys.secret), claims
    )


@check(
    "near miss: odd tokens are good, too",
    points=2,
    reason="Members that nobody knows are to be passed over, and claims may say anything.",
    about="verify",
)
def test_near_misses(submission: Submission, rng: random.Random) -> None:
    keys = Keys(submission, rng)
    for claims in (
        keys.claims(alg="none"),
        keys.claims(sub="none"),
        keys.claims(jwk={}, kid="x"),
        keys.claims(name="Zoë", crit=["x"]),
        {},
    ):
        keys.accepted(f"the claims {claims}", keys.es({"alg": "ES256", "kid": keys.name}, claims), claims)
    claims = keys.claims()
    more = {"typ": "at+jwt", "cty": "JWT", "jwk": keys.keys[keys.name], "x": None, keys.word(): [1]}
    keys.accepted("a header with more members", keys.es({**more, "alg": "ES256", "kid": keys.name}, claims), claims)
    keys.accepted("the same by HS256", keys.hs({"alg": "HS256", "kid": keys.job, **more}, claims, keys.secret), claims)
