"""One measured figure, the machine it was measured on, and the table of both."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import median

PACKAGES = ("mcp", "pydantic", "anyio", "httpx2", "uvicorn", "jsonschema")


@dataclass(frozen=True)
class Row:
    """One figure.

    `lab` and `bare` are times in milliseconds: with the lab, and with what it is compared to (None when there is
    nothing to compare to). `figure` is what the bar judges, in `unit`: a ratio ("x") or milliseconds ("ms"); the bar
    is met when `figure` is at most `bar`. Without a bar the figure is for information. With the unit "us" all of them
    are microseconds, with "MiB" memory.
    """

    topic: str
    case: str
    lab: float
    bare: float | None
    figure: float
    unit: str
    bar: float | None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met, None without one."""
        return None if self.bar is None else self.figure <= self.bar


def ratio_row(topic: str, case: str, lab: list[float], bare: list[float], bar: float | None, *, note: str = "") -> Row:
    """A row for two series of milliseconds measured in turns: pair by pair ratios, of which the median is judged."""
    figure = median(a / b for a, b in zip(lab, bare, strict=True))
    return Row(topic, case, median(lab), median(bare), figure, "x", bar, note)


def beyond_row(topic: str, case: str, lab: list[float], bare: list[float], bar: float | None, *, note: str = "") -> Row:
    """A row for what `lab` takes beyond `bare`, in milliseconds: the median of the differences, pair by pair."""
    figure = median(a - b for a, b in zip(lab, bare, strict=True))
    return Row(topic, case, median(lab), median(bare), figure, "ms", bar, note)


def time_row(topic: str, case: str, lab: list[float], bar: float | None, *, note: str = "") -> Row:
    """A row for a time that stands by itself: the median, in milliseconds."""
    return Row(topic, case, median(lab), None, median(lab), "ms", bar, note)


def machine() -> dict[str, str]:
    """What the figures depend on: when, where, and which versions."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": str(os.cpu_count()),
        "load": _load(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _load() -> str:
    if sys.platform == "win32":
        return "unknown"
    return f"{os.getloadavg()[0]:.1f}"


def markdown(rows: Iterable[Row], facts: dict[str, str]) -> str:
    """The table as Markdown, with the machine above it."""
    lines = [
        ", ".join(f"{name} {value}" for name, value in facts.items()) + ".",
        "",
        "| topic | case | lab | bare | figure | bar | |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def cells(row: Row) -> list[str]:
    """The columns of one row as text: topic, case, lab, bare, figure, bar, verdict."""
    verdict = {True: "met", False: "MISSED", None: ""}[row.met]
    case = f"{row.case} ({row.note})" if row.note else row.case
    bar = "" if row.bar is None else f"≤ {row.bar:.3g}{'' if row.unit == 'x' else ' '}{row.unit}"
    figure = f"{row.figure:.2f}x" if row.unit == "x" else f"{row.figure:.1f} {row.unit}"
    unit = "ms" if row.unit == "x" else row.unit
    bare = "" if row.bare is None else _short(row.bare, unit)
    return [row.topic, case, _short(row.lab, unit), bare, figure, bar, verdict]


def _short(value: float, unit: str) -> str:
    return f"{value:.3f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
