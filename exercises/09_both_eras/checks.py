"""Checks of 09_both_eras. The same conversation in both eras; `ask` hides how the question travels."""

import random
from typing import Any

from labkit.grading.checks import CheckFailed, check, expect, expect_fault, expect_names, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import HANDSHAKE, MODERN, Frame, Reply, Session

ABLE: Frame = {"elicitation": {"form": {}}}
META: Frame = {"io.modelcontextprotocol/clientCapabilities": ABLE}


def able(session: Session) -> Session:
    """The session, after its client has said that it can ask its user."""
    if session.era == HANDSHAKE:
        client = {"name": "labkit-judge", "version": "1"}
        session.request("initialize", {"protocolVersion": HANDSHAKE, "capabilities": ABLE, "clientInfo": client})
        session.notify("notifications/initialized")
    return session


def ask(session: Session, trip: str, answer: Frame) -> tuple[Reply, list[Frame]]:
    """Call cancel_trip and answer what it asks: the result, and the questions with the trips of that moment."""
    questions: list[Frame] = []
    call: Frame = {"name": "cancel_trip", "arguments": {"trip": trip}}

    def respond(frame: Frame) -> Frame:
        questions.append(frame["params"])
        return answer

    session.responders["elicitation/create"] = respond
    if session.era == HANDSHAKE:
        return session.request("tools/call", call), questions
    more: dict[str, Any] = {}
    for _ in range(4):
        reply = session.request("tools/call", {**call, **more}, meta=META)
        if reply.get("resultType") != "input_required":
            return reply, questions
        expect_true(trip in there(session), f"{trip} was gone before the user had answered ({session})")
        asked = reply.get("inputRequests", {})
        more = {"inputResponses": {key: respond(each) for key, each in asked.items()}}
        if "requestState" in reply:
            more["requestState"] = reply["requestState"]
    raise CheckFailed(f"cancel_trip still asks after four rounds ({session})")


def there(session: Session) -> list[str]:
    """The trips there are."""
    return session.call("trips").data["result"]


def new_trip(session: Session, rng: random.Random) -> str:
    """Add a trip with a name that no answer can know."""
    trip = "".join(rng.choices("BCDFGHJKLMNPQRSTVWXZ", k=8))
    expect(session.call("add_trip", trip=trip).text, f"added {trip}", f"add_trip ({session})")
    return trip


@check(
    "the user is asked, and a yes is a yes",
    points=3,
    reason="One tool for clients of both eras: the form is the same, only its way is not.",
    about="cancel_trip",
)
def test_yes(submission: Submission, rng: random.Random) -> None:
    expect(submission.session("memory", HANDSHAKE).hello["serverInfo"]["name"], "travel", "the server's name")
    for session in submission.everywhere():
        expect_names(there(session), ["Oslo", "Lisbon", "Kyoto"], f"the trips at the start ({session})")
        trip = new_trip(able(session), rng)
        reply, questions = ask(session, trip, {"action": "accept", "content": {"sure": True}})
        expect(len(questions), 1, f"how often the user was asked ({session})")
        expect_true(trip in questions[0]["message"], f"the question does not name {trip}: {questions[0]['message']!r}")
        fields = {name: each.get("type") for name, each in questions[0]["requestedSchema"]["properties"].items()}
        expect(fields, {"sure": "boolean"}, "the fields of the form")
        expect(reply.text, f"cancelled {trip}", f"cancel_trip after a yes ({session})")
        expect_true(trip not in there(session), f"{trip} is still there after a yes ({session})")


@check(
    "a no is a no, in both its forms",
    points=3,
    reason="Accepting the form with `sure: false` and declining it mean the same, and neither is an error.",
    about="cancel_trip",
)
def test_no(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        for answer in ({"action": "accept", "content": {"sure": False}}, {"action": "decline"}):
            trip = new_trip(able(session), rng)
            reply, _ = ask(session, trip, answer)
            expect([reply.text, reply.is_error], [f"kept {trip}", False], f"cancel_trip after {answer} ({session})")
            expect_true(trip in there(session), f"{trip} is gone after {answer} ({session})")


@check(
    "no answer is an error, and changes nothing",
    points=2,
    reason="Who closed the window has not decided: 'kept' would say that they had.",
    about="cancel_trip",
)
def test_no_answer(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        trip = new_trip(able(session), rng)
        reply, _ = ask(session, trip, {"action": "cancel"})
        expect(reply.is_error, True, f"isError after the user closed the window ({session})")
        expect_true(trip in reply.text, f"the error does not name {trip}: {reply.text!r}")
        expect_true(trip in there(session), f"{trip} is gone, and the user had only closed the window ({session})")


@check(
    "nobody is asked about a trip that is not there",
    points=2,
    reason="A user should not have to decide about nothing, and the model should learn what is wrong.",
    about="cancel_trip",
)
def test_unknown(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        never = "".join(rng.choices("BCDFGHJKLMNPQRSTVWXZ", k=8))
        call: Frame = {"name": "cancel_trip", "arguments": {"trip": never}}
        questions: list[Frame] = []

        def respond(frame: Frame, questions: list[Frame] = questions) -> Frame:
            questions.append(frame)
            return {"action": "decline"}

        able(session).responders["elicitation/create"] = respond
        reply = session.request("tools/call", call, meta=META if session.era == MODERN else None)
        asked = bool(questions) or reply.get("resultType") == "input_required"
        expect_true(not asked, f"the user was asked about {never}, which does not exist ({session})")
        expect(reply.is_error, True, f"isError for a trip that is not there ({session})")
        expect_true(never in reply.text, f"the error does not name {never}: {reply.text!r}")


@check(
    "a client that cannot ask gets -32021",
    points=2,
    reason="The code says what is missing, and the client may find another way; the trip must still be there.",
    about="cancel_trip",
)
def test_incapable(submission: Submission, rng: random.Random) -> None:
    for via, era in (("memory", MODERN), ("process", MODERN), ("process", HANDSHAKE)):
        session = submission.fresh(via, era) if era == HANDSHAKE else submission.session(via, era)
        trip = new_trip(session, rng)
        expect_fault(-32021, f"cancel_trip without elicitation ({session})", session.call, "cancel_trip", trip=trip)
        expect_true(trip in there(session), f"{trip} is gone, and nobody could be asked ({session})")
