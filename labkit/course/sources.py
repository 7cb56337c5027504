"""Where what is taught, as data: notebooks/sources.toml, read.

The five texts that the course grew from are divided into sections; each has a place in the lab. `Sources.problems` says
what is named there and does not exist, and which section of the curriculum its notebook does not cover.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.course.places import Link, NoSuchPlaceError, Places

SOURCES = LAB_ROOT / "notebooks" / "sources.toml"


@dataclass(frozen=True)
class Entry:
    """A subject, or a section of a source: where it is taught, what practises, what runs and who asks it."""

    key: str
    title: str
    taught: tuple[str, ...]
    practised: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    note: str = ""

    def links(self, kind: str, places: Places) -> list[Link]:
        """The links of `taught`, `practised`, `runs` or `asked`. Raises NoSuchPlaceError."""
        resolve: dict[str, Callable[[str], Link | None]] = {
            "taught": places.taught,
            "practised": places.practised,
            "runs": places.run,
            "asked": places.asked,
        }
        return [link for each in getattr(self, kind) if (link := resolve[kind](each))]


@dataclass(frozen=True)
class Sources:
    """All of sources.toml. `subjects` are by track, `sections` by key such as `3 s5.1`, `curriculum` by notebook."""

    documents: dict[str, str]
    subjects: dict[str, list[Entry]]
    sections: dict[str, Entry]
    curriculum: dict[str, str]
    words: dict[str, str]
    awaited: frozenset[str]

    def wanted(self, notebook: str) -> list[str]:
        """The keys of the sections that a notebook has to cover."""
        return [self.words.get(each, each) for each in spelt(self.curriculum[notebook])]

    def covers(self, notebook: str, key: str) -> bool:
        """Whether a section, or a part of it, is taught in a notebook."""
        parts = (each for name, each in self.sections.items() if name == key or name.startswith(f"{key}."))
        return any(place.partition("#")[0] == notebook for each in parts for place in each.taught)

    def problems(self, places: Places) -> list[str]:
        """What is wrong, one sentence each."""
        return [*self._missing(places), *self._uncovered(places)]

    def _missing(self, places: Places) -> Iterator[str]:
        for entry in [*(each for track in self.subjects.values() for each in track), *self.sections.values()]:
            if not entry.taught:
                yield f"{entry.key}: it is taught nowhere; name a place"
            for kind in ("taught", "practised", "runs", "asked"):
                try:
                    entry.links(kind, places)
                except NoSuchPlaceError as error:
                    yield f"{entry.key}, {kind}: {error}"

    def _uncovered(self, places: Places) -> Iterator[str]:
        for notebook in self.curriculum:
            for key in self.wanted(notebook):
                if notebook in places.notebooks and not self.covers(notebook, key):
                    yield f"{key}: the curriculum wants it in notebook {notebook}, and no place of it is there"


def read_sources(path: Path = SOURCES) -> Sources:
    """Read the file. Raises what tomllib and a missing member raise: it is part of the repository."""
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    subjects: dict[str, list[Entry]] = {}
    for each in table["subjects"]:
        subjects.setdefault(each["track"], []).append(_entry(each["title"], each))
    return Sources(
        documents=table["documents"],
        subjects=subjects,
        sections={key: _entry(key, each) for key, each in table["sections"].items()},
        curriculum=table["curriculum"],
        words=table["curriculum_words"],
        awaited=frozenset(table["awaited"]),
    )


def spelt(seeds: str) -> list[str]:
    """The curriculum's words in full: `4 s1-2, s16; 5 caching, limits` is 4 s1, 4 s2, 4 s16, 5 caching, 5 limits.

    A run is of whole numbers, or of the last part of a number: `3 s6.1-6.2`.
    """
    full: list[str] = []
    for of_document in seeds.split(";"):
        document, _, rest = of_document.strip().partition(" ")
        for each in rest.split(","):
            if run := re.fullmatch(r"(s(?:\d+\.)?)(\d+)-(?:\d+\.)?(\d+)", each.strip()):
                full += [f"{document} {run[1]}{number}" for number in range(int(run[2]), int(run[3]) + 1)]
            else:
                full.append(f"{document} {each.strip()}")
    return full


def _entry(key: str, table: dict[str, Any]) -> Entry:
    lists = {kind: tuple(table.get(kind, ())) for kind in ("taught", "practised", "runs", "asked")}
    return Entry(key, table["title"], note=table.get("note", ""), **lists)
