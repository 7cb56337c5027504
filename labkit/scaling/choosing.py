"""Which replica gets the next request: round robin, least connections, sticky, or by a hash of the session.

Nothing here touches a socket: `Choice` is told what happens and answers where to go next.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from labkit.errors import LabError, did_you_mean

Balance = Literal["round_robin", "least_connections", "sticky", "hash"]
SESSION = b"mcp-session-id"
FAIL_SECONDS = 10.0
"""Seconds that a replica which could not be reached gets nothing: nginx's fail_timeout, with max_fails=1."""
MOST_SESSIONS = 100_000
"""Sessions that sticky balancing remembers; the oldest are forgotten first."""


class BalanceError(LabError):
    """There is no such way to balance, or no replica of that number."""


def check_balance(balance: str) -> Balance:
    """The name of a way to balance, if there is one. Raises BalanceError."""
    if balance not in get_args(Balance):
        raise BalanceError(
            f"balance={balance!r} is no way to balance. {did_you_mean(balance, get_args(Balance), has='There are')}"
        )
    return balance  # pyright: ignore[reportReturnType]


@dataclass(eq=False)
class Upstream:
    """One replica as a balancer sees it."""

    number: int
    url: str
    in_flight: int = 0
    calls: int = 0
    """Requests that it answered, whatever the answer."""
    failed: int = 0
    """Requests that it did not answer."""
    down_until: float = 0.0
    sessions: set[bytes] = field(default_factory=set[bytes])
    """What it answered `initialize` with, and has not heard the end of; only kept by sticky balancing."""


class Choice:
    """The replicas, and whose turn it is. Used by one thread; `clock` is seconds that only rise."""

    def __init__(self, balance: Balance, clock: Callable[[], float] = time.monotonic) -> None:
        self.balance: Balance = balance
        self.upstreams: list[Upstream] = []
        """Those that get new work."""
        self.draining: list[Upstream] = []
        """Those that finish what they have; sticky: and serve the sessions that they have."""
        self._clock = clock
        self._turn = 0
        self._homes: dict[bytes, Upstream] = {}

    def choose(self, headers: Mapping[bytes, bytes], tried: Collection[Upstream] = ()) -> Upstream | None:
        """Where a request with these headers (names in lower case) goes; not to one that was tried. None: nowhere."""
        session = headers.get(SESSION)
        if self.balance == "sticky" and session is not None:
            home = self._homes.get(session)
            if home is not None and home not in tried:
                return home
        left = [each for each in self.upstreams if each not in tried]
        # When none is known to be up, the marks are worth nothing: one of them may be back.
        left = [each for each in left if each.down_until <= self._clock()] or left
        if not left:
            return None
        if self.balance == "hash" and session is not None:
            return max(left, key=lambda each: hashlib.sha256(b"%d %s" % (each.number, session)).digest())
        turn, self._turn = self._turn, self._turn + 1
        if self.balance == "least_connections":
            least = min(each.in_flight for each in left)
            left = [each for each in left if each.in_flight == least]
        return left[turn % len(left)]

    def began(self, upstream: Upstream) -> None:
        """A request goes to it."""
        upstream.in_flight += 1

    def answered(self, upstream: Upstream) -> None:
        """It has begun to answer: it is up."""
        upstream.calls += 1
        upstream.down_until = 0.0

    def failed(self, upstream: Upstream) -> None:
        """It could not be reached, or did not answer: it gets nothing for a while."""
        upstream.failed += 1
        upstream.down_until = self._clock() + FAIL_SECONDS

    def ended(self, upstream: Upstream) -> None:
        """A request is over, well or not."""
        upstream.in_flight -= 1

    def learn(self, session: bytes, upstream: Upstream) -> None:
        """It answered with this session: the session lives there."""
        if self.balance != "sticky" or session in self._homes:
            return
        if len(self._homes) >= MOST_SESSIONS:
            self.forget(next(iter(self._homes)))
        self._homes[session] = upstream
        upstream.sessions.add(session)

    def forget(self, session: bytes) -> None:
        """The session is over."""
        home = self._homes.pop(session, None)
        if home is not None:
            home.sessions.discard(session)

    def replace(self, upstreams: list[Upstream]) -> None:
        """From now on new work goes to these; the others drain."""
        self.draining += [each for each in self.upstreams if each not in upstreams]
        self.draining = [each for each in self.draining if each not in upstreams]
        self.upstreams = list(upstreams)

    def remove(self, upstream: Upstream) -> int:
        """It is gone, with its sessions. Returns how many there were."""
        self.draining = [each for each in self.draining if each is not upstream]
        self.upstreams = [each for each in self.upstreams if each is not upstream]
        lost = list(upstream.sessions)
        for session in lost:
            self.forget(session)
        return len(lost)
