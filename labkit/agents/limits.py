"""What one run may take: calls, tokens, money. A model that loops spends until somebody counts.

    told = await run(model, task, tools, limits=Limits(calls=20, cost=0.05, prices=Prices(read=1.0, written=5.0)))

What a reply takes is known when it is there, so a run may take as much as one reply more than its limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labkit.agents.model import Usage
from labkit.errors import LabError

MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in whatever currency: see the service's price list."""

    read: float
    written: float

    def cost(self, usage: Usage) -> float:
        """What these tokens cost."""
        return (usage.read * self.read + usage.written * self.written) / MILLION


@dataclass(frozen=True)
class Limits:
    """The most that a run may take; None is no limit. Raises LabError for a cost without prices."""

    calls: int | None = None
    """Calls of tools. The calls of one reply are made all, or none."""
    tokens: int | None = None
    """Read and written, of all replies."""
    cost: float | None = None
    prices: Prices | None = None

    def __post_init__(self) -> None:
        if self.cost is not None and self.prices is None:
            raise LabError("A limit of cost needs prices: Limits(cost=..., prices=Prices(read=..., written=...)).")

    def over(self, calls: int, usage: Usage) -> Literal["", "calls", "tokens", "cost"]:
        """Which limit is passed by so many calls, or reached by these tokens; empty when none is."""
        if self.calls is not None and calls > self.calls:
            return "calls"
        if self.tokens is not None and usage.total >= self.tokens:
            return "tokens"
        if self.cost is not None and self.prices and self.prices.cost(usage) >= self.cost:
            return "cost"
        return ""


UNLIMITED = Limits()
