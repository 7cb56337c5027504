"""The outcome of checking one answer, and its three looks: HTML for notebooks, rich for terminals, plain text.

A check ends in one of four ways. `not attempted` is not a kind of wrong: it marks what the learner has not touched yet.
"""

from __future__ import annotations

import hashlib
import hmac
import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

PASSED, FAILED, CRASHED, NOT_ATTEMPTED = "passed", "failed", "crashed", "not attempted"
BEGUN = "begun"
"""The outcome of an answer whose parts pass as far as they are written."""
SIGNS = {PASSED: "✓", FAILED: "✗", CRASHED: "‼", NOT_ATTEMPTED: "○"}
_COLOURS = {PASSED: "#2e9d57", FAILED: "#d9534f", CRASHED: "#c77700", NOT_ATTEMPTED: "#8a8f98"}
_RICH = {PASSED: "green", FAILED: "red", CRASHED: "yellow", NOT_ATTEMPTED: "bright_black"}


@dataclass
class CheckResult:
    """One check: how it ended and, where it did not pass, why, and at which line of the answer."""

    name: str
    title: str
    points: int
    status: str
    reason: str = ""
    message: str = ""
    line: int | None = None
    code: str = ""
    printed: str = ""
    """What the answer printed while this check ran; kept only where it did not pass."""


@dataclass(repr=False)
class Report:
    """All checks of one answer. `note` is a sentence about the run as a whole, such as a limit that was hit."""

    exercise: str
    title: str
    checks: list[CheckResult]
    seed: int = 0
    seconds: float = 0.0
    note: str = ""
    afterword: str = field(default="", repr=False)

    @property
    def score(self) -> int:
        """Points of the passed checks."""
        return sum(check.points for check in self.checks if check.status == PASSED)

    @property
    def points(self) -> int:
        """Points there are to have."""
        return sum(check.points for check in self.checks)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and all(check.status == PASSED for check in self.checks)

    @property
    def outcome(self) -> str:
        """One word for the whole: the worst of what was attempted."""
        statuses = {check.status for check in self.checks}
        if statuses == {PASSED}:
            return PASSED
        if statuses <= {NOT_ATTEMPTED}:
            return NOT_ATTEMPTED
        if statuses <= {PASSED, NOT_ATTEMPTED}:
            return BEGUN
        return CRASHED if CRASHED in statuses else FAILED

    def names(self, *statuses: str) -> set[str]:
        """Names of the checks that ended in one of these ways."""
        return {check.name for check in self.checks if check.status in statuses}

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        data = asdict(self)
        del data["afterword"]
        return data | {"score": self.score, "points": self.points, "outcome": self.outcome}

    @property
    def headline(self) -> str:
        """One line: what came out."""
        total = f"{self.score}/{self.points} points"
        if self.passed:
            return f"{self.title}: all {len(self.checks)} checks passed, {total}"
        if self.outcome == NOT_ATTEMPTED:
            return f"{self.title}: not attempted yet"
        done = len(self.names(PASSED))
        return f"{self.title}: {done} of {len(self.checks)} checks passed, {total}"

    def blocks(self) -> Iterator[tuple[CheckResult, list[str]]]:
        """Each check with the lines below it. A file-wide cause is told once, not under every check."""
        told: set[str] = set()
        for check in self.checks:
            lines: list[str] = []
            if check.message and check.message in told:
                yield check, lines
                continue
            told.add(check.message)
            if check.message and check.message != self.note:
                lines.append(check.message)
            if check.line:
                lines.append(f"your line {check.line}: {check.code}")
            if check.printed:
                lines += [f"printed: {text}" for text in check.printed.splitlines()[-5:]]
            if check.status in (FAILED, CRASHED) and check.reason and check.message != self.note:
                lines.append(f"why: {check.reason}")
            yield check, lines

    def __str__(self) -> str:
        out = [self.headline]
        if self.note:
            out.append(f"  {self.note}")
        for check, lines in self.blocks():
            out.append(f"  {SIGNS[check.status]} {check.status:13} {check.points:>2}p  {check.title}")
            out += [f"        {line}" for line in lines]
        if self.passed and self.afterword:
            out += ["", self.afterword.strip()]
        return "\n".join(out)

    __repr__ = __str__

    def __rich__(self) -> Any:
        from rich.text import Text

        text = Text(self.headline, style="bold green" if self.passed else "bold")
        if self.note:
            text.append(f"\n  {self.note}", style="yellow")
        for check, lines in self.blocks():
            style = _RICH[check.status]
            text.append(f"\n  {SIGNS[check.status]} {check.status:13} ", style=style)
            text.append(f"{check.points:>2}p  {check.title}", style="not bold")
            for line in lines:
                text.append(f"\n        {line}", style="not bold dim" if line.startswith("why:") else "not bold")
        if self.passed and self.afterword:
            text.append(f"\n\n{self.afterword.strip()}", style="not bold")
        return text

    def _repr_html_(self) -> str:
        rows: list[str] = []
        for check, lines in self.blocks():
            colour = _COLOURS[check.status]
            below = "".join(f"<div style='opacity:.85;margin-left:1.6em'>{_line(line)}</div>" for line in lines)
            rows.append(
                f"<div style='margin:.25em 0'><span style='color:{colour};font-weight:600'>{SIGNS[check.status]} "
                f"{check.status}</span> <span style='opacity:.6'>{check.points} p</span> "
                f"{html.escape(check.title)}{below}</div>"
            )
        note = f"<p style='color:{_COLOURS[CRASHED]}'>{html.escape(self.note)}</p>" if self.note else ""
        after = f"<hr><p>{html.escape(self.afterword.strip())}</p>" if self.passed and self.afterword else ""
        return f"<div class='labkit-report'><b>{html.escape(self.headline)}</b>{note}{''.join(rows)}{after}</div>"


def sign(key: str, body: str) -> str:
    """The signature of a report on its way from the judge, under the key of that one job."""
    return hmac.new(bytes.fromhex(key), body.encode(), hashlib.sha256).hexdigest()


def _line(line: str) -> str:
    if line.startswith("your line "):
        where, _, code = line.partition(": ")
        return f"{html.escape(where)}: <code>{html.escape(code)}</code>"
    return html.escape(line)
