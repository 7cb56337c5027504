"""What comes out of certifying a server: the verdict, every check, every finding with its evidence."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.testbench.check import SEVERITIES, CheckResult, Figure, Finding, Severity

FORMAT = 1
"""Of the JSON: schema/certificate.schema.json."""
SIGNS = {"passed": "✓", "failed": "✗", "skipped": "–", "broken": "‼"}


def environment() -> dict[str, str]:
    """What the checks ran on."""
    return {
        "labkit": version("labkit"),
        "mcp": version("mcp"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def without_folders(target: str) -> str:
    """A command line without this machine's folders: reports are shown to others."""
    for folder, name in ((Path.cwd(), ""), (LAB_ROOT, ""), (Path.home(), "~/")):
        if len(folder.parts) > 1:
            target = target.replace(f"{folder}{os.sep}", name)
    return target


@dataclass(repr=False)
class Certificate:
    """The outcome of all checks of one run."""

    name: str
    target: str
    transport: str
    eras: list[str]
    profile: str
    results: list[CheckResult] = field(default_factory=list[CheckResult])
    stale: list[str] = field(default_factory=list[str])
    """Entries of the baseline that passed, or that no check has: the baseline must be brought up to date."""
    seed: int = 0
    budget: float = 60.0
    """Seconds that all checks together had."""
    seconds: float = 0.0
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    note: str = ""
    """What was certified in place of an open connection."""
    server: dict[str, str] = field(default_factory=dict[str, str])
    """Name and version as the server gives them."""
    environment: dict[str, str] = field(default_factory=environment)
    figures: list[Figure] = field(default_factory=list[Figure])
    """What was measured: calls a second, latency, memory."""

    @property
    def findings(self) -> list[tuple[CheckResult, Finding]]:
        """Every finding with its check, the gravest first; those that a baseline expects are left out."""
        found = [(r, f) for r in self.results if not r.expected for f in r.findings]
        return sorted(found, key=lambda pair: SEVERITIES.index(pair[1].severity or pair[0].check.severity))

    def of(self, severity: Severity) -> list[tuple[CheckResult, Finding]]:
        """The findings of this severity."""
        return [(r, f) for r, f in self.findings if (f.severity or r.check.severity) == severity]

    def count(self, severity: Severity) -> int:
        """How many findings there are of this severity."""
        return len(self.of(severity))

    @property
    def passed(self) -> bool:
        """Something was tested, nothing was left out for want of time, and: no error, no check that broke, no stale
        baseline."""
        return (
            self.ran > 0
            and not self.late
            and not self.count("error")
            and not self.stale
            and not any(r.status == "broken" for r in self.results)
        )

    @property
    def ran(self) -> int:
        """How many checks came to a result about the server."""
        return sum(r.status in ("passed", "failed") for r in self.results)

    @property
    def late(self) -> int:
        """How many checks did not come to their end because the time was up."""
        return sum(r.late for r in self.results)

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        ran = f"{self.ran} checks" if self.ran else "nothing was tested: no check"
        new = "new " if any(result.expected for result in self.results) else ""
        stale = ", the baseline is out of date" if self.stale else ""
        counted = f"{self.counted or f'no {new}findings'}{self.unasked}{stale}"
        return f"{self.name}: {self.verdict}, {ran} in {self.seconds:.1f} s, {counted}"

    @property
    def unasked(self) -> str:
        """`, no time for 3 checks: the budget of 60 s was used up`; empty when all had theirs."""
        checks = f"{self.late} check{'s' if self.late != 1 else ''}"
        return f", no time for {checks}: the budget of {self.budget:g} s was used up" if self.late else ""

    @property
    def verdict(self) -> str:
        """certified, or not certified."""
        return "certified" if self.passed else "not certified"

    @property
    def counted(self) -> str:
        """Findings by severity: `1 error, 2 warnings`; empty when there are none."""
        return ", ".join(f"{n} {s}{'s' if n != 1 and s != 'info' else ''}" for s in SEVERITIES if (n := self.count(s)))

    def sections(self) -> dict[str, list[CheckResult]]:
        """The results by section, in the order in which they ran."""
        found: dict[str, list[CheckResult]] = {}
        for result in self.results:
            found.setdefault(result.check.section, []).append(result)
        return found

    def save(self, path: str | Path) -> Path:
        """Write a report; the ending says which: .html, .json, .xml (JUnit), .sarif, .svg (the badge)."""
        from labkit.testbench.report import save

        return save(self, path)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        head = {
            "format": FORMAT,
            "name": self.name,
            "target": self.target,
            "note": self.note,
            "server": self.server,
            "transport": self.transport,
            "eras": self.eras,
            "profile": self.profile,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "seed": self.seed,
            "budget": self.budget,
            "at": self.at,
            "environment": self.environment,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "stale": self.stale,
        }
        return head | {
            "figures": [asdict(figure) for figure in self.figures],
            "checks": [_row(result) for result in self.results],
        }

    def _lines(self) -> Iterator[str]:
        yield self.headline
        if self.note:
            yield f"  {self.note}"
        yield f"  seed {self.seed}, budget {self.budget:g} s"
        for result in self.results:
            if result.status == "passed":
                continue
            note = f" ({result.reason})" if result.reason else " (expected)" if result.expected else ""
            yield f"  {SIGNS[result.status]} {result.check.id:32} {result.check.title}{note}"
            for finding in result.findings[:5]:
                parts = (finding.severity or result.check.severity, finding.era, finding.subject)
                yield f"      {' '.join(part for part in parts if part)}: {finding.message}"
            if len(result.findings) > 5:
                yield f"      ... and {len(result.findings) - 5} more"
            if result.findings:
                yield f"      fix: {result.check.fix}  [{result.check.spec}]"
        for entry in self.stale:
            yield f"  ✗ baseline: {entry}"
        for figure in self.figures:
            yield f"  {figure.title} ({figure.note})"
            for row in figure.rows:
                yield "      " + "   ".join(f"{name} {value:,g}" for name, value in row.items())

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.testbench.report.summary import summary

        return summary(self)


def _row(result: CheckResult) -> dict[str, Any]:
    check = result.check
    return {
        "id": check.id,
        "title": check.title,
        "status": result.status,
        "severity": result.severity,
        "expected": result.expected,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "spec": check.spec,
        "fix": check.fix,
        "findings": [asdict(finding) for finding in result.findings],
    }
