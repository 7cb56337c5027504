"""Where two JSON values differ, by JSON pointer (RFC 6901), and what of it does not count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from labkit.errors import LabError

TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?")


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()
"""Stands for a member that one of the two does not have."""


class Ignoring:
    """Patterns: JSON pointers in which * is any one step. What is below an ignored place is ignored as well."""

    def __init__(self, patterns: Sequence[str] = (), *, times: bool = False) -> None:
        if wrong := [pattern for pattern in patterns if not pattern.startswith("/")]:
            raise LabError(f"{wrong[0]!r} is no JSON pointer: it begins with a slash, as in /result/_meta.")
        self._patterns = [[_plain(step) for step in pattern.split("/")[1:]] for pattern in patterns]
        self.times = times
        """Whether points in time within texts (ISO 8601) count as equal."""

    def __call__(self, path: Sequence[str]) -> bool:
        return any(
            len(pattern) == len(path) and all(p in ("*", step) for p, step in zip(pattern, path, strict=True))
            for pattern in self._patterns
        )


def differences(
    before: Any, after: Any, ignoring: Ignoring, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any, Any]]:
    """(pointer, before, after) of each place that differs; MISSING where there is nothing."""
    if ignoring(path):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        left, right = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        for name in dict.fromkeys([*left, *right]):
            yield from differences(left.get(name, MISSING), right.get(name, MISSING), ignoring, (*path, name))
    elif isinstance(before, list) and isinstance(after, list):
        first, second = cast("list[Any]", before), cast("list[Any]", after)
        for place in range(max(len(first), len(second))):
            one, other = (each[place] if place < len(each) else MISSING for each in (first, second))
            yield from differences(one, other, ignoring, (*path, str(place)))
    elif not _same(before, after, ignoring):
        yield "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path), before, after


def _same(before: Any, after: Any, ignoring: Ignoring) -> bool:
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after  # in Python True equals 1, in JSON it does not
    if ignoring.times and isinstance(before, str) and isinstance(after, str):
        return TIME.sub("", before) == TIME.sub("", after)
    return before == after


def _plain(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
