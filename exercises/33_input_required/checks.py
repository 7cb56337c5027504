"""Checks of 33_input_required. Names, states and answers come from the seed."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

ASK, SAMPLE = "elicitation/create", "sampling/createMessage"
Frame = dict[str, Any]


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=8))


def question(message: str, method: str = ASK) -> Frame:
    return {"method": method, "params": {"message": message}}


def asks(state: str | None = None, **questions: Frame) -> Frame:
    """A result that wants these answered; without questions it has no `inputRequests`."""
    members = {"inputRequests": questions} if questions else {}
    state_of = {} if state is None else {"requestState": state}
    return {"result": {"resultType": "input_required", **members, **state_of}}


def done(rng: random.Random) -> Frame:
    return {"result": {"resultType": "complete", "content": [{"type": "text", "text": word(rng)}]}}


def accept(rng: random.Random) -> Frame:
    return {"action": "accept", "content": {"ok": word(rng)}}


class Call:
    """A call with a script of replies, and what is expected to be sent."""

    def __init__(self, rng: random.Random) -> None:
        self.method = rng.choice(["tools/call", "prompts/get"])
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        self.params = {"name": word(rng), "arguments": {"path": word(rng)}, "_meta": meta}
        self.answers: dict[str, Frame] = {ASK: {}}

    def run(self, submission: Submission, script: list[Frame], rounds: int = 10) -> Frame:
        found: Frame = submission.call("rehearse", self.method, self.params, script, self.answers, rounds)
        expect(found["params as before"], True, "params are as before")
        return found

    def sent(self, found: Frame, *more: Frame) -> None:
        """The requests that went out: the first as it is, and one for each of `more`, under ids of their own."""
        ids = [frame.get("id") for frame in found["sent"]]
        expect_true(all(type(id) in (int, str) for id in ids), f"ids are numbers or texts, not {ids}")
        expect_true(len(set(ids)) == len(ids), f"each request has an id of its own: {ids}")
        bare = [{name: value for name, value in frame.items() if name != "id"} for frame in found["sent"]]
        base = {"jsonrpc": "2.0", "method": self.method}
        for number, (got, members) in enumerate(zip(bare, ({}, *more), strict=False), 1):
            expect(got, {**base, "params": {**self.params, **members}}, f"request {number}, but for its id")
        expect(len(ids), 1 + len(more), "the number of requests")

    def replied(self, found: Frame, reply: Frame) -> None:
        wanted = {"jsonrpc": "2.0", "id": found["sent"][-1]["id"], **reply}
        expect(found.get("reply"), wanted, "the response that is returned")


@check(
    "what is complete is returned",
    points=2,
    reason="Errors are answers, and servers of the handshake era do not say what kind of result it is.",
    about="call",
)
def test_complete(submission: Submission, rng: random.Random) -> None:
    error = {"error": {"code": -32602, "message": word(rng)}}
    for reply in (done(rng), {"result": {"content": [], "isError": True}}, {"result": {}}, error):
        call = Call(rng)
        found = call.run(submission, [reply], rng.randint(0, 3))
        call.sent(found)
        call.replied(found, reply)


@check(
    "asked, answered, called again",
    points=3,
    reason="The retry is a request of its own: the whole call, with an answer to each question and the state.",
    about="call",
)
def test_answered(submission: Submission, rng: random.Random) -> None:
    call, state, one, two, key = Call(rng), word(rng), word(rng), word(rng), word(rng)
    call.answers = {ASK: {one: accept(rng)}, SAMPLE: {two: {"role": "assistant", "content": word(rng)}}}
    questions = {key: question(one), f"{key}/2": question(two, SAMPLE)}
    reply = done(rng)
    found = call.run(submission, [asks(state, **questions), reply])
    responses = {key: call.answers[ASK][one], f"{key}/2": call.answers[SAMPLE][two]}
    call.sent(found, {"inputResponses": responses, "requestState": state})
    call.replied(found, reply)
    asked = sorted(found["asked"])
    expect(asked, [[ASK, {"message": one}], [SAMPLE, {"message": two}]], "what the handlers were asked")


@check(
    "the state comes back as it is, or not at all",
    points=2,
    reason="It is the server's, and may be signed, empty, or look like JSON. One of an earlier round is out of date.",
    about="call",
)
def test_state(submission: Submission, rng: random.Random) -> None:
    call, message = Call(rng), word(rng)
    call.answers = {ASK: {message: accept(rng)}}
    given = {"inputResponses": {"a": call.answers[ASK][message]}}
    states = ['{"step": 1}', "", f" {word(rng)}=\n", None, "é\u0000/+", None]
    script = [asks(state, a=question(message)) for state in states]
    found = call.run(submission, [*script, done(rng)])
    call.sent(found, *(given | ({} if state is None else {"requestState": state}) for state in states))


@check(
    "nothing of the round before",
    points=2,
    reason="What the server still needs of it is in its state. An old answer to a new question is a wrong one.",
    about="call",
)
def test_rounds(submission: Submission, rng: random.Random) -> None:
    call, one, two, first, second = Call(rng), word(rng), word(rng), word(rng), word(rng)
    call.answers = {ASK: {one: accept(rng), two: accept(rng)}}
    script = [asks(first, a=question(one)), asks(second), asks(first, b=question(two)), done(rng)]
    found = call.run(submission, script)
    call.sent(
        found,
        {"inputResponses": {"a": call.answers[ASK][one]}, "requestState": first},
        {"requestState": second},
        {"inputResponses": {"b": call.answers[ASK][two]}, "requestState": first},
    )
    call.replied(found, script[-1])


@check(
    "a refusal is an answer",
    points=1,
    reason="Whether to give up, to ask for something else or to do without is for the server to decide.",
    about="call",
)
def test_refusal(submission: Submission, rng: random.Random) -> None:
    for action in ("decline", "cancel"):
        call, message, reply = Call(rng), word(rng), done(rng)
        call.answers = {ASK: {message: {"action": action}}}
        found = call.run(submission, [asks(None, a=question(message)), reply])
        call.sent(found, {"inputResponses": {"a": {"action": action}}})
        call.replied(found, reply)


def raises(found: Frame, name: str, says: str | None = None) -> None:
    expect(found.get("raised"), name, "the exception")
    if says is not None:
        expect(found["says"], says, f"the message of {name}")


@check(
    "what cannot be answered ends the call",
    points=2,
    reason="A made-up answer is worse than none, and a user who was asked for nothing will not be asked again.",
    about="call",
)
def test_unanswerable(submission: Submission, rng: random.Random) -> None:
    call, message = Call(rng), word(rng)
    call.answers = {ASK: {message: accept(rng)}}
    found = call.run(submission, [asks("s", a=question(message), b=question(message, "roots/list"))])
    raises(found, "Unanswerable", "roots/list")
    expect(found["asked"], [], "what the handlers were asked")
    call.sent(found)
    kind = rng.choice(["task", word(rng)])
    found = call.run(submission, [{"result": {"resultType": kind, "content": []}}])
    raises(found, "InvalidResult", kind)


@check(
    "a limit of rounds",
    points=2,
    reason="A server that has lost its way asks for ever. The user is not asked for an answer that nobody will get.",
    about="call",
)
def test_limit(submission: Submission, rng: random.Random) -> None:
    rounds = rng.randint(2, 4)
    for limit in (rounds, 0):
        call, message = Call(rng), word(rng)
        call.answers = {ASK: {message: accept(rng)}}
        script = [asks("s", a=question(message))] * (limit + 9)
        found = call.run(submission, script, limit)
        raises(found, "TooManyRounds")
        expect(len(found["sent"]), limit + 1, f"requests with rounds={limit}")
        expect(len(found["asked"]), limit, f"questions to the user with rounds={limit}")
        reply = done(rng)
        found = call.run(submission, [*script[:limit], reply], limit)
        call.replied(found, reply)
