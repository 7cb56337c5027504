"""How the commands of `labkit interview` tell errors, and a record that is damaged."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from labkit.cli import exits
from labkit.cli.exits import FAILED, say


@contextmanager
def told(*, otherwise: int = FAILED) -> Generator[None]:
    """The lab's errors as a sentence and an exit code, as `exits.told`; a damaged record as a sentence on stderr."""
    from labkit.grading.record import damage_told

    with exits.told(otherwise=otherwise), damage_told(say):
        yield
