"""What was said and done between a user, a model and tools, in order: beside the tape, the view of the model."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from labkit.agents.model import Message, ToolCall, Usage

Ended = Literal["", "answered", "steps", "calls", "tokens", "cost", "cancelled", "failed"]
SHOWN = 400
"""Characters of one text that a view shows."""


@dataclass(frozen=True)
class Done:
    """A call that the model wanted, and what it was told: `refused` when the gate did not let it through."""

    call: ToolCall
    text: str
    is_error: bool = False
    refused: bool = False


@dataclass
class Transcript:
    """One run. `ended` is how: with an answer, at a limit (which one), cancelled, failed; empty while it goes on."""

    model: str = ""
    messages: list[Message] = field(default_factory=list[Message])
    calls: list[Done] = field(default_factory=list[Done])
    steps: int = 0
    """Replies of the model."""
    attempts: int = 0
    """Times the model was asked: more than replies, where it was asked again."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of all replies."""
    ended: Ended = ""

    @property
    def text(self) -> str:
        """What the model said last."""
        return next((m.text for m in reversed(self.messages) if m.role == "assistant"), "")

    def called(self, name: str) -> list[dict[str, Any]]:
        """The arguments of each call of this tool that was let through, in order."""
        return [done.call.arguments for done in self.calls if done.call.name == name and not done.refused]

    def rows(self) -> list[dict[str, str]]:
        """A row a text, call or result, for a table."""
        found: list[dict[str, str]] = []
        for message in self.messages:
            if message.text:
                word = "error" if message.is_error else message.by or message.role
                found.append({"who": word, "what": message.text})
            who = f"{message.by} calls".strip()
            found += [{"who": who, "what": _shown(call)} for call in message.calls]
        return found

    def __repr__(self) -> str:
        rows = [*self.rows(), {"who": "ended", "what": f"{self.ended or 'not yet'}, after {self.steps} replies"}]
        wide = max(9, *(len(row["who"]) for row in rows))
        return "\n".join(f"{row['who']:>{wide}}  {_cut(row['what'])}" for row in rows)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:right;opacity:.65;vertical-align:top'>{html.escape(row['who'])}</td>"
            f"<td style='text-align:left;white-space:pre-wrap;overflow-wrap:anywhere'>{html.escape(_cut(row['what']))}"
            "</td></tr>"
            for row in self.rows()
        )
        ended = html.escape(f"{self.ended or 'not yet ended'}, after {self.steps} replies of {self.model}")
        return f"<div role='group' aria-label='transcript'><table>{rows}</table><div>{ended}</div></div>"


def _shown(call: ToolCall) -> str:
    given = ", ".join(f"{name}={json.dumps(value, ensure_ascii=True)}" for name, value in call.arguments.items())
    return f"{call.name}({given})"


def _cut(text: str) -> str:
    # What is invisible is the point of some texts: a view of a transcript shows it.
    text = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text) - SHOWN} more characters)"
