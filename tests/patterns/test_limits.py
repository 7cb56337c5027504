"""The limiters against simple models, with a clock that only goes when it is told: in this process, and on Redis."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from labkit.patterns.clock import VirtualClock
from labkit.patterns.limiter import Rate, Verdict
from labkit.patterns.redis_limits import RedisLimiter
from labkit.patterns.sliding_window import SlidingWindow
from labkit.patterns.token_bucket import TokenBucket

EIGHTH = Fraction(1, 8)  # times are eighths of a second: floats hold them exactly
ROUNDED = 1e-5
TRIED = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


class WindowModel:
    """All admissions ever, looked through each time."""

    def __init__(self, rate: Rate) -> None:
        self.limit, self.seconds, self.times = rate.limit, Fraction(rate.seconds), list[Fraction]()

    def take(self, now: Fraction, cost: int, within: Fraction) -> tuple[bool, Fraction]:
        moments = sorted({now, *(time + self.seconds for time in self.times if time + self.seconds > now)})
        counting = ((moment, sum(time > moment - self.seconds for time in self.times)) for moment in moments)
        due = next(moment for moment, count in counting if count + cost <= self.limit)
        if due - now <= within:
            self.times += [due] * cost
        return due - now <= within, due - now

    def holds(self) -> bool:
        """Whether no window has more than the limit in it."""
        return all(
            sum(end - self.seconds < time <= end for time in self.times) <= self.limit for end in set(self.times)
        )


class BucketModel:
    """Tokens, counted as they come."""

    def __init__(self, rate: Rate) -> None:
        self.burst, self.per_second = rate.most, Fraction(rate.limit) / Fraction(rate.seconds)
        self.tokens, self.at, self.times = Fraction(self.burst), Fraction(0), list[Fraction]()

    def take(self, now: Fraction, cost: int, within: Fraction) -> tuple[bool, Fraction]:
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.at) * self.per_second)
        self.at = now
        wait = max(Fraction(0), (cost - self.tokens) / self.per_second)
        if wait <= within:
            self.tokens -= cost
            self.times += [now + wait] * cost
        return wait <= within, wait

    def holds(self) -> bool:
        """Whether no stretch of time has more in it than the burst, and what came meanwhile."""
        times = sorted(self.times)
        return all(
            last - first + 1 <= self.burst + (times[last] - times[first]) * self.per_second
            for first, last in itertools.combinations(range(len(times)), 2)
        )


class Alike(RuleBasedStateMachine):
    """A limiter says what its model says, for every id by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.models: dict[str, Any] = {}

    def make(self, rate: Rate) -> Any:
        if rate.burst is None:
            return SlidingWindow(rate.limit, rate.seconds, clock=self.clock)
        return TokenBucket(rate.limit, rate.seconds, burst=rate.burst, clock=self.clock)

    def ask(self, key: str, cost: int, within: float) -> Verdict:
        return self.limiter.take(key, cost, within)

    @initialize(limit=st.integers(1, 7), seconds=st.integers(60, 70), burst=st.none() | st.integers(1, 6))
    def begin(self, limit: int, seconds: int, burst: int | None) -> None:
        self.rate = Rate(limit, float(seconds), burst)
        self.limiter = self.make(self.rate)

    @rule(key=st.sampled_from(["ada", "ben", ""]), cost=st.integers(1, 3), ahead=st.just(0) | st.integers(0, 500))
    def take(self, key: str, cost: int, ahead: int) -> None:
        cost = min(cost, self.rate.most)
        # No wait is exactly as long as what is allowed: floats and fractions might differ about it.
        within = min(ahead * EIGHTH + (Fraction(13, 10**6) if ahead else 0), Fraction(self.rate.period) * 9871 / 10000)
        model = self.models.setdefault(key, (BucketModel if self.rate.burst else WindowModel)(self.rate))
        admitted, wait = model.take(Fraction(self.clock.now()), cost, within)
        verdict = self.ask(key, cost, float(within))
        assert verdict.admitted == admitted and bool(verdict) == admitted
        assert abs(verdict.wait - wait) < ROUNDED and (verdict.wait == 0) == (wait == 0)

    @rule(eighths=st.integers(1, 60) | st.integers(60, 1200))
    def wait(self, eighths: int) -> None:
        self.clock.jump(float(eighths * EIGHTH))

    @precondition(lambda self: self.models)
    @rule()
    def nobody_had_more(self) -> None:
        assert all(model.holds() for model in self.models.values())

    def teardown(self) -> None:
        assert all(model.holds() for model in self.models.values())


