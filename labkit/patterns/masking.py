"""What must not be written down: secrets in the arguments of a call, wherever they hide, and more than anyone reads.

    masked({"user": "ada", "api_key": "k-1"})                    # {"user": "ada", "api_key": "***"}
    masked({"note": "use Bearer abc.def", "pages": list(range(1000))}, limit=100)

A member is hidden for its name (`password`, `apiKey`, `X-Auth-Token`; not `max_tokens`, not `author`), a text for what
stands in it (a bearer token, a JWT, a private key, `password=...`, the user of an address). What is none of these is
shown: a secret in plain words cannot be told from plain words. Secrets are hidden before a text is cut, because half of
one fits no pattern, and may be enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any, cast

HIDDEN = "***"
LIMIT = 200
"""Characters of a text that are shown."""
ITEMS = 50
"""Members of a list or an object that are shown."""
DEPTH = 8
NODES = 500
"""Values that are shown in all."""

_BIG = 2**63
_LOOK_AHEAD = 8192
"""How far behind the last character shown a secret may end and still be seen as a whole."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ALONE = frozenset(
    """password passwd passphrase passcode pwd secret secrets token credential credentials authorization authentication
    auth jwt cookie cookies signature otp pin cvv cvc ssn apikey authtoken accesstoken privatekey""".split()  # noqa: SIM905
)
_KEYS = frozenset(("api", "access", "private", "signing", "encryption", "session", "master", "service"))
# Bounded and without nested repeats: what is searched comes from strangers, and must not make the search slow.
SAID = r"password|passwd|passphrase|pwd|secret|token|credentials?|api[-_ ]?key|access[-_ ]?key"
PRIVATE_KEY = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}-----|\Z)"
JWT = r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"
KNOWN = r"\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abps])[-_][\w-]{10,}|\bAKIA[A-Z0-9]{16}\b"
URL_USER = r"(?<=://)[^\s/@?#]{1,256}(?=@)"
"""Patterns of secrets, without regard to case: names of members that hold one, and what shows itself by its form."""
_SECRET = re.compile(
    rf"(?P<key>{PRIVATE_KEY})"
    rf"|(?P<jwt>{JWT})"
    rf"|(?P<known>{KNOWN})"
    rf"|{URL_USER}"
    r"|(?P<scheme>\b(?:bearer|basic(?=\s{1,4}(?-i:[a-z]*[A-Z0-9+/=])))\s{1,4})[\w.~+/=-]{6,}"
    r"|(?P<line>\b(?:set-)?cookie2?\s{0,4}:\s{0,4})[^\r\n]+"
    # The value may be quoted, with backslashes in JSON inside of JSON, and may begin with the name of a scheme.
    rf"|(?P<name>(?:{SAID})[\\\"']{{0,4}}\s{{0,4}}[:=]\s{{0,4}})"
    r"(?:\\{0,3}\"[^\"]*\"?|'[^']*'?|(?:(?:bearer|basic)\s{1,4})?[^\s\"',;&}]+)",
    re.IGNORECASE,
)
# None of them can match without one of these. Most texts have none, and this is found out twice as fast.
_HINT = re.compile(r"[-:=_]|\w\.\w|\w{20}|[bB][eEaA][aAsS][rRiI]")


@lru_cache(maxsize=1024)
def sounds_secret(name: str) -> bool:
    """Whether a member of this name holds a credential, however it is written: `apiKey`, `API_KEY`, `x-api-key`."""
    words = [word.lower() for word in _WORDS.findall(name[:200])]
    if any(word in _ALONE for word in words):
        return True
    return any(second in ("key", "keys") and first in _KEYS for first, second in pairwise(words))


def mask_text(text: str, limit: int = LIMIT) -> str:
    """A text without its secrets, cut to what its first `limit` characters hold."""
    if len(text) <= limit and ((len(text) < 20 and text.isalnum()) or not _HINT.search(text)):
        return text
    seen = text[: limit + _LOOK_AHEAD]
    pieces: list[str] = []
    at = 0
    for found in _SECRET.finditer(seen):
        if found.start() >= limit:
            break
        pieces += [seen[at : found.start()], found["scheme"] or found["line"] or found["name"] or "", HIDDEN]
        at = found.end()
    # Counted in the text as it came: what is hidden makes it shorter, and must not bring more of it into view.
    pieces.append(seen[at:limit])
    if len(text) > max(limit, at):
        pieces.append(f"... ({len(text)} characters)")
    return "".join(pieces)


def masked(value: Any, limit: int = LIMIT) -> Any:
    """A copy of a JSON value without secrets, of bounded size: long texts and lists are cut, and say so."""
    if isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        if len(members) <= ITEMS and _harmless(members, limit):
            return members.copy()
    return _masked(value, limit, DEPTH, [NODES])


def _harmless(members: dict[Any, Any], limit: int) -> bool:
    """Whether nothing has to be hidden or cut. That is so of most calls, and found out without a copy of each value."""
    for name, each in members.items():
        kind = type(each)  # pyright: ignore[reportUnknownVariableType]
        if kind is str:
            if len(each) > limit or _HINT.search(each):
                return False
        elif kind is int:
            if not -_BIG < each < _BIG:
                return False
        elif kind is not float and kind is not bool and each is not None:
            return False
        if not _shown_as_it_is(name, limit):
            return False
    return True


@lru_cache(maxsize=1024)
def _shown_as_it_is(name: str, limit: int) -> bool:
    return type(name) is str and not sounds_secret(name) and mask_text(name, limit) == name


def _masked(value: Any, limit: int, depth: int, left: list[int]) -> Any:
    if isinstance(value, str):
        return mask_text(value, limit)
    if isinstance(value, int) and value.bit_length() > 64:
        return f"(a number of {value.bit_length()} bits)"
    if value is None or isinstance(value, float | int):
        return value
    left[0] -= 1
    if depth == 0 or left[0] < 0:
        return "..."
    if isinstance(value, Mapping):
        return _members(cast("Mapping[Any, Any]", value), limit, depth, left)
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        left[0] -= min(len(items), ITEMS)
        copies = [_masked(each, limit, depth - 1, left) for each in items[:ITEMS]]
        return [*copies, f"... ({len(items)} items)"] if len(items) > ITEMS else copies
    return mask_text(str(value), limit)


def _members(value: Mapping[Any, Any], limit: int, depth: int, left: list[int]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    left[0] -= min(len(value), ITEMS)
    for name, each in islice(value.items(), ITEMS):
        text = str(name)
        hide = each is not None and sounds_secret(text)
        shown[mask_text(text, limit)] = HIDDEN if hide else _masked(each, limit, depth - 1, left)
    if len(value) > ITEMS:
        shown["..."] = f"{len(value)} members"
    return shown
