"""The simulation of a replicated service: by hand, against the lab's own balancer, and through its whole life."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.scaling.arrivals import (
    SimulationError,
    constant,
    diurnal,
    exponential,
    lognormal,
    poisson,
    spike,
    trace,
    varying,
    work_of,
)
from labkit.scaling.choosing import Balance, Choice, Upstream
from labkit.scaling.scaler import Autoscaler
from labkit.scaling.simulate import simulate
from labkit.scaling.simulate_result import Moment


def test_requests_wait_their_turn() -> None:
    run = simulate([0, 0, 0, 1], 1.0)
    assert run.latencies == [1, 2, 3, 3]
    assert run.waits == [0, 1, 2, 2]
    assert (run.seconds, run.utilisation, run.replica_seconds, run.cold_starts) == (4, 1, 4, 0)
    assert (run.p50, run.p95, run.p99, run.mean) == (2, 3, 3, 2.25)


def test_replicas_and_slots_serve_side_by_side() -> None:
    assert simulate([0, 0, 0, 0], 1.0, replicas=2).latencies == [1, 1, 2, 2]
    assert simulate([0, 0, 0, 0], 1.0, slots=3).latencies == [1, 1, 1, 2]
    assert simulate([0, 0, 0, 0], 1.0, replicas=2, slots=2).utilisation == 1


def test_least_connections_goes_round_what_is_slow() -> None:
    long, short = 10.0, 1.0
    work = iter([long, short, short, short])
    run = simulate([0, 0, 2, 3], lambda _: next(work), replicas=2, balance="least_connections")
    assert run.latencies == [10, 1, 1, 1]
    work = iter([long, short, short, short])
    assert simulate([0, 0, 2, 3], lambda _: next(work), replicas=2).latencies == [10, 1, 9, 1]


def test_overhead_takes_no_slot() -> None:
    run = simulate([0, 0], 1.0, overhead=0.5)
    assert run.latencies == [1.5, 2.5] and run.seconds == 2


def test_a_seed_is_a_run() -> None:
    def again(seed: int) -> list[float]:
        arrivals = poisson(50, 20, seed=seed)
        scaler = Autoscaler("cpu", 0.5, every=2, down_window=5)
        return simulate(
            arrivals, lognormal(0.03, 0.03), scaler=scaler, balance="random", overhead=[0.001, 0.002], seed=seed
        ).latencies

    assert again(1) == again(1) != again(2)


def test_the_same_seed_gives_a_request_the_same_work_whatever_serves_it() -> None:
    arrivals = constant(1, 50)
    one, many = (simulate(arrivals, exponential(0.1), replicas=n, slots=4, seed=3) for n in (1, 5))
    assert one.latencies == many.latencies, "nobody waits: latency is work"


def as_the_balancer(
    arrivals: list[float], work: list[float], replicas: int, slots: int, balance: Balance
) -> list[float]:
    """The same service with the choice of labkit's balancer: step by step, without a heap."""
    choice = Choice(balance, clock=lambda: 0.0)
    choice.upstreams = [Upstream(number, "") for number in range(replicas)]
    busy: dict[int, list[tuple[float, int]]] = {number: [] for number in range(replicas)}
    queues: dict[int, deque[int]] = {number: deque() for number in range(replicas)}
    took = [0.0] * len(arrivals)

    def until(now: float) -> None:
        while True:
            ends = [(end, request, number) for number, each in busy.items() for end, request in each]
            if not ends or min(ends)[0] > now:
                return
            end, request, number = min(ends)
            busy[number].remove((end, request))
            choice.ended(choice.upstreams[number])
            took[request] = end - arrivals[request]
            if queues[number]:
                following = queues[number].popleft()
                busy[number].append((end + work[following], following))

    for request, at in enumerate(arrivals):
        until(at)
        chosen = choice.choose({})
        assert chosen is not None
        choice.began(chosen)
        if len(busy[chosen.number]) < slots:
            busy[chosen.number].append((at + work[request], request))
        else:
            queues[chosen.number].append(request)
    until(float("inf"))
    return took


@pytest.mark.parametrize("balance", ["round_robin", "least_connections"])
@pytest.mark.parametrize("slots", [1, 2])
def test_it_chooses_as_the_labs_balancer_does(balance: Balance, slots: int) -> None:
    arrivals = poisson(90 * slots, 10, seed=5)
    work = work_of(exponential(0.03), len(arrivals), random.Random("service 8"))
    run = simulate(arrivals, exponential(0.03), replicas=3, slots=slots, balance=balance, seed=8)
    assert run.latencies == pytest.approx(as_the_balancer(arrivals, work, 3, slots, balance))


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.integers(0, 40), max_size=40),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(["round_robin", "least_connections", "random", "one_queue"]),
    st.sampled_from(["cpu", "queue", "latency", None]),
    st.sampled_from([0.0, 0.5, 7.0]),
)
def test_whatever_happens_all_are_served_and_all_work_is_done(
    at: list[int], replicas: int, slots: int, balance: str, trigger: str | None, cold: float
) -> None:
    arrivals = [float(each) for each in sorted(at)]
    scaler = trigger and Autoscaler(trigger, 0.5, least=0, most=4, every=3, down_window=3, idle=4)  # pyright: ignore[reportArgumentType]
    run = simulate(
        arrivals,
        1.25,
        replicas=replicas,
        slots=slots,
        balance=balance,
        scaler=scaler or None,
        cold_start=cold,
        until=60,
    )
    assert all(took >= 1.25 for took in run.latencies)
    assert run.latencies == pytest.approx([wait + 1.25 for wait in run.waits])
    ready = sum(
        (now.ready + now.draining) * (then.second - now.second)
        for now, then in zip(run.moments, run.moments[1:], strict=False)
    )
    assert run.utilisation * ready * slots == pytest.approx(len(arrivals) * 1.25)
    assert run.replica_seconds >= ready - 1e-9
    assert run.seconds >= 60 and run.moments[-1].in_system == 0 == run.moments[-1].draining


