"""Tab completion of the names a server offers, inside `conn.call("...` and its like."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

IDENTIFIER = "labkit.names"
_CALL = re.compile(r"([A-Za-z_]\w*)\.(call|prompt|read|complete|subscribe)\(\s*(?:['\"])([^'\"]*)$")
_LIST = re.compile(
    r"([A-Za-z_]\w*)\.(tools|prompts)(?:\.|\[['\"])(\w*)$"
)  # IPython evaluates no properties to complete


def names_for(namespace: dict[str, Any], text: str) -> tuple[str, list[str]]:
    """What may stand in the string that ends `text`: the part typed so far, and the names that fit."""
    found = _CALL.search(text) or _LIST.search(text)
    if not found:
        return "", []
    variable, method, typed = found.groups()
    conn = namespace.get(variable)
    if not hasattr(conn, "tools") or not hasattr(conn, "tape"):
        return "", []
    connection = cast(Any, conn)
    sources: dict[str, Callable[[], list[str]]] = {
        "call": lambda: connection.tools.names,
        "tools": lambda: connection.tools.names,
        "prompt": lambda: connection.prompts.names,
        "prompts": lambda: connection.prompts.names,
        "read": lambda: connection.resources.names + connection.templates.names,
        "subscribe": lambda: connection.resources.names,
        "complete": lambda: connection.prompts.names + connection.templates.names,
    }
    return typed, [name for name in sources[method]() if name.startswith(typed)]


def complete_names(ip: Any) -> None:
    """Offer the names of `names_for` in this shell, once."""

    def found(text: str) -> tuple[str, list[tuple[str, str]]]:
        typed, names = names_for(ip.user_ns, text)
        return typed, [(name, "function") for name in names]

    add_matcher(ip, IDENTIFIER, found)


def add_matcher(ip: Any, identifier: str, find: Callable[[str], tuple[str, list[tuple[str, str]]]]) -> None:
    """Give a shell a matcher in place of any it had under this name.

    `find` takes the text before the cursor; it returns the fragment typed so far, and (text, kind) of what fits.
    """
    from IPython.core.completer import (
        SimpleCompletion,
        context_matcher,  # pyright: ignore[reportUnknownVariableType]
    )

    def matcher(context: Any) -> Any:
        typed, words = find(context.text_until_cursor)
        if not words:
            return {"completions": []}
        completions = [SimpleCompletion(text, type=kind) for text, kind in words]
        return {"completions": completions, "matched_fragment": typed, "suppress": True}

    decorated = cast(Any, context_matcher)(identifier=identifier)(matcher)
    decorated.matcher_identifier = identifier
    others = [m for m in ip.Completer.custom_matchers if getattr(m, "matcher_identifier", "") != identifier]
    ip.Completer.custom_matchers[:] = [*others, decorated]
