"""What a model would read: hidden characters, instructions where descriptions should be, secrets in answers."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import cast

from labkit.defences.descriptions import HIDDEN, WELL_KNOWN, orders_in, strings
from labkit.testbench.bench import Bench
from labkit.testbench.canary import word
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.places import places
from labkit.testbench.raw import PREFIX
from labkit.testbench.raw_stdio import RawStdio
from labkit.testbench.schemas import as_object
from labkit.testbench.tour import tour

_TRACEBACK = re.compile(r"Traceback \(most recent call last\)|^\s+at [\w.<>]+ \(.*:\d+:\d+\)", re.MULTILINE)


async def _said(bench: Bench, era: str) -> AsyncGenerator[tuple[str, str, str]]:
    """Everything that a model would be given: (kind, where, text)."""
    for where, text in strings(bench.hellos[era].result.get("instructions"), "instructions"):
        yield "instructions", where, text
    seen = await tour(bench, era)
    for method, items in seen.items.items():
        for item in items:
            name = item.get("name") or item.get("uri") or item.get("uriTemplate")
            for where, text in strings(item):
                yield "descriptions", f"{method} {name}/{where}", text
    for stop in seen.stops:
        if stop.what not in seen.items:
            for where, text in strings(stop.answer.result):
                yield "content", f"{stop.what}/{where}", text


@check(
    "security.hidden-text",
    "Nothing is written in characters that people do not see",
    severity="error",
    spec="index#key-principles",
    fix="Take the characters out; pass on text from elsewhere only after removing them.",
)
async def hidden_text(bench: Bench) -> AsyncGenerator[Finding]:
    """A model reads them all; the person who approves the tool does not."""
    for era in bench.eras:
        async for _, where, text in _said(bench, era):
            for title, pattern, severity in HIDDEN:
                if found := re.search(pattern, text):
                    at = found.start()
                    around = ascii(text[max(0, at - 40) : at + 80])
                    yield Finding(f"{where}: {title}", received=around, era=era, severity=severity)


@check(
    "security.instructions",
    "Descriptions describe; nothing gives orders to the model",
    severity="warning",
    spec="index#key-principles",
    fix="Say what the tool does and what it takes. What must happen in an order, do in code.",
)
async def instructions(bench: Bench) -> AsyncGenerator[Finding]:
    """Poisoned descriptions and results work by telling the model what to do, and not to tell."""
    for era in bench.eras:
        async for kind, where, text in _said(bench, era):
            if found := orders_in(text):
                at = max(text.find(found), 0)
                around = ascii(text[max(0, at - 60) : at + len(found) + 120])
                what = (
                    "reads like an order to the model" if kind != "content" else "holds text that reads like an order"
                )
                yield Finding(f"{where} {what}: {found!r}", received=around, era=era)


@check(
    "security.shadowed",
    "No tool stands in for a well-known one of another server",
    severity="info",
    spec="server/tools#tool-names",
    fix="Where a host may have both servers, begin the name with your own: notes_read_file.",
)
async def shadowed(bench: Bench) -> AsyncGenerator[Finding]:
    """In a host with both servers it is the host that decides whose tool a name means, and not all tell the user.

    One server is looked at here, so only names that are known beforehand can be compared. Those of servers that are
    really used together a gateway compares: `labkit.gateway` refuses to start with a name twice.
    """
    era = bench.with_capability("tools")[-1]
    result = bench.hellos[era].result
    about = as_object(result.get("serverInfo")) or as_object(as_object(result.get("_meta")).get(f"{PREFIX}serverInfo"))
    own = str(about.get("name")).lower()
    for tool in (await tour(bench, era)).items["tools/list"]:
        for owner, names in WELL_KNOWN.items():
            if tool.get("name") in names and owner not in own:
                said = f"{tool['name']!r} is the name of a tool of the {owner} servers that many hosts have"
                yield Finding(said, subject=f"tool {tool['name']}", era=era)


SECRET_NAMES = ("API_KEY", "SECRET_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY")


@check(
    "security.secrets",
    "No secret of the environment appears in an answer",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Never put the environment, a configuration or an exception's text into an answer; say what went wrong.",
    transports=["stdio"],
    profile="full",
)
async def secrets_(bench: Bench) -> AsyncGenerator[Finding]:
    """Started with canaries for keys, it is called well and badly; none of them may come out."""
    era = bench.eras[-1]
    params = bench.plan.params
    assert params is not None
    canaries = {name: f"canary-{word()}" for name in SECRET_NAMES if name not in (params.env or {})}
    seen = await tour(bench, era)
    asked = [("tools/call", {"name": name, "arguments": arguments}) for name, arguments in seen.called[:20]]
    asked += [("resources/read", {"uri": item.get("uri")}) for item in seen.items.get("resources/list", [])[:20]]
    asked += [place.request("no such thing \x00'\"") for place in (await places(bench, era))[:20]]
    asked += [("tools/call", {"name": name, "arguments": {"no-such": 1}}) for name, _ in seen.called[:20]]
    async with bench.wire(era, env=canaries) as wire:
        if not wire.hello:
            raise NotApplicable(f"it does not start when {', '.join(SECRET_NAMES)} are set")
        for method, parameters in asked:
            answer = await wire.request(method, parameters, timeout=3.0)
            text = "\n".join([answer.received, *answer.before])
            for name, canary in canaries.items():
                if canary in text:
                    yield Finding(
                        f"{method} shows the value of {name}", answer.sent, text.replace(canary, "***"), era=era
                    )
                    return
            if found := _TRACEBACK.search(answer.received.replace("\\n", "\n")):
                message = f"{method} answers with a stack trace, which tells paths and versions: {found[0].strip()}"
                yield Finding(message, answer.sent, answer.received, era=era, severity="warning")
        for name, canary in canaries.items():
            if canary in str(cast(RawStdio, wire).log):
                yield Finding(f"stderr shows the value of {name}", era=era, severity="warning")
