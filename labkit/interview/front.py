"""The way in from a notebook: begin a mock interview or go on with one; and how a session shows itself as text."""

from __future__ import annotations

import html
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.interview.session import Session

if TYPE_CHECKING:
    from labkit.interview.entries import Entry

SIGNS = {"open": "○", "done": "✓", "skipped": "–"}


def mock_interview(
    role: str = "",
    minutes: int = 45,
    *,
    seed: int | None = None,
    session: str = "",
    folder: Path | None = None,
) -> Session:
    """Begin a mock interview for a role; without one, go on with the latest that is not finished.

    `session` is the id of another one to go on with. Raises InterviewError for what there is not.
    """
    if role:
        return Session.begin(role, minutes, seed, folder=folder)
    return Session.load(session, folder=folder)


def headline(session: Session) -> str:
    """One line: role, place, time."""
    place = "finished" if session.state == "finished" else f"item {session.at + 1} of {len(session.entries)}"
    paused = ", paused" if session.state == "paused" else ""
    result = "" if session.fraction is None else f", {session.fraction:.0%} so far"
    return f"Interview {session.id}: {session.role}, {place}{paused}, {clock(session.left)} left{result}"


def clock(seconds: float) -> str:
    """Minutes and seconds, as a clock shows them."""
    sign, whole = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{int(whole) // 60}:{int(whole) % 60:02d}"


def line(entry: Entry, current: bool) -> str:
    """One item in a line. What has not begun is not told."""
    item = entry.item
    title = item.title if entry.begun else item.kind
    result = "" if entry.fraction is None else f"  {entry.fraction:.0%}"
    mark = "→" if current else SIGNS[entry.status]
    return f"{mark} {item.kind:8} {item.minutes:>3} min  {title}{result}"


def as_text(session: Session) -> str:
    """A session as plain text."""
    lines = [line(entry, entry is session.current) for entry in session.entries]
    return "\n".join([headline(session), *(f"  {each}" for each in lines)])


def as_html(session: Session) -> str:
    """A session as a list in HTML."""
    rows = "".join(f"<li>{html.escape(line(entry, entry is session.current))}</li>" for entry in session.entries)
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(session.began))
    return (
        f"<div class='labkit-interview'><b>{html.escape(headline(session))}</b> <small>begun {began}</small>"
        f"<ul style='list-style:none'>{rows}</ul></div>"
    )
