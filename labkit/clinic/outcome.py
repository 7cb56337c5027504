"""What a miniature has measured: tables, a plot, and sentences that hold the numbers against the brief."""

from __future__ import annotations

import html
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.clinic.brief import html_table
from labkit.clinic.calls import Call, Kept
from labkit.clinic.plan import Plan, memory_of
from labkit.clinic.rules import Look
from labkit.scaling.histogram import Histogram

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BUSY = 0.02
"""Seconds of lag from which on the times are said to be too long."""
WINDOW = 0.1
"""Seconds of one column of the plot."""
MEANINGFUL = 5
"""So many answers are needed before a percentile is held against a promise."""


@dataclass(frozen=True)
class Consequence:
    """One sentence, and whether the brief is content with it."""

    good: bool
    text: str

    def __str__(self) -> str:
        return f"{'✓' if self.good else '✗'} {self.text}"


@dataclass
class FamilyOutcome:
    """The calls of one family. Times are seconds of the miniature."""

    name: str
    calls: int = 0
    lost: int = 0
    in_gap: int = 0
    """Calls that were on their way, or came, while the killed process was away."""
    lost_in_gap: int = 0
    """Of those, the lost ones."""
    latency: Histogram = field(default_factory=Histogram)
    windows: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    """Window -> calls that were due in it, and those of them that were lost."""


@dataclass
class Outcome:
    """See the module. Times are seconds from the beginning of the load."""

    plan: Plan
    first_start: float = 0.0
    memory: float = 0.0
    """Bytes of one process."""
    killed_at: float = 0.0
    back_at: float = 0.0
    start_again: float = 0.0
    lag: float = 0.0
    """How much later than wanted this kernel woke up, at the 95th percentile: no time is measured more exactly."""
    calls: list[Call] = field(default_factory=list[Call])
    kept: list[Kept] = field(default_factory=list[Kept])

    def when(self, call: Call) -> str:
        """before, while or after a process was away."""
        if call.ended < self.killed_at:
            return "before"
        return "while" if call.due < self.back_at else "after"

    @property
    def families(self) -> dict[str, FamilyOutcome]:
        """What became of the calls of each family."""
        found = {name: FamilyOutcome(name) for name in self.plan.brief.families}
        for call in self.calls:
            each, lost = found[call.stream.family], bool(call.error)
            each.calls += 1
            each.lost += lost
            if self.when(call) == "while":
                each.in_gap += 1
                each.lost_in_gap += lost
            if not lost:
                each.latency.record(call.ended - call.due)
            calls, losses = each.windows.get(int(call.due / WINDOW), (0, 0))
            each.windows[int(call.due / WINDOW)] = calls + 1, losses + lost
        return found

    @property
    def lost(self) -> int:
        """Calls without a good answer."""
        return sum(bool(call.error) for call in self.calls)

    def made(self, when: str) -> tuple[int, Counter[str]]:
        """Calls that ended before, were there while, or came after a process was away; and how they were lost."""
        calls = [call for call in self.calls if self.when(call) == when]
        return len(calls), Counter(call.error for call in calls if call.error)

    def of_tenant(self, tenant: str) -> tuple[int, int]:
        """Calls of one tenant, or user, that were made, and lost."""
        mine = [call for call in self.calls if call.stream.tenant == tenant]
        return len(mine), sum(bool(call.error) for call in mine)

    @property
    def survived(self) -> list[str]:
        """Families of which no call was lost while the killed process was away."""
        return [each.name for each in self.families.values() if each.in_gap and not each.lost_in_gap]

    def rows(self) -> list[dict[str, Any]]:
        """The families as rows. Milliseconds are those of the miniature, the promise, too."""
        states = self._states()
        return [
            {
                "tools": name,
                "server": self._server(name),
                "calls": each.calls,
                "lost": each.lost,
                "p50 ms": _ms(each.latency.percentile(50)),
                "p95 ms": _ms(each.latency.percentile(95)),
                "promised ms": _ms(self.plan.promise(name)),
                "while one was away": f"{each.in_gap - each.lost_in_gap} of {each.in_gap} answered",
                "state found": states.get(name, "-"),
            }
            for name, each in self.families.items()
        ]

    def table(self) -> pd.DataFrame:
        """The rows, by family."""
        import pandas as pd

        rows = self.rows()
        return pd.DataFrame(rows, index=[row.pop("tools") for row in rows])

    @property
    def consequences(self) -> list[Consequence]:
        """What the numbers mean for this brief."""
        from labkit.clinic.consequences import consequences

        return consequences(self)

    def texts(self) -> dict[str, tuple[int, int, int, int]]:
        """Of texts that were kept, by family: how many were found and asked for before the kill, and after it."""
        counts: dict[str, tuple[int, int, int, int]] = {}
        for each in self.kept:
            before, asked, after, again = counts.get(each.family, (0, 0, 0, 0))
            more = before + each.found, asked + each.asked, after + each.found_after, again + each.asked_after
            counts[each.family] = more
        return counts

    def _server(self, family: str) -> str:
        for each in self.plan.parts:
            if family in each.part.families:
                count = f"{each.replicas} of {each.part.most} x " if each.part.most > 1 else ""
                tenant = "one of each tenant: " if each.tenant else ""
                return f"{tenant}{count}{each.part.name}{' (killed)' if each.killed else ''}"
        return ""

    def _states(self) -> dict[str, str]:
        return {
            name: f"{before} of {asked}, after the kill {after} of {again}"
            for name, (before, asked, after, again) in self.texts().items()
        }

    def plot(self) -> Figure:
        """Left: which calls were lost, and when. Right: p95 against what is promised."""
        from labkit.clinic.outcome_plot import draw

        return draw(self)

    @property
    def summary(self) -> str:
        """One line."""
        look = Look(self.plan.brief, self.plan.decision)
        busy = (
            f"; this machine had other work to do, and added some {1000 * self.lag:.0f} ms" if self.lag > BUSY else ""
        )
        pace = "" if math.isclose(self.plan.pace, 1) else f"; 1 s here is {1 / self.plan.pace:.2g} s of the brief"
        return f"{len(self.calls)} calls, {self.lost} lost; {memory_of(look, self.memory)}{pace}{busy}"

    def __repr__(self) -> str:
        rows = ["  ".join(f"{name} {value}" for name, value in row.items()) for row in self.rows()]
        return "\n".join([self.summary, *rows, *map(str, self.consequences)])

    def as_html(self) -> str:
        """Summary, table and consequences."""
        items = "".join(f"<li>{html.escape(str(each))}</li>" for each in self.consequences)
        listing = f"<ul style='list-style:none;padding-left:0'>{items}</ul>"
        return f"<p>{html.escape(self.summary)}</p>{html_table(self.rows())}{listing}"

    def _repr_html_(self) -> str:
        return self.as_html()


def _ms(seconds: float) -> float | str:
    return "-" if math.isnan(seconds) else round(1000 * seconds, 1)
