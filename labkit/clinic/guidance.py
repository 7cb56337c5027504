"""The decision guide: from facts to a packaging, with reasons. One function, `guide`.

    guide(Facts(tools=12, domains=3, people=7, teams=2))        # hybrid, and why, and what would change it

It has two halves. A *ladder* of three steps (monolith, hybrid, microservices) that is climbed by size, held back by how
many can look after it, and pushed up by what only a process boundary separates. And five shapes that a single fact asks
for, whatever the size. More tools, domains, people, teams or skew never lead down the ladder.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

from labkit.clinic.brief import html_table
from labkit.clinic.facts import FEW_PEOPLE, IDLE_HOURS, SKEWED, Facts

LADDER = ("monolith", "hybrid", "microservices")
FEW_TOOLS, MANY_TOOLS, MANY_DOMAINS, MANY_TEAMS = 5, 15, 4, 4

COMPARISON: dict[str, dict[str, str]] = {
    "to understand": {"monolith": "little", "hybrid": "some", "microservices": "much"},
    "a release takes along": {"monolith": "everything", "hybrid": "one group", "microservices": "one domain"},
    "scaled by itself": {"monolith": "nothing", "hybrid": "each group", "microservices": "each domain"},
    "lost with one process": {"monolith": "everything", "hybrid": "one group", "microservices": "one domain"},
    "teams that wait for each other": {"monolith": "all", "hybrid": "those of a group", "microservices": "none"},
    "to watch": {"monolith": "one server", "hybrid": "two to four, and a cut", "microservices": "many, and a gateway"},
    "right for": {
        "monolith": "a beginning, a small team",
        "hybrid": "most that are in production",
        "microservices": "many teams, much traffic",
    },
}
"""Factor -> packaging -> how it is there."""
LIKE = {"local": "monolith", "serverless": "monolith", "per_tenant": "monolith", "specialised": "hybrid"} | {
    "layered": "hybrid",
    **{step: step for step in LADDER},
}
"""Which column of the comparison each packaging is in."""


@dataclass(frozen=True)
class Recommendation:
    """What the guide says."""

    packaging: str
    gateway: bool
    scale: str
    """How it grows."""
    reasons: tuple[str, ...]
    """Why; the one that decided first."""
    otherwise: tuple[str, ...]
    """What would change it."""

    @property
    def comparison(self) -> dict[str, str]:
        """Factor -> how it is with this packaging."""
        return {factor: row[LIKE[self.packaging]] for factor, row in COMPARISON.items()}

    def __repr__(self) -> str:
        head = f"{self.packaging}{' behind a gateway' if self.gateway else ''}. {self.scale}"
        return "\n".join(
            [head, *(f"  because {text}" for text in self.reasons), *(f"  else    {text}" for text in self.otherwise)]
        )

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self.reasons)
        others = "".join(f"<li>{html.escape(text)}</li>" for text in self.otherwise)
        head = f"<b>{html.escape(self.packaging)}</b>{' behind a gateway' if self.gateway else ''}. "
        return f"<p>{head}{html.escape(self.scale)}</p>Because<ul>{items}</ul>It would change<ul>{others}</ul>"


def guide(facts: Facts) -> Recommendation:
    """What to build for these facts, why, and what would change that."""
    size, cap, pushes = _size(facts), _cap(facts), list(_pushes(facts)) if facts.domains > 1 else []
    need = max((step for step, _ in pushes), default=0)
    level = max(min(size, cap), need)
    special = next(_specials(facts, LADDER[level]), None)
    packaging, reasons = special or (LADDER[level], _climbed(facts, size, cap, pushes))
    gateway = packaging in ("microservices", "per_tenant") or (
        packaging in ("hybrid", "specialised", "layered") and (facts.handshake or facts.domains > MANY_DOMAINS)
    )
    if gateway:
        reasons = [*reasons, _gateway_reason(facts, packaging)]
    return Recommendation(packaging, gateway, _SCALE[packaging], tuple(reasons), tuple(_otherwise(facts, packaging)))


def _climbed(facts: Facts, size: int, cap: int, pushes: list[tuple[int, str]]) -> list[str]:
    """Why the ladder was climbed so far: what decided, then what says the same."""
    allowed, need = min(size, cap), max((step for step, _ in pushes), default=0)
    if need > allowed:
        decided = [text for step, text in pushes if step == need]
    else:
        decided = [_cap_reason(facts, cap) if cap < size else _size_reason(facts)]
    same = [_size_reason(facts)] if size == max(allowed, need) else []
    same += [text for step, text in pushes if step <= max(allowed, need)]
    return list(dict.fromkeys([*decided, *same]))


def comparison_table() -> str:
    """The comparison as an HTML table."""
    return html_table([{"": factor, **row} for factor, row in COMPARISON.items()])


def _size(facts: Facts) -> int:
    """The step that size allows: it takes both, tools and domains to put them into."""
    by_tools = 0 if facts.tools < FEW_TOOLS else 1 if facts.tools <= MANY_TOOLS else 2
    by_domains = 0 if facts.domains < 2 else 1 if facts.domains < MANY_DOMAINS else 2
    return min(by_tools, by_domains)


def _size_reason(facts: Facts) -> str:
    many = f"{facts.tools} tools in {facts.domains} domain{'s' if facts.domains > 1 else ''}"
    return (
        f"{many} are "
        + (
            "one server",
            "two or three servers, one for each group that belongs together",
            "a server for each domain",
        )[_size(facts)]
    )


def _cap(facts: Facts) -> int:
    """The step that people can look after."""
    return 0 if facts.people <= FEW_PEOPLE else 1 if facts.teams == 1 else 2


def _cap_reason(facts: Facts, cap: int) -> str:
    if cap == 0:
        return f"{facts.people} people who do everything would watch more servers, and release none of them sooner"
    return "one team releases everything together: a server for each domain would be work, and no freedom"


def _pushes(facts: Facts) -> Iterator[tuple[int, str]]:
    """What only a process boundary separates: the least step for it, and the reason."""
    if facts.gpu:
        yield 1, "a part needs a GPU, and the others would pay for it"
    if facts.computing:
        yield 1, "a tool that computes keeps all others of its process waiting"
    if facts.skew >= SKEWED:
        yield 1, f"one domain has {facts.skew:.0f} times the calls of the others, and is scaled by itself"
    if facts.zones:
        yield 1, "some data may not be within reach of those who handle other data"
    if facts.teams >= MANY_TEAMS and facts.domains >= MANY_DOMAINS:
        yield 2, f"{facts.teams} teams want to release without each other"
    elif facts.teams >= 2:
        yield 1, f"{facts.teams} teams want to release without each other"


def _specials(facts: Facts, step: str) -> Iterator[tuple[str, list[str]]]:
    """Shapes that one fact asks for, each with its reason; the first counts."""
    if facts.local:
        yield "local", ["server, files and user are on one machine: nothing has to listen, and nobody to be told apart"]
    if facts.separate_tenants:
        yield "per_tenant", ["the contract asks for a process and a store for each tenant, which no check in a tool is"]
    if facts.idle_hours >= IDLE_HOURS and facts.patient and not facts.gpu and not facts.sessions:
        yield "serverless", [f"for {facts.idle_hours:g} hours a day nobody calls, and who does can wait for a start"]
    if step == "microservices":
        return
    if facts.layered:
        yield "layered", ["several domains apply rules to the same data: the rules are one layer, the data another"]
    if facts.gpu and facts.domains > 1:
        yield "specialised", ["a part needs a GPU, and the others would pay for it and wait for it"]


def _gateway_reason(facts: Facts, packaging: str) -> str:
    if packaging == "per_tenant":
        return "a gateway leads each caller to the instance that is theirs, by who they are"
    if packaging == "microservices":
        return "clients need one address, and identity, limits and audit one place"
    if facts.handshake:
        return "a gateway can hold the sessions of old clients, so that what is behind it needs none"
    return f"{facts.domains} domains are more addresses than a client should know"


_SCALE = {
    "local": "It does not grow: each user brings a machine.",
    "monolith": "More replicas of all of it, behind a load balancer.",
    "hybrid": "Each group by itself.",
    "microservices": "Each domain by itself, each by its own measure.",
    "specialised": "The special part by what waits for it, the rest by its calls.",
    "layered": "The lower layer first: everything stands on it.",
    "serverless": "By the platform, from none; what is paid is what is used.",
    "per_tenant": "An instance with each tenant.",
}


def _otherwise(facts: Facts, packaging: str) -> Iterator[str]:
    if packaging == "local":
        yield "as soon as two users share data, a server on the network, with identity"
    elif packaging == "per_tenant":
        yield "a contract that asks for isolated data only: one server that tells tenants apart by their identity"
    elif packaging == "serverless":
        yield "a promise of less than a start takes, or calls all day: a replica that is always there"
    elif packaging == "specialised":
        yield "a hosted service that computes, where the data may leave: then what is left is one server"
    elif packaging == "layered":
        yield "only one domain that uses the data: then its rules belong into the same server"
    elif packaging == "monolith":
        yield "a second team, a tool that computes, or one domain with ten times the calls: two servers"
    elif packaging == "hybrid":
        yield "four teams and four domains, or more: a server for each domain"
        if facts.teams == 1:
            yield "one measure that shows the cut is worth nothing: one server again"
    else:
        yield "fewer teams than servers: put together what is released together"
