"""The inspector without script: what server it was, its tools, and the calls with their answers."""

from __future__ import annotations

import html
import json
from typing import Any

from labkit.ui.history import Entry, History
from labkit.wire.views import MONO, RULE, showable, time_text

TOOLS = 100
CALLS = 20
TEXT = 2_000
"""What the still shows at most: tools, calls, and characters of an answer."""


def still(facts: dict[str, Any], tools: list[tuple[str, str]], history: History) -> str:
    """The panel as HTML. Bounded in size."""
    parts = [f"<div><b>Inspector</b> {html.escape(headline(facts))}</div>"]
    if tools:
        rows = "".join(
            f"<div><code>{html.escape(name)}</code> <span style='opacity:.75'>{html.escape(about[:200])}</span></div>"
            for name, about in tools[:TOOLS]
        )
        more = f"<div style='opacity:.75'>{len(tools) - TOOLS} more</div>" if len(tools) > TOOLS else ""
        parts.append(f"<details><summary style='cursor:pointer'>{len(tools)} tools</summary>{rows}{more}</details>")
    calls = [*history]
    if calls:
        parts.append(f"<div style='margin-top:4px'>Calls, the latest first ({len(calls)}):</div>")
        parts += [_call(entry) for entry in calls[:CALLS]]
    body = "".join(parts)
    return showable(f"<div style='text-align:left;border:{RULE};border-radius:4px;padding:6px 8px'>{body}</div>")


def headline(facts: dict[str, Any]) -> str:
    """What the panel is connected to, in one line."""
    if not facts["there"]:
        return "not connected"
    parts = [facts["name"], facts["server"], facts["transport"], f"era {facts['era']}" if facts["era"] else ""]
    parts.append("closed" if facts["closed"] else "open when this was saved")
    return " · ".join(part for part in parts if part)


def _call(entry: Entry) -> str:
    asked = f" {json.dumps(entry.arguments, ensure_ascii=False, default=str)[:200]}" if entry.arguments else ""
    summary = (
        f"<summary style='cursor:pointer'><code>{html.escape(entry.name)}</code>"
        f"<span style='opacity:.75'>{html.escape(asked)}</span> <b>{entry.state}</b>"
        f" <span style='opacity:.75'>{time_text(entry.seconds)}</span></summary>"
    )
    text = entry.error or answer_text(entry)
    text = text if len(text) <= TEXT else f"{text[:TEXT]}\n... {len(text) - TEXT:,} more characters"
    style = f"{MONO};margin:2px 0 4px 1.5em;white-space:pre-wrap;overflow-wrap:anywhere"
    return f"<details>{summary}<pre style='{style}'>{html.escape(text)}</pre></details>"


def answer_text(entry: Entry) -> str:
    """The answer as text."""
    if entry.structured:
        return json.dumps(entry.data, indent=2, ensure_ascii=False, default=str)
    texts = [str(b["text"]) if "text" in b else f"<{b['type']} {b.get('mime', '')}>" for b in _blocks(entry)]
    return "\n".join(texts)


def _blocks(entry: Entry) -> list[dict[str, Any]]:
    return (entry.answer or {}).get("blocks", [])


def as_text(facts: dict[str, Any], tools: list[tuple[str, str]], history: History) -> str:
    """The panel for a terminal."""
    lines = [f"Inspector: {headline(facts)}", *(f"  {name}" for name, _ in tools[:TOOLS])]
    lines += [f"  {e.at:%H:%M:%S} {e.name}: {e.state}  {e.said()}" for e in [*history][:CALLS]]
    return showable("\n".join(lines))
