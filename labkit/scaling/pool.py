"""Several processes of one server behind one URL.

pool = await lab.replicas("leave_manager", n=3, behind="nginx", balance="least_connections")
pool.url; pool.replicas; pool.kill(1); await pool.restart(1); await pool.roll(); await pool.close()
"""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from labkit.errors import ConnectError, LabError
from labkit.scaling.choosing import BalanceError, Upstream, check_balance
from labkit.scaling.fronts import EmbeddedFront, Front
from labkit.scaling.nginx import Nginx
from labkit.scaling.replica import Replica, ReplicaList, Rolled
from labkit.session.past import remember
from labkit.session.serving import RunningServer
from labkit.session.targets import make_plan

Behind = Literal["nginx", "embedded"]
T = TypeVar("T")
MOST = 32
"""Replicas at most: each is a process of some 70 MB."""
DRAIN_SECONDS = 10.0
NUMBER = "LAB_REPLICA"
"""The environment variable that tells a replica its number."""


class Replicas:
    """What `replicas` returns. Use it as an async context manager, or `close` it."""

    def __init__(self, name: str, make: Callable[[int], RunningServer], front: Front, balance: str) -> None:
        self.name, self.balance = name, balance
        self.front: Front = front
        self.url = ""
        """Where clients connect."""
        self._make = make
        self._replicas: ReplicaList = ReplicaList()
        self._closed = False
        self._used = 0
        self._turn = asyncio.Lock()

    @property
    def behind(self) -> str:
        """nginx or embedded."""
        return self.front.kind

    @property
    def replicas(self) -> ReplicaList:
        """The replicas, with counts that are up to date."""
        self.front.count()
        return self._replicas

    async def start(self, n: int) -> Replicas:
        """Start them side by side, then the balancer. Raises ConnectError; then nothing is left."""
        starting = [asyncio.ensure_future(self._begun(number)) for number in range(n)]
        try:
            done = await asyncio.gather(*starting, return_exceptions=True)
        except asyncio.CancelledError:
            await asyncio.wait(starting)
            self._replicas += [each.result() for each in starting if not each.cancelled() and not each.exception()]
            await self.close()
            raise
        self._replicas += [each for each in done if isinstance(each, Replica)]
        self._used = n
        try:
            for each in done:
                if isinstance(each, BaseException):
                    raise each
            await asyncio.to_thread(self.front.begin, [each.upstream for each in self._replicas])
        except BaseException:
            await self.close()
            raise
        self.url = self._replicas[0].url.replace(f":{_port(self._replicas[0].url)}", f":{self.front.port}")
        return self

    async def _begun(self, number: int) -> Replica:
        began = time.perf_counter()
        running = await self._make(number).start()
        remember(running)
        return Replica(number, running, time.perf_counter() - began)

    def kill(self, number: int) -> None:
        """SIGKILL (TerminateProcess on Windows): its calls in flight get no answer, and its sessions are gone."""
        running = self._find(number).running
        running.kill()
        deadline = time.monotonic() + 5.0
        while not running.how_it_ended and time.monotonic() < deadline:
            time.sleep(0.001)

    async def stop(self, number: int) -> None:
        """Stop one in an orderly way, without telling the balancer: as when its machine is switched off."""
        await self._find(number).running.stop()

    async def use(self, count: int) -> None:
        """Send new calls to the first `count` replicas only; the others go on with what they have, and wait."""
        if not 1 <= count <= len(self._replicas):
            raise BalanceError(f"use({count!r}): there are {len(self._replicas)} replicas.")
        async with self._turn:
            self._used = count
            await asyncio.to_thread(self.front.replace, self._upstreams)

    async def restart(self, number: int) -> Replica:
        """Start it again at the address it had, whether it runs or not, and tell the balancer that it is back.

        What it was doing is cut off: `roll` is the way without.
        """
        async with self._turn:
            old = self._find(number)
            began = time.perf_counter()
            await _undisturbed(asyncio.to_thread(old.running.restart))
            old.start_seconds = time.perf_counter() - began
            await asyncio.to_thread(self.front.replace, self._upstreams)
        return old

    async def roll(self, *, drain: float = DRAIN_SECONDS) -> list[Rolled]:
        """Replace each by a new process, one after the other: start the new, drain the old, end it.

        No call fails of those that end within `drain` seconds; but see nginx.py on connections that clients keep.
        Sessions of the handshake era live in their process and end with it: their clients get `Session not found`, and
        have to begin anew.
        """
        async with self._turn:
            return [await self._replace(number, drain) for number in range(len(self._replicas))]

    async def _replace(self, number: int, drain: float) -> Rolled:
        old = self._find(number)
        new = await self._begun(number)
        self._replicas[number] = new
        try:
            await asyncio.to_thread(self.front.replace, self._upstreams)
            began = time.perf_counter()
            left = await asyncio.to_thread(self.front.drained, old.upstream, drain)
            drained = time.perf_counter() - began
            sessions = await asyncio.to_thread(self.front.remove, old.upstream)
        finally:
            await _undisturbed(old.running.stop())
        return Rolled(number, old.pid, new.pid, new.start_seconds, drained, left, sessions)

    @property
    def _upstreams(self) -> list[Upstream]:
        return [each.upstream for each in self._replicas[: self._used]]

    def _find(self, number: int) -> Replica:
        if self._closed:
            raise BalanceError(f"The replicas of {self.name!r} are closed: start new ones with lab.replicas(...).")
        if not 0 <= number < len(self._replicas):
            raise BalanceError(f"There is no replica {number}: they are numbered 0 to {len(self._replicas) - 1}.")
        return self._replicas[number]

    async def close(self) -> None:
        """End the balancer and all replicas. Twice is fine."""
        if not self._closed:
            self._closed = True
            await _undisturbed(self._close())

    async def _close(self) -> None:
        await asyncio.to_thread(self.front.count)
        await asyncio.to_thread(self.front.close)
        await asyncio.gather(*(each.running.stop() for each in self._replicas))

    async def __aenter__(self) -> Replicas:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        where = "(closed)" if self._closed else self.url
        return f"<{len(self._replicas)} replicas of {self.name} behind {self.behind}, {self.balance}, at {where}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self)[1:-1])}</p>{self.replicas.as_html()}"


