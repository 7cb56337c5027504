"""How tapes look: timeline (HTML), plain text, Mermaid. Inline styles only: they survive in saved notebooks.

Colours are translucent or inherited, so that the same page reads in a dark and in a light theme.
"""

from __future__ import annotations

import html
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from labkit.wire.frame import ARROWS, Frame

if TYPE_CHECKING:
    from labkit.wire.tape import Tape

TINTS = {
    "request": "rgba(66,133,244,.75)",
    "notification": "rgba(150,110,220,.75)",
    "response": "rgba(46,160,100,.75)",
    "error": "rgba(220,70,70,.85)",
    "http": "rgba(128,128,128,.6)",
    "noise": "rgba(230,150,40,.85)",
}
MONO = "font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px"
RULE = "1px solid rgba(128,128,128,.35)"
LONGEST = 20_000
"""Characters of one frame that a view shows."""


def size_text(size: int) -> str:
    """Bytes for people: 812 B, 3.4 kB, 2.1 MB."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def time_text(seconds: float | None) -> str:
    """A duration in the unit that reads best; '' for None."""
    if seconds is None:
        return ""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def pretty(frame: Frame) -> str:
    """The frame's text for a page: indented when it is JSON, cut when it is long."""
    text = frame.text
    if frame.message is not None:
        with suppress(RecursionError):  # nested deeper than can be indented: as it came
            text = json.dumps(frame.message, indent=2, ensure_ascii=False)
    if len(text) > LONGEST:
        text = text[:LONGEST] + f"\n... {len(text) - LONGEST:,} more characters: frame.text"
    return text


