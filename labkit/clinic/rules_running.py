"""Rules on running it: replicas, sessions, state, starts, money."""

# pyright: reportUnusedFunction=false

from __future__ import annotations

from labkit.clinic.facts import COLD_START_MS, FEW_PEOPLE, IDLE_HOURS
from labkit.clinic.propose import NEEDS_TWO, load_of, waiting_of
from labkit.clinic.rules import Look, listed, rule

SCALING, DEPLOYMENT = "30_horizontal_scaling", "31_deployment"
NEARLY_FULL = 0.8


@rule(
    "cannot-keep-up",
    "error",
    "capacity",
    "Then the queue has no end, whatever the balancer does.",
    at=f"{SCALING}#sim-md",
    exercise="30_how_many_replicas",
)
def _(look: Look) -> str | None:
    for part in look.decision.parts:
        if (load := look.load(part)) >= 1:
            return f"At the peak {part.name} has work for {load * part.most:.1f} processes, and {part.most} at most."
    return None


@rule(
    "no-room",
    "warning",
    "capacity",
    "Calls come at random: near full load they wait many times as long as they take.",
    at=f"{SCALING}#sim-md",
    exercise="30_how_many_replicas",
)
def _(look: Look) -> str | None:
    for part in look.decision.parts:
        if NEARLY_FULL <= (load := look.load(part)) < 1:
            return f"At the peak the replicas of {part.name} are busy for {load:.0%} of the time."
    return None


@rule(
    "one-is-none",
    "error",
    "capacity",
    "Every restart, release or crash of it is an outage.",
    at=f"{SCALING}#kill-md",
    exercise="31_mend_the_deployment",
)
def _(look: Look) -> str | None:
    exempt = look.decision.tenants == "instance" or look.decision.packaging in ("local", "serverless")
    single = [part.name for part in look.decision.parts if part.least == 1]
    if look.brief.availability >= NEEDS_TWO and single and not exempt:
        return f"{look.brief.availability:g} % is asked for, and {listed(single)} has one replica."
    return None


@rule(
    "wrong-signal",
    "warning",
    "capacity",
    "A call that waits for others uses no processor: the measure stays low while the queue grows.",
    at=f"{DEPLOYMENT}#scale-read",
    exercise="31_autoscaler",
)
def _(look: Look) -> str | None:
    grows = any(part.least < part.most for part in look.decision.parts)
    families = list(look.brief.families.values())
    computes, waits = load_of(families, look.gpu), waiting_of(families)
    if grows and look.decision.scaling == "none":
        return "Replicas are to come and go, and nothing says when."
    if grows and look.decision.scaling in ("cpu", "memory") and (waits > computes or look.gpu):
        return f"It scales by {look.decision.scaling}, and calls mostly wait for something else."
    if grows and look.decision.scaling == "latency":
        return "It scales by latency, which shows the queue when it is already there."
    return None


@rule(
    "waits-for-a-start",
    "error",
    "capacity",
    "The first call after a pause waits for the start of a process, and so does each that adds one.",
    at=f"{DEPLOYMENT}#zero-md",
)
def _(look: Look) -> str | None:
    cold = [part for part in look.decision.parts if not part.least]
    for part in cold:
        late = [family for family in look.families(part) if family.promise_ms < COLD_START_MS]
        if late:
            return f"{late[0].name} is promised within {late[0].promise_ms:g} ms, and scaled to zero."
    return None


@rule(
    "idle-and-paid",
    "warning",
    "cost",
    "A process that is always there is paid for the hours in which nobody calls.",
    at=f"{DEPLOYMENT}#cost-md",
)
def _(look: Look) -> str | None:
    facts = look.facts
    idle = facts.idle_hours >= IDLE_HOURS and facts.patient and not facts.local
    if idle and any(part.least for part in look.decision.parts):
        return f"For {facts.idle_hours:g} hours a day nobody calls, and processes are waiting."
    return None


@rule(
    "session-not-found",
    "error",
    "state",
    "initialize is answered by one replica, the next request reaches another: 404, Session not found.",
    at=f"{SCALING}#breaks-md",
    exercise="30_sticky_or_stateless",
)
def _(look: Look) -> str | None:
    if look.handshake_served and look.decision.sessions == "memory" and look.replicated:
        return (
            f"{look.brief.handshake:.0%} of the calls come from the handshake era, and each of"
            f" {look.replicated[0].most} replicas of {look.replicated[0].name} knows its own sessions only."
        )
    return None


