"""Cross-client leak: several clients of one server, which use the same ids and the same names for their errands."""

import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from labkit.range import Target
from labkit.testbench.raw import MODERN
from labkit.testbench.raw_http import RawHttp

ONCE = "range/once"
PEOPLE = ("ada", "bob", "team", "team:bob")
"""Two names of which one begins like the other: joined with what a client chooses, they can read the same."""


class Ask(NamedTuple):
    """A call: who makes it, under which id and which name for the errand (none for "")."""

    who: str
    tool: str
    arguments: dict[str, str]
    id: int = 1
    once: str = ""


ATTACKS: dict[str, list[Ask]] = {
    "a guest asks under the id of Ada's request": [Ask("ada", "my_notes", {}), Ask("", "search", {"text": "x"})],
    "Bob asks under the id of Ada's request": [Ask("ada", "my_notes", {}, 7), Ask("bob", "my_notes", {}, 7)],
    "Bob names his errand as Ada has named hers": [
        Ask("ada", "my_notes", {}, 3, "errand-1"),
        Ask("bob", "my_notes", {}, 4, "errand-1"),
    ],
    "a guest asks the same as Ada, under the same name": [
        Ask("ada", "my_notes", {}, 8, "errand-2"),
        Ask("", "my_notes", {}, 8, "errand-2"),
    ],
    "a name that begins with a part of somebody's name": [
        Ask("team:bob", "add_note", {"text": "CANARY"}, 10),
        Ask("team:bob", "my_notes", {}, 11, "errand-3"),
        Ask("team", "my_notes", {}, 12, "bob:errand-3"),
    ],
    "Bob has asked before Ada, and has chosen what she is told": [
        Ask("bob", "search", {"text": "CANARY"}, 21),
        Ask("ada", "search", {"text": "lunch"}, 21),
    ],
}
"""The last call of each is the attack, or is made to somebody by it. CANARY stands for the canary of the run."""

SAME = [Ask("ada", "add_note", {"text": "milk"}, 31, "milk-1"), Ask("ada", "add_note", {"text": "milk"}, 32, "milk-1")]
"""The same errand twice: the answer of the first was lost on the way."""


@asynccontextmanager
async def clients(target: Target) -> AsyncGenerator[Any]:
    """`await ask(Ask(...))`: a call to one fresh server, by a client of its own for each person; its text."""
    tokens = {who: secrets.token_hex(12) for who in PEOPLE}
    names = {token: who for who, token in tokens.items()}
    url = await target.serve({"RANGE_TOKENS": json.dumps(names)})
    wires = {who: RawHttp(url, MODERN, {"Authorization": f"Bearer {token}"}) for who, token in tokens.items()}
    wires[""] = RawHttp(url, MODERN)

    async def ask(call: Ask) -> str:
        arguments = {name: value.replace("CANARY", target.canary) for name, value in call.arguments.items()}
        params: dict[str, Any] = {"name": call.tool, "arguments": arguments}
        if call.once:
            params["_meta"] = {ONCE: call.once}
        answer = await wires[call.who].request("tools/call", params, id=call.id)
        texts = [str(block.get("text", "")) for block in answer.result.get("content", [])]
        return "\n".join(texts) if texts else answer.what

    try:
        yield ask
    finally:
        for wire in wires.values():
            await wire.close()


async def attack(target: Target) -> list[str]:
    """What one client is told of another's."""
    obtained: list[str] = []
    async with clients(target) as ask:
        for what, calls in ATTACKS.items():
            told = [await ask(call) for call in calls][-1]
            if target.canary in told:
                obtained.append(f"{what}: {told}")
    return obtained


async def legitimate(target: Target) -> list[str]:
    """Everybody has their own notes, and an errand that is asked for twice is done once."""
    missing: list[str] = []
    async with clients(target) as ask:
        if target.canary not in await ask(Ask("ada", "my_notes", {}, 41)):
            missing.append("Ada is not told her notes.")
        if "bread" not in await ask(Ask("bob", "add_note", {"text": "bread"}, 42)):
            missing.append("Bob cannot note anything.")
        if "canteen" not in await ask(Ask("", "search", {"text": "canteen"}, 43)):
            missing.append("A guest cannot search the board.")
        first = await ask(SAME[0])
        await ask(Ask("bob", "add_note", {"text": "milk"}, 44, "other-1"))
        again = await ask(SAME[1])
        if again != first:
            missing.append("An errand that is asked for again gets another answer.")
        if (await ask(Ask("ada", "my_notes", {}, 45))).count("milk") != 1:
            missing.append("An errand that is asked for again is done again.")
    return missing


async def near_misses(target: Target) -> list[str]:
    """The same id, the same words or the same name, and nothing that belongs to anybody else."""
    refused: list[str] = []
    async with clients(target) as ask:
        for text in ("first", "second"):
            await ask(Ask("ada", "add_note", {"text": text}, 1))
        told = await ask(Ask("ada", "my_notes", {}, 51))
        if not ("first" in told and "second" in told):
            refused.append("Two clients of Ada that both count from 1 cannot both note something.")
        for number in (61, 62):
            await ask(Ask("ada", "add_note", {"text": "twice"}, number))
        if (await ask(Ask("ada", "my_notes", {}, 52))).count("twice") != 2:
            refused.append("What is meant to be noted twice is noted once.")
        for who in ("ada", "bob"):
            await ask(Ask(who, "add_note", {"text": "stamps"}, 63, "errand-9"))
        if "stamps" not in await ask(Ask("bob", "my_notes", {}, 53)):
            refused.append("Bob cannot use a name for an errand that Ada has used for hers.")
        for name in ("errand-10", "errand-11"):
            await ask(Ask("bob", "add_note", {"text": "again"}, 64, name))
        if (await ask(Ask("bob", "my_notes", {}, 54))).count("again") != 2:
            refused.append("The same words under two names are one errand.")
        same = Ask("", "search", {"text": "canteen"}, 65)
        if not all(["canteen" in await ask(same), "canteen" in await ask(same)]):
            refused.append("Two guests cannot ask the same under the same id.")
    return refused
