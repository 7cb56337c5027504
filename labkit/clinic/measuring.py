"""A decision, run for a few seconds under the brief's load, with one part killed half way.

outcome = await miniature(brief, decision, fast=True)
outcome.table(); outcome.plot(); outcome.consequences
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from pathlib import Path

from labkit.clinic.brief import Brief
from labkit.clinic.calls import Call, Client, Kept, Stream, call_http, http_client, streams_of
from labkit.clinic.decision import Decision
from labkit.clinic.desktop import Desktop
from labkit.clinic.outcome import Outcome
from labkit.clinic.plan import Plan, plan_of
from labkit.clinic.running import Running
from labkit.scaling.histogram import Histogram

BEFORE, AFTER = 3.0, 2.0
"""Seconds of load before the kill, and after the part is back."""
BEFORE_FAST, AFTER_FAST = 0.7, 0.4
TICK = 0.02


async def miniature(brief: Brief, decision: Decision, *, fast: bool = False, seed: int = 0) -> Outcome:
    """Run the decision: at most two server processes of this machine, some seconds (about 4 when `fast`).

    Texts are kept, the brief's calls are made by clients of its eras, the part with the brief's incident is killed and
    started again, and the texts are asked for. Raises LabError when something cannot be started.
    """
    plan = plan_of(brief, decision)
    hush = _Hush()
    logging.getLogger("uvicorn.error").addFilter(hush)  # servers end here on purpose, with streams open
    try:
        with tempfile.TemporaryDirectory(prefix="labkit-clinic-", ignore_cleanup_errors=True) as folder:
            place = Path(folder)
            if plan.local:
                async with Desktop(plan, place) as desktop:
                    return await _measured(plan, desktop, fast, seed)
            async with Running(plan, place) as running:
                return await _measured(plan, running, fast, seed)
    finally:
        logging.getLogger("uvicorn.error").removeFilter(hush)


async def _measured(plan: Plan, served: Running | Desktop, fast: bool, seed: int) -> Outcome:
    outcome = Outcome(plan, first_start=served.first_start, memory=served.memory())
    kept = [_kept(plan, served, family, tenant, era) for family, tenant, era in _keepers(plan)]
    await asyncio.gather(*(each.keep() for each in kept))
    over, clock = asyncio.Event(), time.perf_counter
    eras = {"": 1.0} if plan.local else dict(plan.brief.eras)  # a user's program has one connection, of one era
    streams = streams_of(plan.rates, plan.tenants, eras)
    began = clock()
    lag = Histogram()
    watching = asyncio.ensure_future(_watch(lag))
    calling = [asyncio.ensure_future(_calls(plan, served, each, over, seed + n)) for n, each in enumerate(streams)]
    try:
        await asyncio.sleep(BEFORE_FAST if fast else BEFORE)
        await asyncio.gather(*(each.look() for each in kept))
        outcome.killed_at = clock() - began
        served.kill()
        outcome.start_again = await served.again()
        outcome.back_at = clock() - began
        await asyncio.sleep(AFTER_FAST if fast else AFTER)
        await asyncio.gather(*(each.look(after=True) for each in kept))
        over.set()
        outcome.calls = [call for calls in await asyncio.gather(*calling) for call in calls]
    finally:
        over.set()
        watching.cancel()
        await asyncio.gather(watching, *calling, return_exceptions=True)
        await asyncio.gather(*(each.client.close() for each in kept))
    outcome.kept, outcome.lag = kept, lag.percentile(95)
    return outcome


async def _watch(lag: Histogram) -> None:
    """How much later than wanted this kernel wakes up: what its own work and that of others on the machine add."""
    clock = time.perf_counter
    while True:
        began = clock()
        await asyncio.sleep(TICK)
        lag.record(max(0.0, clock() - began - TICK))


async def _calls(plan: Plan, served: Running | Desktop, stream: Stream, over: asyncio.Event, seed: int) -> list[Call]:
    if isinstance(served, Desktop):
        return await served.call(stream, over, plan.timeout, seed)
    return await call_http(served, stream, over, plan.timeout, seed)


def _keepers(plan: Plan) -> list[tuple[str, str, str]]:
    """Family, tenant and era of each client that keeps texts."""
    keeping = [name for name, family in plan.brief.families.items() if family.state != "none"]
    eras = list(plan.brief.eras)[:1] if plan.local else list(plan.brief.eras)
    return [(family, tenant, era) for family in keeping for tenant in plan.tenants for era in eras]


def _kept(plan: Plan, served: Running | Desktop, family: str, tenant: str, era: str) -> Kept:
    client = _client(served, family, tenant, era)
    _, tool = served.address(family, tenant)
    return Kept(family, tool, client, f"{tenant}, {era}", era)


def _client(served: Running | Desktop, family: str, tenant: str, era: str) -> Client:
    return served.client(tenant) if isinstance(served, Desktop) else http_client(served, family, tenant, era)


class _Hush(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return False
