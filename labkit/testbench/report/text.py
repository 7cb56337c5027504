"""Text of a server under test, made safe to show: nothing in it is markup, and nothing in it is hidden."""

from __future__ import annotations

import html
import unicodedata


def visible(text: str) -> str:
    """`text` with what a reader would not see spelled out: U+202E for a character that turns the line around."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"‹U+{ord(c):04X}›" if _hidden(c) else c for c in text)


def _hidden(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp") and c not in "\n\t"


def escaped(text: str) -> str:
    """Visible, and escaped for HTML, XML and SVG, attributes included."""
    return html.escape(visible(text))
