"""What every peer does, whatever the transport and the era: against the catalog's `everything` and a small server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest
from mcp.server import MCPServer

from labkit.errors import CallTimeoutError, ConnectionClosedError, RpcError
from labkit.gateway.peer import Caller, Json
from labkit.gateway.peer_memory import MemoryPeer

from .conftest import ALL, ERAS, HANDSHAKE, HERE, LONG, MODERN, Opened, opened, text_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]
LOG_LEVEL = {"io.modelcontextprotocol/logLevel": "info"}


@pytest.fixture(scope="module", params=ALL)
async def everything(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    found = await opened(*request.param.split(), "everything")
    yield found
    await found.close()


@pytest.fixture(scope="module", params=ALL)
async def small(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    found = await opened(*request.param.split(), HERE / "small_server.py")
    yield found
    await found.close()


async def journal(small: Opened) -> dict[str, list[str]]:
    return json.loads(text_of(await small.call("journal")))


async def journal_has(small: Opened, kind: str, key: str) -> None:
    async with asyncio.timeout(LONG):
        while key not in (await journal(small))[kind]:
            await asyncio.sleep(0.01)


async def test_it_introduces_itself(small: Opened) -> None:
    peer = small.peer
    assert peer.alive
    assert peer.transport == small.via
    assert peer.server_info["name"] == "small"
    assert peer.instructions == "Small."
    assert "tools" in peer.capabilities


async def test_a_list_comes_whole(everything: Opened) -> None:
    tools = (await everything.peer.request("tools/list", {}))["tools"]
    assert {"echo", "slow", "book_table"} <= {tool["name"] for tool in tools}


async def test_a_result_is_as_the_server_sent_it(everything: Opened) -> None:
    result = await everything.call("echo", text="grüß dich \U0001f600")
    assert text_of(result) == "grüß dich \U0001f600"
    assert ("resultType" in result) == everything.modern


async def test_a_name_with_odd_characters_travels(everything: Opened) -> None:
    with pytest.raises(RpcError) as caught:
        await everything.peer.request("resources/read", {"uri": "everything://nö/thing"}, timeout=LONG)
    assert caught.value.code == -32602
    assert caught.value.method == "resources/read"


async def test_an_error_answer_is_an_rpc_error(everything: Opened) -> None:
    with pytest.raises(RpcError) as caught:
        await everything.peer.request("no/such/method", {}, timeout=LONG)
    assert caught.value.code == -32601


async def test_progress_comes_under_the_callers_token_and_in_order(everything: Opened) -> None:
    heard: list[tuple[str, Json]] = []

    async def hear(method: str, params: Json) -> None:
        heard.append((method, params))

    caller = Caller(progress_token="mine", on_notify=hear)
    await everything.call("slow", caller, seconds=0.01, steps=5)
    assert [params["progress"] for _, params in heard] == [1, 2, 3, 4, 5]
    assert {params["progressToken"] for _, params in heard} == {"mine"}


async def test_without_a_token_there_is_no_progress(everything: Opened) -> None:
    heard: list[str] = []

    async def hear(method: str, params: Json) -> None:
        heard.append(method)

    await everything.call("slow", Caller(on_notify=hear), seconds=0.01, steps=2)
    assert heard == []


async def test_log_messages_come_with_their_call(everything: Opened) -> None:
    heard: list[tuple[str, Json]] = []

    async def hear(method: str, params: Json) -> None:
        heard.append((method, params))

    caller = Caller(on_notify=hear, meta=dict(LOG_LEVEL))
    await everything.call("log", caller, message="hello", times=2)
    assert [(method, params["data"]) for method, params in heard] == [("notifications/message", "hello")] * 2


async def test_a_listener_that_fails_does_not_fail_the_call(everything: Opened) -> None:
    async def hear(method: str, params: Json) -> None:
        raise ValueError("listener")

    assert text_of(await everything.call("slow", Caller(progress_token=1, on_notify=hear), seconds=0.01, steps=2))


async def test_meta_and_headers_of_the_caller_arrive(small: Opened) -> None:
    caller = Caller(
        {"roots": {}},
        {"name": "front", "version": "2"},
        {"Labkit-Principal": "v1;x;y"},
        {"traceparent": "00-1", "progressToken": "not ours"},
    )
    seen = json.loads(text_of(await small.call("seen", caller)))
    assert seen["meta"]["traceparent"] == "00-1"
    assert not {"progressToken", "progress_token"} & set(seen["meta"])
    if small.via == "http":
        assert seen["headers"]["labkit-principal"] == "v1;x;y"
    else:
        assert seen["meta"]["labkit/headers"] == {"Labkit-Principal": "v1;x;y"}
    if small.modern:
        assert seen["meta"]["io.modelcontextprotocol/clientInfo"]["name"] == "front"
        assert seen["meta"]["io.modelcontextprotocol/clientCapabilities"] == {"roots": {}}
    else:
        assert not [key for key in seen["meta"] if key.startswith("io.modelcontextprotocol/")]


async def test_cancelling_the_caller_stops_the_tool(small: Opened) -> None:
    task = asyncio.ensure_future(small.call("wait", key="cancelled"))
    await journal_has(small, "started", "cancelled")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await journal_has(small, "stopped", "cancelled")
    assert small.peer.in_flight == 0


async def test_a_call_that_takes_too_long_is_stopped(small: Opened) -> None:
    task = asyncio.ensure_future(small.call("wait", key="late"))
    await journal_has(small, "started", "late")
    small.peer._expire(next(iter(small.peer._exchanges.values())), 0.5)  # as the timer would, once it has begun
    with pytest.raises(CallTimeoutError, match=r"within 0\.5 s"):
        await task
    await journal_has(small, "stopped", "late")


async def test_64_in_flight_each_get_their_own_answer(small: Opened) -> None:
    done: list[int] = []

    async def one(number: int) -> None:
        result = await small.call("hold", number=number, of=64)
        assert text_of(result) == str(number)
        done.append(number)

    await asyncio.gather(*(one(number) for number in range(64)))
    if small.via != "http":  # there, the answers come on connections of their own
        assert done == list(range(63, -1, -1))
    assert small.peer.strays == 0


async def test_changed_lists_and_resources_are_heard(everything: Opened) -> None:
    peer, heard = everything.peer, everything.heard
    await peer.watch({"everything://counter"})
    heard.events.clear()
    await everything.call("count_up")
    await until(lambda: ("notifications/resources/updated", {"uri": "everything://counter"}) in heard.events)
    await everything.call("add_tool", name="later")
    await until(lambda: "notifications/tools/list_changed" in heard.methods)
    await everything.call("remove_tool", name="later")

    await peer.watch(())
    heard.events.clear()
    await everything.call("count_up")
    await everything.call("add_tool", name="later")
    await until(lambda: "notifications/tools/list_changed" in heard.methods)
    await everything.call("remove_tool", name="later")
    assert "notifications/resources/updated" not in heard.methods


async def test_questions_of_the_server_reach_the_caller(everything: Opened) -> None:
    asked: list[tuple[str, Json]] = []

    async def answer(method: str, params: Json) -> Json:
        asked.append((method, params))
        if method == "elicitation/create":
            return {"action": "accept", "content": {"name": "Ada", "guests": 3, "sure": True}}
        if method == "roots/list":
            return {"roots": [{"uri": "file:///here"}]}
        return {"role": "assistant", "model": "scripted", "content": {"type": "text", "text": "42"}}

    caller = Caller({"elicitation": {"form": {}}, "sampling": {}, "roots": {}}, on_ask=answer)
    booked = await everything.call("book_table", caller, restaurant="Chez Nous")
    if everything.modern:
        assert booked["resultType"] == "input_required"
        question = next(iter(booked["inputRequests"].values()))
        assert question["method"] == "elicitation/create"
        assert asked == []
        return
    assert "Booked at Chez Nous for Ada" in text_of(booked)
    assert "scripted says: 42" in text_of(await everything.call("ask_model", caller, prompt="What?"))
    assert "file:///here" in text_of(await everything.call("list_roots", caller))
    assert [method for method, _ in asked] == ["elicitation/create", "sampling/createMessage", "roots/list"]
    assert asked[0][1]["message"].startswith("Please complete your booking")


@pytest.fixture
async def asking() -> AsyncIterator[Opened]:
    found = await opened("memory", HANDSHAKE, "everything")
    yield found
    await found.close()


async def test_an_error_is_an_answer_too(asking: Opened) -> None:
    async def answer(method: str, params: Json) -> Json:
        raise RpcError(-1, "user rejected", {"by": "Ada"})

    with pytest.raises(RpcError, match="user rejected") as caught:
        await asking.call("ask_model", Caller(on_ask=answer), prompt="What?")
    assert caught.value.code == -1


async def test_a_crash_in_answering_is_kept_from_the_server(asking: Opened) -> None:
    async def answer(method: str, params: Json) -> Json:
        raise ValueError("private")

    with pytest.raises(RpcError) as caught:
        await asking.call("ask_model", Caller(on_ask=answer), prompt="What?")
    assert "private" not in str(caught.value)


async def test_nobody_to_ask_is_said(asking: Opened) -> None:
    with pytest.raises(RpcError, match="nobody is there to answer"):
        await asking.call("ask_model", prompt="What?")


WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


@pytest.mark.parametrize("via", ["memory", "http"])
async def test_the_caller_is_asked_in_its_own_context_and_events_come_in_none(via: str) -> None:
    WHO.set("opener")
    found = await opened(via, HANDSHAKE, "everything")
    events: list[str] = []
    found.peer._on_event = lambda method, params: events.append(WHO.get())
    asked: list[str] = []

    async def answer(method: str, params: Json) -> Json:
        asked.append(WHO.get())
        return {"action": "decline"}

    async def one(who: str) -> None:
        WHO.set(who)
        await found.call("book_table", Caller(on_ask=answer), restaurant="here")

    for who in ("ada", "bob"):
        await asyncio.create_task(one(who))
    await found.peer.watch(())
    await found.call("add_tool", name="contextual")
    await until(lambda: events)
    await found.call("remove_tool", name="contextual")
    assert asked == ["ada", "bob"]
    assert set(events) == {"nobody"}
    await found.close()


async def test_a_server_in_memory_does_not_run_in_its_openers_context() -> None:
    server = MCPServer("context")

    @server.tool()
    async def who() -> str:
        return WHO.get()

    WHO.set("opener")
    for era in ERAS:
        peer = MemoryPeer("context", server, era=era)
        await peer.open()
        assert text_of(await peer.request("tools/call", {"name": "who", "arguments": {}})) == "nobody"
        await peer.close()


@pytest.mark.parametrize("via", ["memory", "http"])
async def test_two_that_ask_at_once_get_their_own_answers(via: str) -> None:
    found = await opened(via, HANDSHAKE, HERE / "small_server.py")
    both = asyncio.Event()
    waiting: list[str] = []

    async def one(label: str) -> str:
        async def answer(method: str, params: Json) -> Json:
            waiting.append(label)
            if len(waiting) == 2:
                both.set()
            await both.wait()
            return {"action": "accept", "content": {"word": f"{params['message']} for {label}"}}

        return text_of(await found.call("ask", Caller(on_ask=answer), label=label))

    assert await asyncio.gather(one("a"), one("b")) == ["a: a for a", "b: b for b"]
    await found.close()


async def test_what_is_closed_refuses_and_says_so() -> None:
    found = await opened("memory", MODERN, "calculator")
    waiting = asyncio.ensure_future(found.peer.request("tools/list", {}))
    await waiting
    await found.close()
    await found.peer.close()
    with pytest.raises(ConnectionClosedError, match="was closed here"):
        await found.call("add", a=1, b=2)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("via", ["memory", "http"])
async def test_closing_fails_what_is_in_flight(via: str, era: str) -> None:
    found = await opened(via, era, HERE / "small_server.py")
    task = asyncio.ensure_future(found.call("wait", key="closing"))
    await journal_has(found, "started", "closing")
    await found.peer.close()
    with pytest.raises(ConnectionClosedError, match="was closed here"):
        await task
    assert found.heard.lost == []
    await found.close()


@pytest.mark.parametrize("via", ["memory", "http", "stdio"])
async def test_auto_finds_the_modern_era_and_the_calculator_adds(via: str) -> None:
    found = await opened(via, "auto", "calculator")
    assert found.peer.era == MODERN
    result = await found.call("add", a=2, b=3)
    assert result["structuredContent"]["result"] == 5
    await found.close()
