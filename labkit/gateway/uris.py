"""Resource URIs as patterns have to see them: a filter on one way of writing them is no filter on the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from urllib.parse import unquote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ROUNDS = 4


def scheme_of(uri: str) -> str:
    """The scheme of a URI or a URI template in lower case; "" when it has none."""
    found = _SCHEME.match(uri)
    return found.group(1).lower() if found else ""


def forms(uri: str) -> tuple[str, ...]:
    """The URI as it is written, and as a server may understand it (RFC 3986, section 6.2.2).

    That is: scheme and host in lower case, percent-encoding undone (also when it was done twice), dot segments taken
    out. Most URIs have one form. A URI may pass a filter only if each of its forms does.
    """
    found = [uri]
    plain = uri
    if "%" in uri:
        for _ in range(_ROUNDS):
            if (decoded := unquote(plain)) == plain:
                break
            plain = decoded
        found.append(plain)
    lower = _lower_head(plain)
    found.append(lower)
    if "/." in lower or "\\" in lower:
        found.append(_without_dots(lower))
    return tuple(dict.fromkeys(found))


def _lower_head(uri: str) -> str:
    head, slashes, rest = uri.partition("://")
    if not slashes:
        scheme, colon, rest = uri.partition(":")
        return f"{scheme.lower()}:{rest}" if colon else uri
    host, slash, path = rest.partition("/")
    return f"{head.lower()}{slashes}{host.lower()}{slash}{path}"


def _without_dots(uri: str) -> str:
    # The first segment after "://" counts as part of the path, as it does for servers with schemes of their own.
    head, slashes, rest = uri.replace("\\", "/").partition("://")
    kept: list[str] = []
    for segment in rest.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    return f"{head}{slashes}{'/'.join(kept)}"


class Patterns:
    """Several shell patterns as one: `*`, `?`, `[abc]`. Case counts, on every system.

    Patterns for URIs know that a scheme and a host mean the same in any case.
    """

    __slots__ = ("_match", "texts")

    def __init__(self, texts: Sequence[str], *, uris: bool = False) -> None:
        self.texts = tuple(texts)
        known = [*texts, *(_lower_head(text) for text in texts)] if uris else texts
        self._match = re.compile("|".join(translate(text) for text in dict.fromkeys(known))).match if texts else None

    def match(self, name: str) -> bool:
        """Whether one of them fits the whole name. None of none does."""
        return self._match is not None and self._match(name) is not None

    def match_all(self, uri: str) -> bool:
        """Whether every form of a URI is one that a pattern fits."""
        return self._match is not None and all(self._match(form) for form in forms(uri))

    def match_any(self, uri: str) -> bool:
        """Whether some form of a URI is one that a pattern fits."""
        return self._match is not None and any(self._match(form) for form in forms(uri))
