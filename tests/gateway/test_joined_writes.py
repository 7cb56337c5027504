"""Head and body of an answer leave as one, and nothing is held longer than a turn of the loop."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from labkit.gateway import Gateway
from labkit.gateway.joined_writes import Joining

from .front_case import Http, call, headers_of
from .test_relay import tools

pytestmark = pytest.mark.anyio


class Wire:
    """A transport that notes what is done with it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


def joining() -> tuple[Wire, Any]:
    wire: Any = Wire()
    return wire, Joining(wire, asyncio.get_running_loop())


async def test_two_writes_of_a_turn_leave_as_one_and_at_once() -> None:
    wire, joined = joining()
    joined.write(b"head")
    assert wire.done == []
    joined.write(b"body")
    assert wire.done == [b"headbody"]
    await asyncio.sleep(0)
    assert wire.done == [b"headbody"]


async def test_a_write_alone_leaves_when_the_turn_is_over() -> None:
    wire, joined = joining()
    joined.write(b"head")
    await asyncio.sleep(0)
    assert wire.done == [b"head"]
    joined.write(b"")
    await asyncio.sleep(0)
    assert wire.done == [b"head"]


async def test_order_is_kept_and_nothing_is_lost() -> None:
    wire, joined = joining()
    parts = [b"%d;" % number for number in range(50)]
    for number, part in enumerate(parts):
        joined.write(part)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert b"".join(wire.done) == b"".join(parts)


async def test_what_is_held_leaves_before_the_end() -> None:
    wire, joined = joining()
    joined.write(b"head")
    assert not joined.is_closing()
    joined.close()
    await asyncio.sleep(0)
    assert wire.done == [b"head", "closed"]
    assert joined.is_closing()


async def test_a_gateway_answers_with_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    class Noting:
        def __init__(self, transport: Any) -> None:
            self._transport = transport

        def __getattr__(self, name: str) -> Any:
            return getattr(self._transport, name)

        def write(self, data: bytes) -> None:
            written.append(data)
            self._transport.write(data)

    plain = Joining.__init__
    monkeypatch.setattr(Joining, "__init__", lambda self, transport, loop: plain(self, Noting(transport), loop))
    async with Gateway.of({"t": tools()}) as gateway:
        http = Http(await gateway.start())
        await gateway.awake()
        body = call("t.echo", {"text": "x"})
        answer = await http.send("POST", "/mcp", headers_of(body), json.dumps(body).encode())
        await http.close()
    assert answer.text == "x"
    assert len(written) == 1
    assert written[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert written[0].endswith(answer.body)
