"""Links of the lab's files turned into links of the site. One that would lead nowhere is left out, its words stay."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from labkit.site.page import Page

_LINK = re.compile(r"<a\b([^>]*)>(.*?)</a>", re.S)
_IMAGE = re.compile(r"<img\b([^>]*?)/?>", re.S)
_HREF = re.compile(r"(?<![\w-])href\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_SRC = re.compile(r"(?<![\w-])src\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_ALT = re.compile(r"(?<![\w-])alt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_UNDESCRIBED = "No description has been provided"
"""What nbconvert says of a picture without a text."""
_NOT_OUT_THERE = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1|(.*\.)?(example|test|invalid|localhost|example\.\w+)")


@dataclass
class Links:
    """`page_of` gives the page made of a file of the lab, by its name, or None; `asset_of` the name of a picture."""

    page_of: Callable[[str], Page | None]
    asset_of: Callable[[str], str | None]
    page_named: Callable[[str], Page | None]
    left_out: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Page and link of everything that was left out."""

    def resolved(self, page: Page) -> str:
        """The body of a page with links that work in the site."""

        def link(match: re.Match[str]) -> str:
            attributes, words = match[1], match[2]
            href = _HREF.search(attributes)
            if href is None:
                return match[0]
            target = self.target(page, html.unescape(href[1] or href[2] or ""), words)
            if target is None:
                return f'<span class="nolink">{words}</span>'
            return f"<a{_with(_HREF, 'href', target, attributes)}>{words}</a>"

        def image(match: re.Match[str]) -> str:
            attributes = match[1]
            src, alt = _SRC.search(attributes), _ALT.search(attributes)
            words = (alt[1] or alt[2] or "") if alt else ""
            described = bool(alt) and not words.startswith(_UNDESCRIBED)
            target = self._picture(page, html.unescape(src[1] or src[2] or "")) if src else None
            if target is None:
                return f'<span class="nolink">{words if described else "a picture"}</span>'
            if not described:
                attributes = _ALT.sub("", attributes) + ' alt="A figure that the cell draws"'
            return f"<img{_with(_SRC, 'src', target, attributes)}>"

        return _LINK.sub(link, _IMAGE.sub(image, page.body))

    def target(self, page: Page, href: str, words: str = "") -> str | None:
        """Where a link of this page leads, as it has to stand in the page; None when there is no such place."""
        parts = urlsplit(href)
        if parts.scheme in ("http", "https"):
            return None if _NOT_OUT_THERE.fullmatch(parts.hostname or "") or not parts.hostname else href
        if parts.scheme == "mailto":
            return href
        fragment = parts.fragment
        if parts.scheme == "site":
            there = self.page_named(unquote(parts.path))
        elif parts.scheme or parts.netloc or parts.path.startswith("/"):
            there = None
        elif not parts.path:
            there = page if _anchor(page, fragment) else None
        else:
            there = self.page_of(_file(page, parts.path))
        if there is None:
            self.left_out.append((page.name, href))
            return None
        if not fragment and words in there.anchors:
            fragment = words  # the list of interview questions names one and leads to the file that it stands in
        found = _anchor(there, fragment)
        if fragment and not found:
            self.left_out.append((page.name, href))
        anchor = "#" + quote(found, safe="=-._~:@!$()*+,;/?") if found else ""
        return anchor if there is page and anchor else quote(way(page.name, there.name)) + anchor

    def _picture(self, page: Page, src: str) -> str | None:
        if src.startswith("data:image/"):
            return src
        parts = urlsplit(src)
        inside = not (parts.scheme or parts.netloc or parts.path.startswith("/"))
        name = self.asset_of(_file(page, parts.path)) if inside and parts.path else None
        if name is None:
            self.left_out.append((page.name, src))
            return None
        return quote(way(page.name, name))


def _with(pattern: re.Pattern[str], name: str, value: str, attributes: str) -> str:
    return pattern.sub(lambda _: f'{name}="{html.escape(value)}"', attributes, count=1)


def way(here: str, there: str) -> str:
    """The relative way from one file of the site to another."""
    return posixpath.relpath(there, posixpath.dirname(here) or ".")


def _anchor(page: Page, fragment: str) -> str:
    """The anchor of a page that a link names, empty when it has none. nbconvert has some that hold %C2 as it stands."""
    return next((each for each in (fragment, unquote(fragment)) if each in page.anchors), "")


def _file(page: Page, path: str) -> str:
    """The file that a relative link leads to, named from the lab's folder; `../...` for one outside of it."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.origin), unquote(path)))
