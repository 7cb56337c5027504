"""From a brief and a decision to a miniature of at most two processes: what runs, how quickly time passes, which calls.

*Pace*: times are multiplied by it and rates divided, which changes no load and no queue. It is below 1 where a call of
the brief takes seconds, and above where there are more calls than this kernel can make.

*Replicas*: of a part with many, two run, and get two replicas' share of its calls.

*Processes*: the part that is going to be killed has processes of its own; all others are threads of this kernel, each
with an event loop of its own. A tool that computes sleeps there, so the threads do not keep each other from work.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.clinic.brief import Brief, Family
from labkit.clinic.decision import Decision, Part
from labkit.clinic.rules import Look

MOST_CALLS = 50.0
"""Calls a second that a miniature makes."""
LEAST_CALLS = 2.0
"""Calls a second of each family, so that there is something to measure."""
LONGEST = 2.0
"""Seconds that the longest promise takes, if the pace can be chosen."""
MOST_REPLICAS = 2
TENANTS = ("a", "b")


@dataclass
class PlannedPart:
    """One part of the miniature."""

    name: str
    part: Part
    replicas: int
    killed: bool
    """Whether it is the one that is killed: then it has processes of its own."""
    tenant: str = ""
    """Whose instance it is, where each tenant has one."""

    @property
    def where(self) -> str:
        """For the table."""
        return "process" if self.killed else "thread"


@dataclass
class Plan:
    """See the module."""

    brief: Brief
    decision: Decision
    pace: float
    parts: list[PlannedPart]
    rates: dict[str, float]
    """Calls a second here, by family."""
    timeout: float
    keys: dict[str, str] = field(default_factory=dict[str, str])
    """Key -> tenant."""
    secret: str = ""

    @property
    def local(self) -> bool:
        """Whether each user has a process of their own, over stdio."""
        return self.decision.transport == "stdio"

    @property
    def gateway(self) -> bool:
        """Whether calls go through a gateway."""
        return self.decision.gateway == "yes" and not self.local

    @property
    def tenants(self) -> tuple[str, ...]:
        """Who calls: two, where there are several tenants or users."""
        return TENANTS if self.local or self.brief.tenants > 1 else TENANTS[:1]

    def promise(self, family: str) -> float:
        """Seconds within which 95 % are to be answered here."""
        return self.brief.families[family].promise_ms * self.pace / 1000

    def config(self, planned: PlannedPart, folder: Path, urls: dict[str, str]) -> dict[str, Any]:
        """What a server of a part is told; see part.py."""
        decision = self.decision
        families = {name: self._family(self.brief.families[name], urls) for name in planned.part.families}
        store = f"shared{planned.tenant}.db"
        if decision.state in ("memory", "local_file"):
            store = f"{planned.name}-{{replica}}.db"
        return {
            "name": planned.name,
            "families": families,
            "store": "memory" if decision.state == "memory" else str(folder / store),
            "stateless": decision.sessions == "stateless",
            "eras": "both" if self.gateway else decision.eras,
            "identity": decision.tenants == "identity" and decision.auth != "none" and not self.local,
            "keys": self.keys,
            "secret": self.secret,
        }

    def _family(self, family: Family, urls: dict[str, str]) -> dict[str, Any]:
        hosted = self.decision.gpu == "hosted" and family.gpu_ms
        computes = family.computing(self.decision.gpu in ("same", "own"))
        return {
            "hold": 0.0 if hosted else computes * self.pace / 1000,
            "wait": (family.waits_ms + (family.gpu_ms if hosted else 0.0)) * self.pace / 1000,
            "bytes": round(family.payload_kb * 1000),
            "keeps": family.state != "none",
            "uses": family.uses,
            "url": urls.get(family.uses, ""),
        }


def plan_of(brief: Brief, decision: Decision) -> Plan:
    """The plan of a miniature."""
    parts = _parts(brief, decision)
    share = {name: min(1.0, each.replicas / each.part.most) for each in parts for name in each.part.families}
    if decision.transport == "stdio":  # the brief's calls are those of one user, and there are two
        share = dict.fromkeys(share, float(len(TENANTS)))
    elif decision.tenants == "instance":  # two of the instances run
        share = dict.fromkeys(share, len(TENANTS) / brief.tenants)
    shared = {name: family.peak * share[name] for name, family in brief.families.items()}
    longest = max(family.promise_ms for family in brief.families.values()) / 1000
    starts = any(not part.least for part in decision.parts)  # a start takes what it takes, at any pace
    pace = max(sum(shared.values()) / MOST_CALLS, 1.0 if starts else min(1.0, LONGEST / longest))
    plan = Plan(
        brief,
        decision,
        pace,
        parts,
        {name: max(LEAST_CALLS, rate / pace) for name, rate in shared.items()},
        timeout=max(1.0, 1.1 * longest * pace),
    )
    if not plan.local and decision.auth != "none":
        plan.keys = {secrets.token_hex(16): tenant for tenant in plan.tenants}
        plan.secret = secrets.token_hex(32) if plan.gateway else ""
    return plan


def _parts(brief: Brief, decision: Decision) -> list[PlannedPart]:
    if decision.transport == "stdio" or decision.tenants == "instance":
        whole = Part(tuple(brief.families))  # of the instances of two tenants, or the programs of two users
        return [PlannedPart(f"tenant-{tenant}", whole, 1, tenant == TENANTS[0], tenant) for tenant in TENANTS]
    return [
        PlannedPart(f"part-{number}", part, min(MOST_REPLICAS, part.most), brief.incident in part.families)
        for number, part in enumerate(decision.parts)
    ]


def memory_of(look: Look, one: float) -> str:
    """What the measured memory of one process (bytes) comes to for all of the decision, as a text."""
    each = f"{one / 2**20:.0f} MB a process"
    if look.decision.transport == "stdio":
        return f"{each}, one on each user's machine"
    return f"{each}, {look.processes} at the peak: {one * look.processes / 2**30:.1f} GB"
