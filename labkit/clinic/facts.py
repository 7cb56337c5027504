"""What decisions are made by: a handful of facts, drawn from a brief or given by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import fmean

from labkit.clinic.brief import Brief, Family

HEAVY_MS = 50.0
"""A call that computes so long is felt by everybody in its process."""
SKEWED = 10.0
"""So many times the calls of the others, and a family is scaled by itself."""
IDLE_HOURS = 16.0
"""Idle for so many hours a day, a process that is always there is mostly a bill."""
COLD_START_MS = 5_000.0
"""What the start of a container may take before the first answer."""
FEW_PEOPLE = 3
"""So few people are one team that does everything."""


@dataclass(frozen=True)
class Facts:
    """See the fields; what is not said is the simplest case."""

    tools: int = 1
    domains: int = 1
    people: int = 1
    teams: int = 1
    local: bool = False
    """Each user's host and server are on the user's own machine."""
    skew: float = 1.0
    """Calls of the busiest domain, as a multiple of the mean of the others."""
    computing: bool = False
    """A domain computes for long, next to one that somebody waits for."""
    gpu: bool = False
    zones: int = 0
    """Kinds of data that have to be kept apart from all other."""
    separate_tenants: bool = False
    """A process and a store for each tenant, by contract."""
    idle_hours: float = 0.0
    patient: bool = False
    """Everybody can wait for the start of a process."""
    sessions: bool = False
    """A call needs what was said before in its conversation."""
    layered: bool = False
    """Several domains stand on one other, and apply rules to what it has."""
    handshake: bool = False
    """Some clients are of the handshake era."""

    @classmethod
    def of(cls, brief: Brief) -> Facts:
        """The facts of a brief."""
        families = list(brief.families.values())
        peaks = sorted((family.peak for family in families), reverse=True)
        return cls(
            tools=brief.tools,
            domains=len(families),
            people=brief.people,
            teams=brief.teams,
            local=brief.where == "desktop",
            skew=peaks[0] / fmean(peaks[1:]) if len(peaks) > 1 else 1.0,
            computing=any(disturbs(one, other) for one in families for other in families),
            gpu=any(family.gpu_ms for family in families),
            zones=len({family.zone for family in families} - {""}),
            separate_tenants=brief.isolation == "process",
            idle_hours=brief.idle_hours,
            patient=min(family.promise_ms for family in families) >= COLD_START_MS,
            sessions=any(family.state == "session" for family in families),
            layered=max(Counter(family.uses for family in families if family.uses).values(), default=0) >= 2,
            handshake=brief.handshake > 0,
        )


def disturbs(one: Family, other: Family, on_gpu: bool = False) -> bool:
    """Whether calls of `one` compute so long that those of `other`, which are short, wait for them in one process."""
    long = one.computing(on_gpu)
    return one.name != other.name and long >= HEAVY_MS and other.computing(on_gpu) <= long / 5
