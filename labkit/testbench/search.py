"""The search for an input with which something goes wrong: hypothesis makes and shrinks, a coroutine tries."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import HealthCheck, Phase, Verbosity, configuration, given, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.strategies import SearchStrategy

from labkit.testbench.schemas import canonical


class Steady(HypothesisProvider):
    """Without the constants that hypothesis picks from loaded code: one seed, the same inputs everywhere."""

    def _maybe_draw_constant(self, *_: Any, **__: Any) -> None:
        return None


BACKEND = "labkit-steady"
AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.Steady"


@dataclass
class Hunt:
    """What a search came to."""

    tried: int = 0
    found: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    """By what went wrong, the inputs with which it did: the smallest first, then the first that was met."""
    why: str = ""
    """Why nothing could be tried."""


class _Enough(BaseException):
    """Ends a search. No Exception, which hypothesis would take for a failure, and try to shrink."""


async def hunt(
    strategy: SearchStrategy[Any],
    trial: Callable[[Any], Awaitable[str]],
    *,
    number: int,
    most: int,
    least: int,
    until: float,
    latest: float,
    remember: bool = True,
) -> Hunt:
    """Try `most` inputs, and shrink those with which `trial` says that something went wrong ('' when nothing did).

    hypothesis runs in a thread and hands each input to this loop, which stays free. `number` seeds it. At `until` (as
    `time.monotonic()`) it ends, if `least` were tried and nothing was found; at `latest` in any case. What was tried is
    not tried again, unless `remember` is false. Nothing is written to disk.
    """
    loop, made, stop = asyncio.get_running_loop(), Hunt(), threading.Event()
    known: dict[str, str] = {}
    kinds: dict[str, type[Exception]] = {}
    running: set[asyncio.Task[Any]] = set()

    async def attempt(value: Any) -> str:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        running.add(task)
        try:
            return "" if stop.is_set() else await trial(value)
        finally:
            running.discard(task)

    def once(value: Any) -> None:
        now = time.monotonic()
        if stop.is_set() or now > latest or (now > until and made.tried >= least and not made.found):
            raise _Enough
        key = canonical(value)
        if key not in known or not remember:
            known[key] = asyncio.run_coroutine_threadsafe(attempt(value), loop).result()
            made.tried += 1
        if kind := known[key]:
            so_far = made.found.setdefault(kind, [value, value])
            if (len(key), key) < (len(canonical(so_far[0])), canonical(so_far[0])):
                so_far[0] = value
            raise kinds.setdefault(kind, type(kind, (Exception,), {}))

    def work() -> None:
        quiet = settings(
            max_examples=most,
            database=None,
            deadline=None,
            suppress_health_check=list(cast(Any, HealthCheck)),
            phases=[Phase.generate, Phase.shrink],
            verbosity=Verbosity.quiet,
            print_blob=False,
            backend=BACKEND,
        )
        try:
            with nowhere():
                seed(number)(quiet(given(strategy)(once)))()
        except _Enough:
            return
        except (HypothesisException, BaseExceptionGroup) as error:  # a group of _Enough is no ExceptionGroup
            made.why = "" if made.tried else f"no arguments could be made from its schema ({type(error).__name__})"
        except Exception as error:
            # Ours say what went wrong with an input; any other comes from making one.
            if not made.found:
                made.why = f"no arguments could be made from its schema ({type(error).__name__}: {str(error)[:100]})"

    thread = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        # An input that takes long must not keep the others waiting: what it came to is lost.
        await asyncio.wait({thread}, timeout=max(0.0, latest - time.monotonic()) + 1.0)
    finally:
        stop.set()
        for each in list(running):
            each.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({thread}, timeout=2)
    return made


@contextmanager
def nowhere() -> Generator[None]:
    """hypothesis keeps tables of Unicode in the working folder, which is not ours to write to: not within this."""
    before = getattr(configuration, "__hypothesis_home_directory", None)
    with tempfile.TemporaryDirectory(prefix="labkit-", ignore_cleanup_errors=True) as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(before)
