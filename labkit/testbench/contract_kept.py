"""Are the promises kept? Answers against their schema, hints against what can be observed, lists against themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress

from labkit.errors import ConnectError
from labkit.testbench import snapshot
from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, Severity, check
from labkit.testbench.contract import items, listed, named
from labkit.testbench.inputs import call_line
from labkit.testbench.raw import MODERN, Answer, Json, RawWire, parsed
from labkit.testbench.schemas import as_object, canonical, fault, misfit
from labkit.testbench.snapshot import PINNED
from labkit.testbench.tour import LISTS, fitting, objects, read_only, tour, waiting

READ = 10
"""Resources whose content is watched."""
WATCHED = 8.0
"""Seconds for finding out which tool it was."""
TICK = 1.1
"""Seconds in which a clock that shows seconds must tick."""
CALLS = 25
"""Calls after which a server that changes its words has had its chance."""
PROVOKED = 2.0
"""Seconds for them."""


def broken_promise(tool: Json, answer: Answer) -> str:
    """How a successful result breaks the output schema of its tool; '' when it does not."""
    schema = tool.get("outputSchema")
    result = answer.result
    if schema is None or fault(schema) or answer.came != "result" or result.get("isError") is True:
        return ""
    if result.get("resultType", "complete") != "complete":
        return ""
    if "structuredContent" not in result:
        return "there is an output schema, and no structuredContent"
    return misfit(schema, result["structuredContent"])


@check(
    "contract.output",
    "Structured results are as the output schema says",
    severity="error",
    spec="server/tools#output-schema",
    fix="Generate the schema from the type that is returned, or validate results before they are sent.",
)
async def output(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients and programs rely on the schema, and the official ones refuse results that do not fit."""
    tools = {named(tool): tool for tool in await items(bench, "tools") if "outputSchema" in tool}
    if not tools:
        raise NotApplicable("no tool has an output schema")
    for era in bench.eras:
        seen = await tour(bench, era)
        answers = {stop.what: stop.answer for stop in seen.stops}
        for name, given in seen.called:
            answer = answers.get(f"tool {name}")
            if answer is not None and name in tools and (wrong := broken_promise(tools[name], answer)):
                line = call_line(name, given)
                yield Finding(wrong, answer.sent, answer.received, subject=f"tool {name}", era=era, call=line)


async def state(wire: RawWire, bench: Bench) -> dict[str, str]:
    """What can be seen of a server without changing it: its lists, and the content of resources."""
    seen: dict[str, str] = {}
    uris: list[str] = []
    for method, (capability, member) in LISTS.items():
        if bench.capability(wire.era, capability):
            found = objects((await wire.request(method)).result.get(member))
            seen[f"the list of {member}"] = canonical(found)
            uris += [str(item["uri"]) for item in found if isinstance(item.get("uri"), str)]
    for uri in uris[:READ]:
        answer = await wire.request("resources/read", {"uri": uri}, timeout=2)
        seen[f"the resource {uri}"] = canonical(answer.result.get("contents"))
    return seen


