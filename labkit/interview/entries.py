"""The items of a session with what came of each: status, time, answer, score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from labkit.interview.drawing import Item
from labkit.interview.scoring import Score

Status = Literal["open", "done", "skipped"]


def weighted(results: Iterable[tuple[int, float | None]]) -> float | None:
    """The mean of results, each weighted by its minutes; none counts as nothing. None without any."""
    counted = list(results)
    total = sum(minutes for minutes, _ in counted)
    return sum(minutes * (result or 0.0) for minutes, result in counted) / total if total else None


@dataclass
class Entry:
    """One item of a session. `fraction` is from 0 to 1, and None until there is a result."""

    item: Item
    status: Status = "open"
    seconds: float = 0.0
    """That the clock ran while it was open."""
    begun: bool = False
    """Whether it was ever the current item."""
    hints: int = 0
    fraction: float | None = None
    answer: str = ""
    """To a question."""
    score: Score | None = None
    """Of a question."""
    report: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of a kata or a tape: the grader's report as data, of the best check so far."""
    opened: bool = False
    """Whether the starter of its exercise was put back for it."""
    checks: int = 0
    """How often the grader was asked."""
    decision: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of a design case."""
    said: list[str] = field(default_factory=list[str])
    """What the rules of the clinic say of it."""

    @property
    def over(self) -> bool:
        """Whether it took longer than it should."""
        return self.seconds > self.item.minutes * 60

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready data."""
        return asdict(self) | {"score": self.score.as_dict() if self.score else None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Entry:
        """The entry that `as_dict` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        rest = dict(data)
        item, counted = Item(**rest.pop("item")), rest.pop("score")
        entry = cls(item=item, score=Score.from_dict(counted) if counted else None, **rest)
        if entry.status not in ("open", "done", "skipped") or item.kind not in ("question", "kata", "tape", "design"):
            raise ValueError(f"{item.id}: {entry.status!r} or {item.kind!r} is unknown")
        return entry
