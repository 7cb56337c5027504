"""The server under test: raw wires and ordinary connections to it, in each era it speaks, and what it offers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.errors import ConnectError
from labkit.session.connection import Connection, connect
from labkit.session.targets import Plan, make_plan
from labkit.session.tls import Tls
from labkit.testbench.check import Figure, NotApplicable, Profile
from labkit.testbench.raw import HANDSHAKE, MODERN, Answer, RawWire
from labkit.testbench.raw_http import RawHttp
from labkit.testbench.raw_stdio import RawStdio

ERAS = (HANDSHAKE, MODERN)


@dataclass(frozen=True)
class Options:
    """How a server is tested."""

    profile: Profile = "full"
    eras: Sequence[str] = ERAS
    """The revisions to test, of those that the server speaks."""
    allow_destructive: bool = False
    """Whether tools may be called that are not marked read-only."""
    seed: int = 0
    budget: float = 60.0
    """Seconds for all checks together."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    tls: Tls | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: str | Path | None = None
    via: str | None = None
    """stdio or http, for what can be reached over both."""
    snapshot: Path | None = None
    """The file in which the contract is pinned: compared with when it is there, written when it is not."""


class Bench:
    """Where checks get the server from. Use it as a context manager: what it started ends with it."""

    def __init__(self, target: Any, options: Options) -> None:
        self.target, self.options = target, options
        self.plan: Plan = self._planned(target, options)
        self.hellos: dict[str, Answer] = {}
        """By era, what the server answered to `initialize` or `server/discover`."""
        self.opened: list[RawWire] = []
        """Every wire there was, with its transcript."""
        self.figures: list[Figure] = []
        """What checks measured."""
        self.alone = False
        """Whether a second process of it cannot run beside the first: then there is one wire at a time."""
        self._turn = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._wires: dict[str, RawWire] = {}
        self._connections: dict[str, Connection] = {}

    @staticmethod
    def _planned(target: Any, options: Options) -> Plan:
        env = dict(options.env) or None
        plan = make_plan(target, via=options.via, env=env, cwd=options.cwd, headers=options.headers, tls=options.tls)
        if plan.via != "memory":
            return plan
        plan.forget()
        # In memory there is no wire to look at: a file of the lab runs as a process, an object behind HTTP.
        via = "stdio" if isinstance(target, str | Path) else "http"
        return make_plan(target, via=via, env=env, cwd=options.cwd, headers=options.headers)

    async def __aenter__(self) -> Bench:
        await self._stack.__aenter__()
        try:
            if self.plan.running:
                await self._stack.enter_async_context(await self.plan.running.start())
            await self._find_eras()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _find_eras(self) -> None:
        # Side by side: starting a process is most of what this takes.
        wanted = [era for era in ERAS if era in self.options.eras]
        wires = await asyncio.gather(*(self._opened(era) for era in wanted), return_exceptions=True)
        failures = [wire for wire in wires if isinstance(wire, BaseException)]
        if failures:
            raise failures[0]
        opened = [wire for wire in wires if isinstance(wire, RawWire)]
        for wire, answer in zip(opened, await asyncio.gather(*(wire.greet() for wire in opened)), strict=True):
            self.hellos[wire.era] = answer
            if answer.came == "result":
                self._wires[wire.era] = wire
        await self._one_at_a_time(opened)
        for wire in opened:
            wire.pace = self._pace()
        if not self._wires:
            said = "; ".join(f"{era}: {answer.what}" for era, answer in self.hellos.items())
            if (refused := next((a for a in self.hellos.values() if a.status == 401), None)) is not None:
                challenge = refused.headers.get("www-authenticate", "none")
                raise ConnectError(
                    f"The server {self.plan.name!r} wants authorization: HTTP 401, WWW-Authenticate: {challenge}."
                    " Nothing was tested. Give it a token made for testing: --header 'Authorization: Bearer TOKEN',"
                    " or in Python headers={'Authorization': 'Bearer TOKEN'}."
                )
            if self.transport == "http" and all(answer.came == "closed" for answer in self.hellos.values()):
                raise ConnectError(self._unreached(next(answer.received for answer in self.hellos.values())))
            log = next((w.log for w in opened if isinstance(w, RawStdio)), None)
            raise ConnectError(
                f"The server {self.plan.name!r} speaks neither era ({said}).{log.last_words() if log else ''}"
                f" Check the {'command: run it by itself, and see what it prints' if log else 'URL'}."
            )

    def _unreached(self, why: str) -> str:
        plain = self.url.lower().startswith("http:")
        advice = {"ConnectError": " Is it running there?", "RemoteProtocolError": " Is https meant?" if plain else ""}
        kind = why.partition(":")[0]
        why = why.removeprefix("ConnectError: ").rstrip(".")
        return f"The server {self.plan.name!r} cannot be reached: {why}. Nothing was tested.{advice.get(kind, '')}"

    def _pace(self) -> float:
        # A process of Python answers within a second of its start, on a machine that has time for it.
        return max([1.0, *(answer.seconds for answer in self.hellos.values() if answer.came == "result")])

    async def _one_at_a_time(self, wires: Sequence[RawWire]) -> None:
        """When one process ended at once while the other spoke, it is asked again by itself."""
        ended = [wire.era for wire in wires if self.hellos[wire.era].came == "closed"]
        if not ended or not self._wires or not self.plan.params:
            return
        await self._make_room()
        self._wires[ended[0]] = wire = await self.open(ended[0])
        self._stack.push_async_callback(wire.close)
        answer = await wire.greet()
        self.alone = answer.came == "result"
        if self.alone:
            self.hellos[wire.era] = answer
            self._wires = {era: self._wires[era] for era in ERAS if era in self._wires}
        else:
            del self._wires[wire.era]

    async def _make_room(self) -> None:
        for each in (*self._wires.values(), *self._connections.values()):
            await each.close()

    async def _opened(self, era: str) -> RawWire:
        # Noted at once: when this is cancelled (Ctrl-C), the wires that are open by then are closed as well.
        wire = await self.open(era)
        self._stack.push_async_callback(wire.close)
        return wire

    @property
    def transport(self) -> str:
        """stdio or http."""
        return "stdio" if self.plan.params else "http"

    @property
    def url(self) -> str:
        """The address, for HTTP."""
        return self.plan.running.url if self.plan.running else self.plan.url

    @property
    def eras(self) -> list[str]:
        """The eras that the server speaks, of those that are tested."""
        return list(self._wires)

    async def open(self, era: str, env: Mapping[str, str] | None = None) -> RawWire:
        """A new wire; nothing is said on it yet. The caller closes it. `env` is added to what a process gets."""
        params = self.plan.params
        if params and env:
            params = params.model_copy(update={"env": {**(params.env or {}), **env}})
        wire = RawStdio(params, era) if params else self.http(era)
        wire.pace = self._pace()
        wire.text_ids = any(known.text_ids for known in self.opened)
        wire.stubborn = any(known.stubborn for known in self.opened)
        self.opened.append(wire)
        return await wire.open() if isinstance(wire, RawStdio) else wire

    def http(self, era: str, headers: Mapping[str, str] | None = None) -> RawHttp:
        """A new wire over HTTP with these headers, by default those that were given. The caller closes it."""
        return RawHttp(self.url, era, self.plan.headers if headers is None else headers, self.plan.tls)

    @asynccontextmanager
    async def wire(
        self, era: str, *, greeted: bool = True, env: Mapping[str, str] | None = None
    ) -> AsyncGenerator[RawWire]:
        """A wire of one's own, to break if need be."""
        async with self._turn if self.alone else nullcontext():
            if self.alone:
                await self._make_room()
            wire = await self.open(era, env)
            try:
                if greeted:
                    await wire.greet()
                yield wire
            finally:
                await wire.close()

    async def shared(self, era: str) -> RawWire:
        """The wire that checks share in this era; a new one when the last was broken. Leave it as you found it."""
        wire = self._wires[era]
        if not wire.alive:
            await (self._make_room() if self.alone else wire.close())
            wire = self._wires[era] = await self.open(era)
            self._stack.push_async_callback(wire.close)
            answer = await wire.greet()
            if answer.came != "result":
                raise ConnectError(f"The server {self.plan.name!r} does not start a second time: {answer.what}.")
        return wire

    async def drop(self, era: str) -> None:
        """End the shared wire: it hangs, or is out of step. The next check gets a new one."""
        await self._wires[era].close()

    async def connection(self, era: str | None = None) -> Connection:
        """The connection of the lab that checks share in this era, by default the newest."""
        era = era or self.eras[-1]
        known = self._connections.get(era)
        if known is None or known.closed:
            if self.alone:
                await self._make_room()
            target = self.url if self.transport == "http" else self.target
            via = "http" if self.transport == "http" else "stdio"
            env = dict(self.options.env) if self.transport == "stdio" else None
            headers = self.plan.headers if self.transport == "http" else None
            tls = self.plan.tls if self.transport == "http" else None
            cwd = self.options.cwd if self.transport == "stdio" else None
            known = await connect(target, via=via, era=era, env=env or None, cwd=cwd, headers=headers or None, tls=tls)
            self._connections[era] = known
            self._stack.push_async_callback(known.close)
        return known

    def capability(self, era: str, name: str) -> bool:
        """Whether the server announced `tools`, `resources`, `prompts` ... in this era."""
        found = self.hellos[era].result.get("capabilities")
        return isinstance(found, dict) and name in found

    def with_capability(self, name: str) -> list[str]:
        """The eras in which the server announced it. Raises NotApplicable when there is none."""
        eras = [era for era in self.eras if self.capability(era, name)]
        if not eras:
            raise NotApplicable(f"the server announces no {name}")
        return eras
