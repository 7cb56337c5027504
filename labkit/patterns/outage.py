"""A helper that can be done without (a Redis) may be out of reach: left alone for a while, then one call finds out.

outage = Outage(1.0)
if not outage.may_ask():
    ...                            # without it
try: ...                           # ask; outage.answered() when it did
except RedisError as error:
    if outage.failed(error): ...   # True once for each time that it goes away: say so
"""

from __future__ import annotations

import math

from labkit.patterns.clock import SYSTEM, Clock


class Outage:
    """What is known of the helper. After a failure it is not asked for `recheck` seconds of `clock`."""

    __slots__ = ("_clock", "_recheck", "failures", "out", "trouble", "until")

    def __init__(self, recheck: float, clock: Clock = SYSTEM) -> None:
        self._recheck, self._clock = recheck, clock
        self.out = False
        """Whether it failed when it was last asked."""
        self.until = -math.inf
        """Before this time it is not asked."""
        self.trouble = ""
        """What the last failure was."""
        self.failures = 0
        """How often it was asked in vain."""

    @property
    def left(self) -> float:
        """Seconds until it may be asked again; 0 when it may."""
        return max(0.0, self.until - self._clock.now())

    def may_ask(self) -> bool:
        """Whether to ask it. While it is out, one call may, and the others do not wait for what that finds."""
        if self.left:
            return False
        if self.out:
            self.until = self._clock.now() + self._recheck
        return True

    def failed(self, error: Exception) -> bool:
        """It could not be asked. True when that is news."""
        news, self.out = not self.out, True
        self.failures += 1
        self.trouble = f"{type(error).__name__}: {error}"
        self.until = self._clock.now() + self._recheck
        return news

    def answered(self) -> bool:
        """It was asked, and answered. True when that is news."""
        news, self.out = self.out, False
        self.until = -math.inf
        return news
