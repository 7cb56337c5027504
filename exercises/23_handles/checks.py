"""Checks of 23_handles. Users, texts and handles are made from the seed."""

import base64
import contextlib
import random
import re
import string
from typing import Any

from labkit.grading.checks import RpcFault, check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Reply

USER = "lab.example/user"
SURE: dict[str, Any] = {"action": "accept", "content": {"sure": True}}
Frame = dict[str, Any]


class Desk:
    """A server, and the users in front of it."""

    def __init__(self, submission: Submission, rng: random.Random, **settings: str) -> None:
        self._submission, self._rng = submission, rng
        self._env = {"RANGE_CANARY": self.word(), **settings}
        self.handles: list[str] = []

    def word(self, length: int = 9) -> str:
        return "".join(self._rng.choices(string.ascii_lowercase, k=length))

    def ask(self, user: str, tool: str, more: Frame | None = None, *, over: str = "", **arguments: Any) -> Reply:
        """The answer; an error of the protocol in the shape of a tool error."""
        session = self._submission.made(self._env, client=over)
        meta = {USER: user} if user else {}
        try:
            return session.request("tools/call", {"name": tool, "arguments": arguments, **(more or {})}, meta=meta)
        except RpcFault as fault:
            return Reply({"isError": True, "content": [{"type": "text", "text": fault.message}]})

    def start(self, user: str, *lines: str) -> str:
        """A draft with these lines."""
        handle = self.ask(user, "start_draft").text
        for number, line in enumerate(lines, 1):
            said = self.ask(user, "add_line", draft=handle, line=line).text
            expect(said, str(number), f"{user} adds line {number} to a draft")
        self.handles.append(handle)
        return handle

    def publish(self, user: str, handle: str, answer: Frame | None = None, *, over: str = "") -> Reply:
        """Both rounds; the reply of the first one when it asks nothing."""
        asked = self.ask(user, "publish_draft", draft=handle)
        if asked.get("resultType") != "input_required":
            return asked
        return self.ask(user, "publish_draft", second(asked, answer), over=over, draft=handle)

    def nothing(self, reply: Reply, secret: str, how: str) -> None:
        """Fail when a reply is anything but a tool error."""
        expect_true(reply.is_error and secret not in reply.text, f"{how}, and got {reply.text!r}")


def second(asked: Reply, answer: Frame | None = None) -> Frame:
    state = asked.get("requestState")
    return {"inputResponses": {"sure": answer or SURE}, **({"requestState": state} if state is not None else {})}


def rewritten(state: str, own: str, other: str) -> list[str]:
    """The state with another handle in it, for the ways of writing that hide nothing."""
    found = [state.replace(own, other)] if own in state else []
    for prefix in {"", *re.findall(r"^[\w-]{1,6}[.:]", state)}:
        body = state[len(prefix) :]
        with contextlib.suppress(ValueError):
            plain = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
            if own in plain:
                found.append(prefix + base64.urlsafe_b64encode(plain.replace(own, other).encode()).decode())
    return found


def flips(state: str, rng: random.Random) -> list[str]:
    """The state with a letter of it changed."""
    places = rng.sample(range(len(state)), min(4, len(state)))
    return [state[:at] + ("A" if state[at] != "A" else "B") + state[at + 1 :] for at in places]


def odd_name(rng: random.Random) -> str:
    return f"ada{rng.choice(':/-_ ')}{rng.randint(1, 9)}"


