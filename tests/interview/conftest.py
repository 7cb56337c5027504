"""What the tests of the interview room share: a small bank of their own, the whole bank, a clock that is set by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.interview.bank import Bank, load_bank

FIXTURES = Path(__file__).parent / "fixtures"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def run(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def bank() -> Bank:
    """The questions of the lab."""
    return load_bank()


@pytest.fixture(scope="session")
def small() -> Bank:
    """Three questions that do not change with the lab's."""
    return load_bank(FIXTURES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An interview folder of its own; work/ of the exercises is beside it."""
    return tmp_path / "work" / "interview"
