"""The clients of a miniature: the brief's mix of calls as open loops in each era, and texts that are kept and found."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from labkit.errors import LabError
from labkit.scaling.callers import HttpCaller, Target
from labkit.session.connection import Connection, connect

CLIENTS = 6
"""Calls of one stream that may be on their way at the same time."""
CALLING = 8.0
"""Seconds that a client waits when it keeps a text, or asks for one: what is slow is not lost."""
TEXTS = 3
"""Texts that each client keeps."""


class Served(Protocol):
    """Where calls go over HTTP: see `running.Running`."""

    door: asyncio.Event
    """Set while calls are let through: a platform that starts processes on demand holds them until one is there."""

    def address(self, family: str, tenant: str) -> tuple[str, str]:
        """URL and tool."""
        ...

    def headers(self, tenant: str) -> dict[str, str]:
        """Headers of a tenant's client."""
        ...


@dataclass(frozen=True)
class Stream:
    """Calls of one family, by clients of one tenant and one era."""

    family: str
    tenant: str
    era: str
    rate: float


def streams_of(rates: dict[str, float], tenants: Iterable[str], eras: dict[str, float]) -> list[Stream]:
    """The mix of calls: each family's rate, divided among tenants and eras."""
    names = tuple(tenants)
    return [
        Stream(family, tenant, era, rate * share / len(names))
        for family, rate in rates.items()
        for tenant in names
        for era, share in eras.items()
    ]


@dataclass(frozen=True)
class Call:
    """One call. Times are seconds from the beginning of the load."""

    stream: Stream
    due: float
    """When it was to be made; its latency counts from here."""
    ended: float
    error: str
    """'' for a good answer."""


async def drive(
    stream: Stream, until: asyncio.Event, timeout: float, seed: int, act: Callable[[], Awaitable[str]]
) -> list[Call]:
    """An open loop: `act` at random times, whatever became of earlier calls, until the event. `act` gives the error, ''
    for none; without an answer after `timeout` seconds a call is lost."""
    clock, draw = asyncio.get_running_loop().time, random.Random(seed)
    began, due = clock(), 0.0
    tasks: list[asyncio.Task[Call]] = []

    async def one(due: float) -> Call:
        try:
            async with asyncio.timeout(timeout):
                error = await act()
        except TimeoutError:
            error = f"no answer within {timeout:.1f} s"
        return Call(stream, due, clock() - began, error)

    while not until.is_set():
        due += draw.expovariate(stream.rate)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due - (clock() - began))):
                await until.wait()
                break
        tasks.append(asyncio.create_task(one(due)))
    return list(await asyncio.gather(*tasks))


async def call_http(served: Served, stream: Stream, until: asyncio.Event, timeout: float, seed: int) -> list[Call]:
    """Make the calls of a stream until the event; in the handshake era each client has a session, and begins a new one
    when it is gone."""
    url, tool = served.address(stream.family, stream.tenant)
    target = Target(url, tool, {}, served.headers(stream.tenant))
    target.era = stream.era
    clients: asyncio.LifoQueue[HttpCaller] = asyncio.LifoQueue()
    every = [HttpCaller(target, timeout) for _ in range(CLIENTS)]
    for each in every:
        clients.put_nowait(each)

    async def act() -> str:
        await served.door.wait()
        client = await clients.get()
        try:
            return await client.call(timeout)
        finally:
            clients.put_nowait(client)

    try:
        return await drive(stream, until, timeout, seed, act)
    finally:
        await asyncio.gather(*(each.close() for each in every))
        await target.wire.close()


class Client:
    """One client with a connection that it opens anew when it is lost, as a host does; `keeps`: it is its own."""

    def __init__(self, open: Callable[[], Awaitable[Connection]], *, keeps: bool = True) -> None:
        self._open, self._keeps = open, keeps
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    async def call(self, tool: str, **arguments: str) -> str | None:
        """The text that a tool answers with; None for an error of whatever kind, or no answer in time."""
        used: Connection | None = None
        try:
            async with self._turn:  # of several calls at once, one opens the connection
                if self._connection is None or self._connection.closed or not self._keeps:
                    self._connection = await self._open()
                used = self._connection
            result = await used.call(tool, arguments, timeout=CALLING, check=False, progress=False)
        except LabError:
            if self._keeps and used is not None and used is self._connection:
                await self.close()
            return None
        return None if result.is_error else str(result.data)

    async def close(self) -> None:
        """Close the connection, if it is this client's own."""
        connection, self._connection = self._connection, None
        if connection is not None and self._keeps:
            with suppress(LabError):
                await connection.close()


def http_client(served: Served, family: str, tenant: str, era: str) -> Client:
    """A client of one tenant and one era."""
    url, _ = served.address(family, tenant)
    headers = served.headers(tenant)
    return Client(lambda: connect(url, era=era, headers=headers, listing=False, patience=CALLING))


@dataclass
class Kept:
    """Texts of one family that one client has kept, and what became of them."""

    family: str
    tool: str
    client: Client
    owner: str
    era: str
    asked: int = 0
    found: int = 0
    """Of those that were asked for while nothing had happened."""
    asked_after: int = 0
    found_after: int = 0
    """Of those that were asked for after the kill."""
    foreign: int = 0
    """How often the text of another tenant came, who had kept one under the same name."""

    async def keep(self) -> None:
        """Keep some texts."""
        texts = [(self._key(number), self._text(number)) for number in range(TEXTS)]
        await asyncio.gather(*(self.client.call(f"{self.tool}_keep", key=key, text=text) for key, text in texts))

    async def look(self, after: bool = False) -> None:
        """Ask for each of them twice: whoever is behind the balancer gets a chance not to know it."""
        numbers = [*range(TEXTS)] * 2
        asking = (self.client.call(f"{self.tool}_find", key=self._key(number)) for number in numbers)
        texts = await asyncio.gather(*asking)
        right = sum(text == self._text(number) for number, text in zip(numbers, texts, strict=True))
        self.foreign += sum(bool(text) for text in texts) - right
        if after:
            self.asked_after, self.found_after = self.asked_after + len(texts), self.found_after + right
        else:
            self.asked, self.found = self.asked + len(texts), self.found + right

    def _key(self, number: int) -> str:
        return f"draft {number} {self.era}"  # all tenants use the same names, two clients of one do not

    def _text(self, number: int) -> str:
        return f"{self.owner}: text {number}"
