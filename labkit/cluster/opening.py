"""From what a person writes after `--cluster` to a pool."""

# distributed carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from labkit.cluster.jobs import ClusterError, JobPool, LocalPool

SETUP = "python start.py setup --extras"
FORMS = "local:2 (workers on this machine), tcp://HOST:PORT or tls://HOST:PORT (a Dask scheduler)"
KEYS = (
    "Set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY to files, see labkit/cluster/__init__.py."
)
ANSWER_WITHIN = 10.0
"""Seconds for a scheduler to answer the first call."""
LOCAL_FAILURES = 1
"""How often a task of a cluster that is started here is given out again after its worker died."""
_LOCAL = re.compile(r"local(?::([1-9]\d{0,3}))?\Z")
_REMOTE = re.compile(r"(tcp|tls)://\S+:\d+/?\Z")


@contextmanager
def open_pool(
    cluster: str | None = None,
    *,
    size: int | None = None,
    say: Callable[[str], object] = lambda _: None,
    patience: float = 60.0,
) -> Generator[JobPool]:
    """The pool that `cluster` names; by default threads of this process, `size` of them or one for each core.

    `say` is told where the cluster's dashboard is. `patience`, in seconds: how long it may have no worker.

    Raises ClusterError when there is no such cluster, dask is not installed, or a worker is not like this process.
    """
    if cluster is None:
        yield LocalPool(size)
        return
    local = _LOCAL.match(cluster)
    if not local and not _REMOTE.match(cluster):
        raise ClusterError(f"{cluster!r} is no cluster. It can be {FORMS}.")
    try:
        from distributed import Client, Security
    except ImportError:
        raise ClusterError(f"A cluster needs the package distributed, which is not installed: {SETUP}") from None
    from labkit.cluster.dask_pool import DaskPool
    from labkit.cluster.likeness import same_checkout

    if cluster.startswith("tls:") and Security().get_connection_args("client").get("ssl_context") is None:
        raise ClusterError(f"{cluster} needs keys, and Dask's configuration names none. {KEYS}")
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        address: Any = cluster.rstrip("/")
        if local:
            address = stack.enter_context(local_cluster(int(local[1] or os.cpu_count() or 1)))
        try:
            client = stack.enter_context(Client(address, timeout=ANSWER_WITHIN, set_as_default=False))
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise ClusterError(
                f"No Dask scheduler answers at {cluster}: {error}. Start one with: dask scheduler"
            ) from None
        pool = DaskPool(client, patience=patience, wanted=same_checkout() if local else None)
        workers = len(pool.workers)
        say(f"{workers} worker{'s' if workers != 1 else ''}, dashboard: {dashboard(client)}")
        try:
            yield pool
        finally:
            pool.close()


@contextmanager
def local_cluster(workers: int, *, failures: int = LOCAL_FAILURES) -> Generator[Any]:
    """A Dask scheduler in this process and worker processes below it, on the loopback interface."""
    import dask.config
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": failures}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster


def dashboard(client: Any) -> str:
    """Where to watch the cluster. Without bokeh in the scheduler's Python there are tables only, at another address."""
    link = str(client.dashboard_link or "none")
    plots = client.run_on_scheduler(_has_plots)
    return link if plots else link.removesuffix("/status") + "/info/main/workers.html (for plots: pip install bokeh)"


def _has_plots() -> bool:
    from importlib.util import find_spec

    return find_spec("bokeh") is not None


@contextmanager
def _quiet() -> Generator[None]:
    """Dask's loggers say nothing: what they tell of lost workers, the results tell."""
    loggers = [
        logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if name.startswith("distributed")
    ]
    before = [(logger, logger.level) for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)
