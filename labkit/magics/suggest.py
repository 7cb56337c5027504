"""Tab on a `%mcp` line: verbs, servers, connections, tools, arguments, their values, addresses."""

from __future__ import annotations

import re
from typing import Any

from IPython.core.error import UsageError

from labkit.magics import words as w
from labkit.magics.desk import Desk
from labkit.magics.mcp import FROM_VARIABLES, OPTIONS, VERBS

IDENTIFIER = "labkit.mcp"
Found = tuple[str, list[tuple[str, str]]]
_LINE = re.compile(r"(?:^|[=;(:])\s*%%?mcp\s(.*)$", re.DOTALL)


def words_for(desk: Desk, text: str) -> Found:
    """What may stand at the end of `text`: the part typed so far, and (word, kind) of what fits."""
    line = _LINE.search(text)
    if not line:
        return "", []
    before, space, fragment = line[1].rpartition(" ")
    try:
        done = w.split(before + space)
        options = _after(desk, done, fragment) if done else [(verb, "keyword") for verb in VERBS if verb]
    except UsageError:  # within quotes or brackets, or no connection yet
        return "", []
    return fragment, [(word, kind) for word, kind in options if word.startswith(fragment) and word != fragment]


def _after(desk: Desk, done: list[str], fragment: str) -> list[tuple[str, str]]:
    verb, given = done[0], done[1:]
    match verb, len(given):
        case "connect", 0:
            return _targets()
        case "connect", _:
            return _options(given, fragment)
        case (("use" | "tools" | "tape" | "log" | "inspect" | "close"), 0):
            return [(name, "instance") for name in desk.all]
        case "close", _:
            return [(name, "instance") for name in desk.all if name not in given]
        case "doc", 0:
            conn = desk.find()[1]
            return [(name, "function") for name in [*conn.tools.names, *conn.prompts.names]]
        case "call", 0:
            return [(name, "function") for name in desk.find()[1].tools.names]
        case "prompt", 0:
            return [(name, "function") for name in desk.find()[1].prompts.names]
        case "read", 0:
            conn = desk.find()[1]
            return [(uri, "path") for uri in [*conn.resources.names, *conn.templates.names]]
        case (("call" | "prompt"), _):
            conn = desk.find()[1]
            listing = conn.tools if verb == "call" else conn.prompts
            return _arguments(listing[given[0]].schema, given[1:], fragment) if given[0] in listing else []
        case _:
            return []


def _targets() -> list[tuple[str, str]]:
    from labkit.catalog import load_catalog

    return [(name, "module") for name in load_catalog()]


def _options(given: list[str], fragment: str) -> list[tuple[str, str]]:
    if fragment.startswith("via="):
        return [(f"via={via}", "value") for via in ("memory", "stdio", "http", "sse")]
    if fragment.startswith("era="):
        from labkit.session.client import ERAS

        return [(f"era={era}", "value") for era in ERAS]
    used = {word.partition("=")[0] for word in given}
    names = [f"{name}=" for name in (*OPTIONS, *FROM_VARIABLES) if name not in used]
    return [("as", "keyword"), *((name, "param") for name in names)] if given[-1] != "as" else []


def _arguments(schema: dict[str, Any], given: list[str], fragment: str) -> list[tuple[str, str]]:
    from labkit.session.listing import properties_of

    properties = properties_of(schema)
    name, equals, _ = fragment.partition("=")
    if equals:
        forms = list(w.alternatives(properties.get(name, {}), schema))
        values = w.choices(forms) or ([True, False] if "boolean" in w.kinds_of(forms) else [])
        return [(f"{name}={_written(value)}", "value") for value in values]
    used = {word.partition("=")[0] for word in given}
    return [(f"{name}=", "param") for name in properties if name not in used]


def _written(value: Any) -> str:
    text = w.spelled(value)
    return f'"{text}"' if isinstance(value, str) and re.search(r"\s|^[\[{\"'$]", text) else text