class AlikeOnRedis(Alike):
    """The same, decided by Redis, with the virtual clock's time."""

    url: str
    runner: asyncio.Runner

    def make(self, rate: Rate) -> RedisLimiter:
        return RedisLimiter(self.url, rate, name=os.urandom(8).hex(), now=self.clock.now, timeout=60)

    def ask(self, key: str, cost: int, within: float) -> Verdict:
        verdict = self.runner.run(self.limiter.take(key, cost, within))
        assert not verdict.away, self.limiter.trouble
        return verdict

    def teardown(self) -> None:
        super().teardown()
        self.runner.run(self.limiter.close())


def test_in_process_they_do_what_their_models_do() -> None:
    run_state_machine_as_test(Alike, settings=TRIED)


def test_on_redis_they_do_what_their_models_do(redis_url: str) -> None:
    AlikeOnRedis.url = redis_url
    with asyncio.Runner() as AlikeOnRedis.runner:
        run_state_machine_as_test(AlikeOnRedis, settings=settings(TRIED, max_examples=30, stateful_step_count=30))


def limiters(clock: VirtualClock, max_keys: int) -> list[SlidingWindow | TokenBucket]:
    return [
        SlidingWindow(3, 60, max_keys=max_keys, clock=clock),
        TokenBucket(3, 60, burst=3, max_keys=max_keys, clock=clock),
    ]


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0.0, 0.0, 0.0, 1.0, 30.0, 119.0]), st.booleans())))
def test_however_many_ids_come_records_and_admissions_are_bounded(calls: list[tuple[int, float, bool]]) -> None:
    clock = VirtualClock()
    window, bucket = limiters(clock, max_keys=4)
    admitted = list[float]()
    for who, seconds, patient in calls:
        clock.jump(seconds)
        if verdict := window.take(f"id-{who}", within=20.0 if patient else 0.0):
            admitted.append(clock.now() + verdict.wait)
        bucket.take(f"id-{who}", within=20.0 if patient else 0.0)
        assert window.keys <= 5 and bucket.keys <= 5
        assert len([time for time in admitted if time > clock.now() + 20.0 - 60.0]) <= 5 * 3 * 2
    for end in admitted:
        assert len([time for time in admitted if end - 60.0 < time <= end]) <= 5 * 3


@pytest.mark.parametrize("kind", [0, 1], ids=["window", "bucket"])
def test_a_flood_of_ids_resets_nobody_and_shares_one_limit(kind: int) -> None:
    clock = VirtualClock()
    limiter = limiters(clock, max_keys=100)[kind]
    assert [bool(limiter.take("ada")) for _ in range(4)] == [True, True, True, False]
    flood = sum(limiter.take(f"made-up-{number}").admitted for number in range(5000))
    assert flood == 99 + 3  # those that have a record of their own, and what the others share
    assert not limiter.take("ada")
    assert limiter.keys == 101 and limiter.shared == 5000 - 99
    clock.jump(60)
    assert limiter.take("ada") and not limiter.take("ada", cost=3)
    for _ in range(3):  # as soon as the flood is over for two generations, there is room again
        clock.jump(121)
        limiter.take("ben")
    assert limiter.keys <= 2
    limiter.take("carol")
    clock.jump(10_000)
    assert limiter.take("dora") and limiter.keys == 1


