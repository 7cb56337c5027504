"""A token bucket: tokens come at an even rate, up to as many as the bucket holds, and each call takes one.

    bucket = TokenBucket(10, burst=20)          # 10 a second in the long run, 20 at once after a rest
    if not (verdict := bucket.take("ada")):
        print(f"again in {verdict.wait:.1f} s")

Nobody fills it. One number for each id says it all: when the bucket will be full again. From that, and the time,
follows how many tokens are in it now. (Elsewhere: GCRA, the generic cell rate algorithm, and its number TAT.)
"""

from __future__ import annotations

from threading import Lock

from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.limiter import AT_ONCE, MAX_KEYS, MICROSECOND, Rate, Records, Verdict, check


class TokenBucket:
    """A limiter of `rate` calls in `seconds` and `burst` at once, for each id. Several threads may use one object.

    In any stretch of t seconds it admits at most burst + t * rate / seconds calls.
    """

    __slots__ = ("_clock", "_depth", "_interval", "_lock", "_records", "rate", "shared")

    def __init__(
        self, rate: int, seconds: float = 1.0, *, burst: int, max_keys: int = MAX_KEYS, clock: Clock = SYSTEM
    ) -> None:
        self.rate = Rate(rate, seconds, burst)
        self._interval = seconds / rate
        self._depth = self.rate.period  # how many seconds it takes to fill
        self._records: Records[float] = Records(2 * self._depth, max_keys)
        self._clock = clock
        self._lock = Lock()
        self.shared = 0
        """How many calls had to share a record, because `max_keys` ids had one."""

    def take(self, key: str, cost: int = 1, within: float = 0.0) -> Verdict:
        """See `Limiter`."""
        if cost != 1 or within:
            check(self.rate, cost, within)
        with self._lock:
            now = self._clock.now()
            slot = self._records.slot(key, now)
            if slot is None:
                self.shared += 1
            full = self._records.get(slot)
            full = (now if full is None or full < now else full) + cost * self._interval
            wait = full - now - self._depth
            if wait <= MICROSECOND:
                self._records.keep(slot, full)
                return AT_ONCE
            if wait <= within + MICROSECOND:
                self._records.keep(slot, full)
                return Verdict(True, wait)
            return Verdict(False, wait)

    def available(self, key: str) -> float:
        """How many tokens are in the bucket, in parts, too; below 0 when calls are booked ahead."""
        with self._lock:
            now = self._clock.now()
            full = self._records.get(self._records.slot(key, now))
            missing = 0.0 if full is None or full < now else full - now
            return (self._depth - missing) / self._interval

    @property
    def keys(self) -> int:
        """How many ids have a record."""
        return len(self._records)

    @property
    def period(self) -> float:
        """See `Limiter`."""
        return self.rate.period