async def replicas(
    target: Any,
    *,
    n: int = 3,
    behind: Behind | None = None,
    balance: str = "round_robin",
    resend: bool = False,
    port: int = 0,
    server: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> Replicas:
    """Start `n` processes of a server over Streamable HTTP behind a load balancer, all on 127.0.0.1.

    `target` is a catalog name, a server's .py file, or a function that makes a server object from the number of its
    replica, each of which is then served by a thread of this kernel. A process finds its number in LAB_REPLICA.
    `behind` is "nginx", or "embedded" (the default: a reverse proxy in this process, see labkit/scaling/proxy.py).
    `balance` is round_robin, least_connections, sticky or hash; what the last two are differs, see nginx.py and
    choosing.py. `resend` lets a request that got no answer go to another replica though it may have been acted on.

    Errors: CatalogError, ConnectError, BalanceError, ServiceMissingError when there is no nginx.
    """
    if behind not in (None, "nginx", "embedded"):
        raise BalanceError(f"behind={behind!r} is no load balancer. There are 'nginx' and 'embedded'.")
    if not 1 <= n <= MOST:
        raise BalanceError(f"n={n!r}: the lab starts 1 to {MOST} replicas.")
    way = check_balance(balance)
    front: Front = (Nginx if behind == "nginx" else EmbeddedFront)(way, port=port, resend=resend)

    def make(number: int) -> RunningServer:
        own = target(number) if _makes(target) else target
        more = None if _makes(target) else {NUMBER: str(number), **(env or {})}
        plan = make_plan(own, via="http", server=server, env=more, cwd=cwd)
        if plan.running is None:
            raise ConnectError(f"{plan.shown} is already running, or is not the lab's to start: give a name or a file.")
        return plan.running

    if not isinstance(target, str | Path) and not _makes(target):
        raise ConnectError(
            f"{target!r} is one server, and each replica needs its own: give a catalog name, a .py file,"
            " or a function that makes a server from the number of its replica."
        )
    name = str(getattr(target, "__name__", target))
    return await Replicas(name, make, front, way).start(n)


def _makes(target: Any) -> bool:
    return callable(target)


def _port(url: str) -> int:
    return urlsplit(url).port or 0


async def _undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Do it to its end, even when whoever waits for it is cancelled: a process that is not ended would stay."""
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        if not doing.cancelled() and isinstance(error := doing.exception(), LabError):
            raise error from None
        raise