def test_from_nothing_the_first_request_waits_for_the_start() -> None:
    scaler = Autoscaler("queue", 0.7, least=0, idle=60, down_window=0)
    run = simulate([100.0, 100.5], 1.0, replicas=0, scaler=scaler, cold_start=5, price=3600, until=400)
    assert run.latencies == [6, 6.5]
    assert (run.cold_starts, run.cold) == (1, 2)
    gone = next(moment.second for moment in run.moments if moment.second > 107 and moment.ready == 0)
    assert 107 + 60 <= gone <= 107 + 60 + 15, "idle for a minute, seen at the next look"
    assert run.replica_seconds == run.cost == gone - 100


def test_who_comes_again_before_the_idle_time_is_over_does_not_wait() -> None:
    def starts(pause: float, idle: float) -> tuple[int, int]:
        scaler = Autoscaler("queue", 0.7, least=0, idle=idle, down_window=0)
        run = simulate([0.0, pause], 1.0, replicas=0, scaler=scaler, cold_start=5)
        return run.cold_starts, run.cold

    assert starts(50, 60) == (1, 1)
    assert starts(200, 60) == (2, 2)


def test_a_spike_brings_replicas_and_a_window_keeps_them() -> None:
    arrivals = spike(10, 120, at=60, lasting=60, seconds=300, seed=1)

    def run(window: float):
        return simulate(arrivals, 0.02, scaler=Autoscaler("cpu", 0.6, down_window=window), cold_start=10, until=300)

    short, long = run(0), run(300)
    assert max(moment.ready for moment in short.moments) >= 4
    assert short.timeline().ready.iloc[-1] == 1 < long.timeline().ready.iloc[-1]
    assert short.replica_seconds < long.replica_seconds
    still = simulate(arrivals, 0.02, until=300)
    assert short.p95 < still.p95, "one replica alone drowns"


def test_the_cold_start_is_what_a_spike_costs() -> None:
    arrivals = spike(10, 120, at=60, lasting=60, seconds=200, seed=1)
    found = [
        simulate(arrivals, 0.02, scaler=Autoscaler("cpu", 0.6, every=5), cold_start=cold).p95 for cold in (0, 5, 20)
    ]
    assert found == sorted(found) and found[0] < found[2] / 3


def test_no_more_than_most_and_what_goes_finishes_its_work() -> None:
    arrivals = [0.0] * 40 + [100.0]
    run = simulate(arrivals, 4.0, scaler=Autoscaler("queue", 0.7, most=3, every=5, down_window=5), cold_start=1)
    assert max(moment.ready + moment.starting for moment in run.moments) == 3
    assert len(run.latencies) == 41 and min(run.latencies) == 4


def test_a_latency_trigger_sees_those_who_still_wait() -> None:
    run = simulate([0.0] * 5, 100.0, scaler=Autoscaler("latency", 1.0, most=4, every=10), cold_start=1)
    assert max(moment.ready for moment in run.moments) == 4, "nobody had ended at the first look"


def test_without_requests_there_is_nothing_to_say() -> None:
    run = simulate([], 1.0, until=10)
    assert run.seconds == run.replica_seconds == 10 and run.utilisation == 0
    assert run.p95 != run.p95 and "0 requests" in repr(run)  # NaN


def test_tables_and_a_picture() -> None:
    run = simulate(poisson(20, 10), 0.02, replicas=2, price=1.8, until=12)
    assert list(run.table().columns) == ["arrival", "wait", "latency"] and len(run.table()) == len(run.latencies)
    over = run.over_time(1.0)
    assert len(over) == 12 and over.rate.sum() == len(run.latencies) and set(over.ready) == {2}
    assert over.p95[11] != over.p95[11]  # nobody came in the last second
    assert run.summary()["cost"] == pytest.approx(12 * 2 / 3600 * 1.8) and run.summary()["replicas"] == 2
    assert [axis.get_ylabel() for axis in run.plot(limit=0.1).axes] == ["requests/s", "replicas", "p95, ms"]


