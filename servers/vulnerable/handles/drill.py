"""Drafts of somebody else: by guessing a handle, by knowing one, and by changing or borrowing `requestState`."""

from __future__ import annotations

import base64
import contextlib
import re
from typing import Any

from labkit.errors import RpcError
from labkit.range import Target
from labkit.session.connection import Connection

USER = "lab.example/user"
GUESSES = 30
"""Handles that an attacker tries, around the one that it was given itself."""
YES = {"sure": {"action": "accept", "content": {"sure": True}}}
NAMES = ("ada", "Ada", "ada:2", "ada draft-1", "draft-1", "ö'\"\\", "a" * 200)
"""Users who are easily taken for one another."""
LINES = ("see draft-1", "draft-2 is older", "../draft-1", '{"draft": "draft-1"}', "")
"""Lines that look like handles and states, and are what somebody writes."""


class User:
    """Somebody behind the gateway, over a connection."""

    def __init__(self, conn: Connection, name: str) -> None:
        self.conn, self.name = conn, name

    async def __call__(self, tool: str, more: dict[str, Any] | None = None, /, **arguments: Any) -> dict[str, Any]:
        """The result object of a call, or an error as the same shape."""
        params = {"name": tool, "arguments": arguments, "_meta": {USER: self.name}, **(more or {})}
        try:
            return await self.conn.send("tools/call", params)
        except RpcError as error:
            return {"isError": True, "content": [{"type": "text", "text": f"error {error.code}: {error.message}"}]}

    async def says(self, tool: str, more: dict[str, Any] | None = None, /, **arguments: Any) -> str:
        """The text of the answer."""
        return text_of(await self(tool, more, **arguments))

    async def starts(self, *lines: str) -> str:
        """A draft with these lines: its handle."""
        handle = await self.says("start_draft")
        for line in lines:
            await self("add_line", draft=handle, line=line)
        return handle

    async def publishes(self, handle: str, answers: dict[str, Any] = YES) -> str:
        """What becomes of publishing, with both rounds."""
        asked = await self("publish_draft", draft=handle)
        if asked.get("resultType") != "input_required":
            return text_of(asked)
        return await self.says("publish_draft", second(asked, answers), draft=handle)


def text_of(result: dict[str, Any]) -> str:
    return "\n".join(part.get("text", "") for part in result.get("content", []))


def second(asked: dict[str, Any], answers: dict[str, Any] = YES) -> dict[str, Any]:
    """The members that a second round has beside the arguments."""
    return {"inputResponses": answers, "requestState": asked.get("requestState")}


def guesses(own: str) -> list[str]:
    """Handles close to one's own: the same text with other numbers in it, for each number in it."""
    found: list[str] = []
    for number in re.finditer(r"\d+", own):
        for other in range(max(0, int(number[0]) - GUESSES), int(number[0]) + GUESSES):
            found.append(own[: number.start()] + str(other).zfill(len(number[0])) + own[number.end() :])
    return [each for each in dict.fromkeys(found) if each != own][: 4 * GUESSES]


def rewritten(state: str, own: str, other: str) -> list[str]:
    """The state with another handle in it, for each way of writing that hides nothing."""
    found = [state.replace(own, other)] if own in state else []
    for prefix in ("", *re.findall(r"^[\w-]{1,6}[.:]", state)):
        body = state[len(prefix) :]
        for decode, encode in ((base64.urlsafe_b64decode, base64.urlsafe_b64encode), (bytes.fromhex, None)):
            with contextlib.suppress(ValueError):
                plain = decode(body + "=" * (-len(body) % 4) if encode else body).decode("utf-8")
                if own in plain:
                    changed = plain.replace(own, other).encode()
                    found.append(prefix + (encode(changed).decode() if encode else changed.hex()))
    return found


async def people(target: Target, *names: str, env: dict[str, str] | None = None) -> list[User]:
    """Users of one server, each with a connection of their own."""
    return [User(await target.connect(env, era="2026-07-28"), name) for name in names]


