"""What a server offers, walked through once in each era: lists read, read-only tools called, resources read.

Checks look at what came back; nothing is walked twice. A tool is called only when it is marked read-only, or with
`allow_destructive`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakKeyDictionary

from labkit.testbench.bench import Bench
from labkit.testbench.raw import Answer, Json
from labkit.testbench.schemas import as_object

LISTS = {
    "tools/list": ("tools", "tools"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("resources", "resourceTemplates"),
    "prompts/list": ("prompts", "prompts"),
}
"""The lists: the capability each belongs to, and the member of the result that holds the items."""

PAGES = 50
"""Pages of one list that are read: a server may give cursors without end."""
LISTING = 10.0
"""Seconds in which another page is asked for; the first page of each list is in any case."""
TOUR = 3.0
"""Seconds for all calls of one tour."""
CALL = 1.0
"""Seconds to wait for one tool; one that takes longer is a slow one."""
SLOW = 0.7
"""Seconds from which a tool is called slow."""
WAITS = ("second", "delay", "duration", "sleep", "wait")
"""Parameters with these words in their name say how long a tool takes ..."""
LIMITS = ("timeout", "max", "limit")
"""... and with these, how long it may take at most."""
MOST = 100_000
"""Characters of a sample's texts and lists: a schema may ask for more than there is memory."""


@dataclass
class Stop:
    """One thing that was done on a tour."""

    what: str
    """`tool shout`, `resource note://a`, `tools/list`."""
    answer: Answer
    printed: list[str] = field(default_factory=list[str])
    """Lines of stdout that came with the answer, other than the answer."""


@dataclass
class Tour:
    """What was seen."""

    stops: list[Stop] = field(default_factory=list[Stop])
    items: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    """By list method, the items of all its pages."""
    called: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])
    """The tools that were called, with arguments."""
    slow: tuple[str, Json] | None = None
    """A tool that takes long, with arguments."""

    def safe_tools(self, destructive: bool) -> list[Json]:
        """Tools that may be called."""
        return [tool for tool in self.items.get("tools/list", []) if destructive or read_only(tool)]


_TOURS: WeakKeyDictionary[Bench, dict[str, Tour]] = WeakKeyDictionary()


def read_only(tool: Json) -> bool:
    """Whether its author says that it changes nothing."""
    return as_object(tool.get("annotations")).get("readOnlyHint") is True


async def tour(bench: Bench, era: str) -> Tour:
    """The tour of this era on the shared wire; made at the first call."""
    known = _TOURS.setdefault(bench, {})
    if era not in known:
        known[era] = await _walk(bench, era)
    return known[era]


async def _walk(bench: Bench, era: str) -> Tour:
    seen = Tour()
    enough = time.monotonic() + LISTING

    async def stop(what: str, method: str, params: Json, timeout: float) -> Answer:
        wire = await bench.shared(era)
        answer = await wire.request(method, params, timeout=timeout)
        seen.stops.append(Stop(what, answer, list(answer.before)))
        await wire.give_up(answer)
        return answer

    for method, (capability, member) in LISTS.items():
        if bench.capability(era, capability):
            answer = await stop(method, method, {}, 10.0)
            seen.items[method] = objects(answer.result.get(member))
            # What is wrong with a tool of the second page is as wrong; what is wrong with pages, protocol.pages says.
            cursors: list[Any] = []
            while (cursor := answer.result.get("nextCursor")) is not None and cursor not in cursors:
                if len(cursors) >= PAGES or time.monotonic() > enough:
                    break
                cursors.append(cursor)
                answer = await stop(method, method, {"cursor": cursor}, 5.0)
                seen.items[method] += objects(answer.result.get(member))
    deadline = time.monotonic() + TOUR
    for tool in seen.safe_tools(bench.options.allow_destructive):
        if (left := deadline - time.monotonic()) <= 0:
            break
        name, arguments = str(tool.get("name")), fitting(tool.get("inputSchema"))
        if (long := waiting(tool, arguments)) is not None:
            seen.slow = seen.slow or (name, long)
            continue
        seen.called.append((name, arguments))
        answer = await stop(f"tool {name}", "tools/call", {"name": name, "arguments": arguments}, min(CALL, left))
        if answer.seconds > SLOW and seen.slow is None and answer.came == "result":
            # The first call may have imported or opened something.
            answer = await (await bench.shared(era)).call(name, arguments, timeout=CALL)
        if answer.seconds > SLOW and seen.slow is None and answer.came in ("result", "silence"):
            seen.slow = (name, arguments)
    for resource in seen.items.get("resources/list", [])[:3]:
        if (left := deadline - time.monotonic()) > 0:
            uri = str(resource.get("uri"))
            await stop(f"resource {uri}", "resources/read", {"uri": uri}, min(CALL, left))
    for prompt in seen.items.get("prompts/list", [])[:3]:
        given = {str(a.get("name")): "x" for a in objects(prompt.get("arguments")) if a.get("required")}
        if (left := deadline - time.monotonic()) > 0:
            name = str(prompt.get("name"))
            await stop(f"prompt {name}", "prompts/get", {"name": name, "arguments": given}, min(CALL, left))
    return seen