def showable(text: str) -> str:
    """`text` without half surrogates: a server may send them, and a kernel cannot pass them on to its page."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def caption(tape: Tape) -> str:
    """One line: what connection this is, and how much of it is here."""
    parts = [tape.title, tape.transport, f"era {tape.era}" if tape.era else "", f"{len(tape)} frames"]
    if tape.dropped:
        parts.append(f"{tape.dropped} older frames dropped")
    if any(not f.framed for f in tape.frames):
        parts.append("no JSON on this wire: equivalent frames")
    return " · ".join(p for p in parts if p)


def as_text(tape: Tape, limit: int = 50) -> str:
    """The tape for a terminal: one line a frame."""
    frames = tape.frames
    lines = [f"Tape: {caption(tape)}"]
    if len(frames) > limit:
        lines.append(f"  ... {len(frames) - limit} earlier frames")
    for f in frames[-limit:]:
        lines.append(
            f"{f.n:>4} {f.at:8.3f}s {ARROWS[f.direction]} {f.kind:<12} {'' if f.id is None else f.id!s:<6} {f.label}"
            f"  {size_text(f.size)}  {time_text(f.latency) if f.kind in ('response', 'error') else ''}".rstrip()
        )
    return showable("\n".join(lines))


def timeline(tape: Tape, limit: int) -> str:
    """Rows of <details>: number, time, bar, direction, label, size, latency; the frame itself inside."""
    frames = tape.frames
    shown = frames[-limit:]
    start = shown[0].at if shown else 0.0
    span = max((shown[-1].at - start) if shown else 0.0, 1e-6)
    rows = "".join(_row(f, start, span) for f in shown)
    earlier = (
        f"<div style='opacity:.7'>{len(frames) - limit} earlier frames: tape.html(limit=...)</div>"
        if len(frames) > limit
        else ""
    )
    return showable(
        f"<div class='labkit-tape' role='log' aria-label='MCP frames' style='{MONO};text-align:left;border:{RULE};border-radius:4px;padding:6px 8px'>"
        f"<div style='padding-bottom:4px;border-bottom:{RULE}'><b>Tape</b> {html.escape(caption(tape))}</div>{earlier}{rows}</div>"
    )


def _row(f: Frame, start: float, span: float) -> str:
    tint = TINTS[f.kind]
    left = min(98.0, 100 * (f.at - start) / span)
    width = 2.0
    if f.kind in ("request",) and f.latency:
        width = max(2.0, min(100 - left, 100 * f.latency / span))
    bar = (
        "<span aria-hidden='true' style='display:inline-block;position:relative;width:90px;height:8px;vertical-align:middle;"
        f"background:rgba(128,128,128,.18)'><span style='position:absolute;left:{left:.1f}%;width:{width:.1f}%;height:8px;background:{tint}'></span></span>"
    )
    took = time_text(f.latency) if f.kind in ("response", "error") else ""
    identity = "" if f.id is None else f"#{f.id}"
    side = "0" if f.direction == "sent" else "1.5em"
    summary = (
        f"<summary style='cursor:pointer;white-space:nowrap;overflow:hidden;text-overflow:ellipsis'>"
        f"<span style='opacity:.65'>{f.n:>3} {f.at:.3f}s</span> {bar} "
        f"<span style='margin-left:{side}'><b style='color:{tint}'>{ARROWS[f.direction]}</b> <span style='opacity:.75'>{f.direction}</span> "
        f"<b>{html.escape(f.label)}</b> <i style='opacity:.75'>{f.kind} {html.escape(identity)}</i> "
        f"<span style='opacity:.65'>{size_text(f.size)} {took}</span></span></summary>"
    )
    return (
        f"<details style='border-left:3px solid {tint};padding-left:6px;margin-top:2px'>{summary}{_body(f)}</details>"
    )


def _body(f: Frame) -> str:
    parts: list[str] = []
    if f.note:
        parts.append(f"<div>{html.escape(f.note)}</div>")
    if f.status is not None or f.headers:
        status = "" if f.status is None else f"HTTP {f.status}\n"
        head = status + "\n".join(f"{k}: {v}" for k, v in (f.headers or {}).items())
        parts.append(
            f"<pre style='margin:2px 0 2px 1.5em;opacity:.8;white-space:pre-wrap;overflow-wrap:anywhere'>{html.escape(head)}</pre>"
        )
    if f.text:
        parts.append(
            f"<pre style='margin:2px 0 4px 1.5em;white-space:pre-wrap;overflow-wrap:anywhere'>{html.escape(pretty(f))}</pre>"
        )
    return "".join(parts)


class Diagram:
    """A Mermaid sequence diagram: `str()` is the source. JupyterLab draws that; elsewhere the SVG beside it shows."""

    def __init__(self, tape: Tape, limit: int = 60) -> None:
        self.source = showable(_mermaid(tape, limit))
        self.svg = showable(_svg(tape, limit))

    def __str__(self) -> str:
        return self.source

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/vnd.mermaid": self.source, "image/svg+xml": self.svg, "text/plain": self.source}


def _mermaid(tape: Tape, limit: int) -> str:
    lines = ["sequenceDiagram", "    participant C as client", f"    participant S as {_plain(tape.title or 'server')}"]
    frames = tape.frames
    for f in frames[:limit]:
        source, target = ("C", "S") if f.direction == "sent" else ("S", "C")
        arrow = "->>" if f.kind in ("request", "notification") else ("--x" if f.kind in ("error", "noise") else "-->>")
        number = "" if f.id is None else f" ({f.id})"
        lines.append(f"    {source}{arrow}{target}: {_plain(f.label + number)}")
    if len(frames) > limit:
        lines.append(f"    Note over C,S: {len(frames) - limit} more frames")
    return "\n".join(lines)


def _svg(tape: Tape, limit: int) -> str:
    # Mermaid's own drawing needs a script from the network in a saved page: this one needs nothing.
    frames = tape.frames[:limit]
    left, right, step = 90, 610, 26
    height = 50 + step * (len(frames) + 1)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 700 {height}' width='700' height='{height}' role='img'"
        f" aria-label='sequence diagram' font-family='sans-serif' font-size='12' fill='currentColor' stroke='none'>"
    ]
    for x, name in ((left, "client"), (right, tape.title or "server")):
        parts.append(f"<text x='{x}' y='20' text-anchor='middle' font-weight='bold'>{html.escape(name[:24])}</text>")
        parts.append(f"<line x1='{x}' y1='28' x2='{x}' y2='{height}' stroke='currentColor' stroke-opacity='.4'/>")
    for number, f in enumerate(frames):
        y, tint = 50 + step * number, TINTS[f.kind]
        start, end = (left, right) if f.direction == "sent" else (right, left)
        tip = end - 8 if end > start else end + 8
        dashed = "" if f.kind in ("request", "notification") else " stroke-dasharray='5 3'"
        identity = "" if f.id is None else f" ({f.id})"
        parts.append(f"<line x1='{start}' y1='{y}' x2='{end}' y2='{y}' stroke='{tint}' stroke-width='1.5'{dashed}/>")
        parts.append(f"<path d='M{tip} {y - 4} L{end} {y} L{tip} {y + 4} Z' fill='{tint}'/>")
        parts.append(f"<text x='350' y='{y - 5}' text-anchor='middle'>{html.escape((f.label + identity)[:80])}</text>")
    return "".join([*parts, "</svg>"])


def _plain(text: str) -> str:
    # Mermaid ends a message at ; or a line break and reads # as the start of an entity.
    safe = re.sub("[#;]", lambda found: f"#{ord(found.group())};", text)
    return re.sub(r"\s+", " ", safe).strip()[:120]
