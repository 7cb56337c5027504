"""Places of the lab that a page links to: notebooks and their cells, exercises, servers, modules, interview questions.

places = Places(LAB_ROOT)
places.taught("06#output-md")         # a link to 06_tools.ipynb#cell-id=output-md that says "06 · Structured output"
places.practised("06_useful_tools"); places.run("weather"); places.run("labkit.hosts"); places.asked("rug-pull")

Whatever is not there raises NoSuchPlaceError, which names what is near. JupyterLab opens `#cell-id=...` at that cell.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from labkit.catalog import LAB_ROOT, Catalog, load_catalog
from labkit.course.find import find_notebooks
from labkit.errors import LabError, did_you_mean
from labkit.files import way

Thing = TypeVar("Thing")
_HEADING = re.compile(r"(#{1,6}) +(.*\S)")


class NoSuchPlaceError(LabError):
    """A page names a notebook, cell, exercise, server, module or question that the lab does not have."""


@dataclass(frozen=True)
class Link:
    """What a link says and where it leads: a path, and `#...` where it leads into it."""

    text: str
    path: Path
    fragment: str = ""

    def markdown(self, page: Path) -> str:
        """The link as it stands in the file `page`."""
        return f"[{self.text.replace('|', chr(92) + '|')}]({way(self.path, page.parent)}{self.fragment})"


@dataclass(frozen=True)
class Heading:
    """A heading of a notebook: the cell that it stands in, its level (1 is the title), its words."""

    cell: str
    level: int
    text: str


@dataclass(frozen=True)
class Outline:
    """A notebook without its text: `cells` are ids with the heading that each stands under."""

    path: Path
    headings: tuple[Heading, ...]
    cells: Mapping[str, str]

    @property
    def number(self) -> str:
        """The two digits that its name begins with."""
        return self.path.stem[:2]

    @property
    def title(self) -> str:
        """Its first heading, number included."""
        return self.headings[0].text

    def link(self, cell: str = "") -> Link:
        """A link to all of it, or to one of its cells."""
        if not cell or self.cells[cell] == self.title:
            return Link(self.title, self.path)
        return Link(f"{self.number} · {self.cells[cell]}", self.path, f"#cell-id={cell}")


@dataclass(frozen=True)
class Places:
    """All that can be linked to below `root`, read when it is first asked for. `awaited`: notebooks not yet there."""

    root: Path = LAB_ROOT
    awaited: frozenset[str] = frozenset()

    @cached_property
    def notebooks(self) -> dict[str, Outline]:
        """The outlines, by number and in the order of the course."""
        found = (outline(path) for path in find_notebooks(course=self.root / "notebooks"))
        return {each.number: each for each in found if each.headings}

    @cached_property
    def exercises(self) -> dict[str, dict[str, Any]]:
        """What exercise.toml says, by the name of the folder."""
        files = sorted((self.root / "exercises").glob("*/exercise.toml"))
        return {file.parent.name: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}

    @cached_property
    def servers(self) -> Catalog:
        """The catalog of servers."""
        return load_catalog(self.root / "servers" / "catalog.toml")

    @cached_property
    def questions(self) -> dict[str, Path]:
        """The file that an interview question stands in, by its id."""
        found: dict[str, Path] = {}
        for file in sorted((self.root / "interview" / "questions").glob("*.toml")):
            ids = re.findall(r'^id = "([^"]+)"', file.read_text(encoding="utf-8"), re.M)
            found |= dict.fromkeys(ids, file)
        return found

    def taught(self, place: str) -> Link | None:
        """`NN#CELL` or `NN` as a link; None for a notebook that is awaited and not there."""
        number, _, cell = place.partition("#")
        if number in self.awaited and number not in self.notebooks:
            return None
        there = _known(self.notebooks, number, "no notebook with the number")
        if cell:
            _known(there.cells, cell, f"notebook {number} has no cell")
        return there.link(cell)

    def practised(self, exercise: str) -> Link:
        """An exercise as a link to its task."""
        _known(self.exercises, exercise, "no exercise")
        return Link(exercise, self.root / "exercises" / exercise / "task.md")

    def run(self, name: str) -> Link:
        """A server of the catalog, a module of labkit, or a file or drill below the root as a link to a file."""
        if name in self.servers:
            return Link(name, self.servers[name].path)
        place = self.root.joinpath(*name.split(".")) if name.startswith("labkit.") else self.root / name
        for path in (place.with_name(f"{place.name}.py"), place / "__init__.py", place / "drill.toml", place):
            if path.is_file():
                return Link(name, path)
        raise NoSuchPlaceError(f"no server, module or file {name!r}. {did_you_mean(name, self.servers)}")

    def asked(self, question: str) -> Link:
        """An interview question as a link to the file that it stands in."""
        return Link(question, _known(self.questions, question, "no interview question"))

    def exercises_of(self, notebook: Outline) -> list[str]:
        """The exercises that belong to a notebook."""
        return [name for name, told in self.exercises.items() if told.get("notebook") == notebook.path.stem]


def outline(path: Path) -> Outline:
    """Read a notebook's headings and the ids of its cells. A cell that has headings stands under its own:
    the first if it begins with one, else the last."""
    headings: list[Heading] = []
    cells: dict[str, str] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        name = cell.get("id", "")
        own = headings_of(source) if cell["cell_type"] == "markdown" else []
        headings += [Heading(name, level, words) for level, words in own]
        cells[name] = own[0 if source.startswith("#") else -1][1] if own else headings[-1].text if headings else ""
    return Outline(path, tuple(headings), cells)


def headings_of(text: str) -> list[tuple[int, str]]:
    """Level and words of the headings of a Markdown text, those in code fences left out."""
    found: list[tuple[int, str]] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if not fenced and (heading := _HEADING.fullmatch(line)):
            found.append((len(heading[1]), heading[2]))
    return found


def _known(things: Mapping[str, Thing], name: str, missing: str) -> Thing:
    if name not in things:
        raise NoSuchPlaceError(f"{missing} {name!r}. {did_you_mean(name, things)}")
    return things[name]
