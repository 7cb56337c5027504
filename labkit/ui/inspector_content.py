"""What a server offers and answers, as plain values that a page can draw: bounded, and safe to show."""

from __future__ import annotations

import json
from typing import Any, cast

import mcp_types as types
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

from labkit.session.connection import Connection
from labkit.session.results import PromptResult, ResourceResult, Result, wire_shape

TEXT = 100_000
"""Characters of one text that a page gets."""
MEDIA = 8_000_000
"""Characters of base64 that a page gets of one picture or sound."""
TREE = 1_000_000
"""Characters of JSON beyond which a structured result is shown as text only."""
SAFE_INTEGER = 2**53 - 1
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif"})
"""Raster formats: an SVG can carry more than a picture, so its source is shown as text."""


def plain(value: Any) -> Any:
    """`value` as JSON that survives the way to the page: no half surrogates, no NaN, no rounded integers."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace").decode()
    except RecursionError:
        return "nested too deeply to be shown"
    return json.loads(text, parse_constant=str, parse_int=_integer)


def _integer(digits: str) -> int | str:
    number = int(digits) if len(digits) < 20 else SAFE_INTEGER + 1
    return number if abs(number) <= SAFE_INTEGER else digits


def cut(text: str, limit: int = TEXT) -> str:
    """`text` for a page: what is left out is counted."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= limit else f"{text[:limit]}\n... {len(text) - limit:,} more characters"


# what a server offers --------------------------------------------------------------------------


def offered(conn: Connection) -> dict[str, Any]:
    """Tools, resources, templates and prompts as last listed, each with the schema of its form."""
    return {
        "tools": [described(tool) for tool in conn._link.tools_list],  # pyright: ignore[reportPrivateUsage]
        "resources": [
            {"name": _name(r.uri), "title": _name(r.title or r.name), "about": _about(r.mime_type, r.description)}
            for r in conn.resources
        ],
        "templates": [
            {
                "name": _name(t.uri_template),
                "title": _name(t.title or t.name),
                "about": _about(t.mime_type, t.description),
                "schema": template_schema(t.uri_template),
            }
            for t in conn.templates
        ],
        "prompts": [
            {"name": _name(name), "title": _name(prompt.title), "about": _about(prompt.description), "schema": schema}
            for name in conn.prompts.names
            for prompt, schema in [(conn.prompts[name].item, plain(conn.prompts[name].schema))]
        ],
    }


def _name(text: Any) -> str:
    return cut(str(text or ""), 2_000)


def _about(*parts: str | None) -> str:
    return " · ".join(cut(part, 2_000) for part in parts if part)


def described(tool: types.Tool) -> dict[str, Any]:
    """A tool for its page."""
    return {
        "name": _name(tool.name),
        "title": _name(tool.title or (tool.annotations.title if tool.annotations else None)),
        "about": cut(tool.description or "", 10_000),
        "words": hints(tool.annotations),
        "schema": plain(tool.input_schema),
        "output": plain(tool.output_schema) if tool.output_schema else None,
    }


def hints(annotations: types.ToolAnnotations | None) -> list[str]:
    """The annotations that a server gave, as words. They are hints, not promises (specification, Tool annotations)."""
    if annotations is None:
        return []
    words: list[str] = []
    for given, yes, no in (
        (annotations.read_only_hint, "read-only", "changes things"),
        (annotations.destructive_hint, "destructive", "only adds"),
        (annotations.idempotent_hint, "idempotent", "not idempotent"),
        (annotations.open_world_hint, "open world", "closed world"),
    ):
        if given is not None:
            words.append(yes if given else no)
    return words


def template_schema(template: str) -> dict[str, Any]:
    """The form of a URI template: a text for each variable; those of a query may be left out."""
    try:
        parsed = UriTemplate.parse(template)
    except InvalidUriTemplate:
        return {"type": "object", "properties": {}}
    names = list(dict.fromkeys(parsed.variable_names))
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": [name for name in names if name not in parsed.query_variable_names],
    }


def expand(template: str, values: dict[str, Any]) -> str:
    """The URI that a template becomes with these values (RFC 6570). Raises ValueError for a template that is none."""
    return UriTemplate.parse(template).expand({name: str(value) for name, value in values.items()})


# what it answers -------------------------------------------------------------------------------


def shown(result: Result | ResourceResult | PromptResult) -> dict[str, Any]:
    """An answer for a page: `blocks` to draw one below the other, `value` for a tree or a table, `raw` as JSON text."""
    raw = cut(json.dumps(result.raw, indent=2, ensure_ascii=False, default=str))
    if isinstance(result, ResourceResult):
        return {"blocks": [_contents(each) for each in result.contents], "raw": raw}
    if isinstance(result, PromptResult):
        return {"blocks": [{**block(m.content), "role": m.role} for m in result.messages], "raw": raw}
    answer: dict[str, Any] = {"blocks": [block(each) for each in result.content], "raw": raw, "hint": cut(result.hint)}
    if result.structured is not None:
        if len(json.dumps(result.data, default=str)) <= TREE:
            answer["value"] = plain(result.data)
        # Structured results repeat themselves as text, for older clients: shown once is enough.
        answer["blocks"] = [b for b in answer["blocks"] if b["type"] != "text" or "value" not in answer]
    return answer


def block(content: Any) -> dict[str, Any]:
    """One content block."""
    if isinstance(content, types.TextContent):
        return {"type": "text", "text": cut(content.text)}
    if isinstance(content, types.ImageContent | types.AudioContent):
        return _media(content.mime_type, content.data)
    if isinstance(content, types.EmbeddedResource):
        return {**_contents(content.resource), "embedded": True}
    if isinstance(content, types.ResourceLink):
        return {
            "type": "link",
            "uri": cut(str(content.uri), 2_000),
            "text": _about(content.title or content.name, content.description),
        }
    if isinstance(content, list):
        inner = [block(each) for each in cast("list[Any]", content)]
        return inner[0] if len(inner) == 1 else {"type": "text", "text": cut(json.dumps(inner, ensure_ascii=False))}
    return {"type": "text", "text": cut(json.dumps(wire_shape(content), indent=2, ensure_ascii=False))}


def _contents(resource: Any) -> dict[str, Any]:
    where = {"uri": cut(str(resource.uri), 2_000), "mime": resource.mime_type or ""}
    if isinstance(resource, types.TextResourceContents):
        return {**where, "type": "text", "text": cut(resource.text)}
    return {**where, **_media(resource.mime_type or "", resource.blob)}


def _media(mime: str, data: str) -> dict[str, Any]:
    kind = mime.partition(";")[0].strip().lower()
    whole = {"mime": mime, "size": len(data) * 3 // 4}
    if len(data) <= MEDIA and kind in PICTURES:
        return {**whole, "type": "image", "source": f"data:{kind};base64,{data}"}
    if len(data) <= MEDIA and kind.startswith("audio/"):
        return {**whole, "type": "audio", "source": f"data:{kind};base64,{data}"}
    return {**whole, "type": "binary"}
