"""What is around every page: head, menu, search; and the files that all pages share."""

# pygments carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from labkit.site.links import way
from labkit.site.page import Page

HERE = Path(__file__).parent
LIGHT, DARK = "default", "github-dark"
"""Styles of pygments."""
FOLDED = frozenset({"Sources"})
"""Sections without an entry in the menu: one comes to their pages by links and by the search."""


def whole(page: Page, body: str, pages: Sequence[Page]) -> str:
    """The HTML of a page; `body` is that of the page with its links resolved."""
    root = way(page.name, "assets").removesuffix("assets")
    title = "MCP Lab" if page.name == "index.html" else f"{page.title} · MCP Lab"
    return f"""<!doctype html>
<html lang="en" data-root="{root}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}assets/site.css">
<script src="{root}assets/site.js"></script>
</head>
<body>
<a class="skip" href="#page-text">To the text</a>
<header class="top">
<a class="home" href="{root}index.html">MCP Lab</a>
<div class="search"><input id="page-search" type="search" placeholder="Search titles and headings" aria-label="Search"
 aria-controls="page-found" autocomplete="off"><div id="page-found" aria-live="polite" hidden></div></div>
<button id="page-theme" type="button">Dark</button>
</header>
<div class="columns">
<nav aria-label="Site"><details open><summary>Contents</summary>{_menu(page, pages)}</details></nav>
<main id="page-text" class="{_class(page.section)}">{body}</main>
</div>
</body>
</html>
"""


def _class(section: str) -> str:
    return "in-" + section.lower().replace(" ", "-")


def _menu(page: Page, pages: Sequence[Page]) -> str:
    """The sections; the pages of the one that is open, by group; the headings of the page itself."""
    sections: dict[str, list[Page]] = {}
    for each in pages:
        if each.section not in FOLDED:
            sections.setdefault(each.section, []).append(each)
    parts: list[str] = []
    for section, members in sections.items():
        inner = ""
        if section == page.section:
            inner = _members(page, members[1:])
        parts.append(f"<li>{_entry(page, members[0], section)}{inner}</li>")
    return f"<ul>{''.join(parts)}</ul>"


def _members(page: Page, members: Iterable[Page]) -> str:
    groups: dict[str, list[Page]] = {}
    for each in members:
        groups.setdefault(each.group, []).append(each)
    parts: list[str] = []
    for group, inside in groups.items():
        if group:
            parts.append(f'<li class="group">{html.escape(group.capitalize())}</li>')
        parts += [f"<li>{_entry(page, each, each.title)}{_own(page) if each is page else ''}</li>" for each in inside]
    return f"<ul>{''.join(parts)}</ul>" if parts else ""


def _own(page: Page) -> str:
    """The headings of the page, of the second level only."""
    rows = "".join(
        f'<li><a href="#{html.escape(quote(each.anchor, safe="=-._~:@!$()*+,;/?"))}">{html.escape(each.text)}</a></li>'
        for each in page.headings
        if each.level == 2
    )
    return f'<ul class="own">{rows}</ul>' if rows else ""


def _entry(page: Page, there: Page, words: str) -> str:
    here = ' aria-current="page"' if there is page else ""
    return f'<a href="{html.escape(quote(way(page.name, there.name)))}"{here}>{html.escape(words)}</a>'


def assets(pages: Iterable[Page]) -> dict[str, str]:
    """The shared files by name: style, script, and the index of the search as a script, which a file: page may load."""
    index = [
        {"t": each.title, "u": quote(each.name), "s": each.section, "h": [[h.text, h.anchor] for h in each.headings]}
        for each in pages
    ]
    told = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    return {
        "assets/site.css": (HERE / "site.css").read_text(encoding="utf-8") + _highlighting(),
        "assets/site.js": (HERE / "site.js").read_text(encoding="utf-8"),
        "assets/search.js": f"window.labSearch = {told};\n",
    }


def _highlighting() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style=LIGHT).get_style_defs(".highlight")
    dark = HtmlFormatter(style=DARK).get_style_defs('[data-theme="dark"] .highlight')
    return f"\n/* Code, by pygments: {LIGHT}, {DARK}. */\n{light}\n{dark}\n"
