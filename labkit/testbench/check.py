"""What a check is, and what it finds.

A check is an async generator over findings: no finding means that it passed. It raises `NotApplicable` when the server
offers nothing to check; any other exception is a fault of the check, told as such and never as the server's.

    @check("doctor.clean-stdout", "stdout carries messages and nothing else", severity="error",
           spec="basic/transports/stdio", fix="Send what you print to stderr: print(..., file=sys.stderr).")
    async def clean_stdout(bench: Bench) -> AsyncGenerator[Finding]:
        ...
        yield Finding("...", received=line)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from labkit.testbench.bench import Bench

Severity = Literal["error", "warning", "info"]
Profile = Literal["quick", "full"]
Status = Literal["passed", "failed", "skipped", "broken"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""From the gravest: an error breaks clients, a warning is bad practice that can be observed, info is advice."""

SHOWN = 4_000
"""Characters of one piece of evidence that are kept."""


class NotApplicable(Exception):
    """The server offers nothing that this check is about; the message says what is missing."""


@dataclass
class Finding:
    """One thing that is wrong, with its evidence."""

    message: str
    """What happened, to what."""
    sent: str = ""
    received: str = ""
    subject: str = ""
    """The tool, resource or prompt concerned, if one is."""
    era: str = ""
    call: str = ""
    """A Python line that does it again."""
    severity: Severity | None = None
    """Graver or milder than its check, if given."""

    def __post_init__(self) -> None:
        self.message, self.subject, self.call = map(_writable, (self.message, self.subject, self.call))
        self.sent, self.received = _cut(_writable(self.sent)), _cut(_writable(self.received))


def _writable(text: str) -> str:
    # Servers, and tests of them, send lone surrogates: no file and no page could hold them.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text) - SHOWN:,} more characters)"


@dataclass
class Figure:
    """Something measured: rows for a table and a plot, the first column on the x axis."""

    title: str
    rows: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    note: str = ""


Body = Callable[["Bench"], AsyncGenerator[Finding]]


@dataclass(frozen=True)
class Check:
    """One check. Its id is `section.name`, and never changes once published: baselines refer to it."""

    id: str
    title: str
    severity: Severity
    spec: str
    """Where the rule stands: a page of the specification, or of this project."""
    fix: str
    """What to do about a finding."""
    transports: frozenset[str]
    profile: Profile
    """The smallest profile that has it."""
    run: Body = field(compare=False)

    @property
    def section(self) -> str:
        """The part before the dot."""
        return self.id.partition(".")[0]


@dataclass
class CheckResult:
    """How one check ended."""

    check: Check
    status: Status
    findings: list[Finding] = field(default_factory=list[Finding])
    reason: str = ""
    """Why it was skipped, or how the check itself broke."""
    seconds: float = 0.0
    expected: bool = False
    """Whether a baseline names it: a failure that is known."""
    late: bool = False
    """Whether it was skipped because the time was up: then nothing is known, and nothing is certified."""

    @property
    def severity(self) -> Severity | None:
        """The gravest of its findings; None when there are none."""
        found = {finding.severity or self.check.severity for finding in self.findings}
        return next((severity for severity in SEVERITIES if severity in found), None)


CHECKS: dict[str, Check] = {}
"""Every check by its id. Filled by importing the sections; `certify.all_checks` has the order in which they run."""


def check(
    id: str,
    title: str,
    *,
    severity: Severity,
    spec: str,
    fix: str,
    transports: Iterable[str] = ("stdio", "http"),
    profile: Profile = "quick",
) -> Callable[[Body], Body]:
    """Register an async generator as the check `id`. Raises ValueError for an id that is taken."""

    def register(run: Body) -> Body:
        if id in CHECKS:
            raise ValueError(f"There are two checks {id!r}.")
        CHECKS[id] = Check(id, title, severity, spec, fix, frozenset(transports), profile, run)
        return run

    return register
