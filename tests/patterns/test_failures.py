"""What a failed call says of itself, and who is blamed for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp import MCPError
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import labkit as lab
from labkit.patterns.calls import Call, CallMiddleware, Proceed
from labkit.patterns.failures import (
    CODE,
    Unavailable,
    is_blamed,
    is_transient,
    judge,
    judge_error,
    reason_of,
    retry_after_of,
)

pytestmark = pytest.mark.anyio
ERAS = ("2026-07-28", "2025-11-25")


class Look(CallMiddleware):
    """Keeps results, and what is thought of them."""

    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = []
        self.verdicts: list[bool | None] = []

    async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
        try:
            result = await proceed()
        except Exception as error:
            self.verdicts.append(judge_error(error))
            raise
        self.results.append(result)
        self.verdicts.append(judge(call, result))
        return result


def troubled(*middleware: Any) -> MCPServer:
    server = MCPServer("troubled", middleware=middleware, log_level="CRITICAL")

    @server.tool()
    def do(what: str) -> str:
        """Fail as told."""
        match what:
            case "unavailable":
                raise Unavailable("It is down.", retry_after=1.5)
            case "busy":
                raise Unavailable("Too many.", reason="rate-limited", retry_after=2)
            case "refuse":
                raise ToolError("No such thing.")
            case "crash":
                raise OSError("the password is 123")
            case "protocol":
                raise MCPError(-32602, "no")
            case _:
                return what

    return server


@pytest.mark.parametrize("era", ERAS)
async def test_unavailable_reaches_the_client_as_a_tool_error_with_reason_and_seconds(era: str) -> None:
    look = Look()
    async with await lab.connect(troubled(look), era=era) as conn:
        result = await conn.call("do", what="unavailable")
    assert result.is_error and result.text == "It is down."
    assert reason_of(result.raw) == "unavailable" and retry_after_of(result.raw) == 1.5
    assert is_transient(look.results[0])


async def test_without_middleware_unavailable_is_a_protocol_error() -> None:
    async with await lab.connect(troubled()) as conn:
        with pytest.raises(lab.RpcError) as caught:
            await conn.call("do", what="unavailable")
    assert caught.value.code == CODE and "It is down." in str(caught.value)


@pytest.mark.parametrize(
    ("what", "verdict", "transient"),
    [
        ("fine", False, False),
        ("unavailable", True, True),
        ("busy", None, True),
        ("refuse", None, False),
        ("crash", True, False),
    ],
)
async def test_outages_are_blamed_on_the_dependency_and_refusals_are_not(
    what: str, verdict: bool | None, transient: bool
) -> None:
    look = Look()
    async with await lab.connect(troubled(look)) as conn:
        await conn.call("do", what=what)
        await conn.call("do", {"what": [1]}, check=False)
        await conn.call("nothing", check=False)
    assert look.verdicts == [verdict, None, None]
    assert is_transient(look.results[0]) == transient and not is_transient(look.results[1])


async def test_a_protocol_error_is_nobodys_outage() -> None:
    look = Look()
    async with await lab.connect(troubled(look)) as conn:
        with pytest.raises(lab.RpcError):
            await conn.call("do", what="protocol")
    assert look.verdicts == [None]


def test_exceptions_are_judged_by_their_reason() -> None:
    assert is_blamed(OSError()) and is_blamed(Unavailable("down")) and is_blamed(Unavailable("slow", reason="timeout"))
    assert not is_blamed(Unavailable("full", reason="overloaded")) and not is_blamed(asyncio.CancelledError())
    assert is_transient(Unavailable("full", reason="overloaded")) and not is_transient(OSError())
    assert not is_transient(Unavailable("too late", reason="deadline", retry_after=1))
    assert not is_transient(Unavailable("open", reason="circuit-open", retry_after=1))
    assert judge_error(MCPError(-32603, "crash")) is True and judge_error(OSError()) is True


@pytest.mark.parametrize("seconds", ["2", None, float("nan"), float("inf"), -1, [2]])
def test_seconds_that_are_none_are_not_believed(seconds: Any) -> None:
    assert retry_after_of({"isError": True, "_meta": {"labkit/retryAfter": seconds}}) is None
