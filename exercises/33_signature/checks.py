"""Checks of 33_signature. Secrets, nonces, bodies and times come from the seed."""

import ast
import hmac
import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Delivery = list[Any]


def word(rng: random.Random, length: int = 12) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits, k=length))


class Service:
    """Who sends: a secret, a window, and room for so many."""

    def __init__(self, rng: random.Random, most: int = 50) -> None:
        self.rng, self.secret = rng, word(rng, 20) + "é"
        self.window, self.most = rng.randint(30, 400), most
        self.now = rng.randint(10**9, 2 * 10**9)

    def header(self, time: int | str, nonce: str, body: str) -> str:
        signature = hmac.new(self.secret.encode(), f"{time}.{nonce}.{body}".encode(), "sha256").hexdigest()
        return f"t={time},n={nonce},v1={signature}"

    def event(self, signed: int = 0, nonce: str = "", body: str | None = None, at: int = 0) -> Delivery:
        """A good delivery. Times are relative to now: when it was signed, and when it arrives."""
        body = f"{{}} {word(self.rng)} é\n" if body is None else body
        return [self.header(self.now + signed, nonce or word(self.rng), body), body, self.now + at]

    def later(self, delivery: Delivery, at: int) -> Delivery:
        """The same delivery once more."""
        return [*delivery[:2], self.now + at]

    def says(self, submission: Submission, *pairs: tuple[Delivery, str], remembered: int | None = None) -> None:
        """Deliveries, with the word for each; how many nonces are remembered in the end."""
        settings = (self.secret, self.window, self.most)
        found = submission.call("rehearse", *settings, [delivery for delivery, _ in pairs])
        for number, (got, (delivery, wanted)) in enumerate(zip(found["said"], pairs, strict=True)):
            before = found["said"][max(0, number - 3) : number]
            about = f"window={self.window}, most={self.most}: verify{tuple(delivery)}, at {delivery[2] - self.now:+} s"
            expect(got, wanted, f"{about}, after {before}")
        if remembered is not None:
            expect(found["remembered"], remembered, f"nonces in `seen` after {found['said']}, most={self.most}")


@check(
    "what is signed well is ok",
    points=1,
    reason="A door that nobody can pass is no security.",
    about="Verifier",
)
def test_ok(submission: Submission, rng: random.Random) -> None:
    service = Service(rng)
    events = [
        service.event(),
        service.event(nonce=word(rng, 8)),
        service.event(nonce=word(rng, 40), body=""),
        service.event(body="1.2.3"),
    ]
    service.says(submission, *((event, "ok") for event in events), remembered=4)
    service.now = rng.randint(1, 9)
    service.says(submission, (service.event(), "ok"))
    service.now = 10**12 - 1
    service.says(submission, (service.event(), "ok"))


@check(
    "only this form of the header",
    points=2,
    reason="Two ways to read one header are a way around the signature. A door does not crash on what strangers send.",
    about="verify",
)
def test_malformed(submission: Submission, rng: random.Random) -> None:
    service, body, nonce = Service(rng), word(rng), word(rng)
    good = service.header(service.now, nonce, body)
    time, _, signature = good.split(",")
    wrong = [
        None,
        "",
        good[:-1],
        good + "0",
        good + "\n",
        " " + good,
        good.replace(",", ", "),
        f"{time},{signature},n={nonce}",
        f"{time},n={nonce}",
        good.replace("t=", "T="),
        f"{time},n={nonce},v1={signature[3:].upper().replace('0', 'A')}",
        *(
            service.header(service.now, each, body)
            for each in (nonce[:7], word(rng, 41), "", f"{nonce}.", f"{nonce}é", f"{nonce} ")
        ),
        *(service.header(each, nonce, body) for each in ("", "-5", "+5", "1.5", "1_0", "1" * 13, "1" * 5000, "٣٣")),
    ]
    service.says(submission, *(([each, body, service.now], "malformed") for each in wrong), remembered=0)


