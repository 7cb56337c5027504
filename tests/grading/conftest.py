"""Shared by the grader's tests: a toy exercise, a folder for a learner's work, judges that end with the test run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.grading.attempt import Exercise
from labkit.grading.scaffold import new_exercise
from labkit.grading.spec import Spec, load
from labkit.grading.warm import Judges


@pytest.fixture(scope="session")
def pool() -> Iterator[Judges]:
    """Judges shared by the tests, as a learner's kernel would share them."""
    judges = Judges()
    yield judges
    judges.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one small exercise, `toy`: write double(number)."""
    new_exercise("toy", tmp_path / "exercises")
    return tmp_path / "exercises"


@pytest.fixture
def spec(root: Path) -> Spec:
    return load("toy", root)


@pytest.fixture
def toy(spec: Spec, tmp_path: Path) -> Exercise:
    """The toy exercise, opened by a learner."""
    return Exercise(spec, tmp_path / "work").open()
