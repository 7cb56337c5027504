"""Rules on trust: who calls, whose data it is, what is recorded, what is refused."""

# pyright: reportUnusedFunction=false

from __future__ import annotations

from labkit.clinic.rules import Look, rule

IDENTITY, AUDIT = "22_identity", "21_untrusted_output"


@rule(
    "open-door",
    "error",
    "trust",
    "Whoever reaches the port may call everything.",
    at=f"{IDENTITY}#three-md",
    exercise="22_opener",
)
def _(look: Look) -> str | None:
    if look.decision.auth == "none" and look.decision.transport != "stdio":
        return "It listens on a network, and asks nobody who they are."
    return None


@rule(
    "token-passed-on",
    "error",
    "trust",
    "Whatever is behind can do with it what its owner can, everywhere; and takes tokens that were never meant for it.",
    at="25_gateway#principal-look-md",
    exercise="25_token_passthrough",
)
def _(look: Look) -> str | None:
    return "The client's token is handed on." if look.decision.auth == "passthrough" else None


@rule(
    "tenants-mixed",
    "error",
    "trust",
    "What a caller says of itself, a model can be talked into saying.",
    at="13_data_flow#no-user-md",
    exercise="13_whose_data",
)
def _(look: Look) -> str | None:
    if look.brief.tenants > 1 and look.decision.tenants == "together" and look.brief.isolation != "none":
        return f"{look.brief.tenants} tenants share one store, told apart by what is said."
    return None


@rule(
    "identity-without-proof",
    "error",
    "trust",
    "There is nothing to tell them apart by.",
    at=f"{IDENTITY}#three-read",
    exercise="13_whose_data",
)
def _(look: Look) -> str | None:
    if look.decision.tenants == "identity" and look.decision.auth == "none":
        return "Tenants are told apart by who has proved to be calling, and nobody proves anything."
    return None


@rule(
    "not-what-the-contract-says",
    "error",
    "trust",
    "A check in a tool isolates data until one check is forgotten; a process that never reads it cannot mix it up.",
    at="24_architectures#shared-read",
)
def _(look: Look) -> str | None:
    if look.brief.isolation == "process" and look.decision.tenants != "instance":
        return "The contract demands a process and a store for each tenant."
    return None


@rule(
    "instance-for-nothing",
    "warning",
    "cost",
    "Each instance is a process that is paid for, updated and watched.",
    at="24_architectures#cost-read",
)
def _(look: Look) -> str | None:
    if look.decision.tenants == "instance" and look.brief.isolation != "process" and look.brief.where == "network":
        return f"{look.brief.tenants} instances, and nothing in the brief asks for them."
    return None


@rule(
    "audit-missing",
    "error",
    "trust",
    "What was not written down then cannot be shown later.",
    at=f"{AUDIT}#trail-read",
    exercise="21_read_the_audit",
)
def _(look: Look) -> str | None:
    order = ("none", "calls", "tenant")
    if order.index(look.decision.audit) < order.index(look.brief.audit):
        wanted = {"calls": "every call", "tenant": "a trail for each tenant"}[look.brief.audit]
        return (
            f"Asked for is {wanted}; kept {'is nothing' if look.decision.audit == 'none' else 'are all in one trail'}."
        )
    return None


@rule(
    "data-leaves",
    "error",
    "trust",
    "The brief says that it may not.",
    at=f"{AUDIT}#which",
)
def _(look: Look) -> str | None:
    if look.decision.gpu == "hosted" and not look.brief.outside:
        return "What is to be computed is sent to a service of somebody else."
    if look.brief.where == "desktop" and not look.brief.outside and look.decision.target != "desktop":
        return "Files leave the user's machine."
    return None


@rule(
    "no-limits",
    "warning",
    "trust",
    "An agent in a loop calls a thousand times a minute, and everybody else waits.",
    at="27_limits_and_caches#boundary-read",
    exercise="27_bounded_limiter",
)
def _(look: Look) -> str | None:
    if look.decision.limits == "none" and look.decision.transport != "stdio":
        return f"Bursts are {look.brief.burst:g} times the peak, and nothing is refused."
    return None


@rule(
    "one-limit-for-all",
    "warning",
    "trust",
    "Who calls most uses it up for the others.",
    at="27_limits_and_caches#keys-read",
    exercise="27_fair_share",
)
def _(look: Look) -> str | None:
    if look.decision.limits == "total" and look.brief.tenants > 1:
        return f"One limit is shared by {look.brief.tenants} tenants."
    return None
