"""Rules on the packaging: what shares a process, and how many servers there are."""

# pyright: reportUnusedFunction=false

from __future__ import annotations

from labkit.clinic.facts import FEW_PEOPLE, disturbs
from labkit.clinic.guidance import guide
from labkit.clinic.rules import Look, listed, rule

ONE = ("local", "monolith", "serverless", "per_tenant")
ARCHITECTURES, GATEWAY, DEPLOYMENT = "24_architectures", "25_gateway", "31_deployment"


@rule(
    "not-what-it-says",
    "error",
    "packaging",
    "Whoever reads the decision builds something else than whoever drew it.",
    at=f"{ARCHITECTURES}#packings-md",
)
def _(look: Look) -> str | None:
    count, packaging = len(look.decision.parts), look.decision.packaging
    if packaging == "monolith" and count > 1:
        return f"A monolith with {count} servers is none."
    if packaging in ("hybrid", "specialised", "layered") and not 2 <= count <= 4:
        there = "is one" if count == 1 else f"are {count}"
        return f"{packaging.capitalize()} means two to four servers, and there {there}."
    if packaging == "microservices" and (count < 2 or any(len(part.families) > 1 for part in look.decision.parts)):
        return "Microservices means a server for each domain, and here some share one."
    if packaging == "per_tenant" and look.decision.tenants != "instance":
        return "An instance for each tenant is chosen as the packaging, and not for the tenants."
    return None


@rule(
    "more-servers-than-people",
    "error",
    "packaging",
    "Each server has releases, alerts, secrets and an address; a small team pays for them with the time for the tools.",
    at=f"{ARCHITECTURES}#which",
    exercise="32_one_or_several",
)
def _(look: Look) -> str | None:
    count = len(look.decision.parts)
    if look.brief.people <= FEW_PEOPLE and count > 2:
        return f"{look.brief.people} people would look after {count} servers."
    if look.decision.packaging == "microservices" and look.brief.teams == 1:
        return "One team would release a server for each domain, all on the same day."
    return None


@rule(
    "teams-share-a-server",
    "warning",
    "packaging",
    "A release waits for the slowest of them, and one team's mistake is the outage of all.",
    at=f"{ARCHITECTURES}#which",
)
def _(look: Look) -> str | None:
    for part in look.decision.parts:
        teams = list(dict.fromkeys(family.team for family in look.families(part)))
        if len(teams) > 1:
            return f"The teams {listed(teams)} share the server {part.name}."
    return None


@rule(
    "busy-neighbour",
    "error",
    "packaging",
    "While it computes, its process answers nobody: everyone else in it waits, at little traffic, too.",
    at=f"{ARCHITECTURES}#crunch-read",
    exercise="24_what_survives",
)
def _(look: Look) -> str | None:
    if look.decision.gpu == "hosted":
        return None
    for part in look.decision.parts:
        families = look.families(part)
        for one in families:
            others = [other.name for other in families if disturbs(one, other, look.gpu)]
            if others:
                return (
                    f"{one.name} computes {one.computing(look.gpu):g} ms a call, in one process with {listed(others)}."
                )
    return None


@rule(
    "gpu-with-the-rest",
    "error",
    "packaging",
    "Each replica then pays for a GPU, and what needs none goes down with what uses up its memory.",
    at=f"{ARCHITECTURES}#crunch-read",
)
def _(look: Look) -> str | None:
    for part in look.decision.parts:
        others = [family.name for family in look.families(part) if not family.gpu_ms]
        if look.gpu and others and len(others) < len(part.families):
            return f"{listed(others)} share a server with what runs on the GPU."
    return "Every server gets a GPU." if look.decision.gpu == "same" and len(look.decision.parts) > 1 else None


@rule(
    "gpu-missing",
    "error",
    "capacity",
    "On a processor the call takes longer than was promised, before anybody waits.",
    at=f"{ARCHITECTURES}#crunch-read",
)
def _(look: Look) -> str | None:
    slow = [f for f in look.brief.families.values() if f.gpu_ms and look.decision.gpu == "none"]
    if slow:
        return f"{slow[0].name} takes {slow[0].computes_ms:g} ms without a GPU, and {slow[0].gpu_ms:g} ms with one."
    return None


