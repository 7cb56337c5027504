"""Both calculators, over every transport and era; the low-level one must be the twin of the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from mcp import Client, MCPError

from labkit.session.connection import Connection
from labkit.wire import Tape

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.mcp_server(scope="module"),
    pytest.mark.mcp_via("memory", "stdio", "http"),
    pytest.mark.mcp_era("2025-11-25", "2026-07-28"),
]


@pytest.fixture(params=["calculator", "calculator_lowlevel"])
def mcp_server(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_a_tool_answers_with_text_and_structure(mcp: Connection) -> None:
    result = await mcp.call("add", a=2, b=3)
    assert (result.data, result.text, result.is_error) == (5, "5", False)


async def test_a_refusal_says_what_to_do(mcp: Connection) -> None:
    result = await mcp.call("divide", a=1, b=0)
    assert result.is_error
    assert result.text == "Error executing tool divide: cannot divide 1 by zero: use a divisor other than 0"


@pytest.mark.parametrize("arguments", [{"a": 1}, {"a": "1", "b": 2}, {"a": True, "b": 2}, {"a": None, "b": 2}])
async def test_wrong_arguments_are_tool_errors_that_name_them(mcp: Connection, arguments: dict[str, Any]) -> None:
    result = await mcp.call("add", arguments, check=False)
    wrong = "b" if len(arguments) == 1 else "a"
    assert result.is_error and f"\n{wrong}" in "\n" + result.text.replace("add: ", "\n")


async def test_tools_promise_to_change_nothing(mcp: Connection) -> None:
    assert len(mcp.tools) == 8
    for tool in (await mcp.send("tools/list"))["tools"]:
        assert tool["annotations"]["readOnlyHint"] and not tool["annotations"]["openWorldHint"]
        assert all(p.get("description") for p in tool["inputSchema"]["properties"].values()), tool["name"]


async def test_primes_report_progress_to_the_end(mcp: Connection) -> None:
    seen: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    result = await mcp.call("primes", limit=1000, progress=on_progress)
    assert result.data == {"limit": 1000, "count": 168, "largest": 997}
    assert len(seen) >= 10 and seen == sorted(seen) and seen[-1] == (1000, 1000)


async def test_primes_stop_when_the_caller_leaves(mcp: Connection, mcp_tape: Tape) -> None:
    started, mark = threading.Event(), mcp_tape.count

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        started.set()

    call = asyncio.ensure_future(mcp.call("primes", limit=500_000_000, progress=on_progress))
    assert await asyncio.to_thread(started.wait, 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # What was sent before the cancellation arrived has arrived now.
    assert (await mcp.call("add", a=1, b=1)).data == 2
    seen = [f.message["params"]["progress"] for f in mcp_tape.since(mark) if f.method == "notifications/progress"]
    assert 0 < max(seen) < 500_000_000


COMPARED: list[tuple[str, dict[str, Any]]] = [
    ("add", {"a": 2, "b": 0.5}),
    ("subtract", {"a": 1e16, "b": 1}),
    ("multiply", {"a": 10**200, "b": 10**100}),
    ("divide", {"a": 1, "b": 3}),
    ("divide", {"a": 1, "b": 0}),
    ("power", {"base": 2, "exponent": 100}),
    ("power", {"base": 9, "exponent": 9**9}),
    ("sqrt", {"x": 2}),
    ("sqrt", {"x": -2}),
    ("evaluate", {"expression": "2 * (3 + 4) ** 2"}),
    ("evaluate", {"expression": "2 ^ 3"}),
    ("evaluate", {"expression": "1.0", "surplus": "is ignored"}),
    ("primes", {"limit": 0}),
    ("primes", {"limit": 1000}),
]


@pytest.fixture(scope="module")
async def twins(connect: Any) -> AsyncIterator[list[Client]]:
    """Both as processes: what is compared has been on the wire."""
    async with (
        connect("calculator", ("stdio", "modern")) as high,
        connect("calculator_lowlevel", ("stdio", "modern")) as low,
    ):
        yield [high, low]


async def test_the_twins_publish_the_same_tools(twins: list[Client]) -> None:
    high, low = [
        [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in (await twin.list_tools()).tools]
        for twin in twins
    ]
    assert high == low


@pytest.mark.parametrize(("tool", "arguments"), COMPARED, ids=lambda value: str(value))
async def test_the_twins_answer_the_same(twins: list[Client], tool: str, arguments: dict[str, Any]) -> None:
    high, low = [
        (await twin.call_tool(tool, arguments)).model_dump(mode="json", by_alias=True, exclude={"meta"})
        for twin in twins
    ]
    assert high == low


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("primes", {"limit": -1}), ("primes", {"limit": 10**9}), ("evaluate", {"expression": "1" * 501}), ("sqrt", {})],
)
async def test_the_twins_refuse_the_same(twins: list[Client], tool: str, arguments: dict[str, Any]) -> None:
    assert [(await twin.call_tool(tool, arguments)).is_error for twin in twins] == [True, True]


async def test_an_unknown_tool_is_where_the_twins_differ(load: Callable[[str], Any]) -> None:
    async with Client(load("calculator")) as client:
        assert (await client.call_tool("nope", {})).is_error
    async with Client(load("calculator_lowlevel")) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("nope", {})
        assert raised.value.code == -32602
