"""Shared by all tests: async tests run on asyncio (`@pytest.mark.anyio`), as the lab does."""

from __future__ import annotations

import gc
import inspect
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit import services
from tests import warm

TESTS = Path(__file__).parent
SLOW = {TESTS / line for line in (TESTS / "slow.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Keep the collector of garbage off what lasts for the whole run.

    The modules and the nine thousand tests are a million objects: a full collection takes 0.4 s with them, there are
    ten of those while tests are collected, and the lab does one after each connection that is opened.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path in SLOW:
            item.add_marker(pytest.mark.slow)
        if isinstance(item, pytest.Function) and asks_for_async(item):
            # anyio sets such fixtures up for tests that have this one; an ordinary test can be the first to ask.
            item.fixturenames.insert(0, "anyio_backend")


def asks_for_async(item: pytest.Function) -> bool:
    """Whether an ordinary test has a fixture that is async."""
    if "anyio_backend" in item.fixturenames:
        return False
    known = item._fixtureinfo.name2fixturedefs  # pyright: ignore[reportPrivateUsage]
    functions = [known[name][-1].func for name in item.fixturenames if name in known]
    return any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in functions)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Of a process that runs tests, and so many that it pays."""
    if len(session.items) >= warm.ENOUGH and warm.allowed():
        servers = warm.Warm()
        session.config.add_cleanup(servers.close)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL that tests may write to: DATABASE_URL_TEST, or one of the lab's own for this run."""
    if url := os.environ.get("DATABASE_URL_TEST"):
        yield url
        return
    with services.Temporary() as own:
        try:
            url = own.up("postgres")[0].url
        except services.ServiceMissingError as error:
            pytest.skip(f"no PostgreSQL: {error} Or set DATABASE_URL_TEST=postgresql://USER:PASSWORD@HOST/NAME")
        yield url


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How long the notebooks took: alone, and side by side on the workers of this run."""
    took = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "notebook" and getattr(report, "when", "") == "call"
    ]
    if not took:
        return
    seconds = sorted(((end - began, stem) for stem, began, end in took), reverse=True)
    wall = max(end for _, _, end in took) - min(began for _, began, _ in took)
    terminalreporter.section("notebooks")
    terminalreporter.write_line(
        f"papermill ran {len(took)} notebooks: {sum(s for s, _ in seconds):.0f} s of kernels, {wall:.0f} s on the clock from"
        f" the first to the last; slowest: {', '.join(f'{stem} {s:.0f} s' for s, stem in seconds[:3])}"
    )