@pytest.mark.parametrize("kind", [0, 1], ids=["window", "bucket"])
def test_what_is_booked_ahead_is_not_forgotten_before_it_counts(kind: int) -> None:
    clock = VirtualClock()
    limiter = [SlidingWindow(1, 60, clock=clock), TokenBucket(1, 60, burst=1, clock=clock)][kind]
    limiter.take("ben")
    clock.jump(59)
    assert limiter.take("ada") and limiter.take("ada", within=60).wait == 60  # due at 119
    for seconds in (1, 30, 30):
        clock.jump(seconds)
        limiter.take("ben")
    assert clock.now() == 120 and limiter.take("ada").wait == 59


@pytest.mark.parametrize("kind", [0, 1], ids=["window", "bucket"])
def test_ids_may_be_long_or_no_text_at_all(kind: int) -> None:
    limiter = limiters(VirtualClock(), max_keys=100)[kind]
    for key in ("x" * 10**6, "x" * (10**6 - 1) + "y", "\ud800", "\ud800" * 1000, "\0"):
        assert [bool(limiter.take(key)) for _ in range(4)] == [True, True, True, False]
    kept = [*limiter._records._young, *limiter._records._old]
    assert len(kept) == 5 and max(map(len, kept)) <= 100


@pytest.mark.parametrize("kind", [0, 1], ids=["window", "bucket"])
def test_many_threads_get_no_more_than_one(kind: int) -> None:
    limiter = [SlidingWindow(300, 3600), TokenBucket(300, 86400 * 300, burst=300)][kind]
    admitted = list[int]()

    def run() -> None:
        admitted.append(sum(limiter.take("ada").admitted for _ in range(200)))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert sum(admitted) == 300


def test_what_is_left_can_be_seen() -> None:
    clock = VirtualClock(1000)
    window, bucket = limiters(clock, max_keys=1)
    for limiter in (window, bucket):
        assert limiter.available("ada") == 3
        limiter.take("ada", 2)
        assert limiter.available("ada") == 1 and limiter.available("ben") == 3
    assert window.shared == bucket.shared == 0  # looking is not taking
    clock.jump(10)
    assert window.available("ada") == 1 and bucket.available("ada") == 1.5
    bucket.take("ada", 3, within=60)
    assert bucket.available("ada") == -1.5
    clock.jump(50)
    assert window.available("ada") == 3


@pytest.mark.parametrize("rate", [Rate(7, 60.0, 1), Rate(3, 1.0, 2), Rate(7, 0.1)])
def test_a_wait_of_a_whole_period_is_no_longer_than_a_period(rate: Rate) -> None:
    clock = VirtualClock(1.7e9)
    window = SlidingWindow(rate.limit, rate.seconds, clock=clock)
    bucket = TokenBucket(rate.limit, rate.seconds, burst=rate.most, clock=clock)
    assert window.take("ada", rate.limit) and window.take("ada", within=window.period)
    assert bucket.take("ada", rate.most) and bucket.take("ada", rate.most, within=bucket.period)


@pytest.mark.parametrize("kind", [0, 1], ids=["window", "bucket"])
def test_what_can_never_be_is_an_error(kind: int) -> None:
    limiter = limiters(VirtualClock(), max_keys=1)[kind]
    for cost in (0, -1, 4):
        with pytest.raises(ValueError, match="the limit admits 1 to 3 at once"):
            limiter.take("ada", cost)
    with pytest.raises(ValueError, match="longer than the limit's period of 60 s"):
        limiter.take("ada", within=61)
    with pytest.raises(ValueError, match="one id at least"):
        limiters(VirtualClock(), max_keys=0)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/minute", Rate(100, 60)),
        (" 5 / 10 seconds ", Rate(5, 10)),
        ("2/second burst 20", Rate(2, 1, 20)),
        ("1/day", Rate(1, 86400)),
        ("3/2hours burst 1", Rate(3, 7200, 1)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate
    assert rate.most == (rate.burst or rate.limit)


@pytest.mark.parametrize(
    "text", ["", "100", "100/fortnight", "0/minute", "5/0 seconds", "-1/second", "1/second burst 0"]
)
def test_what_is_no_rate_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        Rate.parse(text)