def objects(value: Any) -> list[Json]:
    """The objects in a list; [] for anything else."""
    return (
        [cast(Json, each) for each in cast("list[Any]", value) if isinstance(each, dict)]
        if isinstance(value, list)
        else []
    )


def waiting(tool: Json, arguments: Json, seconds: float = 1.5) -> Json | None:
    """Arguments with which the tool takes about so long, when one of its parameters is a time; else None."""
    for name, part in as_object(as_object(tool.get("inputSchema")).get("properties")).items():
        described = as_object(part)
        kind = described.get("type")
        says = any(word in name.lower() for word in WAITS) and not any(word in name.lower() for word in LIMITS)
        if kind in ("number", "integer") and says:
            milli = name.lower().endswith(("ms", "milliseconds", "millis"))
            value = seconds * 1000 if milli else seconds
            if (most := _number(described.get("maximum"))) is not None and most < value:
                return None
            return arguments | {name: round(value) if milli else value if kind == "number" else 2}
    return None


def fitting(schema: Any) -> Json:
    """The smallest arguments that the input schema of a tool should allow: an object, whatever the schema says."""
    return as_object(sample(schema))


def sample(schema: Any, depth: int = 0) -> Any:
    """The smallest value that the schema of an argument should allow; required members only.

    Never raises: a word of the schema whose value makes no sense counts as absent. contract.schemas tells of it.
    """
    if not isinstance(schema, dict) or depth > 6:
        return {}
    given = cast(Json, schema)
    for word in ("const", "default"):
        if word in given:
            return given[word]
    for word in ("enum", "examples"):
        if isinstance(given.get(word), list) and given[word]:
            return given[word][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if choices := objects(given.get(word)):
            return sample(choices[0], depth + 1)
    kind: Any = given.get("type")
    if isinstance(kind, list):
        kind = next(iter(cast("list[Any]", kind)), None)
    if kind == "string":
        return "x" * max(1, _size(given.get("minLength")))
    if kind in ("number", "integer"):
        limits = (_number(given.get(word)) for word in ("minimum", "exclusiveMinimum"))
        least = next((limit for limit in limits if limit is not None), 0)
        return least + 1 if kind == "number" else math.floor(least) + 1
    if kind == "array":
        item = sample(given.get("items"), depth + 1)
        return [item] * min(_size(given.get("minItems")), MOST // len(repr(item)) + 1)
    if kind in ("boolean", "null"):
        return False if kind == "boolean" else None
    properties, needed = as_object(given.get("properties")), given.get("required")
    names = [each for each in cast("list[Any]", needed) if isinstance(each, str)] if isinstance(needed, list) else []
    return {name: sample(properties.get(name), depth + 1) for name in names}


def _number(value: Any) -> int | float | None:
    """A limit as a number; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _size(value: Any) -> int:
    """A least length that can be made; 0 when it is none."""
    return min(MOST, max(0, math.floor(_number(value) or 0)))
