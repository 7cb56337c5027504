"""What must not be shown: credentials in headers, addresses and command lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

_SECRET = re.compile(r"auth|cookie|token|secret|passw|jwt|credential|signature|api[-_]?key|[-_]key$", re.IGNORECASE)
_SESSION = re.compile(r"session", re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^/@?#\s]*@")
_VALUE = re.compile(r"(?<==)[^&#]+")


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """HTTP headers with secrets hidden: credentials entirely, session ids but for their first eight characters.

    The scheme of an `Authorization` header stays (`Bearer ***`), so that a reader sees what kind of
    credential travelled. Names come back in lower case.
    """
    masked: dict[str, str] = {}
    for name, value in headers.items():
        name = name.lower()
        hiding = _hiding(name)
        if hiding == "all":
            scheme, space, _ = value.partition(" ")
            masked[name] = f"{scheme} ***" if space and "authorization" in name else "***"
        elif hiding == "most" and len(value) > 8:
            masked[name] = value[:8] + "…"
        elif name == "location":
            masked[name] = mask_url(value)
        else:
            masked[name] = value
    return masked


def is_credential(name: str) -> bool:
    """Whether what has this name is a credential: `API_KEY`, `Authorization`, `github-token`."""
    return bool(_SECRET.search(name))


@lru_cache(maxsize=256)
def _hiding(name: str) -> Literal["all", "most", "none"]:
    # Cached: the same dozen names come with every HTTP call, and searching them was 1 % of it.
    if name == "www-authenticate":
        return "none"  # a challenge, not a credential
    if _SECRET.search(name):
        return "all"
    return "most" if _SESSION.search(name) else "none"


def mask_url(url: str) -> str:
    """An address without what may be a credential: user and password, and the values of its query."""
    place, mark, query = _USER.sub("***@", url).partition("?")
    return place + mark + _VALUE.sub("***", query)


def mask_words(words: Sequence[str]) -> list[str]:
    """The words of a command without what may be a credential.

    `--token X`, `--token=X`, `TOKEN=X`, `--header "Name: X"`, and addresses.
    """
    masked: list[str] = []
    option = ""
    for word in words:
        name, equals, _ = word.partition("=")
        header, colon, _ = word.partition(":")
        if option and not word.startswith("-"):
            masked.append("***")
        elif "://" in word:
            masked.append(mask_url(word))
        elif equals and " " not in name and _SECRET.search(name):
            masked.append(f"{name}=***")
        elif colon and " " not in header and _SECRET.search(header):
            masked.append(f"{header}: ***")
        else:
            masked.append(word)
        option = word if word.startswith("-") and not equals and _SECRET.search(word) else ""
    return masked
