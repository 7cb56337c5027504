"""Small requests with a large bill: a line of arithmetic, a search pattern, a number of copies.

Each probe is made so that the worst server pays about a second for it, and then no further one is sent.
"""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any, cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, Severity, check
from labkit.testbench.inputs import call_line
from labkit.testbench.places import Place, places
from labkit.testbench.raw import Answer, Json
from labkit.testbench.schemas import as_object, expand
from labkit.testbench.security import SECONDS, spots_of, worked
from labkit.testbench.tour import WAITS, fitting, tour

POWER = 200_000
DIGITS = f"7**{POWER}"
"""A number of 169,020 digits, which takes a moment to compute. `9**9**9` would take hours."""


@check(
    "security.magnitude",
    "No line of arithmetic computes a number without bound",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Parse the expression and walk its tree; look at the size of both sides before ** and before *. A list of"
    " allowed characters bounds nothing: 9**9**9 is made of digits and stars.",
    profile="full",
)
async def magnitude(bench: Bench) -> AsyncGenerator[Finding]:
    """Powers of a hundred thousand digits that cancel out: what is left is told by nobody who did not compute them."""
    era = bench.eras[-1]
    spots = await spots_of(bench, era)
    one, two = 1_000 + secrets.randbelow(9_000), 1_000 + secrets.randbelow(9_000)
    payloads = [
        (f"{DIGITS}-{DIGITS}+{one}*{two}", re.compile(rf"(?<!\d){one * two}(?!\d)")),
        (f"({DIGITS}//7**{POWER - 9})+{one}*{two}", re.compile(rf"(?<!\d){7**9 + one * two}(?!\d)")),
    ]
    deadline = time.monotonic() + SECONDS
    for place in spots:
        for payload, value in payloads:
            if time.monotonic() > deadline:
                return
            answer = await place.send(bench, era, payload)
            if value.search(answer.received):
                said = f"computes numbers of {math.ceil(POWER * math.log10(7)):,} digits when asked to: {payload}"
                yield place.finding(said, payload, answer, era)
                break


PATTERN = "(a+)+$"
"""On `aaa...!` each further letter doubles the time, in an engine that tries one way after another."""
LETTERS = (20, 24)
"""How many are tried, until it takes `SLOW` seconds: 24 cost sixteen times what 20 do, at worst."""
FEW = 12
SLOW = 0.2
PATIENT = 3.0
"""Seconds for the texts from which the cost is learned. On a busy machine the longer one may take more."""
ENDLESS = 2.0
"""Seconds after which whoever has a deadline would have used it. No text is sent that takes much longer."""
_PATTERN_WORDS = ("pattern", "regex", "regexp", "expression", "glob", "match")
_COUNT_WORDS = ("count", "times", "repeat", "copies", "size", "length", "limit", "rows", "lines", "number", "width")
COUNTING, READING = 4.0, 5.0
"""Seconds for numbers, and for texts."""
COPIES = 20_000
LARGE, HUGE = 64_000, 1_000_000
"""Characters from which an answer is large, a warning, and from which it is huge."""


@check(
    "security.exhaustion",
    "No small request costs much time or gets a huge answer",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Give every number a maximum in the schema, every text a maxLength and every call a deadline. Use"
    " patterns whose parts cannot match the same in two ways, and those of others in a process that is ended in time.",
    profile="full",
)
async def exhaustion(bench: Bench) -> AsyncGenerator[Finding]:
    """Twenty thousand of what it gives or copies; a text of some twenty letters, over which patterns explode."""
    era = bench.eras[-1]
    tools = (await tour(bench, era)).safe_tools(bench.options.allow_destructive)
    counts = [found for tool in tools for found in _counts(tool)]
    texts = [place for place in await places(bench, era) if place.kind == "tool"]
    if not texts and not counts:
        raise NotApplicable("no tool that may be called takes a text, or a number without maximum")
    deadline = time.monotonic() + COUNTING
    for name, argument, base in counts:
        if time.monotonic() > deadline:
            break
        wire = await bench.shared(era)
        one, many = ({**base, argument: number} for number in (1, COPIES))
        answer = await wire.call(name, one, timeout=2.0)
        if not worked(answer):
            continue
        large = await wire.call(name, many, timeout=5.0)
        await wire.give_up(large)
        if worked(large) and len(large.received) > max(LARGE, 20 * len(answer.received)):
            said = f"the argument {argument!r} has no limit: {COPIES:,} of it are {len(large.received):,} characters"
            grave: Severity = "error" if len(large.received) > HUGE else "warning"
            line = call_line(name, many)
            yield Finding(said, large.sent, large.received, f"tool {name}", era, line, grave)
    deadline = time.monotonic() + READING
    for place in texts:
        if time.monotonic() < deadline and (finding := await _explodes(bench, era, place)):
            yield finding


