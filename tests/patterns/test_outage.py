"""A helper that is away: told once, left alone for a while, and tried again by one."""

from __future__ import annotations

from labkit.patterns.clock import VirtualClock
from labkit.patterns.outage import Outage


def test_it_is_left_alone_then_one_finds_out_and_news_are_told_once() -> None:
    clock = VirtualClock()
    outage = Outage(2.0, clock)
    assert outage.may_ask() and not outage.answered() and not outage.out
    assert outage.failed(OSError("gone")) and not outage.failed(OSError("still gone"))
    assert (outage.out, outage.failures, outage.trouble, outage.left) == (True, 2, "OSError: still gone", 2.0)
    clock.jump(1.5)
    assert not outage.may_ask() and outage.left == 0.5
    clock.jump(0.5)
    assert outage.may_ask() and not outage.may_ask(), "one finds out, the others go on without"
    clock.jump(2.0)
    assert outage.may_ask(), "who went to find out may never come back"
    assert outage.answered() and not outage.answered()
    assert outage.may_ask() and outage.may_ask() and outage.failures == 2
