"""The rules of MCP on top of JSON-RPC: parameters, tools, lists and their pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.inputs import call_line
from labkit.testbench.raw import Answer
from labkit.testbench.schemas import as_object
from labkit.testbench.tour import LISTS, fitting, objects, tour

INVALID_PARAMS = -32602
MOST_PAGES = 200
NAMED = {
    "tools/list": "name",
    "resources/list": "uri",
    "resources/templates/list": "uriTemplate",
    "prompts/list": "name",
}
"""What must be different in the items of each list."""


def failed(answer: Answer) -> bool:
    """Whether it says that the request failed: an error, or a tool result that is one."""
    return answer.came == "error" or answer.result.get("isError") is True


@check(
    "protocol.unknown-tool",
    "A tool that is not there is refused",
    severity="error",
    spec="server/tools#error-handling",
    fix="Answer tools/call for a name that is not in the list with error -32602.",
)
async def unknown_tool(bench: Bench) -> AsyncGenerator[Finding]:
    """A model that invents a tool must be told so; a success would be believed."""
    for era in bench.with_capability("tools"):
        answer = await (await bench.shared(era)).call("testbench-no-such-tool")
        if not failed(answer):
            yield Finding(f"a tool that is not there got {answer.what}", answer.sent, answer.received, era=era)
        elif answer.came == "result":
            said = "the refusal is a tool result with isError, which the specification keeps for tools that exist"
            yield Finding(said, answer.sent, answer.received, era=era, severity="info")


@check(
    "protocol.params",
    "A request without its parameters is refused, one with more than it needs is not",
    severity="error",
    spec="basic#responses",
    fix="Check parameters before the handler runs: answer error -32602 when one is missing, and ignore those you do not"
    " know.",
)
async def params(bench: Bench) -> AsyncGenerator[Finding]:
    """Newer clients send members that older servers do not know; and what is missing must not crash a handler."""
    needs = {"tools/call": "tools", "prompts/get": "prompts", "resources/read": "resources"}
    for era in bench.eras:
        wire = await bench.shared(era)
        for method, capability in needs.items():
            if not bench.capability(era, capability):
                continue
            answer = await wire.request(method, {}, timeout=5)
            if not failed(answer):
                yield Finding(f"{method} without parameters got {answer.what}", answer.sent, answer.received, era=era)
            elif answer.code not in (INVALID_PARAMS, None):
                said = f"{method} without parameters got error {answer.code}, not {INVALID_PARAMS}"
                yield Finding(said, answer.sent, answer.received, era=era, severity="info")
        for method, (capability, _) in LISTS.items():
            if bench.capability(era, capability):
                plain = await wire.request(method, timeout=5)
                more = await wire.request(method, {"testbenchUnknown": {"a": [1]}}, timeout=5)
                if plain.came == "result" and more.came != "result":
                    said = f"{method} with a parameter it does not know got {more.what}"
                    yield Finding(said, more.sent, more.received, era=era, severity="warning")


@check(
    "protocol.arguments",
    "A call without a required argument fails",
    severity="error",
    spec="server/tools#error-handling",
    fix="Validate arguments against the input schema, and answer with a result whose isError is true and whose text"
    " names the argument.",
)
async def arguments(bench: Bench) -> AsyncGenerator[Finding]:
    """The model learns from the refusal; a tool that works on without what it needs works on something else."""
    era = bench.with_capability("tools")[-1]
    tools = (await tour(bench, era)).safe_tools(bench.options.allow_destructive)
    asked = 0
    for tool in tools[:10]:
        schema = as_object(tool.get("inputSchema"))
        required = schema.get("required")
        if not isinstance(required, list) or not required:
            continue
        name, given = str(tool.get("name")), fitting(schema)
        missing = str(cast("list[Any]", required)[0])
        given.pop(missing, None)
        asked += 1
        answer = await (await bench.shared(era)).call(name, given, timeout=5)
        if not failed(answer):
            yield Finding(
                f"without its required argument {missing!r} it gave {answer.what}",
                answer.sent,
                answer.received,
                subject=name,
                era=era,
                call=call_line(name, given),
            )
            if answer.came in ("silence", "closed"):
                await bench.drop(era)
    if not asked:
        raise NotApplicable("no tool that is marked read-only has a required argument")


@check(
    "protocol.pages",
    "The pages of a list come to an end, and no item comes twice",
    severity="error",
    spec="server/utilities/pagination",
    fix="Leave nextCursor out on the last page, and let each cursor lead on from where its page ended.",
)
async def pages(bench: Bench) -> AsyncGenerator[Finding]:
    """A client that follows cursors in a circle never connects."""
    for era in bench.eras:
        for method in (await tour(bench, era)).items:
            first = await (await bench.shared(era)).request(method, timeout=5)
            async for finding in _follow(bench, era, method, first):
                yield finding


async def _follow(bench: Bench, era: str, method: str, answer: Answer) -> AsyncGenerator[Finding]:
    member, names, cursors, scopes = LISTS[method][1], list[Any](), list[Any](), set[str]()
    while True:
        scopes.add(str(answer.result.get("cacheScope")))
        for item in objects(answer.result.get(member)):
            if (name := item.get(NAMED[method])) in names:
                yield Finding(f"{method} lists {name!r} twice", received=answer.received, subject=str(name), era=era)
                return
            names.append(name)
        cursor = answer.result.get("nextCursor")
        if cursor is None:
            break
        if cursor in cursors or len(cursors) > MOST_PAGES:
            said = "comes back to a cursor it gave before" if cursor in cursors else f"has more than {MOST_PAGES} pages"
            yield Finding(f"{method} {said}", answer.sent, answer.received, era=era)
            return
        cursors.append(cursor)
        answer = await (await bench.shared(era)).request(method, {"cursor": cursor}, timeout=5)
        if answer.came != "result":
            said = f"{method} with the cursor it gave got {answer.what}"
            yield Finding(said, answer.sent, answer.received, era=era)
            return
    if len(scopes) > 1:
        yield Finding(f"{method}: cacheScope differs between pages: {sorted(scopes)}", era=era, severity="warning")


@check(
    "protocol.cursor",
    "A cursor that the server did not give is refused",
    severity="warning",
    spec="server/utilities/pagination#error-handling",
    fix="Answer a cursor that you cannot read with error -32602; never take it for the first page.",
)
async def cursor(bench: Bench) -> AsyncGenerator[Finding]:
    """A list that begins anew at a cursor it does not know is read in a circle."""
    for era in bench.eras:
        unread: dict[str, Answer] = {}
        for method in (await tour(bench, era)).items:
            wire = await bench.shared(era)
            pages = (await wire.request(method, timeout=5)).result.get("nextCursor") is not None
            answer = await wire.request(method, {"cursor": "testbench-no-such-cursor"}, timeout=5)
            if answer.came in ("silence", "closed"):
                yield Finding(
                    f"{method} with an unknown cursor got {answer.what}", answer.sent, era=era, severity="error"
                )
                await bench.drop(era)
            elif answer.came == "result" and pages:
                yield Finding(f"{method} with an unknown cursor got a result", answer.sent, answer.received, era=era)
            elif answer.came == "result":
                unread[method] = answer
            elif answer.code != INVALID_PARAMS:
                said = f"{method} with an unknown cursor got {answer.what}, not error {INVALID_PARAMS}"
                yield Finding(said, answer.sent, answer.received, era=era, severity="info")
        if unread:  # without pages nobody comes with a cursor: advice
            first = next(iter(unread.values()))
            said = f"a cursor is not looked at in {', '.join(unread)}: there is one page, and any cursor gets it again"
            yield Finding(said, first.sent, first.received, era=era, severity="info")
