"""What a rule of the clinic is, and what a finding; the rules themselves are in `rules_packaging`, `rules_running` and
`rules_trust`.

Each is about one mistake. `error` is for what loses calls, data or trust; `warning` for what costs more than it gives,
or can be defended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from labkit.clinic.brief import Brief, Family
from labkit.clinic.decision import Decision, Part
from labkit.clinic.facts import Facts
from labkit.clinic.propose import load_of

Severity = Literal["error", "warning"]
CRITERIA: dict[str, tuple[int, str]] = {
    "packaging": (25, "Cut where something differs, and no oftener than people can look after."),
    "capacity": (20, "Enough at the peak and in an outage, scaled by the right measure."),
    "state": (20, "What must survive survives, and every client is served, whichever replica answers."),
    "trust": (20, "Who may do what is decided, recorded, and kept apart."),
    "cost": (15, "Within the budget, on a platform that these people can run."),
}
"""The rubric: criterion -> points, and what earns them."""
BUSY_SHARE = 1 / 3
"""The share of the month for which replicas above the least are counted as running."""


@dataclass(frozen=True)
class Look:
    """A decision held against its brief."""

    brief: Brief
    decision: Decision

    @cached_property
    def facts(self) -> Facts:
        """What the guide would be told."""
        return Facts.of(self.brief)

    @property
    def gpu(self) -> bool:
        """Whether there is a GPU to compute on, wherever."""
        return self.decision.gpu in ("same", "own")

    @property
    def handshake_served(self) -> bool:
        """Whether clients of the handshake era reach a replica of their own accord, without a gateway."""
        return self.brief.handshake > 0 and self.decision.gateway == "no" and self.decision.eras != "modern"

    @property
    def replicated(self) -> list[Part]:
        """Parts with more than one replica."""
        return [part for part in self.decision.parts if part.most > 1]

    def families(self, part: Part) -> list[Family]:
        """The families of a part."""
        return [self.brief.families[name] for name in part.families]

    def load(self, part: Part) -> float:
        """How busy a replica of the part is at the peak, as a share of its time; 1 or more is too much."""
        families = self.families(part)
        if self.decision.gpu == "hosted":  # what it computes elsewhere, it waits for here
            families = [family for family in families if not family.gpu_ms]
        total = load_of(families, self.gpu)
        if self.decision.tenants == "instance":
            total /= self.brief.tenants
        return total / part.most

    @property
    def month(self) -> float:
        """Money a month: processes that are always there, a share of those that come and go, GPUs, a gateway."""
        brief, decision = self.brief, self.decision
        if decision.target == "desktop":
            return 0.0
        awake = 1 - brief.idle_hours / 24
        total = 0.0
        for part in decision.parts:
            on_gpu = self.gpu and (decision.gpu == "same" or any(f.gpu_ms for f in self.families(part)))
            least = part.least or awake
            count = least + max(0.0, part.most - least) * (BUSY_SHARE if part.least else 0.0)
            total += count * (brief.gpu_price if on_gpu else brief.replica_price)
        if decision.tenants == "instance":
            total *= brief.tenants
        return total + (brief.replica_price if decision.gateway == "yes" else 0.0)

    @property
    def processes(self) -> int:
        """Server processes at the peak."""
        count = sum(part.most for part in self.decision.parts)
        return count * self.brief.tenants if self.decision.tenants == "instance" else count


@dataclass(frozen=True)
class Rule:
    """One mistake: `why` says what comes of it, the rest where it is taught and practised."""

    id: str
    severity: Severity
    criterion: str
    why: str
    notebook: str
    cell: str
    exercise: str
    test: Callable[[Look], str | None]


@dataclass(frozen=True)
class Finding:
    """A rule that a decision breaks; `what` is what stands there."""

    rule: Rule
    what: str

    @property
    def taught(self) -> str:
        """Where to read and what to do."""
        practice = f", exercise {self.rule.exercise}" if self.rule.exercise else ""
        return f"notebook {self.rule.notebook[:2]} ({self.rule.cell}){practice}"

    def __str__(self) -> str:
        return f"{self.rule.severity}: {self.what} {self.rule.why} [{self.rule.id}; {self.taught}]"


RULES: dict[str, Rule] = {}
"""All rules by id; `labkit.clinic.reviewing` sees to it that they are loaded."""


def rule(
    id: str, severity: Severity, criterion: str, why: str, *, at: str, exercise: str = ""
) -> Callable[[Callable[[Look], str | None]], Callable[[Look], str | None]]:
    """Declare a rule. The function says what is wrong with a decision in one sentence, or None. `at` is
    NOTEBOOK#CELL, where it is taught."""
    notebook, _, cell = at.partition("#")

    def mark(test: Callable[[Look], str | None]) -> Callable[[Look], str | None]:
        assert criterion in CRITERIA and id not in RULES, id
        RULES[id] = Rule(id, severity, criterion, why, notebook, cell, exercise, test)
        return test

    return mark


def listed(names: list[str]) -> str:
    """Names for a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
