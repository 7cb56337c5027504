"""What middleware is made of: which calls it sees, what it may do with them, and how it ends one by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.patterns.calls import (
    META_REASON,
    META_RETRY_AFTER,
    OUTCOMES,
    Call,
    CallMiddleware,
    Proceed,
    answer,
    by,
    by_argument,
    by_client,
    by_principal,
    by_session,
    by_tool,
    everyone,
    is_error,
    outcome_of,
    refusal,
)

pytestmark = pytest.mark.anyio
ERAS = ("2026-07-28", "2025-11-25")


class Watch(CallMiddleware):
    """Keeps what it sees, and does as it is told."""

    def __init__(self, act: Any = None) -> None:
        self.keys: list[dict[str, str]] = []
        self.act = act

    async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
        kinds = (everyone, by_tool, by_client, by_principal, by_session, by_argument("text"))
        self.keys.append({kind.__name__: kind(call) for kind in kinds})
        return await (self.act(call, proceed) if self.act else proceed())


def echo(*middleware: Any) -> MCPServer:
    server = MCPServer("echo", middleware=middleware)

    @server.tool()
    def echo(text: str) -> str:
        """The text."""
        if text == "fail":
            raise ValueError("no")
        return text

    return server


@pytest.mark.parametrize("era", ERAS)
async def test_only_tool_calls_are_seen(era: str) -> None:
    watch = Watch()
    async with await lab.connect(echo(watch), era=era) as conn:
        assert (await conn.call("echo", text="hi")).data == "hi"
    (keys,) = watch.keys
    assert keys["by_tool"] == "echo" and keys["key"] == "hi" and keys["everyone"] == ""
    assert keys["by_client"] and keys["by_principal"] == keys["by_session"] == ""


@pytest.mark.parametrize("era", ERAS)
async def test_a_refusal_is_a_tool_error_with_the_seconds_to_wait(era: str) -> None:
    async def refuse(call: Call, proceed: Proceed) -> dict[str, Any]:
        return refusal(call, "Not now.", reason="rate-limited", retry_after=1.23456)

    async with await lab.connect(echo(Watch(refuse)), era=era) as conn:
        result = await conn.call("echo", text="hi", check=False)
    assert result.is_error and "Not now." in str(result)
    assert result.raw["_meta"][META_REASON] == "rate-limited" and result.raw["_meta"][META_RETRY_AFTER] == 1.235


async def test_the_rest_of_the_chain_may_be_called_again_and_with_other_arguments() -> None:
    async def twice(call: Call, proceed: Proceed) -> dict[str, Any]:
        first = await proceed()
        assert is_error(first)
        return await proceed({"text": "mended"})

    async with await lab.connect(echo(Watch(twice))) as conn:
        assert (await conn.call("echo", text="fail")).data == "mended"


@pytest.mark.parametrize(("made", "asked"), [ERAS, ERAS[::-1]])
async def test_an_answer_of_one_era_is_made_fit_for_the_other(made: str, asked: str) -> None:
    kept: list[dict[str, Any]] = []
    given: list[dict[str, Any]] = []

    async def keep(call: Call, proceed: Proceed) -> dict[str, Any]:
        if not kept:
            kept.append(await proceed())
        given.append(answer(call, kept[0], meta={"labkit/source": "kept"}))
        return given[-1]

    server = echo(Watch(keep))
    for era in (made, asked):
        async with await lab.connect(server, era=era) as conn:
            result = await conn.call("echo", text="hi")
            assert result.data == "hi" and result.raw["_meta"]["labkit/source"] == "kept"
            assert ("resultType" in given[-1]) == (era == "2026-07-28")
    assert "_meta" not in kept[0] or "labkit/source" not in kept[0]["_meta"]


async def test_the_principal_is_what_the_token_proves() -> None:
    watch = Watch()
    user = AuthenticatedUser(AccessToken(token="t", client_id="app", scopes=[], subject="ada"))
    async with await lab.connect(echo(watch)) as conn:
        await conn.call("echo", text="hi")
    assert watch.keys[0]["by_principal"] == ""
    token = auth_context_var.set(user)
    try:
        async with await lab.connect(echo(watch)) as conn:
            await conn.call("echo", text="hi")
    finally:
        auth_context_var.reset(token)
    assert watch.keys[1]["by_principal"] == "ada"


async def test_combined_keys_cannot_be_confused() -> None:
    seen: list[str] = []

    async def keep(call: Call, proceed: Proceed) -> dict[str, Any]:
        seen.append(by(by_argument("a"), by_argument("text"))(call))
        return await proceed()

    server = MCPServer("pairs", middleware=[Watch(keep)])

    @server.tool()
    def pair(a: str, text: str) -> str:
        """Both."""
        return a + text

    async with await lab.connect(server) as conn:
        await conn.call("pair", a="a:b", text="c")
        await conn.call("pair", a="a", text="b:c")
        await conn.call("pair", a="1:", text="2")
        await conn.call("pair", a="1", text=":2")
    assert len(set(seen)) == 4


async def test_a_call_without_a_name_is_left_to_the_sdk() -> None:
    watch = Watch()
    async with await lab.connect(echo(watch)) as conn:
        with pytest.raises(lab.RpcError):
            await conn.send("tools/call", {"name": 7})
    assert watch.keys == []


def test_each_outcome_has_a_name() -> None:
    refused = {"isError": True, "_meta": {META_REASON: "policy"}}
    ended = [{}, {"resultType": "input_required"}, refused, {"isError": True}, KeyError("x"), asyncio.CancelledError()]
    assert tuple(outcome_of(each) for each in ended) == OUTCOMES
    assert outcome_of({"resultType": "complete", "isError": False, "_meta": {META_REASON: "kept"}}) == "ok"
