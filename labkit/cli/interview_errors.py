"""How the commands of `labkit interview` tell errors, and a record that is damaged."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager

from labkit.cli import exits
from labkit.cli.exits import FAILED, say


@contextmanager
def told(*, otherwise: int = FAILED) -> Generator[None]:
    """The lab's errors as a sentence and an exit code, as `exits.told`; a damaged record as a sentence on stderr."""
    from labkit.interview.record import DamagedRecord

    with exits.told(otherwise=otherwise), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DamagedRecord)
        try:
            yield
        finally:
            for each in caught:
                if issubclass(each.category, DamagedRecord):
                    say(str(each.message))
