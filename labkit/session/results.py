"""What calls return: the data first, the wire shape one attribute away, a rich view in a notebook."""

from __future__ import annotations

import base64
import html
import json
from functools import cached_property
from typing import Any, cast

import mcp_types as types

from labkit.wire.views import time_text

LONG = (20, 2000)
"""Line breaks and characters from which on a text is shown in a box that scrolls."""
BOX = ";max-height:340px;overflow:auto;border:1px solid rgba(128,128,128,.4);padding:2px 6px"


def wire_shape(model: Any) -> dict[str, Any]:
    """An SDK result as the JSON object that it stands for."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Result:
    """The answer of a tool.

    `data` is the structured result if there is one (a lone `{"result": x}` that the SDK wraps around
    scalars and lists is unwrapped), otherwise the text. `is_error` marks a tool error: the tool ran, or
    refused to, and `text` says why. `raw` is the wire shape, `content` the content blocks. `hint`
    explains a tool error when the arguments do not fit the schema. `seconds` is the time it took.
    """

    def __init__(self, tool: str, raw: types.CallToolResult, *, wrapped: bool, seconds: float, hint: str = "") -> None:
        self.tool, self.seconds, self.hint = tool, seconds, hint
        self._model, self._wrapped = raw, wrapped

    @property
    def is_error(self) -> bool:
        """Whether the tool reported an error."""
        return bool(self._model.is_error)

    @property
    def content(self) -> list[Any]:
        """The content blocks, as the SDK's types."""
        return list(self._model.content)

    @property
    def structured(self) -> Any:
        """`structuredContent` as it came, or None."""
        return self._model.structured_content

    @cached_property
    def text(self) -> str:
        """All text blocks, one after the other."""
        return "\n".join(block.text for block in self._model.content if isinstance(block, types.TextContent))

    @property
    def data(self) -> Any:
        """The structured result, or the text."""
        structured: Any = self._model.structured_content
        if structured is None:
            return self.text
        if self._wrapped and isinstance(structured, dict):
            return cast("dict[str, Any]", structured).get("result", structured)  # pyright: ignore[reportUnknownArgumentType]
        return structured

    @property
    def raw(self) -> dict[str, Any]:
        """The result object as JSON."""
        return wire_shape(self._model)

    def __repr__(self) -> str:
        word = "tool error" if self.is_error else "ok"
        body = self.text if self.is_error or self._model.structured_content is None else _json(self.data)
        others = [f"<{b.type}>" for b in self._model.content if not isinstance(b, types.TextContent)]
        return "\n".join(p for p in (f"{self.tool}: {word} ({time_text(self.seconds)})", body, *others, self.hint) if p)

    def _repr_html_(self) -> str:
        mark = "&#10007; tool error" if self.is_error else "&#10003; ok"
        parts = [f"<b>{html.escape(self.tool)}</b> {mark} <span style='opacity:.65'>{time_text(self.seconds)}</span>"]
        if self._model.structured_content is not None and not self.is_error:
            parts.append(_pre(_shown(self.data)))
            parts += [block_html(b) for b in self._model.content if not isinstance(b, types.TextContent)]
        else:
            parts += [block_html(b) for b in self._model.content]
        if self.hint:
            parts.append(_pre(self.hint))
        return _group(f"result of {self.tool}", parts)


class ResourceResult:
    """What a resource holds: `text` (all text contents), `data` (bytes of the first blob), `contents`, `raw`."""

    def __init__(self, uri: str, model: types.ReadResourceResult) -> None:
        self.uri, self._model = uri, model

    @property
    def contents(self) -> list[Any]:
        """The contents, as the SDK's types."""
        return list(self._model.contents)

    @property
    def text(self) -> str:
        """All text contents, one after the other."""
        return "\n".join(c.text for c in self._model.contents if isinstance(c, types.TextResourceContents))

    @property
    def data(self) -> bytes:
        """The first binary content, decoded; the text in UTF-8 when there is none."""
        for content in self._model.contents:
            if isinstance(content, types.BlobResourceContents):
                return base64.b64decode(content.blob)
        return self.text.encode()

    @property
    def mime_type(self) -> str | None:
        """The MIME type of the first content."""
        return self._model.contents[0].mime_type if self._model.contents else None

    @property
    def raw(self) -> dict[str, Any]:
        """The result object as JSON."""
        return wire_shape(self._model)

    def __repr__(self) -> str:
        blobs = sum(isinstance(c, types.BlobResourceContents) for c in self._model.contents)
        more = f"\n<{blobs} binary contents: .data>" if blobs else ""
        return f"{self.uri} ({self.mime_type or 'no MIME type'})\n{self.text}{more}"

    def _repr_html_(self) -> str:
        parts = [f"<b>{html.escape(self.uri)}</b> <span style='opacity:.65'>{html.escape(self.mime_type or '')}</span>"]
        for content in self._model.contents:
            if isinstance(content, types.TextResourceContents):
                parts.append(_pre(content.text))
            else:
                parts.append(_media(content.mime_type or "", content.blob))
        return _group(f"resource {self.uri}", parts)