@rule(
    "sticky-and-gone",
    "warning",
    "state",
    "A session still dies with its replica, and new replicas get none of the old ones.",
    at=f"{SCALING}#sticky-limits-md",
    exercise="30_sticky_or_stateless",
)
def _(look: Look) -> str | None:
    if look.handshake_served and look.decision.sessions == "sticky" and look.replicated:
        return f"Sessions stick to the replicas of {look.replicated[0].name}."
    return None


@rule(
    "clients-shut-out",
    "error",
    "state",
    "They cannot even begin.",
    at="04_stateless_era#version-read",
    exercise="03_negotiate",
)
def _(look: Look) -> str | None:
    era = look.decision.eras
    shut = look.brief.handshake if era == "modern" else 1 - look.brief.handshake if era == "handshake" else 0.0
    return f"{shut:.0%} of the calls come from clients of an era that is not served." if shut > 0 else None


@rule(
    "state-in-one-replica",
    "error",
    "state",
    "The next call may reach a replica that has never heard of it.",
    at=f"{SCALING}#shared-md",
    exercise="30_sticky_or_stateless",
)
def _(look: Look) -> str | None:
    if look.decision.state not in ("memory", "local_file"):
        return None
    for part in look.replicated:
        kept = [family.name for family in look.families(part) if family.state != "none"]
        if kept:
            return f"{listed(kept)} keep their state beside one of {part.most} replicas."
    return None


@rule(
    "state-does-not-survive",
    "error",
    "state",
    "It ends with the process: at each crash, each release, each start on another machine.",
    at=f"{SCALING}#shared-md",
)
def _(look: Look) -> str | None:
    durable = [family.name for family in look.brief.families.values() if family.state == "durable"]
    state, moves = look.decision.state, look.decision.target in ("kubernetes", "serverless")
    if durable and (state == "memory" or (state == "local_file" and moves)):
        where = "in the process" if state == "memory" else "beside it"
        return f"What {listed(durable)} keep must survive, and lies {where}."
    return None


@rule(
    "old-transport",
    "warning",
    "state",
    "It needs a stream that stays open to one replica, and the protocol has replaced it.",
    at="05_transports#sse-md",
)
def _(look: Look) -> str | None:
    return "HTTP with SSE is chosen for something new." if look.decision.transport == "sse" else None


@rule(
    "over-budget",
    "error",
    "cost",
    "Somebody will turn something off, and not ask you what.",
    at=f"{DEPLOYMENT}#cost-md",
)
def _(look: Look) -> str | None:
    if look.month > look.brief.money:
        return f"It costs about {look.month:,.0f} a month, and {look.brief.money:,.0f} are there."
    return None


@rule(
    "platform-too-large",
    "warning",
    "cost",
    "A cluster wants somebody who knows it at night; one machine with Compose wants a restart.",
    at=f"{DEPLOYMENT}#which",
)
def _(look: Look) -> str | None:
    if look.decision.target == "kubernetes" and look.brief.people <= FEW_PEOPLE:
        return f"{look.brief.people} people would run a cluster."
    return None


@rule(
    "platform-does-not-fit",
    "error",
    "cost",
    "What was decided cannot be run there.",
    at=f"{DEPLOYMENT}#which",
)
def _(look: Look) -> str | None:
    decision = look.decision
    if (decision.target == "desktop") != (decision.transport == "stdio"):
        return f"The target is {decision.target}, and the transport {decision.transport}."
    if decision.packaging == "serverless" and (decision.target != "serverless" or all(p.least for p in decision.parts)):
        return "Serverless is chosen, and something is always there."
    if decision.target == "serverless" and (decision.state in ("memory", "local_file") and look.facts.sessions):
        return "Conversations are kept in processes that end between calls."
    if decision.target == "compose" and any(part.least < part.most and part.least for part in decision.parts):
        return "Replicas are to come and go, and Compose on one machine has no autoscaler."
    return None
