"""Small readers for what stands in a manifest: any field may be missing, or of another kind than it should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from labkit.deploy.rules import RULES, Finding

_SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|(ACCESS|SECRET|PRIVATE|SIGNING)_KEY|CREDENTIALS?)$", re.IGNORECASE
)
_REFERENCE = re.compile(r"\$\w+|\$\(\w+\)|\$\{\w+(?:(:?[-?+])(.*))?\}")
_NO_VALUES = ("", "true", "false", "null", "none")


def table(value: Any) -> dict[str, Any]:
    """The mapping, or an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def at(value: Any, *path: str) -> Any:
    """What stands at the end of a path of keys; None when there is nothing."""
    for key in path:
        value = table(value).get(key)
    return value


def items(value: Any) -> list[Any]:
    """The list, or an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def rows(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list."""
    return [table(each) for each in items(value) if isinstance(each, dict)]


def whole(value: Any, default: int) -> int:
    """An integer, or `default`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def found(rule: str, where: str, message: str, file: str = "") -> Finding:
    """A finding of that rule."""
    return Finding(RULES[rule], file, where, message)


def untagged(image: str) -> str:
    """Why an image's name fixes no version; "" when it does."""
    if not image or image.startswith("$") or "@sha256:" in image:
        return ""
    tag = image.rpartition("/")[2].partition(":")[2]
    if not tag:
        return f"{image} has no tag, which means latest"
    if tag == "latest":
        return f"{image} is whatever was pushed last"
    return ""


def secret_in(name: str, value: Any) -> bool:
    """Whether a variable has a secret written out: by its name, or as the password of a URL.

    A reference is none, unless it has a value for when there is nothing to refer to.
    """
    text = "" if value is None else str(value)
    named = bool(_SECRET_NAME.search(name))
    if text.lower() in _NO_VALUES:
        return False
    if reference := _REFERENCE.fullmatch(text):
        return named and "-" in (reference[1] or "") and bool(reference[2])
    if named:
        return True
    try:
        password = urlsplit(text).password if "://" in text else None
    except ValueError:
        return False
    return bool(password) and not _REFERENCE.fullmatch(password or "")


def environment(value: Any) -> dict[str, Any]:
    """`environment:` of Compose, as a mapping or as a list of NAME=VALUE."""
    if isinstance(value, list):
        pairs = (str(each).partition("=") for each in cast("list[Any]", value))
        return {name: text if equals else None for name, equals, text in pairs}
    return table(value)


def matches(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether labels have all that a selector asks for."""
    return all(labels.get(key) == value for key, value in selector.items())
