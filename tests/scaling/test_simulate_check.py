"""A comparison with a real server runs and reports. How near the figures are is for benchmarks/simulator.py to judge."""

from __future__ import annotations

import pytest

from labkit.scaling.simulate_check import CONFIGURATIONS, Configuration, compare


@pytest.mark.anyio
async def test_a_real_server_is_measured_and_simulated() -> None:
    found = await compare(Configuration("two places", "wait", places=2), probes=10, calls=20)
    assert found.name == "two places" and found.failed == 0
    assert found.measured > 0.005 and found.simulated > 0.005 and found.ratio == found.simulated / found.measured
    assert found.service > 0.002, "it waits 18 ms in the median"
    assert found.rate == pytest.approx(0.6 * 2 / found.service) and found.cores >= 0


def test_there_is_one_that_computes_one_without_a_limit_and_several_replicas() -> None:
    assert {each.tool for each in CONFIGURATIONS} == {"wait", "compute"}
    assert {each.balance for each in CONFIGURATIONS if each.replicas > 1} == {"round_robin", "least_connections"}
    assert len({each.name for each in CONFIGURATIONS}) == len(CONFIGURATIONS) >= 3
    assert max(each.places for each in CONFIGURATIONS) >= 1000
