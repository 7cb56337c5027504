"""What ends, and how: killed servers, forgotten connections, closing from anywhere."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from mcp.server import MCPServer

import labkit as lab
from labkit.session import connection

from .conftest import PROBE

pytestmark = pytest.mark.anyio
LIGHT = [sys.executable, "-I", "-S", "-E", str(Path(__file__).with_name("light_server.py"))]


async def until(condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


async def unheard(progress: float, total: float | None, message: str | None) -> None:
    """A progress callback: asking for progress shows on the tape when the call is under way."""


def kill(pid: int) -> None:
    psutil.Process(pid).kill()


@pytest.mark.parametrize("via", ["stdio", "http"])
async def test_a_server_killed_in_mid_call(connect: Any, via: str) -> None:
    conn = await connect(via=via)
    await conn.call("shout", text="last words")
    call = asyncio.ensure_future(conn.call("slow", seconds=60, progress=unheard))
    await until(lambda: conn.tape.filter("notifications/progress"))
    kill(conn.pid)
    with pytest.raises(lab.ServerDiedError) as caught:
        await asyncio.wait_for(call, 20)
    said = str(caught.value)
    assert "during tools/call slow" in said and "last words" in said and "Connect again" in said
    if os.name == "posix":
        assert "was ended by SIGKILL" in said
    await until(lambda: conn.closed)
    with pytest.raises(lab.ServerDiedError, match="during tools/call slow"):
        await conn.call("add", a=1, b=1)
    again = await connect(via=via)
    assert (await again.call("add", a=1, b=1)).data == 2


async def test_a_server_that_exits_in_mid_call(connect: Any) -> None:
    conn = await connect(via="stdio")
    with pytest.raises(lab.ServerDiedError, match="exited with code 7 during tools/call die") as caught:
        await conn.call("die", code=7)
    assert "going down" in str(caught.value)


async def test_a_server_killed_while_idle_is_noticed(connect: Any) -> None:
    conn = await connect(via="stdio")
    kill(conn.pid)
    await until(lambda: conn.closed)
    with pytest.raises(lab.ServerDiedError, match="while the connection was idle"):
        await conn.call("add", a=1, b=1)
    assert "closed" in repr(conn)


async def test_a_stateless_connection_survives_a_restart_of_the_server(connect: Any) -> None:
    running = await lab.serve(PROBE)
    port = int(running.url.split(":")[2].split("/")[0])
    conn = await connect(running.url)
    await running.stop()
    with pytest.raises(lab.ConnectionClosedError, match="Is it running at"):
        await conn.call("add", a=1, b=1)
    async with await lab.serve(PROBE, port=port):
        assert (await conn.call("add", a=1, b=1)).data == 2


async def test_closing_is_idempotent_and_final(probe: Any) -> None:
    await probe.close()
    await probe.close()
    assert probe.closed and list(lab.connections()) == []
    with pytest.raises(lab.ConnectionClosedError, match="is closed. Connect again"):
        await probe.call("add", a=1, b=1)


async def test_close_in_another_task_with_a_call_in_flight(probe: Any) -> None:
    call = asyncio.ensure_future(probe.call("slow", seconds=60, progress=unheard))
    await until(lambda: probe.tape.filter("notifications/progress"))
    await asyncio.create_task(probe.close())
    with pytest.raises((lab.ConnectionClosedError, asyncio.CancelledError)) as caught:
        await asyncio.wait_for(call, 10)
    assert not isinstance(caught.value, lab.ServerDiedError), "nobody died"
    if isinstance(caught.value, lab.LabError):
        assert "was closed here during tools/call slow" in str(caught.value)


async def test_a_process_ends_with_its_connection(connect: Any) -> None:
    for via in ("stdio", "http"):
        conn = await connect(via=via)
        process = psutil.Process(conn.pid)
        await conn.close()
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(
    os.name != "posix", reason="process groups are a POSIX matter; Windows uses a job object of the SDK"
)
async def test_grandchildren_end_too(connect: Any) -> None:
    script = (
        "import subprocess, sys, runpy\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], stdin=subprocess.DEVNULL)\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        f"runpy.run_path({str(PROBE)!r}, run_name='__main__')\n"
    )
    conn = await connect([sys.executable, "-c", script])
    await until(lambda: conn.stderr.lines)
    grandchild = psutil.Process(int(conn.stderr.lines[0]))
    await conn.close()
    await until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGTERM")
async def test_a_server_that_ignores_everything_is_killed(connect: Any) -> None:
    script = f"import signal, runpy, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntry: runpy.run_path({str(PROBE)!r}, run_name='__main__')\nfinally: time.sleep(600)"
    conn = await connect([sys.executable, "-c", script])
    process = psutil.Process(conn.pid)
    began = time.monotonic()
    await conn.close()
    assert not process.is_running() and time.monotonic() - began < 15


async def test_a_forgotten_connection_closes_itself(connect: Any) -> None:
    conn = await connect(via="stdio")
    pid = conn.pid
    conn = await connect(via="stdio")  # the cell is run again: the name now means the new connection
    gc.collect()
    await until(lambda: not psutil.pid_exists(pid))
    assert [row["pid"] for row in lab.connections()] == [conn.pid]


async def test_calls_from_another_loop_and_thread_reach_the_home_loop(probe: Any) -> None:
    found: list[Any] = []

    def elsewhere() -> None:
        async def work() -> None:
            found.append((await probe.call("add", a=20, b=22)).data)
            found.append((await probe.read("note://welcome")).text)

        asyncio.run(work())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert found == [42, "# hello"]


async def test_a_connection_can_be_closed_from_another_thread(connect: Any) -> None:
    conn = await connect(via="stdio")
    await asyncio.to_thread(lambda: asyncio.run(conn.close()))
    assert conn.closed and not psutil.pid_exists(conn.pid)


def test_a_connection_whose_loop_has_ended_says_so() -> None:
    async def opening() -> Any:
        return await lab.connect(PROBE, via="stdio")

    conn = asyncio.run(opening())
    assert not psutil.pid_exists(conn.pid), "the loop's end ends the server"

    async def calling() -> None:
        await conn.call("add", a=1, b=1)

    with pytest.raises(lab.ConnectionClosedError):
        asyncio.run(calling())
    asyncio.run(conn.close())


async def test_stderr_is_captured_per_connection_and_bounded(connect: Any, capfd: Any) -> None:
    one, other = await connect(via="stdio"), await connect(via="http")
    await one.call("shout", text="from one")
    await other.call("shout", text="from other")
    await until(lambda: "from one" in one.stderr and "from other" in other.stderr)
    assert "from other" not in one.stderr and "from one" not in other.stderr
    assert "from" not in "".join(capfd.readouterr())
    from labkit.session.child import STDERR_LINES, ServerLog

    log = ServerLog()
    for number in range(STDERR_LINES + 5):
        log.add(str(number))
    assert len(log) == STDERR_LINES and log.dropped == 5 and "5 earlier lines dropped" in str(log)


async def test_what_an_in_memory_server_logs_is_captured_too(memory: Any, capfd: Any) -> None:
    await memory.call("crash")
    assert "secret detail" in memory.stderr
    await memory.call("log_it", text="noted")
    assert "noted" in memory.stderr and "secret detail" not in "".join(capfd.readouterr())


async def test_garbage_on_stdout_is_on_the_tape_and_harms_nothing(connect: Any) -> None:
    script = (
        f"print('Server starting...', flush=True)\nimport runpy; runpy.run_path({str(PROBE)!r}, run_name='__main__')"
    )
    conn = await connect([sys.executable, "-c", script])
    assert (await conn.call("add", a=1, b=1)).data == 2
    assert [f.text for f in conn.tape.filter(kind="noise")] == ["Server starting..."]


async def test_the_stdio_tape_holds_the_very_text(connect: Any) -> None:
    script = (
        "import sys, json\nfor line in sys.stdin:\n m=json.loads(line)\n"
        ' if m.get("method")=="initialize": print(\'{"jsonrpc" : "2.0", "id":%d, "result":{"protocolVersion":"2025-11-25","capabilities":{},'
        '"serverInfo":{"version":"1","name":"\\\\u00e9"}, "x": 1.0e2}}\' % m["id"], flush=True)'
    )
    conn = await connect([sys.executable, "-c", script], era="2025-11-25")
    received = conn.tape.filter("initialize", direction="received")[0]
    assert (
        received.raw.startswith('{"jsonrpc" : "2.0", "id":1') and "\\u00e9" in received.raw and "1.0e2" in received.raw
    )


async def test_close_all_begins_without_being_awaited(connect: Any) -> None:
    conn = await connect(via="memory")
    assert "closing 1" in repr(lab.close_all())
    await until(lambda: conn.closed)


def test_an_interrupt_in_a_sync_call_cancels_the_call_only() -> None:
    with lab.sync.connect(PROBE, via="stdio") as conn:
        timer = threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            conn.call("slow", seconds=60)
        assert conn.call("add", a=1, b=1).data == 2


async def test_leaving_in_a_cancelled_scope_waits_for_the_servers_end(connect: Any) -> None:
    with anyio.CancelScope() as scope:
        async with await connect(LIGHT) as conn:
            pid = conn.pid
            assert psutil.pid_exists(pid)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught and conn.closed and not psutil.pid_exists(pid)


async def test_leaving_in_a_cancelled_scope_does_not_wait_for_ever(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CLOSING", 0.05)
    may_end = anyio.Event()

    @asynccontextmanager
    async def slow_to_end(_: Any) -> AsyncIterator[None]:
        yield
        with anyio.CancelScope(shield=True):
            await may_end.wait()

    with anyio.CancelScope() as scope:
        async with await connect(MCPServer("slow", lifespan=slow_to_end, log_level="ERROR")) as conn:
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught and not conn.closed
    may_end.set()
    await conn.close()
    assert conn.closed