@check(
    "attack: a guessed handle",
    points=3,
    reason="A handle that counts tells everybody all the others.",
    about="make",
)
def test_guessed(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    secret = desk.word()
    theirs = [desk.start("ada", secret) for _ in range(3)]
    own = [desk.start("mallory") for _ in range(5)]
    for number in range(40):
        for handle in (re.sub(r"\d+", str(number), own[0]), f"draft-{number}"):
            if handle not in own:
                desk.nothing(desk.ask("mallory", "read_draft", draft=handle), secret, f"mallory guesses {handle}")
    handles = own + theirs
    expect_true(len(set(handles)) == len(handles), f"two drafts have one handle: {handles}")
    same = next((at for at, letters in enumerate(zip(*handles, strict=False)) if len(set(letters)) > 1), 0)
    for handle in handles:
        rest = handle[same:]
        expect_true(len(rest) >= 16, f"of the handle {handle!r} only {rest!r} changes: that can be tried out")
        expect_true(len(set(rest)) > 5, f"of the handle {handle!r} the part {rest!r} is not random")


@check(
    "attack: a handle that somebody else has seen",
    points=4,
    reason="Handles stand in logs, in transcripts and in what a model repeats. Having one proves nothing.",
    about="make",
)
def test_seen(submission: Submission, rng: random.Random) -> None:
    for owner, other in (("ada", "mallory"), ("ada", "ad"), ("ada", ""), ("", "ada"), ("adam", "ada")):
        desk = Desk(submission, rng)
        secret = desk.word()
        handle = desk.start(owner, secret)
        how = f"{other or 'nobody'} knows the handle of a draft of {owner or 'nobody'}"
        desk.nothing(desk.ask(other, "read_draft", draft=handle), secret, f"{how} and reads it")
        desk.nothing(desk.ask(other, "add_line", draft=handle, line="x"), secret, f"{how} and writes")
        desk.nothing(desk.ask(other, "publish_draft", draft=handle), secret, f"{how} and is asked about it")
        desk.nothing(desk.publish(other, handle), secret, f"{how} and publishes it")
        expect(desk.ask(owner, "read_draft", draft=handle).text, secret, f"the draft of {owner!r} afterwards")
        missing = desk.ask(other, "read_draft", draft="draft-of-nobody").text.replace("draft-of-nobody", "HANDLE")
        said = desk.ask(other, "read_draft", draft=handle).text.replace(handle, "HANDLE")
        expect(said, missing, "the error for a draft of somebody else, compared with that for none")


@check(
    "attack: requestState changed, or borrowed",
    points=4,
    reason="The state is in the client's hands between two rounds. What it says there is a claim.",
    about="make",
)
def test_state(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    secret, plain = desk.word(), desk.word()
    theirs, own, other = desk.start("ada", secret), desk.start("mallory", plain), desk.start("mallory", desk.word())
    asked = desk.ask("mallory", "publish_draft", draft=own)
    state = str(asked.get("requestState", ""))
    for target in (theirs, other):
        for changed in rewritten(state, own, target):
            more = {"inputResponses": {"sure": SURE}, "requestState": changed}
            said = desk.ask("mallory", "publish_draft", more, draft=own)
            expect_true(
                said.is_error or plain in said.text,
                f"asked about {own}, yes was said, and this happened: {said.text!r}",
            )
    for changed in flips(state, rng):
        more = {"inputResponses": {"sure": SURE}, "requestState": changed}
        desk.nothing(
            desk.ask("mallory", "publish_draft", more, draft=own), plain, "mallory changed a letter of the state"
        )
    borrowed = second(desk.ask("ada", "publish_draft", draft=theirs))
    for draft in (theirs, own):
        said = desk.ask("mallory", "publish_draft", borrowed, draft=draft)
        desk.nothing(said, secret, "mallory handed in the state that ada was given")


@check(
    "attack: a draft whose time is over",
    points=2,
    reason="What never ends is found by somebody in the end.",
    about="make",
)
def test_over(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng, RANGE_SECONDS="0.000001")
    handle = desk.ask("ada", "start_draft").text
    for tool, arguments in (("read_draft", {}), ("add_line", {"line": "x"}), ("publish_draft", {})):
        reply = desk.ask("ada", tool, draft=handle, **arguments)
        expect_true(reply.is_error, f"{tool} takes a handle that has ended: {reply.text!r}")
        expect_true(handle in reply.text, f"the error does not name the draft that there is not: {reply.text!r}")


@check(
    "use: drafts are written, read and published",
    points=3,
    reason="A server that answers nobody is safe, and of no use.",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng, RANGE_SECONDS=str(rng.randint(600, 900)))
    for user in ("ada", ""):
        lines = [desk.word() for _ in range(rng.randint(2, 4))]
        first, second_ = desk.start(user, *lines), desk.start(user, desk.word())
        for _ in range(2):
            expect(desk.ask(user, "read_draft", draft=first).text, "\n".join(lines), f"the draft of {user!r}")
        asked = desk.ask(user, "publish_draft", draft=first)
        expect(asked.get("resultType"), "input_required", "publishing asks first: resultType")
        form = asked["inputRequests"]["sure"]["params"]
        expect(form["message"], f"Publish {first}?", "what is asked")
        expect(form["requestedSchema"]["properties"], {"sure": {"type": "boolean"}}, "the fields that are asked for")
        for answer in ({"action": "decline"}, {"action": "accept", "content": {"sure": False}}, {"action": "cancel"}):
            said = desk.publish(user, first, answer)
            expect((said.is_error, said.text), (False, "not published"), f"the user answers {answer}")
        for handle in (first, first):
            expect(desk.publish(user, handle).text, "published: " + "\n".join(lines), "the user says yes")
        expect_true(not desk.publish(user, second_).is_error, "a second draft cannot be published")
        missing = desk.ask(user, "read_draft", draft="draft-of-nobody")
        expect_true(missing.is_error, f"no such draft, and the answer is {missing.text!r}")
        expect_true(
            "there is no draft draft-of-nobody" in missing.text, f"another error for no such draft: {missing.text!r}"
        )


@check(
    "near miss: odd names, odd lines, another connection",
    points=2,
    reason="A handle belongs to a user: not to a connection, and not only to users with tidy names.",
)
def test_near_miss(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    names = ["Ada", "ada:2", "ada draft-1", "draft-1", "ö'\"\\", "a" * 200, "ada@lab.example", odd_name(rng)]
    lines = ["see draft-1", '{"draft": "draft-1"}', "../draft-2", "", desk.word()]
    for name in names:
        handle = desk.start(name, *lines)
        expect(desk.ask(name, "read_draft", over="b", draft=handle).text, "\n".join(lines), f"the draft of {name!r}")
    handle = desk.start("ada", lines[0])
    said = desk.publish("ada", handle, over="b").text
    expect(said, f"published: {lines[0]}", "ada says yes over another connection")
    states = [second(desk.ask("ada", "publish_draft", draft=handle)) for _ in range(3)]
    for state in reversed(states):
        said = desk.ask("ada", "publish_draft", state, draft=handle).text
        expect(said, f"published: {lines[0]}", "ada was asked three times, and answers the last question first")
