"""Several replicas of a server behind each balancer: what happens to sessions, to state, and to calls of one that goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

import labkit as lab
from labkit.errors import ConnectError
from labkit.scaling import load, replicas
from labkit.scaling.choosing import BalanceError, Choice, Upstream
from labkit.scaling.desk import make_server
from labkit.scaling.fronts import EmbeddedFront
from labkit.scaling.nginx import find_nginx
from labkit.services.programs import redis_program
from labkit.services.service import ServiceMissingError

pytestmark = pytest.mark.anyio
HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"
BALANCERS = [
    "embedded",
    pytest.param("nginx", marks=pytest.mark.skipif(find_nginx() is None, reason="nginx is not installed")),
]
both = pytest.mark.parametrize("behind", BALANCERS)


async def which(url: str, calls: int, era: str) -> list[int]:
    async with await lab.connect(url, era=era, listing=False) as conn:
        return [(await conn.call("which")).data for _ in range(calls)]


@both
async def test_the_stateless_era_needs_no_stickiness(behind: Any) -> None:
    async with await replicas(make_server, n=3, behind=behind) as pool:
        assert set(await which(pool.url, 6, MODERN)) == {0, 1, 2}
        assert pool.behind == behind and {each.state for each in pool.replicas} == {"running"}


@both
async def test_sessions_break_behind_round_robin(behind: Any) -> None:
    async with await replicas(make_server, n=3, behind=behind) as pool:
        with pytest.raises(lab.LabError, match="error -32600: Session not found"):
            await which(pool.url, 3, HANDSHAKE)
        report = await load(pool.url, "which", clients=4, calls=40, era=HANDSHAKE)
        assert set(report.errors) == {"HTTP 404 -32600 Session not found"} and report.failed >= 20


@both
async def test_stickiness_repairs_sessions_and_a_lost_replica_takes_its_own_along(behind: Any) -> None:
    async with await replicas(make_server, n=3, behind=behind, balance="sticky") as pool:
        async with await lab.connect(pool.url, era=HANDSHAKE, listing=False) as conn:
            homes = {(await conn.call("which")).data for _ in range(6)}
            assert len(homes) == 1
            await pool.stop(homes.pop())
            with pytest.raises(lab.RpcError, match="Session not found"):
                await conn.call("which")
        # Clients that begin anew, as the specification asks of them, go on with the two that are left.
        report = await load(pool.url, "which", clients=6, calls=60, era=HANDSHAKE)
        assert report.failed == 0 and sum(each.calls > 2 for each in pool.replicas) >= (1 if behind == "nginx" else 2)


async def test_sticky_by_address_puts_every_client_of_a_machine_on_one_replica() -> None:
    if find_nginx() is None:
        pytest.skip("nginx is not installed")
    async with await replicas(make_server, n=3, behind="nginx", balance="sticky") as pool:
        report = await load(pool.url, "which", clients=6, calls=60, era=HANDSHAKE)
        assert report.failed == 0 and sum(each.calls > 0 for each in pool.replicas) == 1


async def test_a_hash_of_the_session_leads_astray_since_initialize_has_none() -> None:
    async with await replicas(make_server, n=3, balance="hash") as pool:
        report = await load(pool.url, "which", clients=12, calls=60, era=HANDSHAKE)
        assert report.failed and set(report.errors) == {"HTTP 404 -32600 Session not found"}


@both
async def test_without_sessions_the_handshake_era_needs_no_stickiness_either(behind: Any) -> None:
    async with await replicas(lambda n: make_server(n, stateless=True), n=3, behind=behind) as pool:
        assert set(await which(pool.url, 9, HANDSHAKE)) == {0, 1, 2}


async def kept(url: str, era: str) -> list[str]:
    async with await lab.connect(url, era=era, listing=False) as conn:
        await conn.call("remember", name="colour", text="green")
        return [(await conn.call("recall", name="colour")).data for _ in range(3)]


async def test_what_a_server_remembers_in_its_process_is_not_there_in_the_next() -> None:
    async with await replicas(make_server, n=3) as pool:
        assert sorted(await kept(pool.url, MODERN)) == ["green", "nothing", "nothing"]
    async with await replicas(make_server, n=3, balance="sticky") as pool:
        assert await kept(pool.url, HANDSHAKE) == ["green"] * 3


async def test_what_it_remembers_in_redis_is_there_in_all() -> None:
    try:
        redis_program()
    except ServiceMissingError as error:
        pytest.skip(str(error))
    with lab.services.Temporary() as own:
        url = (await asyncio.to_thread(own.up, "redis"))[0].url
        async with await replicas(lambda n: make_server(n, stateless=True, store_url=url), n=3) as pool:
            assert await kept(pool.url, MODERN) == ["green"] * 3
            assert await kept(pool.url, HANDSHAKE) == ["green"] * 3
        async with await replicas(lambda n: make_server(n, store_url=url), n=3) as pool:
            with pytest.raises(lab.LabError, match="Session not found"):  # a session is no data of the server
                await kept(pool.url, HANDSHAKE)


async def test_rounds_across_replicas_need_a_key_that_all_have() -> None:
    async def rounds(make: Callable[[int], Any]) -> str:
        async with (
            await replicas(make, n=2) as pool,
            await lab.connect(pool.url, on_elicit=lambda message, schema: {"ok": True}, listing=False) as conn,
        ):
            return (await conn.call("send", text="x")).data

    with pytest.raises(lab.RpcError, match="-32602.*requestState"):
        await rounds(make_server)
    assert await rounds(lambda n: make_server(n, key="k" * 32)) == "sent x"


@both
async def test_a_replica_that_is_gone_is_passed_over_and_comes_back(behind: Any) -> None:
    async with await replicas(make_server, n=3, behind=behind) as pool:
        await pool.stop(1)
        assert set(await which(pool.url, 9, MODERN)) == {0, 2}
        assert pool.replicas[1].state == "stopped" and pool.replicas[1].failed == 1
        await pool.restart(1)
        assert set(await which(pool.url, 6, MODERN)) == {0, 1, 2}


@both
async def test_events_come_as_they_are_sent_and_a_client_that_leaves_is_noticed(behind: Any) -> None:
    async with (
        await replicas(lambda n: streaming(), n=1, behind=behind) as pool,
        await lab.connect(pool.url) as conn,
    ):
        seen = asyncio.Event()

        async def progress(*_: object) -> None:
            seen.set()

        call = asyncio.create_task(conn.call("work", progress=progress))
        with anyio.fail_after(30):
            await seen.wait()  # the tool goes on until it is cancelled: a proxy that buffers would show nothing
            call.cancel()
            while not (await conn.call("cancelled")).data:
                await anyio.sleep(0.01)


def streaming() -> Any:
    server: MCPServer[Any] = MCPServer("streaming", log_level="CRITICAL")
    ended: list[str] = []

    @server.tool()
    async def work(ctx: Context[Any]) -> str:
        """Report, and wait for ever."""
        try:
            await ctx.report_progress(1, 2)
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    @server.tool()
    async def cancelled() -> bool:
        """Whether it was."""
        return bool(ended)

    return server


@both
async def test_all_is_over_with_close(behind: Any) -> None:
    pool = await replicas(make_server, n=2, behind=behind)
    urls = [pool.url, *(each.url for each in pool.replicas)]
    await pool.close()
    await pool.close()
    for url in urls:
        port = int(url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(OSError):
            await anyio.connect_tcp("127.0.0.1", port)
    with pytest.raises(BalanceError, match="are closed"):
        await pool.restart(0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 0}, "starts 1 to 32 replicas"),
        ({"balance": "round-robin"}, "round_robin"),
        ({"behind": "haproxy"}, "There are 'nginx' and 'embedded'"),
    ],
)
async def test_what_cannot_be_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BalanceError, match=said):
        await replicas(make_server, **options)


async def test_one_server_object_cannot_be_three_replicas() -> None:
    with pytest.raises(ConnectError, match="each replica needs its own"):
        await replicas(make_server(0))


async def raw(url: str, data: bytes, until: Callable[[bytes], bool]) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0]))
    try:
        writer.write(data)
        got = b""
        async with asyncio.timeout(30):
            while not until(got) and (more := await reader.read(65536)):
                got += more
        return got
    finally:
        writer.close()


async def test_the_embedded_one_answers_in_order_and_refuses_what_is_no_request() -> None:
    async with await replicas(make_server, n=2) as pool:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {}}).encode()
        one = b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        got = await raw(pool.url, one * 3, lambda got: got.count(b"HTTP/1.1 404") == 3)
        assert got.count(b"HTTP/1.1 404") == 3 and got.count(b"x-replica: ") == 3
        got = await raw(pool.url, b"NONSENSE\r\n\r\n", lambda got: False)
        assert got.startswith(b"HTTP/1.1 400") and b"Connection: close" in got
        long = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 8_400_000
        got = await raw(pool.url, long, lambda got: b"\r\n\r\n" in got)
        assert got.startswith(b"HTTP/1.1 400") and b"longer than" in got


async def crashing(resend: bool, send: Callable[[str], Awaitable[Any]]) -> list[int]:
    """Two replicas, of which the first reads a request and hangs up: who heard of the one request?"""
    heard: list[int] = []

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heard.append(number)
        if number == 1 and head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    servers = [await asyncio.start_server(lambda r, w, n=n: serve(n, r, w), "127.0.0.1", 0) for n in range(2)]
    upstreams = [Upstream(n, f"http://127.0.0.1:{s.sockets[0].getsockname()[1]}/mcp") for n, s in enumerate(servers)]
    front = EmbeddedFront("round_robin", resend=resend)
    await asyncio.to_thread(front.begin, upstreams)
    try:
        await send(f"http://127.0.0.1:{front.port}/mcp")
    finally:
        await asyncio.to_thread(front.close)
        for server in servers:
            server.close()
    return heard


@pytest.mark.parametrize("resend", [False, True])
async def test_a_request_that_may_have_been_acted_on_goes_out_again_only_on_demand(resend: bool) -> None:
    got = b""

    async def send(url: str) -> None:
        nonlocal got
        request = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"
        got = await raw(url, request, lambda got: b"\r\n\r\n" in got)

    assert await crashing(resend, send) == ([0, 1] if resend else [0])
    assert got.startswith(b"HTTP/1.1 200" if resend else b"HTTP/1.1 502")


def test_the_choice_by_itself() -> None:
    now = [0.0]
    ups = [Upstream(number, "") for number in range(3)]
    choice = Choice("least_connections", clock=lambda: now[0])
    choice.replace(ups)
    ups[0].in_flight = ups[2].in_flight = 2
    assert choice.choose({}) is ups[1]
    choice.failed(ups[1])
    assert choice.choose({}) in (ups[0], ups[2])
    now[0] = 11.0
    assert choice.choose({}) is ups[1]
    for each in ups:
        choice.failed(each)
    assert choice.choose({}) is ups[1], "when all have failed, the marks are worth nothing"
    assert choice.choose({}, ups) is None
    sticky = Choice("sticky")
    sticky.replace(ups)
    sticky.learn(b"s", ups[2])
    assert {sticky.choose({b"mcp-session-id": b"s"}) for _ in range(4)} == {ups[2]}
    sticky.replace(ups[:2])
    assert sticky.choose({b"mcp-session-id": b"s"}) is ups[2], "a draining one serves the sessions it has"
    assert sticky.remove(ups[2]) == 1 and sticky.choose({b"mcp-session-id": b"s"}) in ups[:2]
