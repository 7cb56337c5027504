"""The autoscaler, told what it sees: the rule, its tolerance, its windows, and the way from and to zero."""

from __future__ import annotations

import pytest

from labkit.scaling.arrivals import SimulationError
from labkit.scaling.scaler import Autoscaler, Seen


def looks(scaler: Autoscaler, ready: int, *utilisations: float) -> list[int]:
    """What it wants, look by look, when all that it wants is ready at the next."""
    found: list[int] = []
    for number, share in enumerate(utilisations):
        ready = scaler.wanted(Seen(number * scaler.every, ready, utilisation=share))
        found.append(ready)
    return found


def test_the_rule_is_that_of_kubernetes() -> None:
    assert Autoscaler("cpu", 0.75, most=100).wanted(Seen(0, 50, utilisation=0.90)) == 60
    assert Autoscaler("cpu", 0.5, most=100, down_window=0).wanted(Seen(0, 10, utilisation=0.2)) == 4


def test_near_the_target_nothing_happens() -> None:
    assert looks(Autoscaler("cpu", 0.5, most=100, down_window=0), 20, 0.549, 0.451, 0.55, 0.45) == [20] * 4
    assert looks(Autoscaler("cpu", 0.5, most=100, tolerance=0.05), 20, 0.549) == [22]


def test_the_limits_hold() -> None:
    scaler = Autoscaler("cpu", 0.5, least=2, most=6, down_window=0)
    assert looks(scaler, 4, 1.0, 0.0) == [6, 2]


def test_it_goes_down_only_to_what_was_enough_all_the_time() -> None:
    scaler = Autoscaler("cpu", 0.5, most=10, every=15, down_window=60)
    assert looks(scaler, 8, 0.2, 0.1, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1) == [8, 8, 8, 8, 4, 4, 4, 4, 2]


def test_it_goes_up_only_to_what_was_wanted_all_the_time() -> None:
    scaler = Autoscaler("cpu", 0.5, most=20, every=15, up_window=30)
    assert looks(scaler, 2, 1.0, 0.5, 1.0, 1.0, 1.0) == [2, 2, 2, 2, 4]


def test_what_is_starting_is_not_asked_for_again() -> None:
    scaler = Autoscaler("cpu", 0.5, most=20)
    assert scaler.wanted(Seen(0, 2, utilisation=1.0)) == 4
    assert scaler.wanted(Seen(15, 2, starting=2, utilisation=1.0)) == 4
    assert scaler.wanted(Seen(30, 4, utilisation=1.0)) == 8


def test_what_is_starting_is_not_taken_away_for_doing_nothing() -> None:
    scaler = Autoscaler("cpu", 0.5, down_window=0)
    assert scaler.wanted(Seen(0, 2, starting=2, utilisation=0.4)) == 4


def test_requests_in_the_system_are_spread() -> None:
    scaler = Autoscaler("queue", 2.0, most=50, down_window=0)
    assert scaler.wanted(Seen(0, 3, in_system=17)) == 9
    assert scaler.wanted(Seen(15, 9, in_system=17)) == 9, "1.9 of 2 is near enough"
    assert scaler.wanted(Seen(30, 9, in_system=0)) == 1


def test_latency_counts_in_proportion() -> None:
    scaler = Autoscaler("latency", 0.1, most=50, down_window=0)
    assert scaler.wanted(Seen(0, 3, latency=0.4)) == 12
    assert scaler.wanted(Seen(15, 12, latency=0.05)) == 6


def test_memory_counts_as_cpu_does() -> None:
    scaler = Autoscaler("memory", 0.8, most=50, down_window=0)
    assert scaler.wanted(Seen(0, 4, memory=1.0)) == 5
    assert scaler.wanted(Seen(15, 5, memory=0.75)) == 5, "within a tenth of the target"
    assert scaler.wanted(Seen(30, 5, memory=0.3)) == 2


def test_memory_that_idle_replicas_use_never_lets_the_last_one_go() -> None:
    scaler = Autoscaler("memory", 0.8, least=0, idle=60, down_window=0)
    assert scaler.wanted(Seen(900, 1, memory=0.5, idle=900)) == 1


def test_a_metric_is_shared_out() -> None:
    scaler = Autoscaler("metric", 100, most=50, down_window=0)
    assert scaler.wanted(Seen(0, 3, in_system=999, metric=350)) == 4
    assert scaler.wanted(Seen(15, 4, metric=430)) == 4, "107 in each is near enough to 100"
    assert scaler.wanted(Seen(30, 4, metric=0)) == 1


@pytest.mark.parametrize("trigger", ["cpu", "memory", "queue", "latency"])
def test_to_nothing_after_the_idle_time_and_back_for_a_request(trigger: str) -> None:
    scaler = Autoscaler(trigger, 0.5, least=0, idle=60, down_window=0)  # pyright: ignore[reportArgumentType]
    assert scaler.wanted(Seen(15, 1, idle=15)) == 1
    assert scaler.wanted(Seen(75, 1, idle=75)) == 0
    assert scaler.wanted(Seen(90, 0, idle=90)) == 0
    assert scaler.wanted(Seen(105, 0, in_system=0.1)) == 1, "no window and no ratio keep it from coming back"


def test_nothing_of_the_past_is_in_a_fresh_one() -> None:
    scaler = Autoscaler("cpu", 0.5, least=0, most=9, every=5, tolerance=0.2, up_window=1, down_window=60, idle=7)
    scaler.wanted(Seen(0, 9, utilisation=0.5))
    assert scaler.fresh() == scaler
    assert scaler.wanted(Seen(5, 9)) == 9
    assert Autoscaler("cpu", 0.5, down_window=0).fresh().wanted(Seen(5, 9)) == 1


@pytest.mark.parametrize(
    ("sentence", "options"),
    [
        ("nothing to scale by. Did you mean 'latency'", {"trigger": "latencies"}),
        ("0 <= least <= most", {"least": 3, "most": 2}),
        ("0 <= least <= most", {"least": 0, "most": 0}),
        ("more than 0", {"target": 0}),
        ("more than 0", {"every": 0}),
    ],
)
def test_settings_that_make_no_sense_are_refused(sentence: str, options: dict[str, object]) -> None:
    with pytest.raises(SimulationError, match=sentence):
        Autoscaler(**options)  # type: ignore[arg-type]