def _differ(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {what for what in {*before, *after} if before.get(what) != after.get(what)}


async def changed_by(bench: Bench, tool: Json, arguments: Json, *, first: bool = False) -> tuple[set[str], Answer]:
    """What a call changes for good, in a fresh server, and nothing else does; `first`: a second call of two."""
    async with bench.wire(bench.eras[-1]) as wire:
        if first:
            await wire.call(named(tool), arguments, timeout=2)
        await state(wire, bench)  # reading may be what makes a thing for the first time
        before = await state(wire, bench)
        await wire.call("testbench-no-such-tool")  # what counts requests, counts this one
        same = await state(wire, bench)
        began = time.monotonic()
        answer = await wire.call(named(tool), arguments, timeout=2)
        after = await state(wire, bench)
        if changed := _differ(same, after) - _differ(before, same):
            # As long again without a call: a clock, and what runs by itself, goes on.
            await asyncio.sleep(max(TICK, time.monotonic() - began))
            changed -= _differ(after, await state(wire, bench))
        return changed, answer


@check(
    "contract.read-only",
    "Tools that say to be read-only change nothing that can be seen",
    severity="error",
    spec="server/tools#tool",
    fix="Set readOnlyHint to false for a tool that changes anything, or take the change out of it.",
)
async def kept_read_only(bench: Bench) -> AsyncGenerator[Finding]:
    """Hosts run such tools without asking the user."""
    tools = [tool for tool in await items(bench, "tools") if read_only(tool)]
    if not tools:
        raise NotApplicable("no tool says to be read-only")
    calls = {named(tool): (tool, fitting(tool.get("inputSchema"))) for tool in tools}
    calls = {name: call for name, call in calls.items() if waiting(*call) is None}
    wire = await bench.shared(bench.eras[-1])
    before, began = await state(wire, bench), time.monotonic()
    for tool, arguments in calls.values():
        if time.monotonic() < began + WATCHED / 2:
            await wire.call(named(tool), arguments, timeout=2)
    if not _differ(before, await state(await bench.shared(bench.eras[-1]), bench)):
        return
    found: dict[str, list[tuple[str, Answer]]] = {}
    for name, (tool, arguments) in calls.items():
        if time.monotonic() > began + WATCHED:
            break  # which of so many it was cannot be told in time
        once, answer = await changed_by(bench, tool, arguments)
        for what in once & (await changed_by(bench, tool, arguments))[0] if once else ():
            found.setdefault(what, []).append((name, answer))
    for what, by in found.items():
        if what.startswith("the resource") and len(by) == len(calls) > 1:
            continue  # every tool changes it: it counts calls
        for name, answer in by:
            line = call_line(name, calls[name][1])
            said = f"readOnlyHint is true, and a call changes {what}"
            yield Finding(said, answer.sent, answer.received, subject=f"tool {name}", era=bench.eras[-1], call=line)


@check(
    "contract.idempotent",
    "Tools that say to be idempotent do nothing more the second time",
    severity="warning",
    spec="server/tools#tool",
    fix="Set idempotentHint to false, or make a repeated call leave things as the first one did.",
    profile="full",
)
async def kept_idempotent(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients repeat such calls when an answer was lost."""
    tools = [
        tool
        for tool in await items(bench, "tools")
        if as_object(tool.get("annotations")).get("idempotentHint") is True and not read_only(tool)
    ]
    if not tools:
        raise NotApplicable("no tool that changes things says to be idempotent")
    if not bench.options.allow_destructive:
        raise NotApplicable("tools that change things are called with --allow-destructive only")
    began = time.monotonic()
    for tool in tools:
        if time.monotonic() > began + WATCHED:
            break
        arguments = fitting(tool.get("inputSchema"))
        again, answer = await changed_by(bench, tool, arguments, first=True)
        if again and answer.came == "result" and answer.result.get("isError") is not True:
            for what in sorted(again & (await changed_by(bench, tool, arguments, first=True))[0]):
                said = f"idempotentHint is true, and a second call with the same arguments changes {what} again"
                line = call_line(named(tool), arguments)
                yield Finding(said, answer.sent, answer.received, subject=f"tool {named(tool)}", call=line)


@check(
    "contract.eras",
    "Clients of both eras are offered the same",
    severity="warning",
    spec="basic/versioning",
    fix="Build the lists in one place, whatever the revision of the request.",
)
async def same_in_both(bench: Bench) -> AsyncGenerator[Finding]:
    """Which era a client speaks is no choice of its user."""
    if len(bench.eras) < 2:
        raise NotApplicable(f"the server speaks {bench.eras[0]} only")
    older, newer = [snapshot.of_items(await listed(bench, era)) for era in bench.eras]
    unstable = {f"tool {name}" for era in bench.eras for name in _versions(bench, era)}  # contract.stable tells of them
    for change in (each for each in snapshot.diff(older, newer) if each.subject not in unstable):
        said = f"{change.path + ': ' if change.path else ''}{change.message} in {bench.eras[-1]}"
        yield Finding(said, subject=change.subject, era=bench.eras[-1])


@check(
    "contract.stable",
    "What a tool says of itself stays the same",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Keep names, descriptions, schemas and annotations fixed; a new meaning needs a new tool.",
)
async def stable(bench: Bench) -> AsyncGenerator[Finding]:
    """A user approves what is shown first; a description that changes later, to instructions say, is a rug pull."""
    await items(bench, "tools")
    newest = bench.eras[-1]
    if bench.options.profile == "full":
        async with bench.wire(newest) as wire:
            await _provoke(wire, (await tour(bench, newest)).called)
    for era in bench.eras:
        with suppress(ConnectError):  # it does not start again: the doctor says so, and what was seen is seen
            await (await bench.shared(era)).request("tools/list")
        for name, versions in _versions(bench, era).items():
            first, *others = versions
            for other in others[:3]:
                before, after = (snapshot.of_items({"tools/list": [parsed(text)]}) for text in (first, other))
                for change in snapshot.diff(before, after):
                    said = f"{change.path}: {change.message}, within one run"
                    yield Finding(said, received=f"{first}\n{other}", subject=f"tool {name}", era=era)
        if era == MODERN and (orders := _orders(bench)):
            said = "the same tools are listed in another order: clients cannot keep the list, nor models their prompt"
            yield Finding(
                said, received="\n".join(map(str, orders[:2])), subject="tools/list", era=era, severity="warning"
            )


def _orders(bench: Bench) -> list[list[str]]:
    """Orders in which one set of tools was listed, when there is more than one: server/tools#capabilities."""
    found: dict[frozenset[str], list[list[str]]] = {}
    for tools in _lists(bench, MODERN):
        names = [named(tool) for tool in tools]
        orders = found.setdefault(frozenset(names), [])
        if names not in orders:
            orders.append(names)
    for orders in found.values():
        if len(orders) > 1:
            return orders
    return []


async def _provoke(wire: RawWire, called: list[tuple[str, Json]]) -> None:
    await wire.request("tools/list")
    deadline = time.monotonic() + PROVOKED
    for number in range(CALLS if called else 0):
        name, arguments = called[number % len(called)]
        left = deadline - time.monotonic()
        if left <= 0 or (await wire.call(name, arguments, timeout=min(1.0, left))).came in ("silence", "closed"):
            break
        if number in (0, 4, 9):
            await wire.request("tools/list")
    await wire.request("tools/list")


def _versions(bench: Bench, era: str) -> dict[str, list[str]]:
    """By name, the different definitions of each tool that any wire of this era has shown, in order."""
    found: dict[str, list[str]] = {}
    for tools in _lists(bench, era):
        twice = {named(tool) for tool in tools if sum(named(other) == named(tool) for other in tools) > 1}
        for tool in tools:
            known = {key: tool[key] for key in ("name", *PINNED["tools"][3]) if tool.get(key) is not None}
            versions = found.setdefault(named(tool), [])
            if canonical(known) not in versions and named(tool) not in twice:
                versions.append(canonical(known))
    return {name: versions for name, versions in found.items() if len(versions) > 1}


def _lists(bench: Bench, era: str) -> Iterator[list[Json]]:
    """The tools of each list, or page of one, that any wire of this era has shown, in order."""
    for wire in bench.opened:
        for way, text in wire.transcript:
            if wire.era == era and way == "received" and '"tools"' in text:
                yield objects(as_object(parsed(text).get("result")).get("tools"))


@check(
    "contract.snapshot",
    "It is what was pinned",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Read what changed. If it is meant, delete the snapshot and run again to pin it anew.",
)
async def pinned(bench: Bench) -> AsyncGenerator[Finding]:
    """A change that nobody decided on breaks callers, or deceives them."""
    path = bench.options.snapshot
    if path is None:
        raise NotApplicable("no snapshot was named")
    found = await snapshot.take(bench)
    if not path.exists():
        snapshot.write(path, found)
        counted = ", ".join(f"{len(found[part])} {part}" for part in PINNED if found[part])
        said = f"there was no {path.name}: it has been written, and pins {counted or 'nothing'}"
        yield Finding(said, severity="info")
        return
    mild: dict[str, Severity] = {"additive": "info"}
    for change in snapshot.diff(snapshot.read(path), found):
        said = f"{change.kind}: {change.path + ': ' if change.path else ''}{change.message}"
        yield Finding(said, subject=change.subject, severity=mild.get(change.kind))
