"""Connections to the probe server over every transport and in both eras; nothing may be left open."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lab

PROBE = Path(__file__).with_name("probe_server.py")
VIAS = ("memory", "stdio", "http")
ERAS = ("2026-07-28", "2025-11-25")


def loaded() -> set[str]:
    """The modules that servers were loaded as. Other tests of this process may have loaded some."""
    return {name for name in sys.modules if name.startswith("labkit_server_")}


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., Any]]:
    """`lab.connect` to the probe by default; all that it opened is closed, and checked to be."""

    async def opening(target: Any = PROBE, **options: Any) -> Any:
        return await lab.connect(target, **options)

    yield opening
    await lab.close_all()
    assert list(lab.connections()) == []


WAYS = [f"{via} {era}" for via in VIAS for era in ERAS]
OFTEN = (
    WAYS
    if os.environ.get("LAB_WHOLE")
    else ["memory 2026-07-28", "memory 2025-11-25", "stdio 2025-11-25", "http 2026-07-28"]
)
"""Each transport and each era in every run; a process takes a second to start. `LAB_WHOLE=1` takes each with each."""


@pytest.fixture(params=OFTEN)
async def probe(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Any:
    """The probe over each transport in each era."""
    via, era = request.param.split()
    return await connect(via=via, era=era)


@pytest.fixture(params=ERAS)
async def memory(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Any:
    """The probe in memory, in each era: for what does not depend on the transport."""
    return await connect(via="memory", era=request.param)
