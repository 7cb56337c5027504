"""A sliding window: never more than so many calls in any stretch of so many seconds, wherever it begins.

    window = SlidingWindow(100, 60)
    if not (verdict := window.take("ada")):
        print(f"again in {verdict.wait:.0f} s")

A counter that starts anew each minute admits twice its limit around the turn of the minute. This one remembers when
each call was admitted: 8 bytes for a call, as long as it counts. Where limits are large, a token bucket needs less.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from threading import Lock

from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.limiter import AT_ONCE, MAX_KEYS, MICROSECOND, Rate, Records, Verdict, check


class SlidingWindow:
    """A limiter of `limit` calls in any `seconds`, for each id. Several threads may use one object."""

    __slots__ = ("_clock", "_lock", "_records", "rate", "shared")

    def __init__(self, limit: int, seconds: float, *, max_keys: int = MAX_KEYS, clock: Clock = SYSTEM) -> None:
        self.rate = Rate(limit, seconds)
        # A booking may lie one period ahead, and then counts for another one.
        self._records: Records[array[float]] = Records(2 * seconds, max_keys)
        self._clock = clock
        self._lock = Lock()
        self.shared = 0
        """How many calls had to share a record, because `max_keys` ids had one."""

    def take(self, key: str, cost: int = 1, within: float = 0.0) -> Verdict:
        """See `Limiter`."""
        limit, seconds = self.rate.limit, self.rate.seconds
        if cost != 1 or within:
            check(self.rate, cost, within)
        with self._lock:
            now = self._clock.now()
            slot = self._records.slot(key, now)
            if slot is None:
                self.shared += 1
            admitted = self._records.get(slot)
            if admitted is None:
                self._records.keep(slot, array("d", [now] * cost))
                return AT_ONCE
            # There is room as soon as this one, of those admitted so far, is out of the window.
            leaving = len(admitted) + cost - 1 - limit
            wait = admitted[leaving] + seconds - now if leaving >= 0 else 0.0
            if wait <= MICROSECOND:
                wait = 0.0
            elif wait > within + MICROSECOND:
                return Verdict(False, wait)
            admitted.extend([now + wait] * cost)
            if len(admitted) >= 2 * limit:
                del admitted[:-limit]
            self._records.keep(slot, admitted)
            return Verdict(True, wait) if wait else AT_ONCE

    def available(self, key: str) -> int:
        """How many calls would be admitted now."""
        with self._lock:
            now = self._clock.now()
            admitted = self._records.get(self._records.slot(key, now))
            if admitted is None:
                return self.rate.limit
            counting = len(admitted) - bisect_right(admitted, now - self.rate.seconds + MICROSECOND)
            return max(0, self.rate.limit - counting)

    @property
    def keys(self) -> int:
        """How many ids have a record."""
        return len(self._records)

    @property
    def period(self) -> float:
        """See `Limiter`."""
        return self.rate.period
