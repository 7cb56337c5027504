"""From what a miniature measured to sentences: what the brief asks for, and whether it was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labkit.clinic.outcome import MEANINGFUL, Consequence
from labkit.clinic.propose import NEEDS_TWO
from labkit.clinic.rules import Look, listed

if TYPE_CHECKING:
    from labkit.clinic.outcome import Outcome


def consequences(outcome: Outcome) -> list[Consequence]:
    """All of them, what is wrong first."""
    found = [*_served(outcome), *_gap(outcome), *_late(outcome), *_state(outcome), *_tenants(outcome), *_cost(outcome)]
    return sorted(found, key=lambda each: each.good)


def _served(outcome: Outcome) -> Iterator[Consequence]:
    """Calls that were lost though every process ran."""
    allowed = 1 - outcome.plan.brief.availability / 100
    calls, errors = outcome.made("before")
    if lost := errors.total():
        text = f"{lost} of {calls} calls ({lost / calls:.0%}) were lost before anything was killed{_said(errors)}"
        yield Consequence(lost / calls <= allowed, text)
    else:
        yield Consequence(True, f"All {calls} calls were answered before anything was killed.")
    calls, errors = outcome.made("after")
    if lost := errors.total():
        text = f"{lost} of {calls} calls were still lost when the process was back{_said(errors)}"
        yield Consequence(lost / calls <= allowed, text)


def _said(errors: Counter[str]) -> str:
    return f". Most often: {errors.most_common(1)[0][0].rstrip('.')}."


def _gap(outcome: Outcome) -> Iterator[Consequence]:
    """What a kill took along."""
    families = [each for each in outcome.families.values() if each.in_gap]
    away = outcome.back_at - outcome.killed_at
    gone = [each.name for each in families if each.lost_in_gap]
    lost, due = sum(each.lost_in_gap for each in families), sum(each.in_gap for each in families)
    killed = next(each for each in outcome.plan.parts if each.killed)
    if killed.tenant:
        yield from _of_others(outcome, away)
        return
    what = f"A process of {killed.part.name} was killed and was back after {away:.1f} s"
    if not gone:
        yield Consequence(True, f"{what}: of {due} calls meanwhile none was lost.")
        return
    rest = f"; {listed(outcome.survived)} went on" if outcome.survived else ""
    strict = outcome.plan.brief.availability >= NEEDS_TWO
    out = any(each.lost_in_gap > each.in_gap / 2 for each in families)
    yield Consequence(
        not (strict and out), f"{what}: {lost} of {due} calls meanwhile were lost, of {listed(gone)}{rest}."
    )


def _of_others(outcome: Outcome, away: float) -> Iterator[Consequence]:
    """The same, where each tenant or user has a process: who else noticed?"""
    whose = "user" if outcome.plan.local else "tenant"
    first, second = outcome.plan.tenants
    (calls, lost), (others, of_others) = outcome.of_tenant(first), outcome.of_tenant(second)
    text = f"The process of {whose} {first} was killed and was back after {away:.1f} s: {lost} of {calls} calls lost"
    yield Consequence(not of_others, f"{text}, and {of_others} of {others} of {whose} {second}.")


def _late(outcome: Outcome) -> Iterator[Consequence]:
    """Percentiles against promises."""
    in_time: list[str] = []
    for name, each in outcome.families.items():
        if len(each.latency) < MEANINGFUL:
            continue
        p95, promise = each.latency.percentile(95), outcome.plan.promise(name)
        if p95 <= promise:
            in_time.append(name)
        else:
            text = f"{name}: p95 is {1000 * p95:.0f} ms, {1000 * promise:.0f} ms are promised at this pace."
            yield Consequence(False, text)
    if in_time:
        yield Consequence(True, f"What {listed(in_time)} answered came in time: 95 % of it within the promise.")


def _state(outcome: Outcome) -> Iterator[Consequence]:
    """Texts that were kept: while nothing had happened, and after the kill."""
    for name, (found, asked, after, again) in outcome.texts().items():
        durable = outcome.plan.brief.families[name].state == "durable"
        if found < asked:
            text = f"{name}: {found} of {asked} times a text that had been kept was found, before anything was killed."
            yield Consequence(False, text)
        if after == again and found == asked:
            yield Consequence(
                True, f"{name}: all texts were found, {asked} times before and {again} times after the kill."
            )
        elif after < again:
            must = "it must survive" if durable else "a conversation had to be begun again"
            yield Consequence(False, f"{name}: after the kill a text was found {after} of {again} times; {must}.")


def _tenants(outcome: Outcome) -> Iterator[Consequence]:
    """Texts of others."""
    if len(outcome.plan.tenants) > 1 and outcome.kept:
        foreign = sum(each.foreign for each in outcome.kept)
        asked = sum(each.asked + each.asked_after for each in outcome.kept)
        whose = "user" if outcome.plan.local else "tenant"
        text = f"{foreign} of {asked} times a {whose} who asked for a text of its own got one of another {whose}."
        yield Consequence(not foreign, text)


def _cost(outcome: Outcome) -> Iterator[Consequence]:
    """Starts, and money."""
    look = Look(outcome.plan.brief, outcome.plan.decision)
    if any(not part.least for part in outcome.plan.decision.parts):
        promise = min(family.promise_ms for family in outcome.plan.brief.families.values()) / 1000
        start = outcome.first_start
        text = f"The first call after a pause waits for a start: {start:.1f} s here, {promise:g} s are promised."
        yield Consequence(start <= promise, text)
    text = f"It costs about {look.month:,.0f} a month, and {look.brief.money:,.0f} are there."
    yield Consequence(look.month <= look.brief.money, text)
