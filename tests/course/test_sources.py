"""The index and the glossary: what they link to is there, and no section of the sources is left without a place.

The sources themselves are beside the repository on the machine on which the course is written, and nowhere else. So the
keys of their sections are kept in section_keys.txt, which two tests hold against sources.toml and against the sources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.catalog import LAB_ROOT
from labkit.course import index
from labkit.course.places import NoSuchPlaceError, Places, headings_of, outline
from labkit.course.sources import Entry, Sources, read_sources, spelt

GLOSSARY = LAB_ROOT / "notebooks" / "glossary.md"
KEYS = (Path(__file__).parent / "section_keys.txt").read_text(encoding="utf-8").splitlines()
SHARED = LAB_ROOT.parent / "shared"
TEXTS = sorted((SHARED / "seeds").glob("[1-5]-*.md"))
CURRICULUM = SHARED / "design" / "curriculum.md"
LINK = re.compile(r"\[((?:[^\[\]\\]|\\.)+)\]\(([^()\s]*)\)")


@pytest.fixture(scope="module")
def sources() -> Sources:
    return read_sources()


@pytest.fixture(scope="module")
def places(sources: Sources) -> Places:
    return Places(awaited=sources.awaited)


def test_all_that_sources_toml_names_is_there_and_the_curriculum_is_covered(sources: Sources, places: Places) -> None:
    assert sources.problems(places) == []


def test_no_section_is_left_out(sources: Sources) -> None:
    assert list(sources.sections) == KEYS
    assert {key[0] for key in KEYS} == set(sources.documents)


@pytest.mark.skipif(
    not TEXTS, reason="the five sources are not beside this copy of the lab: their headings are kept in a list"
)
def test_the_list_of_sections_is_the_headings_of_the_sources() -> None:
    found = [f"{text.name[0]} s{number}" for text in TEXTS for number in numbers(text.read_text(encoding="utf-8"))]
    assert found == KEYS


@pytest.mark.skipif(not CURRICULUM.is_file(), reason="the curriculum is not beside this copy of the lab")
def test_what_notebooks_have_to_cover_is_what_the_curriculum_says(sources: Sources) -> None:
    text = CURRICULUM.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \|.*\| ([^|]+) \|$", text, re.M)
    assert sources.curriculum == {number: seeds for number, seeds in rows if seeds != "-"}
    wanted = {key for number in sources.curriculum for key in sources.wanted(number)}
    assert wanted <= set(KEYS), "words of the curriculum stand for sections in curriculum_words"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"taught": ("06#schemas-md",)}, "notebook 06 has no cell 'schemas-md'. Did you mean 'schema-md'"),
        ({"taught": ("77",)}, "no notebook with the number '77'"),
        ({"taught": ()}, "taught nowhere"),
        ({"practised": ("06_useful_tool",)}, "no exercise '06_useful_tool'. Did you mean '06_useful_tools'"),
        ({"runs": ("wether",)}, "Did you mean 'weather'"),
        ({"runs": ("labkit.nothing",)}, "no server, module or file"),
        ({"asked": ("how-to-scales",)}, "how-to-scale"),
        ({"taught": ("05#stdio-md",)}, "3 s2.4: the curriculum wants it in notebook 06"),
    ],
)
def test_what_is_not_there_or_not_covered_is_said(
    changes: dict[str, tuple[str, ...]], told: str, sources: Sources, places: Places
) -> None:
    key = "3 s2.4"
    entry: Entry = replace(sources.sections[key], **changes)
    problems = replace(sources, sections={**sources.sections, key: entry}).problems(places)
    assert any(told in each and each.startswith(key) for each in problems), problems


def test_a_notebook_that_is_awaited_is_left_out_until_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(NoSuchPlaceError, match="'32'"):
        Places(tmp_path).taught("32")
    assert Places(tmp_path, frozenset({"32"})).taught("32") is None
    note = {"cell_type": "markdown", "id": "title", "source": ["# 32 · Clinic"]}
    (tmp_path / "notebooks" / "32_clinic.ipynb").write_text(json.dumps({"cells": [note]}), encoding="utf-8")
    link = Places(tmp_path, frozenset({"32"})).taught("32#title")
    assert link and link.markdown(tmp_path / "notebooks" / "index.md") == "[32 · Clinic](32_clinic.ipynb)"


def test_the_curriculums_words_are_spelt_out() -> None:
    assert spelt("4 s1-3, s16; 3 s6.1-6.2; 5 caching, limits; 1 s2.10") == [
        *("4 s1", "4 s2", "4 s3", "4 s16", "3 s6.1", "3 s6.2", "5 caching", "5 limits", "1 s2.10")
    ]


def test_a_cell_stands_under_its_own_heading_or_the_one_before(tmp_path: Path) -> None:
    cells = [
        ("code", "before", "x = 1"),
        ("markdown", "title", "# 99 · T\n```\n# no heading\n```"),
        ("markdown", "first", "## One\ntext\n\n## Two"),
        ("code", "under", "# a comment"),
        ("markdown", "then", "Of two.\n\n### Three"),
    ]
    table = {"cells": [{"cell_type": kind, "id": name, "source": source} for kind, name, source in cells]}
    file = tmp_path / "99_t.ipynb"
    file.write_text(json.dumps(table), encoding="utf-8")
    there = outline(file)
    assert there.cells == {"before": "", "title": "99 · T", "first": "One", "under": "Two", "then": "Three"}
    assert [each.level for each in there.headings] == [1, 2, 2, 3]


def test_the_index_is_up_to_date(places: Places) -> None:
    assert index.current(places), f"notebooks, exercises or sources.toml have changed; write it with: {index.AGAIN}"


@pytest.mark.parametrize("written", [index.INDEX, GLOSSARY], ids=["index", "glossary"])
def test_every_link_leads_somewhere(written: Path, places: Places) -> None:
    cells = {each.path: each.cells for each in places.notebooks.values()}
    text = written.read_text(encoding="utf-8")
    own = {words.replace(" ", "-") for _, words in headings_of(text)}
    broken: list[str] = []
    for _, target in LINK.findall(text):
        path, _, fragment = target.partition("#")
        file = (written.parent / path).resolve() if path else written
        there = file.is_file() if path else fragment in own
        if fragment.startswith("cell-id="):
            there = fragment.removeprefix("cell-id=") in cells.get(file, {})
        if not there:
            broken.append(target)
    assert broken == []


def test_every_notebook_every_server_and_their_exercises_are_in_the_index(places: Places) -> None:
    text = index.INDEX.read_text(encoding="utf-8")
    targets = {(index.INDEX.parent / target.partition("#")[0]).resolve() for _, target in LINK.findall(text)}
    assert {each.path for each in places.notebooks.values()} <= targets
    assert {entry.path for entry in places.servers.values()} <= targets
    there = [name for each in places.notebooks.values() for name in places.exercises_of(each)]
    assert {places.practised(name).path for name in there} <= targets


def test_every_server_is_shown_for_some_subject(sources: Sources, places: Places) -> None:
    shown = {name for track in sources.subjects.values() for each in track for name in each.runs}
    assert set(places.servers) - shown == set()


def test_the_glossary_is_alphabetical_and_explains_each_term_once() -> None:
    terms = [term for term, _ in glossary()]
    sorts = [re.sub(r"[^a-z0-9]", "", term.casefold()) for term in terms]
    assert sorts == sorted(sorts)
    assert len(set(sorts)) == len(sorts) >= 120


def test_each_term_has_its_letter_a_definition_and_a_place_where_it_is_taught() -> None:
    text = GLOSSARY.read_text(encoding="utf-8")
    letters = [words for level, words in headings_of(text) if level == 2]
    assert letters == sorted({re.sub(r"[^A-Z]", "", term.upper())[0] for term, _ in glossary()})
    for term, told in glossary():
        definition, _, where = told.partition("\n\nTaught in ")
        assert definition and definition[-1] in ".!?", term
        assert all(target.partition("#")[0].endswith(".ipynb") for _, target in LINK.findall(where)), term
        assert LINK.search(where), f"{term}: no notebook teaches it"


def test_the_welcome_leads_to_both() -> None:
    links = [target for _, target in LINK.findall(welcome())]
    assert {"../glossary.md", "../index.md"} <= set(links)


def welcome() -> str:
    notebook = json.loads((LAB_ROOT / "notebooks" / "start" / "00_welcome.ipynb").read_text(encoding="utf-8"))
    return "".join(notebook["cells"][-1]["source"])


def glossary() -> Iterator[tuple[str, str]]:
    """Term and all that stands under it."""
    for part in GLOSSARY.read_text(encoding="utf-8").split("\n### ")[1:]:
        term, _, told = part.partition("\n")
        yield term, told.partition("\n## ")[0].strip()


def numbers(text: str) -> list[str]:
    """The headings of a source from the second level on, each with its own number or its place among its siblings."""
    headings = [(level, words) for level, words in headings_of(text) if level > 1]
    numbered = any(level == 2 and re.match(r"\d+\.", words) for level, words in headings)
    at = [-1 if numbered else 0, 0, 0]
    found: list[str] = []
    for level, words in headings:
        depth = level - 2
        own = re.match(r"((?:\d+\.)*\d+)\.? ", words) if numbered else None
        at[depth] = int(own[1].split(".")[-1]) if own and own[1].count(".") == depth else at[depth] + 1
        at[depth + 1 :] = [0] * (2 - depth)
        found.append(".".join(str(each) for each in at[: depth + 1]))
    return found