async def _explodes(bench: Bench, era: str, place: Place) -> Finding | None:
    """A finding when the time is doubled by each letter of a text, and nothing ends it after `ENDLESS` seconds."""
    pattern = place.words(*_PATTERN_WORDS)
    others = [name for name, value in place.others.items() if isinstance(value, str) and name != place.argument]

    async def took(letters: int, patience: float) -> tuple[float, Answer]:
        text = "a" * letters + "!"
        filled = replace(place, others={**place.others, **dict.fromkeys(others, text)}) if pattern else place
        wire = await bench.shared(era)
        began = time.monotonic()
        answer = await wire.request(*filled.request(PATTERN if pattern and others else text), timeout=patience)
        seconds = time.monotonic() - began
        await wire.give_up(answer)
        return seconds, answer

    seconds, letters = 0.0, 0
    for letters in LETTERS:
        seconds, answer = await took(letters, PATIENT)
        if answer.came not in ("result", "error", "silence"):
            return None
        if seconds > SLOW:
            break
    if seconds < SLOW:
        return None
    # A busy machine makes one or the other slow at times, so that the quickest of some tells more than the first.
    few = seconds
    for _ in range(5):
        once, answer = await took(FEW, PATIENT)
        if answer.came == "silence":
            return None
        few = min(few, once)
        if few < seconds / 10:
            break
    seconds = min(seconds, (await took(letters, PATIENT))[0])
    if seconds < SLOW or few > seconds / 10:
        return None  # a slow tool
    letters += max(0, math.ceil(math.log2(1.4 * ENDLESS / seconds)))
    seconds, answer = await took(letters, ENDLESS)
    if seconds < ENDLESS:
        return None  # it was ended
    said = f"takes {seconds:.1f} s or more over a text of {letters} letters, and twice as long with each further one"
    return place.finding(said, PATTERN if pattern and others else "a" * letters + "!", answer, era)


def _counts(tool: Json) -> Iterator[tuple[str, str, Json]]:
    """The tool's name, an argument of it that says how many and has no maximum, and the other arguments."""
    schema = as_object(expand(tool.get("inputSchema")))
    base = _lengthened(schema, 100)
    for name, part in as_object(schema.get("properties")).items():
        kinds = [part, *cast("list[Any]", as_object(part).get("anyOf") or [])]
        whole = any(as_object(kind).get("type") in ("integer", "number") for kind in kinds)
        bounded = any({"maximum", "exclusiveMaximum", "enum"} & set(as_object(kind)) for kind in kinds)
        said = name.lower()
        waits = any(word in said for word in WAITS) or "timeout" in said
        if whole and not bounded and not waits and any(word in said for word in _COUNT_WORDS):
            yield str(tool.get("name")), name, base


def _lengthened(schema: Json, length: int) -> Json:
    """Arguments that fit, with a text of this length, or as long as may be, for each free one that is required."""
    base = fitting(schema)
    for name, part in as_object(schema.get("properties")).items():
        given = as_object(part)
        if name in base and given.get("type") == "string" and not {"enum", "const", "pattern", "format"} & set(given):
            most = given.get("maxLength")
            base = {**base, name: "x" * (min(length, most) if isinstance(most, int) else length)}
    return base
