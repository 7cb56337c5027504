"""Patterns for names and paths, as in a shell: * ? [abc] within one name, ** for any number of folders."""

from __future__ import annotations

import fnmatch


def matches(path: str, pattern: str) -> bool:
    """Whether a path below the folder of the search fits the pattern."""
    if "/" not in pattern:
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
    return _match(path.split("/"), pattern.strip("/").split("/"))


def _match(names: list[str], patterns: list[str]) -> bool:
    # Row by row instead of by recursion: "**/**/**/x" must not take forever.
    fits = [True] + [False] * len(names)
    for pattern in patterns:
        row = [fits[0] and pattern == "**"]
        for number, name in enumerate(names, start=1):
            if pattern == "**":
                row.append(fits[number] or row[number - 1])
            else:
                row.append(fits[number - 1] and fnmatch.fnmatchcase(name, pattern))
        fits = row
    return fits[-1]
