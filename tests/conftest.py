"""Shared by all tests: async tests run on asyncio (`@pytest.mark.anyio`), as the lab does."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


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
