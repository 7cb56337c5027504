"""Processes behind the gateway: servers that answer wrongly, late, twice or not at all, and that end."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from mcp import StdioServerParameters

from labkit.errors import (
    CallTimeoutError,
    ConnectError,
    ConnectionClosedError,
    EraError,
    ResultError,
    RpcError,
    ServerDiedError,
)
from labkit.gateway.peer import Caller, Exchange, Json, Peer
from labkit.gateway.peer_stdio import StdioPeer
from labkit.session.child import group_alive

from .conftest import ERAS, HANDSHAKE, LONG, MODERN, Opened, odd_params, open_odd, text_of, until

pytestmark = pytest.mark.anyio


async def test_an_answer_under_another_id_is_dropped_and_counted(odd: Opened) -> None:
    assert text_of(await odd.call("wrong_id")) == "right"
    assert odd.peer.strays == 1
    with pytest.raises(CallTimeoutError):
        await odd.call("wrong_id_only", timeout=0.2)
    assert text_of(await odd.call("anything"))


async def test_of_two_answers_the_first_counts(odd: Opened) -> None:
    assert text_of(await odd.call("twice")) == "first"
    assert text_of(await odd.call("text_id")) == "by text"
    assert odd.peer.strays == 1


async def test_garbage_is_skipped_and_counted(odd: Opened) -> None:
    assert text_of(await odd.call("garbage")) == "after garbage"
    assert odd.peer.noise == 2


async def test_ids_that_are_none_do_not_stop_the_reading(odd: Opened) -> None:
    assert text_of(await odd.call("odd_ids")) == "fine"
    assert odd.peer.noise == 1
    assert odd.peer.alive


@pytest.mark.parametrize("tool", ["neither", "text_result"])
async def test_an_answer_that_is_none_is_a_result_error(odd: Opened, tool: str) -> None:
    with pytest.raises(ResultError, match="neither result nor error"):
        await odd.call(tool)


async def test_an_error_answer_keeps_code_message_and_data(odd: Opened) -> None:
    with pytest.raises(RpcError) as caught:
        await odd.call("error")
    assert (caught.value.code, caught.value.message, caught.value.data) == (-32042, "no", {"why": "because"})


async def test_a_long_line_comes_whole(odd: Opened) -> None:
    assert len(text_of(await odd.call("long"))) == 3_000_000


async def test_a_batch_of_answers_reaches_everybody(odd: Opened) -> None:
    waiting = [asyncio.ensure_future(odd.call("hold")) for _ in range(3)]
    await until(lambda: odd.peer.in_flight == 3)
    await odd.call("release_batch")
    assert [each["content"] for each in await asyncio.gather(*waiting)] == [[], [], []]


async def test_a_late_answer_to_what_was_given_up_harms_nobody(odd: Opened) -> None:
    with pytest.raises(CallTimeoutError):
        await odd.call("hold", timeout=0.2)
    assert text_of(await odd.call("release")) == "fine"
    assert odd.peer.strays == 0
    given_up = [params["data"]["cancelled"] for method, params in odd.heard.events if method == "notifications/message"]
    assert [each["reason"] for each in given_up] == ["it took too long"]


async def test_a_flood_of_progress_does_not_hide_the_answer(odd: Opened) -> None:
    count = 0

    async def hear(method: str, params: Json) -> None:
        nonlocal count
        count += 1
        await asyncio.sleep(0)

    await odd.call("flood", Caller(progress_token="t", on_notify=hear))
    assert 0 < count <= 5000


async def test_a_listener_that_hangs_does_not_outlast_the_deadline(odd: Opened) -> None:
    async def hear(method: str, params: Json) -> None:
        await asyncio.Event().wait()

    with pytest.raises(CallTimeoutError):
        await odd.call("flood_and_hold", Caller(progress_token="t", on_notify=hear), timeout=0.2)
    assert text_of(await odd.call("anything"))


async def test_what_has_come_counts_even_if_the_end_has_come_too() -> None:
    progress, answer = {"method": "notifications/progress"}, {"id": 1, "result": {}}
    lost = Exchange(1, "tools/call", None)
    for message in (progress, answer):
        lost.put(message)
    lost.fail(ConnectionClosedError("gone"))
    assert [await lost.next(), await lost.next()] == [progress, answer]
    with pytest.raises(ConnectionClosedError):
        await lost.next()

    late = Exchange(2, "tools/call", None)
    for message in (progress, progress, answer):
        late.put(message)
    late.fail(CallTimeoutError("late"), at_once=True)
    assert await late.next() == answer


async def test_notifications_that_nobody_fetches_are_bounded() -> None:
    exchange = Exchange(1, "tools/call", None)
    for step in range(5000):
        exchange.put({"method": "notifications/progress", "params": {"progress": step}})
    exchange.put({"id": 1, "result": {}})
    assert exchange.dropped == 4000
    assert exchange.answered


async def test_what_cannot_be_written_is_refused_here(odd: Opened) -> None:
    with pytest.raises(RpcError, match="no JSON"):
        await odd.call("anything", value=float("nan"))
    assert odd.peer.in_flight == 0


async def test_a_server_that_dies_in_mid_call_leaves_its_last_words(odd: Opened) -> None:
    held = asyncio.ensure_future(odd.call("hold"))
    await until(lambda: odd.peer.in_flight == 1)
    with pytest.raises(ServerDiedError, match="exited with code 3(.|\n)*last words"):
        await odd.call("die")
    with pytest.raises(ServerDiedError):
        await held
    assert not odd.peer.alive
    assert len(odd.heard.lost) == 1
    with pytest.raises(ServerDiedError):
        await odd.call("anything")


async def test_a_server_that_is_killed_while_idle_is_noticed(odd: Opened) -> None:
    odd.peer._child.process.kill()
    await until(lambda: odd.heard.lost)
    assert isinstance(odd.heard.lost[0], ServerDiedError)
    assert not odd.peer.alive


async def test_a_server_that_closes_its_stdin_is_lost(closing: list[Peer]) -> None:
    odd = await open_odd(MODERN, closing)
    deaf = asyncio.ensure_future(odd.call("deaf"))
    await until(lambda: odd.peer.in_flight == 1)

    async def call_on() -> None:
        while True:
            await odd.call("x" * 100_000, timeout=0.05)

    with pytest.raises((ConnectionClosedError, CallTimeoutError)):
        await call_on()
    while odd.peer.alive:
        with pytest.raises((ConnectionClosedError, CallTimeoutError)):
            await odd.call("x" * 100_000, timeout=0.05)
    with pytest.raises(ConnectionClosedError, match="closed its stdin"):
        await deaf
    odd.peer._child.process.kill()  # it would sleep through a polite end


async def test_a_server_that_does_not_read_is_not_fed_without_end(
    closing: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.gateway.peer_stdio.MOST_UNREAD", 500_000)
    odd = await open_odd(MODERN, closing)
    waiting = [asyncio.ensure_future(odd.call("sleep"))]
    for _ in range(10):
        waiting.append(asyncio.ensure_future(odd.call("x" * 100_000)))
        await asyncio.sleep(0)
    with pytest.raises(ConnectionClosedError, match="does not read its stdin"):
        await odd.call("x" * 100_000)
    assert odd.peer.alive
    odd.peer._child.process.kill()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, ConnectionClosedError) for each in results)
    assert len(odd.heard.lost) == 1


async def test_closing_ends_the_process_and_fails_the_calls(odd: Opened) -> None:
    held = asyncio.ensure_future(odd.call("hold"))
    await until(lambda: odd.peer.in_flight == 1)
    pid = odd.peer.pid
    await asyncio.gather(odd.peer.close(), odd.peer.close())
    with pytest.raises(ConnectionClosedError, match="was closed here"):
        await held
    assert odd.peer.returncode is not None
    assert not group_alive(pid)
    assert odd.heard.lost == []


async def test_closing_goes_on_when_its_caller_is_cancelled(odd: Opened) -> None:
    task = asyncio.ensure_future(odd.peer.close())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await odd.peer.close()
    assert odd.peer.returncode is not None


@pytest.mark.parametrize("owner", [None, "ada"])
async def test_on_a_pipe_only_the_one_in_flight_is_asked(closing: list[Peer], owner: str | None) -> None:
    odd = await open_odd(HANDSHAKE, closing)

    def answering(name: str) -> Caller:
        async def answer(method: str, params: Json) -> Json:
            return {"action": "accept", "content": {"by": name}}

        return Caller(on_ask=answer, owner=owner)

    alone = json.loads(text_of(await odd.call("ask", answering("first"), label="one")))
    assert alone["result"]["content"] == {"by": "first"}

    held = asyncio.ensure_future(odd.call("hold", answering("second")))
    await until(lambda: odd.peer.in_flight == 1)
    answer = json.loads(text_of(await odd.call("ask", answering("third"), label="two")))
    if owner is None:
        assert answer["error"]["code"] == -32600
        assert answer["error"]["message"].startswith("2 calls are in flight")
    else:  # both are hers: it is she who is asked either way
        assert answer["result"]["content"] == {"by": "third"}
    await odd.call("release")
    await held


async def test_a_call_that_was_given_up_may_still_ask_so_nobody_else_is_asked(closing: list[Peer]) -> None:
    odd = await open_odd(HANDSHAKE, closing)
    with pytest.raises(CallTimeoutError):
        await odd.call("hold", timeout=0.1)

    async def answer(method: str, params: Json) -> Json:
        raise AssertionError("the wrong one was asked")

    said = json.loads(text_of(await odd.call("ask", Caller(on_ask=answer), label="whose?")))
    assert said["error"]["message"].startswith("2 calls are in flight")


async def test_a_question_that_the_server_takes_back_is_not_answered(closing: list[Peer]) -> None:
    odd = await open_odd(HANDSHAKE, closing)
    began, ended = asyncio.Event(), asyncio.Event()

    async def answer(method: str, params: Json) -> Json:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    held = asyncio.ensure_future(odd.call("ask_and_cancel", Caller(on_ask=answer)))
    async with asyncio.timeout(LONG):
        await began.wait()
        await odd.call("cancel_ask")
        await ended.wait()
    await odd.call("release")
    await held


async def test_a_ping_is_answered_here(closing: list[Peer]) -> None:
    odd = await open_odd(HANDSHAKE, closing)
    assert json.loads(text_of(await odd.call("ping")))["result"] == {}


async def test_in_the_modern_era_a_server_may_not_ask(closing: list[Peer]) -> None:
    odd = await open_odd(MODERN, closing)
    said = json.loads(text_of(await odd.call("ask", label="?")))
    assert said["error"]["code"] == -32600


async def test_a_log_message_goes_to_nobody_when_it_may_be_anothers(odd: Opened) -> None:
    heard: list[Json] = []

    async def hear(method: str, params: Json) -> None:
        heard.append(params)

    held = asyncio.ensure_future(odd.call("hold", Caller(on_notify=hear)))
    await until(lambda: odd.peer.in_flight == 1)
    await odd.call("log", Caller(on_notify=hear))
    await odd.call("release")
    await held
    assert heard == []
    assert ("notifications/message", {"level": "info", "data": "secret"}) in odd.heard.events


@pytest.mark.parametrize(("speaks", "asked"), [(MODERN, HANDSHAKE), (HANDSHAKE, MODERN)])
async def test_an_era_that_the_server_does_not_speak_is_said(speaks: str, asked: str, closing: list[Peer]) -> None:
    peer = StdioPeer("odd", odd_params(speaks), era=asked)
    closing.append(peer)
    with pytest.raises(EraError if asked == MODERN else ConnectError):
        await peer.open()
    assert peer.returncode is not None


@pytest.mark.parametrize("speaks", ERAS)
async def test_auto_finds_the_era(speaks: str, closing: list[Peer]) -> None:
    peer = StdioPeer("odd", odd_params(speaks))
    closing.append(peer)
    await peer.open()
    assert peer.era == speaks
    assert peer.server_info == {"name": "odd", "version": "1"}


async def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(ConnectError, match="no program 'no-such-program'"):
        await StdioPeer("none", StdioServerParameters(command="no-such-program")).open()


async def test_a_program_that_is_no_server_is_said_with_what_it_wrote() -> None:
    code = "import sys; print('Usage: me'); print('bad option', file=sys.stderr); sys.exit(2)"
    peer = StdioPeer("wrong", StdioServerParameters(command=sys.executable, args=["-I", "-S", "-c", code]))
    with pytest.raises(ConnectError, match="exited with code 2(.|\n)*Usage: me(.|\n)*bad option"):
        await peer.open()
    assert not peer.alive


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.gateway.peer.PROBE", 0.1)
    code = "import sys\nfor line in sys.stdin: pass"
    params = StdioServerParameters(command=sys.executable, args=["-I", "-S", "-c", code])
    peer = StdioPeer("mute", params, patience=0.2)
    with pytest.raises(ConnectError, match="did not answer initialize"):
        await peer.open()
    assert peer.returncode is not None


async def test_opening_that_is_cancelled_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys\nfor line in sys.stdin: pass"
    peer = StdioPeer("mute", StdioServerParameters(command=sys.executable, args=["-I", "-S", "-c", code]))
    task = asyncio.ensure_future(peer.open())
    await until(lambda: peer.pid is not None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert peer.returncode is not None
