"""The same text in its other spellings: escapes undone, digits of other scripts as digits, runs of Base64 and hex read.

A view keeps, for each of its characters, where it stands in the text it was made of: what is found in the view is
hidden in the text.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

ROUNDS = 4
"""How often escapes within escapes are undone."""
_ESCAPES = "%\\&="
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPE = re.compile(
    r"%u[0-9a-fA-F]{4}|%[0-7][0-9a-fA-F]|%[c-fC-F][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){1,3}"
    r"|\\{1,4}U[0-9a-fA-F]{8}|\\{1,4}[0-3][0-7]{2}|\\{1,4}u\{[0-9a-fA-F]{1,6}\}|\\{1,4}u[0-9a-fA-F]{4}|\\{1,4}x[0-9a-fA-F]{2}|\\{1,4}[nrt\"'/]"
    r"|&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});?"
    r"|=[2-7][0-9A-F](?==|$|\s)|(?<==[2-7][0-9A-F])=[2-7][0-9A-F]"
    r"|\x1b\[[0-9;]{0,20}[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[^\x00-\x7f]"
)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}+={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x)?[0-9A-Fa-f]{2}[ :,\-]{0,2}){8,}+")
_UNSEEN = frozenset(("Cc", "Cn", "Co", "Cs"))
_TAKEN = "".maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class View:
    """A spelling of a text."""

    text: str
    starts: tuple[int, ...] | None = None
    """Where each character begins in the original, and where that ends; None for the original itself."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of the view stands in the original, with all of the escapes that it touches."""
        if self.starts is None:
            return start, end
        after = end
        while after < len(self.text) and self.starts[after] == self.starts[end - 1]:
            after += 1
        return self.starts[start], self.starts[after]


def views(text: str) -> Iterator[View]:
    """The text, and then what it reads like with its escapes undone once, twice, and so on."""
    view = View(text)
    yield view
    for _ in range(ROUNDS):
        if view.text.isascii() and not any(mark in view.text for mark in _ESCAPES) and not _CONTROLS.search(view.text):
            return
        further = _undone(view)
        if further.text == view.text:
            return
        view = further
        yield view


def _undone(view: View) -> View:
    pieces: list[str] = []
    starts: list[int] = []
    at = 0
    origin: Callable[[int], int] = view.starts.__getitem__ if view.starts else int
    for found in _ESCAPE.finditer(view.text):
        pieces.append(view.text[at : found.start()])
        starts += map(origin, range(at, found.start()))
        meant = _meant(found[0])
        pieces.append(meant)
        starts += [origin(found.start())] * len(meant)
        at = found.end()
    pieces.append(view.text[at:])
    starts += map(origin, range(at, len(view.text) + 1))
    return View("".join(pieces), tuple(starts))


def _meant(escape: str) -> str:
    """What an escape, or a character beyond ASCII, stands for; "" for what nobody sees."""
    first = escape[0]
    if first < " " or first == "\x7f":
        return ""  # terminals show nothing for it
    if first == "=":  # quoted-printable, as mails have it
        return chr(int(escape[1:], 16))
    if escape.startswith("%u"):
        return chr(int(escape[2:], 16))
    if first == "%":
        return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")
    if first == "&":
        return html.unescape(escape)
    if first == "\\":
        rest = escape.lstrip("\\")
        if rest[0] in "0123" and len(rest) == 3:
            return chr(int(rest, 8))
        if rest[0] in "uxU" and len(rest) > 1:
            code = int(rest[1:].strip("{}"), 16)
            return chr(code) if code < 0x110000 else escape
        return _PLAIN.get(rest, rest)
    kind = unicodedata.category(escape)
    if kind in ("Cf", "Mn", "Me"):
        return ""
    if kind in ("Nd", "No") and (digit := unicodedata.digit(escape, None)) is not None:
        return str(digit)
    if kind in ("Zs", "Zl", "Zp"):
        return " "
    return "-" if kind == "Pd" else unicodedata.normalize("NFKC", escape)


def spelled(known: str) -> str:
    """A pattern of a known text, with any blanks for its blanks: a line may end there, or a form have a plus."""
    return r"[\s+]{1,8}".join(map(re.escape, known.split())) or re.escape(known)


class Run(NamedTuple):
    """A stretch of Base64 or of hexadecimal digits that reads as text."""

    start: int
    end: int
    text: str
    again: Callable[[str], str]
    """Writes another text in the same way."""


def runs(text: str) -> Iterator[Run]:
    """All stretches that read as text when they are decoded."""
    for found in _BASE64.finditer(text):
        plain = found[0].rstrip("=").translate(_TAKEN)
        if read := _read(lambda plain=plain: base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)):
            url, padded = any(c in found[0] for c in "-_"), found[0].endswith("=") or len(plain) % 4 == 0
            yield Run(*found.span(), read, partial(_base64, url, padded))
    for found in _HEX.finditer(text):
        digits = re.sub(r"0x|[ :,\-]", "", found[0])
        if read := _read(lambda digits=digits: bytes.fromhex(digits)):
            start, end = found.span()
            yield Run(start, end - len(found[0]) + len(found[0].rstrip(" :,-")), read, _hexed)


def _hexed(text: str) -> str:
    return text.encode().hex()


def _base64(url: bool, padded: bool, text: str) -> str:
    written = (base64.urlsafe_b64encode if url else base64.b64encode)(text.encode()).decode()
    return written if padded else written.rstrip("=")


def _read(decode: Callable[[], bytes]) -> str:
    """What the bytes say; "" when they say nothing that people write."""
    try:
        data = decode()
    except (binascii.Error, ValueError):
        return ""
    if len(data) >= 8 and data.count(0) * 3 > len(data):  # UTF-16 or UTF-32, of either order
        data = data.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").replace(b"\0", b"")
    text = data.decode("utf-8", "replace")  # a letter of Latin-1 does not hide the rest
    seen = sum((unicodedata.category(c) not in _UNSEEN and c != "\ufffd") or c in "\n\r\t" for c in text)
    return text if text and seen >= 0.9 * len(text) else ""