class PromptResult:
    """A prompt, filled in: `messages` (role and content), `text`, `raw`."""

    def __init__(self, name: str, model: types.GetPromptResult) -> None:
        self.name, self._model = name, model

    @property
    def messages(self) -> list[types.PromptMessage]:
        """The messages, as the SDK's types."""
        return list(self._model.messages)

    @property
    def text(self) -> str:
        """All texts of all messages, a blank line between messages."""
        return "\n\n".join(_block_text(m.content) for m in self._model.messages)

    @property
    def raw(self) -> dict[str, Any]:
        """The result object as JSON."""
        return wire_shape(self._model)

    def __repr__(self) -> str:
        return f"prompt {self.name}\n" + "\n".join(f"[{m.role}] {_block_text(m.content)}" for m in self._model.messages)

    def _repr_html_(self) -> str:
        parts = [f"<b>prompt {html.escape(self.name)}</b>"]
        parts += [f"<div><i>{m.role}</i></div>{block_html(m.content)}" for m in self._model.messages]
        return _group(f"prompt {self.name}", parts)


class Completion(list[str]):
    """Suggested values; `total` and `has_more` as the server gave them."""

    def __init__(self, model: types.CompleteResult) -> None:
        super().__init__(model.completion.values)
        self.total = model.completion.total
        self.has_more = bool(model.completion.has_more)
        self.raw = wire_shape(model)

    @property
    def values(self) -> list[str]:
        """The suggestions as a plain list."""
        return list(self)


def block_html(block: Any) -> str:
    """One content block as HTML; images and audio play in the page."""
    if isinstance(block, types.TextContent):
        return _pre(block.text)
    if isinstance(block, (types.ImageContent, types.AudioContent)):
        return _media(block.mime_type, block.data)
    if isinstance(block, types.EmbeddedResource):
        inner = block.resource
        body = (
            _pre(inner.text)
            if isinstance(inner, types.TextResourceContents)
            else _media(inner.mime_type or "", inner.blob)
        )
        return f"<div><i>resource</i> <code>{html.escape(str(inner.uri))}</code></div>{body}"
    if isinstance(block, types.ResourceLink):
        return f"<div><i>link</i> <code>{html.escape(str(block.uri))}</code> {html.escape(block.name)}</div>"
    return _pre(_json(wire_shape(block)))


def _block_text(block: Any) -> str:
    if isinstance(block, types.TextContent):
        return block.text
    if isinstance(block, types.EmbeddedResource) and isinstance(block.resource, types.TextResourceContents):
        return block.resource.text
    return f"<{getattr(block, 'type', type(block).__name__)}>"


def _media(mime: str, data: str) -> str:
    source = f"data:{html.escape(mime)};base64,{html.escape(data)}"
    if mime.startswith("image/"):
        return f"<img src='{source}' alt='image from the server' style='display:block;max-width:100%'>"
    if mime.startswith("audio/"):
        return f"<audio controls src='{source}' style='display:block'></audio>"
    return f"<div>{len(data) * 3 // 4:,} bytes of {html.escape(mime or 'binary data')}</div>"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _shown(data: Any) -> str:
    """JSON; but a text of several lines as these lines."""
    return data if isinstance(data, str) and "\n" in data else _json(data)


def _pre(text: str) -> str:
    lines, characters = LONG
    long = text.count("\n") >= lines or len(text) >= characters
    box, focus = (BOX, " tabindex='0'") if long else ("", "")  # keys scroll it, too
    style = f"margin:2px 0;white-space:pre-wrap;overflow-wrap:anywhere{box}"
    return f"<pre{focus} style='{style}'>{html.escape(text)}</pre>"


def _group(label: str, parts: list[str]) -> str:
    return f"<div role='group' aria-label='{html.escape(label)}' style='text-align:left'>{''.join(parts)}</div>"
