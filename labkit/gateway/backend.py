"""One configured server: its peers, when they start, which of them takes a request, and what happens when one is lost.

A backend has one peer, or several that do the same work (`instances` of a command, `replicas` of a URL). A peer that is
lost is opened again in the background, after a pause that doubles up to `MAX_PAUSE`; until then the others take its
requests. When none is left, requests are refused at once with the time of the next attempt: they take nobody else down.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from mcp_types import METHOD_NOT_FOUND

from labkit.errors import CallTimeoutError, ConnectError, ConnectionClosedError, LabError, ResultError, RpcError
from labkit.gateway.peer import MODERN, Caller, Json, OnEvent, OnLost, Peer
from labkit.patterns.failures import Unavailable

Make = Callable[[OnEvent, OnLost], Peer]
"""Makes a peer, not yet open, that is told where to say what it hears and that it is lost."""
State = Literal["cold", "starting", "ready", "lost", "closed"]

FIRST_PAUSE = 0.2
MAX_PAUSE = 15.0
PATIENCE = 10.0
"""Seconds that a request waits for a peer that is being opened."""
PAGES = 100

LISTS = {
    "tools": ("tools/list", "tools"),
    "resources": ("resources/list", "resources"),
    "templates": ("resources/templates/list", "resourceTemplates"),
    "prompts": ("prompts/list", "prompts"),
}
"""Kind -> the method that lists it, and the member of its result."""
CAPABILITY = {"tools": "tools", "resources": "resources", "templates": "resources", "prompts": "prompts"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Health:
    """What is known of one backend. `pid`s are those of processes that the gateway started."""

    name: str
    state: State
    peers: int
    ready: int
    in_flight: int
    restarts: int
    era: str
    last_error: str = ""
    pids: tuple[int, ...] = ()


@dataclass
class Slot:
    """A place for one peer, which may be opened many times."""

    make: Callable[[Slot], Peer]
    peer: Peer | None = None
    state: State = "cold"
    failures: int = 0
    restarts: int = 0
    next_try: float = 0.0
    error: str = ""
    opening: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def in_flight(self) -> int:
        return self.peer.in_flight if self.peer is not None else 0


class Backend:
    """See the module. A `make` gives a new peer, not yet open, that is told `on_event` and `on_lost`; one for each
    place."""

    def __init__(
        self,
        name: str,
        makes: Collection[Make],
        *,
        balance: Literal["round_robin", "least_loaded"] = "round_robin",
        timeout: float | None = 30.0,
        on_event: Callable[[Backend, str, Json], None] | None = None,
        on_ready: Callable[[Backend], None] | None = None,
        older: Callable[[], Backend] | None = None,
    ) -> None:
        self.name, self.timeout = name, timeout
        self._make_older, self._older = older, None
        self._balance = balance
        self._on_event, self._on_ready = on_event, on_ready
        self._turn = 0
        self._closing = False
        self._watched: frozenset[str] = frozenset()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.slots = [Slot(self._maker(make)) for make in makes]
        self.lists: dict[str, list[Json]] = {kind: [] for kind in LISTS}
        self.listed = False

    def _maker(self, make: Make) -> Callable[[Slot], Peer]:
        def new(slot: Slot) -> Peer:
            return make(self._heard, lambda error: self._lost(slot, error))

        return new

    # what it is ----------------------------------------------------------------------------------

    @property
    def peer(self) -> Peer | None:
        """A peer that is ready, or None."""
        return next((slot.peer for slot in self.slots if slot.state == "ready"), None)

    @property
    def state(self) -> State:
        """The best state of its places."""
        states = {slot.state for slot in self.slots}
        order: tuple[State, ...] = ("ready", "starting", "lost", "cold", "closed")
        return next(state for state in order if state in states)

    @property
    def in_flight(self) -> int:
        """Requests that wait for an answer of this backend."""
        older = self._older.in_flight if self._older is not None else 0
        return sum(slot.in_flight for slot in self.slots) + older

    async def older(self) -> Backend | None:
        """The same server, spoken to in the handshake era; None where a second connection would be another server (a
        process has its state to itself), or where the server does not speak it."""
        if self._older is None and self._make_older is not None:
            self._older = self._make_older()
        if self._older is None:
            return None
        try:
            await self._older.awaited()
        except Unavailable:
            return None
        return self._older

    def health(self) -> Health:
        """A look at it, which asks nobody."""
        peer = self.peer
        pids = tuple(pid for slot in self.slots if (pid := getattr(slot.peer, "pid", None)))
        return Health(
            self.name,
            self.state,
            len(self.slots),
            sum(slot.state == "ready" for slot in self.slots),
            self.in_flight,
            sum(slot.restarts for slot in self.slots),
            peer.era if peer else "",
            next((slot.error for slot in self.slots if slot.error), ""),
            pids,
        )

    # opening, losing, closing --------------------------------------------------------------------

    async def open(self) -> None:
        """Open all places; raises ConnectError when not one of them can be opened (they are tried again later)."""
        await asyncio.gather(*(self._opening(slot) for slot in self.slots), return_exceptions=True)
        if self.state != "ready":
            raise ConnectError(self._why_not())

    def _opening(self, slot: Slot) -> asyncio.Task[None]:
        if slot.opening is None or slot.opening.done():
            slot.opening = self._spawn(self._open(slot))
        return slot.opening

    async def _open(self, slot: Slot) -> None:
        if slot.state in ("ready", "closed") or self._closing:
            return
        again, slot.state = slot.state == "lost", "starting"
        peer = slot.make(slot)
        try:
            await peer.open()
            with suppress(RpcError):  # it does not tell of changes: then nobody hears of them
                await peer.watch(self._watched)  # before listing, so that no change falls between the two
            if not self.listed or again:
                await self._list(peer)
        except (LabError, asyncio.CancelledError) as error:
            with suppress(LabError):
                await peer.close()
            if isinstance(error, LabError):
                self._lost(slot, error)
            else:
                slot.state = "cold"
                raise
            return
        slot.peer, slot.state, slot.error, slot.failures = peer, "ready", "", 0
        slot.restarts += again
        if self._closing:
            await self._shut(slot)
        elif self._on_ready:
            self._on_ready(self)

    def _lost(self, slot: Slot, error: LabError) -> None:
        if self._closing or slot.state in ("lost", "closed"):
            return
        peer, slot.peer = slot.peer, None
        slot.state, slot.error = "lost", str(error).strip()
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2**slot.failures) * random.uniform(0.8, 1.2)
        slot.failures += 1
        slot.next_try = time.monotonic() + pause
        self._spawn(self._revive(slot, peer, pause))

    async def _revive(self, slot: Slot, dead: Peer | None, pause: float) -> None:
        if dead is not None:
            # One that nobody can be connected to any more may still answer on connections that it has.
            until = time.monotonic() + (self.timeout or PATIENCE)
            while dead.alive and dead.in_flight and time.monotonic() < until:
                await asyncio.sleep(0.02)
            with suppress(LabError):
                await dead.close()
        await asyncio.sleep(max(0.0, slot.next_try - time.monotonic()))
        if slot.opening is not None:  # the attempt that failed may still be cleaning up
            await asyncio.wait((slot.opening,))
        if slot.state == "lost" and not self._closing:
            await asyncio.shield(self._opening(slot))

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=f"gateway-{self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, patience: float) -> bool:
        """Wait until no request is in flight; False when some still were after `patience` seconds."""
        deadline = time.monotonic() + patience
        while self.in_flight and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return not self.in_flight

    async def close(self) -> None:
        """End all peers. Requests still in flight end with ConnectionClosedError."""
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._shut(slot) for slot in self.slots))
        if self._older is not None:
            await self._older.close()

    async def _shut(self, slot: Slot) -> None:
        peer, slot.peer, slot.state = slot.peer, None, "closed"
        if peer is not None:
            with suppress(LabError):
                await peer.close()

    # asking --------------------------------------------------------------------------------------

    async def request(
        self, method: str, params: Json, caller: Caller | None = None, *, timeout: float | None = None
    ) -> Json:
        """Ask one of the peers. Raises RpcError for an error answer, Unavailable when nobody can answer now.

        A request that has not left goes to the next peer that is ready, if there is one.
        """
        caller = caller or Caller()
        within = self.timeout if timeout is None else timeout
        while True:
            slot = self._ready() or await self._awaited()
            peer = slot.peer
            assert peer is not None
            try:
                return await peer.request(method, params, caller, timeout=within)
            except CallTimeoutError as error:
                raise Unavailable(f"{self.name} did not answer in time: {error}", reason="timeout") from error
            except ResultError as error:
                # What it said is not for clients' eyes: it is the text of a server that has lost its way.
                logger.warning("%s", error)
                raise Unavailable(f"{self.name} answered {method} with what is no answer.") from error
            except (ConnectionClosedError, ConnectError) as error:
                # A stateless peer never ends by itself; that nobody can be connected to is as good a sign.
                if slot.peer is peer and not (peer.alive and caller.sent):  # there may be another one by now
                    self._lost(slot, error)
                if caller.sent or self._closing or self._ready() is None:
                    said = f"{self.name} was lost during {method}: {error}"
                    raise Unavailable(said, retry_after=self._wait()) from error

    def _ready(self) -> Slot | None:
        slots = self.slots
        if len(slots) == 1:
            return slots[0] if slots[0].state == "ready" else None
        ready = [slot for slot in slots if slot.state == "ready"]
        if not ready:
            return None
        if self._balance == "least_loaded":
            return min(ready, key=lambda slot: slot.in_flight)
        self._turn += 1
        return ready[self._turn % len(ready)]

    async def awaited(self) -> Peer:
        """A peer that is ready, soon. Raises Unavailable."""
        slot = self._ready() or await self._awaited()
        assert slot.peer is not None
        return slot.peer

    async def _awaited(self) -> Slot:
        if self._closing:
            raise Unavailable(f"The gateway is shutting down, and {self.name} with it.", reason="unavailable")
        waiting = [self._opening(slot) for slot in self.slots if slot.state in ("cold", "starting")]
        if waiting:
            await asyncio.wait(waiting, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        slot = self._ready()
        if slot is None:
            raise Unavailable(self._why_not(), retry_after=self._wait())
        return slot

    def _why_not(self) -> str:
        why = next((slot.error for slot in self.slots if slot.error), "it has not started yet")
        return f"{self.name} cannot be reached: {why}"

    def _wait(self) -> float:
        now = time.monotonic()
        return max(0.0, min((slot.next_try - now for slot in self.slots if slot.state == "lost"), default=0.0))

    async def notify(self, method: str, params: Json) -> None:
        """Tell all peers that are ready."""
        for slot in self.slots:
            if slot.peer is not None and slot.state == "ready":
                with suppress(LabError):
                    await slot.peer.notify(method, params)

    async def log_all(self) -> None:
        """Have its peers of the handshake era log whatever they can: what who wants to hear is decided further out."""
        for slot in self.slots:
            peer = slot.peer
            if peer is not None and slot.state == "ready" and peer.era < MODERN and "logging" in peer.capabilities:
                with suppress(LabError):
                    await peer.request("logging/setLevel", {"level": "debug"}, timeout=self.timeout)
        if self._older is not None:
            await self._older.log_all()

    async def watch(self, uris: Collection[str]) -> None:
        """Hear of updates of exactly these resources, now and after a restart."""
        self._watched = frozenset(uris)
        for slot in self.slots:
            if slot.peer is not None and slot.state == "ready":
                with suppress(LabError):
                    await slot.peer.watch(self._watched)

    async def refresh(self) -> None:
        """List what it has anew. Raises LabError."""
        await self._list(await self.awaited())

    async def _list(self, peer: Peer) -> None:
        lists = await asyncio.gather(*(self._listed(peer, kind) for kind in LISTS))
        self.lists, self.listed = dict(zip(LISTS, lists, strict=True)), True

    async def _listed(self, peer: Peer, kind: str) -> list[Json]:
        if CAPABILITY[kind] not in peer.capabilities:
            return []
        method, member = LISTS[kind]
        items: list[Json] = []
        params: Json = {}
        for _ in range(PAGES):
            try:
                result = await peer.request(method, params, timeout=self.timeout)
            except RpcError as error:
                if error.code == METHOD_NOT_FOUND:
                    return items
                raise
            items += result.get(member) or []
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str) or params.get("cursor") == cursor:
                break
            params = {"cursor": cursor}
        return items

    def _heard(self, method: str, params: Json) -> None:
        if self._on_event:
            self._on_event(self, method, params)