@pytest.mark.parametrize(
    ("sentence", "options"),
    [
        ("no way to balance. Did you mean 'round_robin'", {"balance": "round_robbin"}),
        ("nothing would ever be served", {"replicas": 0}),
        ("nothing would ever be served", {"slots": 0}),
        ("not sorted", {"arrivals": [2.0, 1.0]}),
        ("not negative", {"arrivals": [-1.0]}),
        ("sample of service times is empty", {"service": []}),
        ("negative or not finite", {"service": -1}),
    ],
)
def test_what_makes_no_sense_is_said(sentence: str, options: dict[str, object]) -> None:
    given: dict[str, object] = {"arrivals": [1.0], "service": 1.0} | options
    with pytest.raises(SimulationError, match=sentence):
        simulate(given.pop("arrivals"), given.pop("service"), **given)  # type: ignore[arg-type]


def test_constant_arrivals_are_even() -> None:
    assert constant(4, 1) == [0.25, 0.5, 0.75, 1.0]
    assert len(constant(0.1, 60)) == 6


def test_poisson_arrivals_vary_as_much_as_their_number() -> None:
    counts = [len(poisson(10, 10, seed=seed)) for seed in range(200)]
    mean = sum(counts) / 200
    assert mean == pytest.approx(100, rel=0.03)
    assert sum((each - mean) ** 2 for each in counts) / 200 == pytest.approx(100, rel=0.3)


def test_days_and_spikes_have_their_shape() -> None:
    day = diurnal(2, 20, period=100, seconds=200, seed=1)
    night = sum(at % 100 < 10 or at % 100 >= 90 for at in day)
    noon = sum(40 <= at % 100 < 60 for at in day)
    assert noon > 4 * night and len(day) == pytest.approx(11 * 200, rel=0.1)
    high = [at for at in spike(1, 50, at=20, lasting=10, seconds=60, seed=1) if 20 <= at < 30]
    assert len(high) == pytest.approx(500, rel=0.15)


def test_a_trace_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "requests.csv"
    file.write_text("tool,at\nadd,1700000003.5\nadd,1700000000\nadd,1700000001\n", encoding="utf-8")
    assert trace(file, column="at") == [0, 1, 3.5]
    assert trace([5, 3]) == [0, 2] and trace([]) == []
    with pytest.raises(SimulationError, match="no column 'time'. It has: tool, at"):
        trace(file)
    file.write_text("time\nnoon\n", encoding="utf-8")
    with pytest.raises(SimulationError, match=r"line 2, column 'time': could not convert"):
        trace(file)
    with pytest.raises(SimulationError, match="not a finite number"):
        trace([float("nan")])


def test_rates_that_cannot_be_are_refused() -> None:
    with pytest.raises(SimulationError, match="both are positive"):
        poisson(0, 10)
    with pytest.raises(SimulationError, match="more than the 10,000,000"):
        constant(500_000, 86_400)
    with pytest.raises(SimulationError, match="not between 0 and 5"):
        varying(lambda _: 6, 5, 100)
    with pytest.raises(SimulationError, match="the lower rate comes first"):
        diurnal(5, 1, period=10, seconds=10)


def test_memory_that_grows_with_the_requests_scales_by_them() -> None:
    scaler = Autoscaler("memory", 0.5, most=20, every=10, down_window=0)
    # 8 requests at a time: on n replicas each uses 0.2 + 0.1 * 8 / n, which is 0.4 on 4, and near 0.5 on 3.
    run = simulate([n / 2 for n in range(400)], 4.0, slots=8, scaler=scaler, balance="one_queue", memory=(0.2, 0.1))
    assert {moment.ready for moment in run.moments if 50 <= moment.second <= 190} == {3}


def test_memory_that_idle_replicas_use_is_not_shared_out() -> None:
    scaler = Autoscaler("memory", 0.5, most=20, every=10, down_window=0)
    run = simulate([0.0, 100.0], 1.0, scaler=scaler, memory=(0.6, 0.1), until=300)
    assert run.moments[-1].ready == 20, "each new one uses as much, so the average stays above the target"


def test_a_metric_of_ones_own_can_know_what_comes() -> None:
    arrivals = constant(1, 60) + [60 + n / 20 for n in range(1200)]
    asked: list[float] = []

    def expected(moment: Moment) -> float:
        asked.append(moment.second)
        return 20.0 if moment.second >= 40 else 1.0

    timetable = Autoscaler("metric", 8, every=10)
    late = simulate(arrivals, 0.1, scaler=Autoscaler("cpu", 0.8, every=10), cold_start=15, balance="one_queue")
    early = simulate(arrivals, 0.1, scaler=timetable, cold_start=15, balance="one_queue", metric=expected)
    assert asked == [10.0 * n for n in range(1, len(asked) + 1)] and len(asked) > 10
    assert max(moment.ready for moment in early.moments) == 3
    assert early.p99 == pytest.approx(0.1) and late.p99 > 1


def test_a_trigger_without_its_measure_is_refused() -> None:
    with pytest.raises(SimulationError, match="give metric=, a function of a Moment"):
        simulate([1.0], 0.1, scaler=Autoscaler("metric"))
    for memory in ((0.0, 0.0), (-0.1, 0.5)):
        with pytest.raises(SimulationError, match="say what a replica uses when it is idle"):
            simulate([1.0], 0.1, scaler=Autoscaler("memory"), memory=memory)
