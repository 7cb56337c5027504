"""What rate limiters share: the verdict on a call, how a rate is written, and a bounded memory for callers' ids.

The library `limits` would do the counting. It is not used here because it reads the wall clock by itself, knows no
bucket and no booking ahead, and keeps every id for as long as it has a rate: `python -m benchmarks --only
limiter_memory` measures the two side by side.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

Record = TypeVar("Record")
Slot = str | bytes | None

MICROSECOND = 1e-6
"""Waits up to this long are none: so much may be lost in adding floats."""
MAX_KEYS = 100_000
"""How many ids a limiter tells apart unless told otherwise."""
LONGEST_KEY = 100
"""Longer ids are kept as their digest."""

UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_RATE = re.compile(r"\s*(\d+)\s*/\s*(\d+)?\s*(second|minute|hour|day)s?(?:\s+burst\s+(\d+))?\s*")


@dataclass(slots=True, eq=False)
class Verdict:
    """Whether a call is admitted, and for how many seconds it has to wait: for its turn, or before it asks again.

    `away` says that the limiter could not be asked, and that its configuration decided. True when admitted.
    """

    admitted: bool
    wait: float = 0.0
    away: bool = False

    def __bool__(self) -> bool:
        return self.admitted


AT_ONCE = Verdict(True)
"""The verdict on most calls."""


class Limiter(Protocol):
    """A limit in this process."""

    @property
    def period(self) -> float:
        """How many seconds ahead a call can be booked at most."""
        ...

    def take(self, key: str, cost: int = 1, within: float = 0.0) -> Verdict:
        """Admit a call that counts `cost`, now or at most `within` seconds from now; its place is booked from then on.

        Raises ValueError for a cost that never fits, and for a longer wait than the limit's own period.
        """
        ...


class RemoteLimiter(Protocol):
    """A limit that several processes share."""

    @property
    def period(self) -> float:
        """As that of `Limiter`."""
        ...

    def take(self, key: str, cost: int = 1, within: float = 0.0) -> Awaitable[Verdict]:
        """As that of `Limiter`."""
        ...


@dataclass(frozen=True)
class Rate:
    """So many calls in so many seconds. With a burst, as many at once, and the rest evenly: a token bucket."""

    limit: int
    seconds: float
    burst: int | None = None

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read "100/minute", "5/10 seconds" or "2/second burst 20". Raises ValueError."""
        found = _RATE.fullmatch(text)
        if not found:
            raise ValueError(
                f"{text!r} is no rate: write it as '100/minute', '5/10 seconds' or '2/second burst 20', "
                f"with {', '.join(UNITS)}."
            )
        limit, many, unit, burst = found.groups()
        return cls(int(limit), int(many or 1) * UNITS[unit], int(burst) if burst else None)

    def __post_init__(self) -> None:
        if self.limit < 1 or self.seconds <= 0 or (self.burst is not None and self.burst < 1):
            raise ValueError(f"A rate needs a limit, a period and a burst above 0, not {self!r}.")

    @property
    def most(self) -> int:
        """How many are admitted at once, after a rest."""
        return self.limit if self.burst is None else self.burst

    @property
    def period(self) -> float:
        """Seconds from no room at all to all of it."""
        return self.seconds * self.most / self.limit


class Records(Generic[Record]):
    """What is known of each id. Kept for at least `seconds` after the last `keep`, and for at most `max_keys` ids.

    Ids are chosen by whoever calls. When there are too many, those that come later share one record until older ones
    are forgotten. Throwing out the oldest instead would let anyone reset a limit by inventing ids. (An id that then
    gets a record of its own has its limit anew, once.)

    Two generations: what was not kept again during a whole one is dropped, all at once, without a search.
    """

    __slots__ = ("_ends", "_max_keys", "_old", "_seconds", "_young")

    def __init__(self, seconds: float, max_keys: int) -> None:
        if max_keys < 1:
            raise ValueError(f"A limiter has to tell apart one id at least, not {max_keys}.")
        self._young: dict[Slot, Record] = {}
        self._old: dict[Slot, Record] = {}
        self._ends = float("-inf")
        self._seconds = seconds
        self._max_keys = max_keys

    def __len__(self) -> int:
        """How many records there are; at most `max_keys`, and the shared one."""
        return len(self._young) + len(self._old)

    def slot(self, key: str, now: float) -> Slot:
        """Where the record of an id is: under its name, or None for the shared one. `now` never goes back."""
        if now >= self._ends:
            # After two silent generations even the younger one is too old.
            self._old = self._young if now < self._ends + self._seconds else {}
            self._young = {}
            self._ends = now + self._seconds
        name = key if len(key) <= LONGEST_KEY else digest(key)
        if name in self._young or name in self._old or len(self._young) + len(self._old) < self._max_keys:
            return name
        return None

    def get(self, slot: Slot) -> Record | None:
        """The record, None when there is none."""
        found = self._young.get(slot)
        return self._old.get(slot) if found is None else found

    def keep(self, slot: Slot, record: Record) -> None:
        """Keep the record."""
        self._young[slot] = record
        if self._old:
            self._old.pop(slot, None)


def digest(key: str) -> bytes:
    """A short form of a long id. Bytes: no id that somebody sends is equal to it."""
    # A JSON text may hold half a surrogate pair, which UTF-8 has no bytes for.
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def check(rate: Rate, cost: int, within: float) -> None:
    """Raise ValueError for what can never be admitted."""
    if not 1 <= cost <= rate.most:
        raise ValueError(f"A call that counts {cost} never fits: the limit admits 1 to {rate.most} at once.")
    if within > rate.period:
        raise ValueError(f"within={within:g} is longer than the limit's period of {rate.period:g} s: wait less.")
