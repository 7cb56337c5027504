"""`lab.sync.replicas`: replicas without `await`, on the background loop of `lab.sync`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from labkit.scaling.pool import DRAIN_SECONDS, Replicas, replicas
from labkit.scaling.replica import Replica, Rolled

T = TypeVar("T")


class SyncReplicas:
    """`Replicas` without `await`: see there."""

    def __init__(self, inner: Replicas) -> None:
        self.awaited = inner

    url = property(lambda self: self.awaited.url)
    behind = property(lambda self: self.awaited.behind)
    balance = property(lambda self: self.awaited.balance)
    replicas = property(lambda self: self.awaited.replicas)

    def kill(self, number: int) -> None:
        """SIGKILL one."""
        self.awaited.kill(number)

    def use(self, count: int) -> None:
        """Send new calls to the first `count` only."""
        _wait(self.awaited.use(count))

    def stop(self, number: int) -> None:
        """Stop one, without telling the balancer."""
        _wait(self.awaited.stop(number))

    def restart(self, number: int) -> Replica:
        """Start one again."""
        return _wait(self.awaited.restart(number))

    def roll(self, *, drain: float = DRAIN_SECONDS) -> list[Rolled]:
        """Replace each by a new process, with no failed call."""
        return _wait(self.awaited.roll(drain=drain))

    def close(self) -> None:
        """End all of it."""
        _wait(self.awaited.close())

    def __enter__(self) -> SyncReplicas:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self.awaited)


def _wait(work: Coroutine[Any, Any, T]) -> T:
    from labkit.session.sync import run

    return run(work)


def sync_replicas(target: Any, **options: Any) -> SyncReplicas:
    """`replicas` without `await`; the same arguments and errors."""
    return SyncReplicas(_wait(replicas(target, **options)))
