"""Markdown as a tree of a few harmless elements: what a text cannot ask for, a page cannot get.

A node is a text, or `[tag, attributes, children]`. The browser makes elements of it (`proseNodes` in prose.js) and the
still makes HTML. Raw HTML in the text stays text, and only links to pages of the web become links.
"""

from __future__ import annotations

import html
from typing import Any, cast

import mistune

Node = str | list[Any]

_TAGS = {
    "paragraph": "p",
    "strong": "strong",
    "emphasis": "em",
    "list_item": "li",
    "block_quote": "blockquote",
    "table": "table",
    "table_body": "tbody",
    "table_row": "tr",
}
_EMPTY = {"thematic_break": "hr", "linebreak": "br"}
_TEXTS = {"codespan": "code", "block_code": "pre"}
_parse = mistune.create_markdown(renderer=None, plugins=["table"])


def prose(text: str) -> list[Node]:
    """Markdown (CommonMark with tables) as nodes."""
    return _nodes(cast("list[dict[str, Any]]", _parse(text)))


def as_html(nodes: list[Node]) -> str:
    """Nodes as HTML."""
    return "".join(_html(node) for node in nodes)


def _html(node: Node) -> str:
    if isinstance(node, str):
        return html.escape(node)
    tag, attributes, children = node
    given = "".join(f' {name}="{html.escape(str(value))}"' for name, value in attributes.items())
    return f"<{tag}{given}>" if tag in _EMPTY.values() else f"<{tag}{given}>{as_html(children)}</{tag}>"


def _nodes(tokens: list[dict[str, Any]]) -> list[Node]:
    return [node for token in tokens for node in _node(token)]


def _node(token: dict[str, Any]) -> list[Node]:
    kind: str = token["type"]
    attributes: dict[str, Any] = token.get("attrs") or {}
    inner = _nodes(token.get("children") or [])
    if kind in _TAGS:
        return [[_TAGS[kind], {}, inner]]
    if kind in _TEXTS:
        return [[_TEXTS[kind], {"tabindex": "0"} if kind == "block_code" else {}, [token["raw"]]]]
    if kind in _EMPTY:
        return [[_EMPTY[kind], {}, []]]
    match kind:
        case "heading":  # a view has h3, and what is in it begins below
            return [[f"h{min(6, attributes['level'] + 2)}", {}, inner]]
        case "list":
            return [["ol" if attributes["ordered"] else "ul", {}, inner]]
        case "table_head":
            return [["thead", {}, [["tr", {}, inner]]]]
        case "table_cell":
            return [["th", {"scope": "col"}, inner] if attributes["head"] else ["td", {}, inner]]
        case "link" if str(attributes["url"]).lower().startswith(("https://", "http://")):
            return [["a", {"href": attributes["url"], "target": "_blank", "rel": "noopener noreferrer"}, inner]]
        case "softbreak":
            return ["\n"]
        case _:
            return inner or [str(token.get("raw", ""))]
