"""A page of the site before its links are resolved, and which files of the lab may stand in the site at all."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PICTURES = frozenset({".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp"})
TEXTS = frozenset(
    {
        ".py",
        ".toml",
        ".json",
        ".yml",
        ".yaml",
        ".ts",
        ".js",
        ".mjs",
        ".css",
        ".html",
        ".sql",
        ".txt",
        ".conf",
        ".sh",
        ".service",
    }
)
FOLDERS = frozenset({"notebooks", "exercises", "servers", "labkit", "deploy", "interview", "benchmarks", "tests"})
LIMIT = 256 * 1024
"""Bytes of the largest source file that gets a page."""
_ANSWER = re.compile(
    r"exercises/[^/]+/(solution\.py|checks\.py|wrong/.*)|servers/vulnerable/[^/]+/fixed\.py|work/.*|build/.*"
)
_HEADING = re.compile(r"<h([1-3])\b[^>]*\bid=\"([^\"]*)\"[^>]*>(.*?)</h\1>", re.S)
_ANCHOR_LINK = re.compile(r'<a class="(?:anchor|header)-?link".*?</a>', re.S)
_ID = re.compile(r"<[a-zA-Z][^>]*?\sid=(?:\"([^\"]*)\"|'([^']*)')")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Heading:
    """A heading of a page: its level, its anchor, its words."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True)
class Page:
    """One page. `name` and `origin` have slashes, whatever the system."""

    name: str
    """The file below the site's folder, such as notebooks/start/00_welcome.html."""
    title: str
    body: str
    """HTML of the part in the middle; links are those of the file it is made of, or `site:NAME` for a page."""
    section: str
    """The entry of the menu that it stands under."""
    origin: str = ""
    """The file that it is made of, relative to the lab's folder; links in the body are relative to that."""
    group: str = ""
    """A heading within the section, such as a track of the course."""
    names: tuple[Heading, ...] = field(default=(), repr=False)
    """Headings to search for, where they are not those of the body."""

    @cached_property
    def anchors(self) -> frozenset[str]:
        """What `#...` may lead to."""
        return frozenset(html.unescape(double or single) for double, single in _ID.findall(self.body))

    @cached_property
    def headings(self) -> tuple[Heading, ...]:
        """The headings of the body, the title left out."""
        if self.names:
            return self.names
        found = (
            Heading(int(level), html.unescape(id), plain(inner)) for level, id, inner in _HEADING.findall(self.body)
        )
        return tuple(each for each in found if each.level > 1)


def plain(markup: str) -> str:
    """The words of a piece of HTML on one line, without the sign that links to a heading."""
    return " ".join(html.unescape(_TAG.sub("", _ANCHOR_LINK.sub("", markup))).split())


def may_be_shown(root: Path, name: str) -> bool:
    """Whether a file of the lab, named with slashes, may stand in the site: it is there, and it is no answer."""
    if _ANSWER.fullmatch(name) or any(part.startswith(".") for part in name.split("/")):
        return False
    path = root / name
    own = name.split("/", 1)[0] in FOLDERS if "/" in name else path.suffix in {".md", ".toml"}
    return own and path.is_file() and path.stat().st_size <= LIMIT * (4 if path.suffix in PICTURES else 1)
