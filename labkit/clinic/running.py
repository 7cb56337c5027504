"""The packaging of a miniature, running: replicas behind the embedded balancer, a gateway, a part to kill."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from labkit.clinic import part as part_module
from labkit.clinic.part import MODERN, make_server, one_era
from labkit.clinic.plan import Plan, PlannedPart
from labkit.gateway.front import Gateway
from labkit.scaling.pool import Replicas, replicas

SERVER = Path(part_module.__file__)


class Running:
    """The parts of a plan that speak HTTP. Use it as an async context manager."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self._folder = plan, folder
        self.pools: dict[str, Replicas] = {}
        self.gateway: Gateway | None = None
        self.door = asyncio.Event()
        self.door.set()
        self._front = ""
        self._urls: dict[str, str] = {}

    async def __aenter__(self) -> Running:
        try:
            uses = [any(self.plan.brief.families[n].uses for n in each.part.families) for each in self.plan.parts]
            for upper in (False, True):  # who stands on others has to be told where they are
                wave = [each for each, above in zip(self.plan.parts, uses, strict=True) if above is upper]
                done = await asyncio.gather(*map(self._start, wave), return_exceptions=True)
                for each in done:
                    if isinstance(each, BaseException):
                        raise each
            if self.plan.gateway:
                await self._open_gateway()
        except BaseException:
            await self.close()
            raise
        return self

    async def _start(self, planned: PlannedPart) -> None:
        config = self.plan.config(planned, self._folder, self._urls)
        balance = "sticky" if self.plan.decision.sessions == "sticky" else "round_robin"
        if planned.killed:
            env = {"CLINIC_PART": json.dumps(config)}
            pool = await replicas(SERVER, n=planned.replicas, balance=balance, env=env)
        else:

            def made(number: int) -> Any:
                return make_server(number, config)

            pool = await replicas(made, n=planned.replicas, balance=balance)
        self.pools[planned.name] = pool
        self._urls |= dict.fromkeys(planned.part.families, pool.url)

    async def _open_gateway(self) -> None:
        plan = self.plan
        per_tenant = any(each.tenant for each in plan.parts)
        servers = {
            each.name: {
                "url": self.pools[each.name].url,
                "gateway": {"prefix": each.tenant if per_tenant else "", "era": MODERN},
            }
            for each in plan.parts
        }
        policy: dict[str, Any] = {}
        if plan.keys:
            policy["identity"] = {
                "keys": [
                    {"principal": tenant, "sha256": hashlib.sha256(key.encode()).hexdigest(), "roles": [tenant]}
                    for key, tenant in plan.keys.items()
                ]
            }
            own = {tenant: {"tools": [f"{tenant}.*" if per_tenant else "*"]} for tenant in plan.keys.values()}
            policy |= {"roles": own, "sign": {"secret": plan.secret}}
        self.gateway = await Gateway.of(servers, policy).open()
        eras = plan.decision.eras
        if eras != "both":
            self.gateway.server.middleware.append(partial(one_era, eras))
        self._front = await self.gateway.start(relay=eras == "both")
        await self.gateway.awake()

    @property
    def killed(self) -> Replicas:
        """The part that is killed."""
        return self.pools[next(each.name for each in self.plan.parts if each.killed)]

    def address(self, family: str, tenant: str) -> tuple[str, str]:
        """URL and name of a family's tool for a tenant; the name is a prefix of the other tools' names, too."""
        planned = next(each for each in self.plan.parts if family in each.part.families and each.tenant in ("", tenant))
        if not self.gateway:
            return self.pools[planned.name].url, family
        return self._front, f"{planned.tenant}.{family}" if planned.tenant else family

    def headers(self, tenant: str) -> dict[str, str]:
        """What a client of a tenant sends along."""
        own = [key for key, whose in self.plan.keys.items() if whose == tenant]
        return {part_module.KEY: own[0]} if own else {}

    def kill(self) -> None:
        """Kill one process of the part, as if its memory had run out."""
        self.killed.kill(0)
        if not next(each.part.least for each in self.plan.parts if each.killed):
            self.door.clear()

    async def again(self) -> float:
        """Start it again at its address, as whatever watches over it does. Returns the seconds that it took."""
        began = time.perf_counter()
        await self.killed.restart(0)
        self.door.set()
        return time.perf_counter() - began

    @property
    def first_start(self) -> float:
        """Seconds until a process of the part accepted connections."""
        return max(each.start_seconds for each in self.killed.replicas)

    def memory(self) -> float:
        """Bytes that would be free if one process of the part ended."""
        pids = [each.pid for each in self.killed.replicas if each.state == "running" and each.pid]
        return max((psutil.Process(pid).memory_full_info().uss for pid in pids), default=0.0)

    async def close(self) -> None:
        """End all of it."""
        gateway, self.gateway = self.gateway, None
        if gateway is not None:
            await gateway.close(patience=1.0)
        await asyncio.gather(*(pool.close() for pool in self.pools.values()))

    async def __aexit__(self, *_: object) -> None:
        await self.close()
