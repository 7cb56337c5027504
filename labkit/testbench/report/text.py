"""Text of a server under test, made safe to show: nothing in it is markup, and nothing in it is hidden."""

from __future__ import annotations

import html
import re
import unicodedata

BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Letters and marks by category that are drawn as nothing."""
_SELECTORS = re.compile("[\U000e0100-\U000e01ef]+|[\ufe00-\ufe0f]{2,}")
"""Variation selectors that spell something. One of U+FE00 to U+FE0F by itself belongs to the character before it."""


def visible(text: str) -> str:
    """`text` with what a reader would not see spelled out: U+202E for a character that turns the line around."""
    if text.isascii() and text.isprintable():
        return text
    text = _SELECTORS.sub(lambda found: "".join(map(_spelt, found[0])), text)
    return "".join(_spelt(c) if _hidden(c) else c for c in text)


def _spelt(c: str) -> str:
    return f"‹U+{ord(c):04X}›"


def _hidden(c: str) -> bool:
    if c in BLANK:
        return True
    return unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp") and c not in "\n\t"


def escaped(text: str) -> str:
    """Visible, and escaped for HTML, XML and SVG, attributes included."""
    return html.escape(visible(text))
