"""The reading list names what the lab refers to: each page of the newest specification, each vulnerability of the range."""

from __future__ import annotations

import re

from labkit.catalog import LAB_ROOT
from tests.spec_pages import pages

READING = LAB_ROOT / "notebooks" / "reading.md"
TEXT = READING.read_text(encoding="utf-8")
CVE = re.compile(r"CVE-\d{4}-\d+")


def test_each_page_of_the_newest_revision_is_there() -> None:
    newest = max(pages())
    named = re.findall(r"^\| \[[^\]]+\]\(https://\S+\) \| `([a-z_/-]+)` \|", TEXT, re.M)
    assert sorted(named) == sorted(pages()[newest])
    assert f"specification/{newest}/server/tools" in TEXT


def test_each_vulnerability_that_the_range_names_is_there() -> None:
    drills = (LAB_ROOT / "servers" / "vulnerable").glob("*/drill.toml")
    named = {each for file in drills for each in CVE.findall(file.read_text(encoding="utf-8"))}
    assert named
    assert named <= set(CVE.findall(TEXT))


def test_what_it_links_to_in_the_course_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("https://") or (READING.parent / target).is_file(), target
