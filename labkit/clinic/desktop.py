"""The miniature of what runs on users' machines: two users, each with a program that the user's host starts."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import psutil

from labkit.clinic.calls import Call, Client, Stream, drive
from labkit.clinic.plan import TENANTS, Plan
from labkit.clinic.running import SERVER
from labkit.errors import LabError
from labkit.session.connection import Connection, connect
from labkit.session.link import OPEN


class Desktop:
    """Two users' programs. Use it as an async context manager."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self._folder = plan, folder
        self.first_start = 0.0
        """Seconds until the first program had been started and listed."""
        self._programs: dict[str, Connection] = {}

    async def __aenter__(self) -> Desktop:
        began = time.perf_counter()
        try:
            await asyncio.gather(*map(self._start, TENANTS))
        except BaseException:
            await self.close()
            raise
        self.first_start = time.perf_counter() - began
        return self

    async def _start(self, user: str) -> None:
        planned = next(each for each in self.plan.parts if each.tenant == user)
        env = {"CLINIC_PART": json.dumps(self.plan.config(planned, self._folder, {}))}
        eras = list(self.plan.brief.eras)
        era = eras[TENANTS.index(user) % len(eras)]
        self._programs[user] = await connect(SERVER, via="stdio", era=era, env=env)

    def address(self, family: str, tenant: str) -> tuple[str, str]:
        """Nowhere, and the tool."""
        return "", family

    def headers(self, tenant: str) -> dict[str, str]:
        """A pipe has none."""
        return {}

    def client(self, user: str) -> Client:
        """The user's host."""

        async def own() -> Connection:
            return self._programs[user]

        return Client(own, keeps=False)

    async def call(self, stream: Stream, until: asyncio.Event, timeout: float, seed: int) -> list[Call]:
        """Make the calls of a stream until the event."""

        async def act() -> str:
            try:
                program = self._programs[stream.tenant]
                result = await program.call(stream.family, timeout=timeout, check=False, progress=False)
            except LabError as failure:
                return f"{type(failure).__name__}: {failure}"[:120]
            return "tool error" if result.is_error else ""

        return await drive(stream, until, timeout, seed, act)

    def kill(self) -> None:
        """Kill one user's program."""
        if link := OPEN.get(self._programs[TENANTS[0]].id):
            link.kill()

    async def again(self) -> float:
        """The user's host starts it again. Returns the seconds that it took."""
        began = time.perf_counter()
        await self._start(TENANTS[0])
        return time.perf_counter() - began

    def memory(self) -> float:
        """Bytes that would be free if one program ended."""
        pid = self._programs[TENANTS[0]].pid
        return float(psutil.Process(pid).memory_full_info().uss) if pid else 0.0

    async def close(self) -> None:
        """End both."""
        await asyncio.gather(*(program.close() for program in self._programs.values()))

    async def __aexit__(self, *_: object) -> None:
        await self.close()
