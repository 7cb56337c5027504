"""A decision held against a brief by all rules: findings, and points by a rubric."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from labkit.clinic import rules_packaging, rules_running, rules_trust
from labkit.clinic.brief import Brief, html_table, many
from labkit.clinic.decision import Decision
from labkit.clinic.rules import CRITERIA, RULES, Finding, Look

LOADED = (rules_packaging, rules_running, rules_trust)
"""Where the rules are; importing them fills RULES."""
COSTS = {"error": 0.5, "warning": 0.2}
"""The share of a criterion's points that a finding takes, as often as there is something left."""


@dataclass(frozen=True)
class Review:
    """What the rules say. `points` by criterion, of those in CRITERIA."""

    brief: Brief
    decision: Decision
    findings: tuple[Finding, ...]
    points: dict[str, int]
    month: float
    """What it costs a month."""

    @property
    def total(self) -> int:
        """Points of 100."""
        return sum(self.points.values())

    @property
    def errors(self) -> list[Finding]:
        """Findings that lose calls, data or trust."""
        return [finding for finding in self.findings if finding.rule.severity == "error"]

    def rubric(self) -> list[dict[str, Any]]:
        """The rubric as rows."""
        return [
            {
                "criterion": name,
                "points": f"{self.points[name]} of {most}",
                "earned by": what,
                "lost by": ", ".join(f.rule.id for f in self.findings if f.rule.criterion == name) or "-",
            }
            for name, (most, what) in CRITERIA.items()
        ]

    def rows(self) -> list[dict[str, str]]:
        """The findings as rows."""
        return [
            {
                "": finding.rule.severity,
                "rule": finding.rule.id,
                "what": finding.what,
                "why it matters": finding.rule.why,
                "taught": finding.taught,
            }
            for finding in self.findings
        ]

    @property
    def headline(self) -> str:
        """One sentence."""
        warnings = len(self.findings) - len(self.errors)
        return (
            f"{self.total} of 100 points; {many(len(self.errors), 'error')}, {many(warnings, 'warning')};"
            f" about {self.month:,.0f} a month of {self.brief.money:,.0f}"
        )

    def __repr__(self) -> str:
        rubric = [f"{row['criterion']:<10} {row['points']:<9} {row['lost by']}" for row in self.rubric()]
        return "\n".join([self.headline, *rubric, *map(str, self.findings)])

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_html(self) -> str:
        """Headline, rubric and findings."""
        return f"<p><b>{html.escape(self.headline)}</b></p>{html_table(self.rubric())}{html_table(self.rows())}"


def review(brief: Brief, decision: Decision) -> Review:
    """Hold a decision against its brief."""
    look = Look(brief, decision)
    found = [Finding(rule, what) for rule in RULES.values() if (what := rule.test(look))]
    found.sort(key=lambda finding: finding.rule.severity != "error")
    points = {name: _points(name, most, found) for name, (most, _) in CRITERIA.items()}
    return Review(brief, decision, tuple(found), points, look.month)


def _points(criterion: str, most: int, found: list[Finding]) -> int:
    lost = sum(COSTS[finding.rule.severity] for finding in found if finding.rule.criterion == criterion)
    return round(most * max(0.0, 1 - lost))