@check(
    "time, nonce and body are signed",
    points=2,
    reason="What is not covered, somebody writes anew: yesterday's order with today's date.",
    about="verify",
)
def test_forged(submission: Submission, rng: random.Random) -> None:
    service, body, nonce = Service(rng), f"{word(rng)}.{word(rng)}", word(rng)
    good = service.header(service.now, nonce, body)
    stranger = Service(rng)
    signature = good[-64:]
    wrong = [
        (good, body + " "),
        (good, body[:-1]),
        (good, ""),
        (good.replace(f"t={service.now}", f"t={service.now + 1}"), body),
        (good.replace(nonce, word(rng)), body),
        (good.replace(nonce, nonce[:-1]), body),
        (good.replace(signature, signature[1:] + signature[0]), body),
        (good.replace(signature, "0" * 64), body),
        (stranger.header(service.now, nonce, body), body),
        (service.header(service.now, nonce, "").replace(f"n={nonce}", f"n={word(rng)}"), ""),
    ]
    wanted = [([*each, service.now], "forged") for each in wrong]
    old = good.replace(f"t={service.now}", "t=1")
    service.says(submission, *wanted, ([old, body, service.now], "forged"), ([good, body, service.now], "ok"))


@check(
    "compared in constant time",
    points=1,
    reason="A comparison that ends at the first wrong digit tells how many were right.",
    about="verify",
)
def test_constant(submission: Submission, rng: random.Random) -> None:
    names = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(submission.tree)}
    expect_true("compare_digest" in names, "hmac.compare_digest is not used")
    service = Service(rng)
    service.says(submission, (service.event(), "ok"))


@check(
    "neither old nor from the future",
    points=2,
    reason="A delivery that was caught can be kept until it is useful; one with a date far ahead keeps for ever.",
    about="verify",
)
def test_stale(submission: Submission, rng: random.Random) -> None:
    service = Service(rng)
    window = service.window
    events = [(-window, "ok"), (-window - 1, "stale"), (window, "ok"), (window + 1, "stale"), (10**6, "stale")]
    service.says(submission, *((service.event(signed), word) for signed, word in events), remembered=2)
    event = service.event(0)
    service.says(submission, (service.later(event, window + 1), "stale"), (service.event(at=window), "ok"))


@check(
    "each delivery once",
    points=2,
    reason="Who pays twice because a message came twice has verified both.",
    about="verify",
)
def test_replayed(submission: Submission, rng: random.Random) -> None:
    service = Service(rng)
    window = service.window
    early, late, other = service.event(window), service.event(), service.event(-1)
    nonce = early[0].split(",")[1][2:]
    again = service.event(window, nonce=nonce, at=window)
    service.says(
        submission,
        (early, "ok"),
        (late, "ok"),
        (early, "replayed"),
        (other, "ok"),
        (service.later(late, window), "replayed"),
        (again, "replayed"),
        (service.later(early, window + 1), "replayed"),
        (service.later(early, 2 * window), "replayed"),
        (service.later(early, 2 * window + 1), "stale"),
    )


@check(
    "memory has an end, and nobody else can use it up",
    points=2,
    reason="To forget the oldest makes a replay possible, to forget nothing fills the memory. So: no.",
    about="Verifier",
)
def test_memory(submission: Submission, rng: random.Random) -> None:
    most = rng.randint(2, 5)
    service = Service(rng, most)
    window = service.window
    events = [service.event(-place) for place in range(most)]
    more, stranger = service.event(), Service(rng)
    stranger.now = service.now
    first = events[-1]  # the first that may be forgotten
    service.says(
        submission,
        *((stranger.event(), "forged") for _ in range(most)),
        *((service.event(-window - 1), "stale") for _ in range(most)),
        *((event, "ok") for event in events),
        (more, "full"),
        (service.event(), "full"),
        *((event, "replayed") for event in events),
        (service.later(more, window - most + 1), "full"),
        (service.later(first, window - most + 1), "replayed"),
        (service.later(more, window - most + 2), "ok"),
        (service.event(at=window - most + 2), "full"),
        remembered=most,
    )
    nonce = first[0].split(",")[1][2:]
    back = service.event(window, nonce=nonce, at=window + 1)
    service.says(submission, *((event, "ok") for event in events), (back, "ok"), remembered=1)
