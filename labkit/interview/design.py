"""The design case of a mock interview: a brief of the architecture clinic, and what its rules say of a decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.clinic.brief import Brief, brief_ids, load_brief, load_briefs
from labkit.errors import did_you_mean
from labkit.interview.bank import InterviewError

MINUTES = 20
"""For the decision on one brief."""


@dataclass(frozen=True)
class Case:
    """A brief as a session needs it. `text` is the whole brief, to read."""

    id: str
    title: str
    minutes: int = MINUTES
    text: str = ""


@dataclass(frozen=True)
class Considered:
    """What the rules say of a decision: the fraction of the rubric's points, and a line for each finding."""

    fraction: float
    lines: tuple[str, ...]
    decision: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The decision, with what was left out."""

    def __str__(self) -> str:
        return "\n".join(self.lines)


def cases() -> list[Case]:
    """The briefs there are."""
    return [_case(brief) for brief in load_briefs().values()]


def case(id: str) -> Case:
    """The brief of that id. Raises InterviewError when there is none."""
    return _case(_brief(id))


def _case(brief: Brief) -> Case:
    return Case(brief.id, brief.title, text=repr(brief))


def consider(id: str, decision: Mapping[str, Any]) -> Considered:
    """Hold a decision against the rules of the clinic.

    Raises InterviewError for an unknown brief, ClinicError for a decision that cannot be used.
    """
    brief = _brief(id)
    from labkit.clinic.decision import Decision
    from labkit.clinic.reviewing import review

    decided = Decision.of(brief, decision)
    found = review(brief, decided)
    return Considered(found.total / 100, (found.headline, *map(str, found.findings)), decided.as_json())


def form(id: str) -> str:
    """The decision form of a brief as TOML to fill in: each question with its choices. Raises InterviewError."""
    brief = _brief(id)
    from labkit.clinic.decision import CHOICES

    lines = [f"# Your decision for {brief.title}. Change the values; what a choice means stands above it."]
    for name, choices in CHOICES.items():
        lines += ["", *(f"#   {choice}: {meaning}" for choice, meaning in choices.items())]
        lines.append(f"{name} = {json.dumps(next(iter(choices)))}")
    lines += ["", "# Which tools share a server, and how many replicas of it there are, at least and at most."]
    families = json.dumps(list(brief.families), ensure_ascii=False)
    lines.append(f"parts = [\n    {{ families = {families}, least = 1, most = 1 }},\n]")
    return "\n".join(lines) + "\n"


def _brief(id: str) -> Brief:
    if id not in (known := brief_ids()):
        hint = did_you_mean(id, known, has="There are")
        raise InterviewError(f"There is no design brief {id!r} in this lab. {hint} Skip this item to go on.")
    return load_brief(id)