@rule(
    "gpu-for-nothing",
    "warning",
    "cost",
    "A GPU that no tool uses is the dearest way to be idle.",
    at=f"{DEPLOYMENT}#which",
)
def _(look: Look) -> str | None:
    needed = any(family.gpu_ms for family in look.brief.families.values())
    return None if needed or look.decision.gpu == "none" else "No tool of this brief needs a GPU."


@rule(
    "zones-meet",
    "error",
    "packaging",
    "One process has the secrets of both: a mistake in either tool, or an injected instruction, reaches all of it.",
    at="23_permissions_and_secrets#which",
    exercise="23_handles",
)
def _(look: Look) -> str | None:
    for part in look.decision.parts:
        zones = list(dict.fromkeys(family.zone or "other" for family in look.families(part)))
        if len(zones) > 1:
            return f"The server {part.name} has data of the zones {listed(zones)}."
    return None


@rule(
    "layer-cut-wrongly",
    "error",
    "packaging",
    "What is below must be usable by all above it; in one server with one of them it is that one's.",
    at=f"{ARCHITECTURES}#layers-md",
    exercise="24_layers",
)
def _(look: Look) -> str | None:
    if look.decision.packaging != "layered":
        return None
    used = {family.uses for family in look.brief.families.values() if family.uses}
    if not used:
        return "Nothing here stands on anything else, so there are no layers."
    mixed = [part.name for part in look.decision.parts if used & set(part.families) and not used >= set(part.families)]
    return f"The server {mixed[0]} is both layers." if mixed else None


@rule(
    "gateway-missing",
    "error",
    "packaging",
    "Each client has to know every address, and each server checks, limits and records for itself.",
    at=f"{GATEWAY}#which",
    exercise="25_write_a_router",
)
def _(look: Look) -> str | None:
    if look.decision.gateway == "yes":
        return None
    if look.decision.sessions == "gateway":
        return "The gateway is to hold the sessions, and there is none."
    if len(look.decision.parts) > 3:
        return f"{len(look.decision.parts)} servers stand side by side without a gateway."
    if look.decision.tenants == "instance" and look.decision.transport != "stdio":
        return (
            f"{look.brief.tenants} instances have {look.brief.tenants} addresses, and nobody leads tenants to theirs."
        )
    return None


@rule(
    "gateway-for-one",
    "warning",
    "cost",
    "It is another process, another hop, and another thing that takes everything along when it fails.",
    at=f"{GATEWAY}#latency-md",
)
def _(look: Look) -> str | None:
    needed = len(look.decision.parts) > 1 or look.decision.tenants == "instance" or look.decision.sessions == "gateway"
    return None if needed or look.decision.gateway == "no" else "A gateway stands before a single server."


@rule(
    "network-for-one-machine",
    "error",
    "packaging",
    "Files and users are on the machine already; a port has to be guarded, and a network to be there.",
    at="05_transports#choose",
    exercise="15_mend_the_entry",
)
def _(look: Look) -> str | None:
    if look.brief.where == "desktop" and look.decision.transport != "stdio":
        return "Everything is on one user's machine, and it is served over the network."
    return None


@rule(
    "stdio-for-many",
    "error",
    "packaging",
    "A pipe has one client, on the same machine: no second user, no balancer, no second replica.",
    at="05_transports#choose",
)
def _(look: Look) -> str | None:
    if look.brief.where == "network" and (look.decision.transport == "stdio" or look.decision.packaging == "local"):
        return "Clients come over the network, and the server speaks stdio."
    return None


@rule(
    "another-than-the-guide",
    "warning",
    "packaging",
    "It can be right. Then say which fact of the brief the guide does not know, or weighs wrongly.",
    at="32_architecture_clinic#guide-md",
    exercise="32_one_or_several",
)
def _(look: Look) -> str | None:
    advice = guide(look.facts)
    if advice.packaging == look.decision.packaging:
        return None
    return f"The guide says {advice.packaging}, because {advice.reasons[0]}; here it is {look.decision.packaging}."
