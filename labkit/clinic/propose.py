"""A whole decision made by the guide: what the clinic would build, to compare one's own with."""

from __future__ import annotations

from math import ceil

from labkit.clinic.brief import Brief, Family
from labkit.clinic.decision import MOST_REPLICAS, Decision, Part
from labkit.clinic.facts import HEAVY_MS, Facts
from labkit.clinic.guidance import guide

ROOM = 0.6
"""The share of its time that a replica is to be busy at the peak: the rest is for chance."""
NEEDS_TWO = 99.5
"""From this availability (percent) on, one replica is too few: each restart of it is an outage."""


def proposal(brief: Brief) -> Decision:
    """What the clinic would decide. Others can be defended."""
    advice = guide(Facts.of(brief))
    packaging, local = advice.packaging, advice.packaging == "local"
    gpu = any(family.gpu_ms for family in brief.families.values())
    durable = any(family.state == "durable" for family in brief.families.values())
    session = any(family.state == "session" for family in brief.families.values())
    parts = tuple(_sized(brief, names, packaging, gpu) for names in _groups(brief, packaging))
    grows = any(part.least < part.most for part in parts)
    families = list(brief.families.values())
    computes, waits = load_of(families, gpu), waiting_of(families)
    return Decision.of(
        brief,
        packaging=packaging,
        parts=parts,
        transport="stdio" if local else "http",
        eras="both",
        sessions="gateway" if advice.gateway else "stateless",
        state="local_file" if local else "database" if durable else "redis" if session else "memory",
        scaling="none" if not grows else "queue" if waits >= computes or gpu else "cpu",
        tenants="instance" if local or packaging == "per_tenant" else "identity" if brief.tenants > 1 else "together",
        auth="none" if local else "oauth",
        audit=brief.audit,
        limits="none" if local else "tenant" if brief.tenants > 1 else "caller",
        gateway="yes" if advice.gateway else "no",
        gpu="own" if gpu else "none",
        target=_target(brief, packaging),
    )


def _groups(brief: Brief, packaging: str) -> list[tuple[str, ...]]:
    families = list(brief.families.values())
    if packaging in ("local", "monolith", "serverless", "per_tenant"):
        return [tuple(brief.families)]
    if packaging == "microservices":
        return [(family.name,) for family in families]
    keys: dict[tuple[object, ...], list[str]] = {}
    used = {family.uses for family in families}
    for family in families:
        if packaging == "layered":
            key: tuple[object, ...] = (family.name in used,)
        elif packaging == "specialised":
            key = (bool(family.gpu_ms), family.zone)
        else:
            key = (family.zone, family.team, family.computes_ms >= HEAVY_MS)
        keys.setdefault(key, []).append(family.name)
    return [tuple(names) for names in keys.values()]


def _sized(brief: Brief, names: tuple[str, ...], packaging: str, gpu: bool) -> Part:
    if packaging == "local":
        return Part(names)
    load = load_of([brief.families[name] for name in names], gpu)
    if packaging == "per_tenant":
        load /= brief.tenants
    most = min(MOST_REPLICAS, max(1, ceil(load / ROOM)))
    if packaging == "serverless":
        return Part(names, 0, most)
    if packaging == "per_tenant" or (gpu and any(brief.families[name].gpu_ms for name in names)):
        return Part(names, most, most)  # a second one for each tenant, or a second GPU, is more than it is worth
    least = 2 if brief.availability >= NEEDS_TWO else 1
    return Part(names, least, max(least, most))


def load_of(families: list[Family], on_gpu: bool) -> float:
    """Processes that are busy at the peak, on average (erlangs): calls a second times seconds of computing."""
    return sum(family.peak * family.computing(on_gpu) for family in families) / 1000


def waiting_of(families: list[Family]) -> float:
    """Calls that wait for something else at the peak, on average: calls a second times seconds of waiting."""
    return sum(family.peak * family.waits_ms for family in families) / 1000


def _target(brief: Brief, packaging: str) -> str:
    if packaging == "local":
        return "desktop"
    if packaging == "serverless":
        return "serverless"
    return "kubernetes" if brief.people > 5 else "compose"