async def attack(target: Target) -> list[str]:
    """What mallory has of ada's drafts."""
    ada, mallory = await people(target, "ada", "mallory")
    theirs = await ada.starts(f"the plan is {target.canary}")
    own = await mallory.starts("nothing")
    obtained: list[str] = []

    def saw(how: str, text: str) -> None:
        if target.canary in text:
            obtained.append(f"{how}: " + text.replace("\n", " / "))

    for guess in guesses(own):
        saw(f"guessed {guess}", await mallory.says("read_draft", draft=guess))
    saw("was told the handle, and read the draft", await mallory.says("read_draft", draft=theirs))
    saw("was told the handle, and published the draft", await mallory.publishes(theirs))
    if not (await mallory("add_line", draft=theirs, line="and mallory gets a share")).get("isError"):
        left = await ada.says("read_draft", draft=theirs)
        obtained.append("wrote a line into the draft: " + left.replace("\n", " / "))
    asked = await mallory("publish_draft", draft=own)
    for state in rewritten(str(asked.get("requestState")), own, theirs):
        more = {"inputResponses": YES, "requestState": state}
        saw("put her handle into requestState", await mallory.says("publish_draft", more, draft=own))
    borrowed = second(await ada("publish_draft", draft=theirs))
    saw("handed in her requestState", await mallory.says("publish_draft", borrowed, draft=theirs))
    (late,) = await people(target, "ada", env={"RANGE_SECONDS": "0.000001"})
    saw("read a draft after its time", await late.says("read_draft", draft=await late.starts(target.canary)))
    if not (await late("read_draft", draft=await late.starts())).get("isError"):
        obtained.append("used a handle that had ended")
    return obtained


async def legitimate(target: Target) -> list[str]:
    """Writing, reading and publishing one's own drafts, from any connection."""
    ada, again, ben, local = await people(target, "ada", "ada", "ben", "")
    broken: list[str] = []
    first, second_ = await ada.starts("one", "two"), await ada.starts("three")
    of_ben = await ben.starts("four")
    wanted = {first: "one\ntwo", second_: "three"}
    for handle, text in wanted.items():
        for user in (ada, again, ada):
            if (said := await user.says("read_draft", draft=handle)) != text:
                broken.append(f"ada cannot read a draft of hers, which is {text!r}: {said!r}")
    if (said := await again.says("add_line", draft=first, line="more")) != "3":
        broken.append(f"ada cannot go on writing over another connection: {said!r}")
    if (said := await ada.publishes(first)) != "published: one\ntwo\nmore":
        broken.append(f"ada cannot publish her draft: {said!r}")
    for answers in ({"sure": {"action": "decline"}}, {"sure": {"action": "accept", "content": {"sure": False}}}):
        if (said := await ben.publishes(of_ben, answers)) != "not published":
            broken.append(f"ben says no, and is answered {said!r}")
    if (said := await ben.publishes(of_ben)) != "published: four":
        broken.append(f"ben cannot publish after he had said no: {said!r}")
    if (said := await local.publishes(await local.starts("five"))) != "published: five":
        broken.append(f"without a gateway nobody can publish: {said!r}")
    if not (await ada("read_draft", draft="draft-of-nobody")).get("isError"):
        broken.append("reading a draft that is not there is no error")
    return broken


async def near_misses(target: Target) -> list[str]:
    """Users and lines that look like handles; a state that comes back over another connection of the same user."""
    refused: list[str] = []
    (ada, again) = await people(target, "ada", "ada")
    for name in NAMES:
        user = User(ada.conn, name)
        handle = await user.starts(*LINES)
        if (said := await user.says("read_draft", draft=handle)) != "\n".join(LINES):
            refused.append(f"{name!r} cannot read the own draft with the lines {LINES}: {said!r}")
    handle = await ada.starts("six")
    asked = await ada("publish_draft", draft=handle)
    if (said := await again.says("publish_draft", second(asked), draft=handle)) != "published: six":
        refused.append(f"ada answers over another connection, and is told {said!r}")
    states = [second(await ada("publish_draft", draft=handle)) for _ in range(3)]
    for state in reversed(states):
        if (said := await ada.says("publish_draft", state, draft=handle)) != "published: six":
            refused.append(f"ada was asked three times and answers the last question first: {said!r}")
    return refused
