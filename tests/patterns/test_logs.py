"""Log lines are JSON, carry the id of their call, hide secrets, and never reach stdout."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import labkit as lab
from labkit.patterns.calls import Call, CallMiddleware, Proceed, refusal
from labkit.patterns.logs import FileSink, Logs, adopt, open_log

pytestmark = pytest.mark.anyio


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def kitchen(logs: Logs) -> MCPServer:
    server = MCPServer("kitchen", middleware=[logs])

    @server.tool()
    async def cook(dish: str) -> str:
        """In the event loop."""
        await asyncio.sleep(0)
        logs.log.info("cooking", dish=dish)
        if dish == "stone":
            raise ToolError("inedible")
        return dish

    @server.tool()
    def fry(dish: str) -> str:
        """In a thread."""
        logs.log.info("frying", dish=dish)
        return dish

    return server


async def test_one_line_for_each_call_and_the_tools_lines_have_its_id() -> None:
    stream = io.StringIO()
    async with await lab.connect(kitchen(Logs(stream))) as conn:
        await asyncio.gather(*(conn.call(("cook", "fry")[n % 2], dish=f"dish {n}") for n in range(10)))
        await conn.call("cook", dish="stone", check=False)
    found = lines(stream)
    calls = {each["correlation"]: each for each in found if each["event"] == "tool call"}
    own = {each["correlation"]: each for each in found if each["event"] != "tool call"}
    assert len(calls) == len(own) == 11 and calls.keys() == own.keys()
    for id, line in own.items():
        assert calls[id]["tool"] == {"cooking": "cook", "frying": "fry"}[line["event"]]
    (stone,) = (calls[id] for id, line in own.items() if line["dish"] == "stone")
    assert stone["outcome"] == "error" and stone["level"] == "warning" and stone["ms"] >= 0 and stone["client"]


async def test_secrets_and_line_ends_do_not_get_out() -> None:
    stream = io.StringIO()
    log = open_log(stream)
    log.info("connected\nto postgres://ada:pa55@db", password="hunter2", args={"token": "t", "page": 1}, n=3, pin=1234)
    try:
        raise ValueError("api_key=k-1")
    except ValueError:
        log.exception("failed")
    first, second = lines(stream)
    assert first["event"] == "connected\nto postgres://***@db" and first["args"] == {"token": "***", "page": 1}
    assert (
        first["password"] == first["pin"] == "***" and first["n"] == 3 and list(first)[:3] == ["time", "level", "event"]
    )
    assert "ValueError" in second["exception"] and "k-1" not in stream.getvalue()


async def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    log = open_log(stream, level="warning")
    log.info("quiet")
    log.warning("loud")
    assert [each["event"] for each in lines(stream)] == ["loud"]


async def test_stdout_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    for stream in (sys.stdout, sys.__stdout__, io.TextIOWrapper(io.FileIO(1, "w", closefd=False))):
        with pytest.raises(ValueError, match="not go to stdout"):
            open_log(stream)
    open_log().info("hello")
    out, err = capfd.readouterr()
    assert out == "" and json.loads(err)["event"] == "hello"


async def test_lines_of_logging_come_along() -> None:
    stream, own = io.StringIO(), logging.Logger("own")
    adopt(open_log(stream), root=own)
    own.warning("the %s is low", "oil")
    own.debug("nobody reads this")
    try:
        raise ValueError("x")
    except ValueError:
        own.exception("burnt")
    first, second = lines(stream)
    assert (first["event"], first["level"], first["logger"]) == ("the oil is low", "warning", "own")
    assert second["level"] == "error" and "Traceback" in second["exception"]


async def test_a_file_is_rotated_and_loses_nothing_but_the_oldest(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "deep" / "server.log", max_bytes=500, keep=2)
    log = open_log(sink)
    for n in range(40):
        log.info("line", n=n)
    sink.close()
    log.info("line", n=40)
    names = ["server.log.2", "server.log.1", "server.log"]
    kept = [
        json.loads(line)["n"]
        for name in names
        for line in (sink.path.parent / name).read_text(encoding="utf-8").splitlines()
    ]
    assert kept == list(range(kept[0], 41)) and 10 < len(kept) < 25
    assert sorted(p.name for p in sink.path.parent.iterdir()) == sorted(names)
    assert max(p.stat().st_size for p in sink.path.parent.iterdir()) <= 500
    sink.close()


async def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    stream = io.StringIO()
    logs = Logs(stream)
    async with await lab.connect(kitchen(logs)) as conn:
        stream.close()
        assert (await conn.call("fry", dish="egg")).data == "egg"


async def test_a_stdio_server_that_logs_keeps_its_wire_clean(tmp_path: Path) -> None:
    program = tmp_path / "kitchen.py"
    program.write_text(
        "from mcp.server import MCPServer\n"
        "from labkit.patterns.logs import Logs, adopt\n"
        "logs = Logs()\n"
        "adopt(logs.log)\n"
        "logs.log.info('loading')\n"
        "server = MCPServer('kitchen', middleware=[logs])\n"
        "@server.tool()\n"
        "def fry(dish: str) -> str:\n"
        "    'Fry.'\n"
        "    logs.log.info('frying', dish=dish)\n"
        "    raise KeyError('broken pan')\n"
        "server.run()\n",
        encoding="utf-8",
    )
    async with await lab.connect(["python", str(program)]) as conn:
        await conn.call("fry", dish="egg", check=False)
    assert not conn.tape.filter(kind="noise")
    told = [json.loads(line) for line in conn.stderr.lines]
    assert {each["event"] for each in told} >= {"loading", "frying", "tool call"}
    assert len({each["correlation"] for each in told if each["event"] in ("frying", "tool call")}) == 1
    assert any("broken pan" in each.get("exception", "") for each in told), "the SDK's own lines come along"


@pytest.mark.parametrize("end", ["ok", "fail", "refuse"])
async def test_the_line_for_a_call_is_the_same_through_structlog(end: str) -> None:
    """By itself `Logs` writes it on a shorter way."""

    class Gate(CallMiddleware):
        async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
            if call.arguments["text"] == "refuse":
                return refusal(call, "no", reason="policy")
            return await proceed()

    written: list[list[str]] = []
    for wrap in (lambda stream: stream, open_log):
        stream = io.StringIO()
        server = MCPServer("echo", middleware=[Logs(wrap(stream)), Gate()])

        @server.tool()
        def echo(text: str) -> str:
            """The text, or a complaint."""
            if text == "fail":
                raise ToolError("no")
            return text

        async with await lab.connect(server) as conn:
            await conn.call("echo", text=end, check=False)
        (line,) = lines(stream)
        assert line["time"] and line["correlation"] and line["ms"] >= 0
        written.append([name if name in ("time", "correlation", "ms") else str(item) for name, item in line.items()])
    assert written[0] == written[1] and len(written[0]) >= 8
