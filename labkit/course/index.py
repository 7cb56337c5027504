"""The page that says where what is taught: notebooks/index.md, made of sources.toml and the notebooks themselves.

    python -m labkit.course.index            # writes it
    python -m labkit.course.index --check    # says whether it is up to date; exit code 1 when it is not

By subject, by notebook, by server, and by section of the texts that the course grew from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.course.places import Link, Outline, Places
from labkit.course.sources import Entry, Sources, read_sources
from labkit.files import replace_text

INDEX = LAB_ROOT / "notebooks" / "index.md"
AGAIN = "python -m labkit.course.index"
_ENDS = ("Exercises", "Interview", "Interview questions this answers")


def page(sources: Sources, places: Places, target: Path = INDEX) -> str:
    """The page as it should be. Raises NoSuchPlaceError when sources.toml names what is not there."""
    parts = [
        "# Where is X taught?",
        f"Made by `{AGAIN}` from `sources.toml` and the notebooks; change those. What a word means is in the "
        "[glossary](glossary.md).",
        "[By subject](#By-subject) · [By notebook](#By-notebook) · [By server](#By-server) · "
        "[By section of the sources](#By-section-of-the-sources)",
        "## By subject",
    ]
    for track, subjects in sources.subjects.items():
        parts += [f"### {track}", _table(("", "taught", "practised", "run"), _subjects(subjects, places, target))]
    parts += ["## By notebook", _table(("notebook", "sections", "exercises"), _notebooks(places, target))]
    parts += ["## By server", _table(("server", "what it is", "for"), _servers(sources, places, target))]
    parts += [
        "## By section of the sources",
        "The course grew from five texts of 2025, which are not part of the repository. Each of their sections has its "
        "place, with what is outdated or insecure in it today. Headings without a number are counted.",
    ]
    for number, title in sources.documents.items():
        rows = (_section(each, places, target) for key, each in sources.sections.items() if key[0] == number)
        heads = ("", "section", "taught", "practised", "run", "outdated or insecure in the source")
        parts += [f"### {number}. {title}", _table(heads, rows)]
    return "\n\n".join(parts) + "\n"


def current(places: Places | None = None) -> bool:
    """Whether notebooks/index.md says what it should."""
    sources = read_sources()
    wanted = page(sources, places or Places(awaited=sources.awaited))
    return INDEX.is_file() and INDEX.read_text(encoding="utf-8") == wanted


def _subjects(subjects: Iterable[Entry], places: Places, target: Path) -> Iterator[list[str]]:
    for each in subjects:
        kinds = ("taught", "practised", "runs")
        yield [each.title, *(_joined(each.links(kind, places), target) for kind in kinds)]


def _notebooks(places: Places, target: Path) -> Iterator[list[str]]:
    for notebook in places.notebooks.values():
        exercises = [places.practised(each) for each in places.exercises_of(notebook)]
        yield [
            notebook.link().markdown(target),
            _joined(_sections(notebook), target),
            _joined(exercises, target),
        ]


def _sections(notebook: Outline) -> list[Link]:
    own = [each for each in notebook.headings[1:] if each.level <= 2 and each.text not in _ENDS]
    return [Link(each.text, notebook.path, f"#cell-id={each.cell}") for each in own]


def _servers(sources: Sources, places: Places, target: Path) -> Iterator[list[str]]:
    subjects = [each for track in sources.subjects.values() for each in track]
    for name, entry in places.servers.items():
        shown = [each for each in subjects if name in each.runs]
        links = [
            Link(each.title, link.path, link.fragment) for each in shown for link in each.links("taught", places)[:1]
        ]
        yield [places.run(name).markdown(target), entry.summary, _joined(links, target)]


def _section(each: Entry, places: Places, target: Path) -> list[str]:
    kinds = ("taught", "practised", "runs")
    found = [_joined(each.links(kind, places), target) for kind in kinds]
    if each.asked:
        asked = "asked: " + _joined(each.links("asked", places), target, ", ")
        found[1] = "<br>".join(filter(None, [found[1], asked]))
    return [each.key.partition(" ")[2], each.title, *found, each.note]


def _joined(links: Iterable[Link], target: Path, between: str = "<br>") -> str:
    return between.join(link.markdown(target) for link in links)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only look at it. The exit code."""
    parser = argparse.ArgumentParser(prog=AGAIN, description="Write notebooks/index.md from notebooks/sources.toml.")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    only_check = parser.parse_args(arguments).check
    sources = read_sources()
    places = Places(awaited=sources.awaited)
    if problems := sources.problems(places):
        print("notebooks/sources.toml cannot be used:", *problems, sep="\n  ", file=sys.stderr)
        return 1
    if only_check:
        there = current(places)
        print("notebooks/index.md is " + ("up to date" if there else f"out of date; write it with: {AGAIN}"))
        return 0 if there else 1
    replace_text(INDEX, page(sources, places), newline="\n")
    print(
        f"{INDEX.relative_to(LAB_ROOT).as_posix()}: {len(sources.sections)} sections, {len(places.notebooks)} notebooks"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
