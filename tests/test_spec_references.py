"""Every section of the specification that the lab refers to exists, in the revision that is named or in any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labkit.catalog import LAB_ROOT
from labkit.interview.bank import load_bank
from labkit.testbench.certifying import all_checks
from tests.spec_pages import anchor, pages

PAGES = pages()
FOLDERS = ("labkit", "servers", "exercises", "notebooks", "interview", "README.md")
REFERENCE = re.compile(
    r"(?<![\w/.-])((?:basic|server|client|architecture|tutorials)/[a-z_][a-z_/-]*[a-z])(?:#([a-z0-9_-]+))?"
    r"(?![\w./-]*\.(?:py|md|toml|ipynb|ts))"
)


def exists(page: str, heading: str = "", revisions: tuple[str, ...] = tuple(PAGES)) -> bool:
    """Whether a page, and a heading of it, is in one of the revisions."""
    names = (page, f"{page}/index")
    return any(
        name in PAGES[revision] and (not heading or heading in PAGES[revision][name])
        for revision in revisions
        for name in names
    )


def texts() -> list[Path]:
    kinds = (".py", ".toml", ".md", ".ipynb")
    found = [each for name in FOLDERS for each in ([LAB_ROOT / name, *(LAB_ROOT / name).rglob("*")])]
    return [each for each in found if each.suffix in kinds and "node_modules" not in each.parts and each.is_file()]


def test_every_reference_leads_to_a_page_and_a_heading() -> None:
    lost = {
        f"{path.relative_to(LAB_ROOT)}: {match[0]}"
        for path in texts()
        for match in REFERENCE.finditer(path.read_text(encoding="utf-8"))
        if not exists(match[1], match[2] or "")
    }
    assert sorted(lost) == []


def test_a_check_names_a_section_of_today_or_says_of_which_revision() -> None:
    for check in all_checks().values():
        revision = next((each for each in PAGES if check.spec.startswith(f"{each}/")), "2026-07-28")
        page, _, heading = check.spec.removeprefix(f"{revision}/").partition("#")
        own = page.startswith("labkit/")  # a promise of the lab's, which the protocol does not make
        assert own or exists(page, heading, (revision,)), check.id


def test_a_question_names_sections_of_the_revision_it_says() -> None:
    lost: list[str] = []
    for question in load_bank().values():
        for source in question.spec:
            revision, _, rest = source.partition(" ")
            page, _, heading = rest.partition("#")
            if revision not in PAGES or not exists(page, heading, (revision,)):
                lost.append(f"{question.topic} {question.id}: {source}")
    assert lost == []


@pytest.mark.parametrize(
    ("page", "heading", "there"),
    [
        ("server/tools", "security-considerations", True),
        ("basic/authorization", "token-handling", True),
        ("server/tools", "no-such-heading", False),
        ("basic/security", "", False),
    ],
)
def test_what_is_not_there_is_found_out(page: str, heading: str, there: bool) -> None:
    assert exists(page, heading) is there


def test_an_anchor_is_made_as_the_site_makes_it() -> None:
    assert anchor("Server-Side Request Forgery (SSRF)") == "server-side-request-forgery-ssrf"
    assert anchor("`_meta`") == "meta"
