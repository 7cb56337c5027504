"""The verdict as a small SVG, for a README."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.testbench.report.text import escaped

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate

LABEL = "MCP"
GOOD, FAIR, BAD = "#1a6f37", "#805600", "#b3261e"
"""With white text on them the contrast is at least 4.5 to 1."""
CAPITAL, SMALL, MARGIN = 8.6, 6.5, 10.0
"""Pixels: about one letter of an 11 px Verdana, and left and right of each text."""


def render(certificate: Certificate) -> str:
    """The SVG."""
    warnings = certificate.count("warning")
    said = certificate.verdict
    if certificate.passed and warnings:
        said += f", {warnings} warning{'s' if warnings != 1 else ''}"
    colour = BAD if not certificate.passed else FAIR if warnings else GOOD
    left, right = (_width(text) + 2 * MARGIN for text in (LABEL, said))
    title = escaped(f"{certificate.name}: {said}, {certificate.at[:10]}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.0f}" height="20" role="img"'
        f' aria-label="{title}"><title>{title}</title>'
        f'<rect width="{left + right:.1f}" height="20" rx="3" fill="{colour}"/>'
        f'<path d="M3 0h{left - 3:.1f}v20h-{left - 3:.1f}a3 3 0 0 1-3-3v-14a3 3 0 0 1 3-3z" fill="#444"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f"{_words(LABEL, left / 2)}{_words(said, left + right / 2)}</g></svg>\n"
    )


def _words(text: str, centre: float) -> str:
    # The length is given, so that it fits its box whichever font is there.
    return f'<text x="{centre:.1f}" y="14" textLength="{_width(text):.0f}">{escaped(text)}</text>'


def _width(text: str) -> float:
    return sum(CAPITAL if letter.isupper() else SMALL for letter in text)
