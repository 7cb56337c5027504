"""What a teacher reads about a class: the table of scores, and which checks fail most."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.files import replace_text
from labkit.grading.report import NOT_ATTEMPTED, PASSED
from labkit.grading.spec import Spec


@dataclass
class Summary:
    """What came out for a class."""

    learners: int
    graded: int
    """Answers checked in this run; the others were kept from an earlier one."""
    seconds: float
    averages: dict[str, float]
    """Mean share of the points per exercise, 0 to 1."""
    checks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Per check: exercise, name, title and how often it ended in which way; the most failed ones first."""
    files: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        rate = f" ({60 * self.graded / self.seconds:.0f} a minute)" if self.graded and self.seconds else ""
        out = [f"{self.learners} learners, {self.graded} answers checked in {self.seconds:.1f} s{rate}"]
        out += [f"  {id:22} {100 * share:5.1f} % of the points on average" for id, share in self.averages.items()]
        worst = [check for check in self.checks if check["not_passed"]][:5]
        if worst:
            out.append("  Checks that fail most:")
            out += [f"    {c['not_passed']:>4} x {c['exercise']}: {c['title']}" for c in worst]
        return "\n".join([*out, *(f"  written: {file}" for file in self.files)])


def summarise(specs: list[Spec], results: list[dict[str, Any]], graded: int, seconds: float) -> Summary:
    """Put a class together: `results` are the reports of its learners, `graded` how many answers were checked."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    shares: dict[str, list[float]] = {spec.id: [] for spec in specs}
    for result in results:
        for spec in specs:
            entry = result.get("exercises", {}).get(spec.id, {"checks": [], "score": 0})
            shares[spec.id].append(entry["score"] / spec.points)
            for check in entry["checks"]:
                counts.setdefault((spec.id, check["name"]), Counter())[check["status"]] += 1
    rows: list[dict[str, Any]] = []
    for spec in specs:
        for check in spec.checks:
            count = counts.get((spec.id, check.name), Counter[str]())
            missed = sum(number for status, number in count.items() if status not in (PASSED, NOT_ATTEMPTED))
            row = {"exercise": spec.id, "check": check.name, "title": check.title, "not_passed": missed}
            rows.append(row | {status.replace(" ", "_"): number for status, number in sorted(count.items())})
    rows.sort(key=lambda row: -row["not_passed"])
    averages = {id: round(sum(values) / len(values), 3) for id, values in shares.items() if values}
    return Summary(len(results), graded, round(seconds, 2), averages, rows)


def write_csv(out: Path, specs: list[Spec], results: list[dict[str, Any]]) -> Path:
    """Write one row for each learner."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["learner", "score", "points", *(spec.id for spec in specs)])
        for result in results:
            scores = [result.get("exercises", {}).get(spec.id, {}).get("score", 0) for spec in specs]
            name = str(result.get("learner", ""))
            # A spreadsheet would run a name such as =HYPERLINK(...) as a formula.
            safe = f"'{name}" if name[:1] in "=+-@" else name
            writer.writerow([safe, sum(scores), sum(spec.points for spec in specs), *scores])
    return out


def write_summary(out: Path, summary: Summary) -> list[Path]:
    """Write the summary as JSON and as a picture beside `out`."""
    from matplotlib.figure import Figure

    data = {"learners": summary.learners, "averages": summary.averages, "checks": summary.checks}
    table, plot = out.with_name(f"{out.stem}-summary.json"), out.with_name(f"{out.stem}-summary.svg")
    replace_text(table, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    worst = summary.checks[:15]
    figure: Any = Figure(figsize=(9, 0.35 * len(worst) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.barh([f"{row['exercise']}: {row['check']}" for row in worst], [row["not_passed"] for row in worst])
    axes.invert_yaxis()
    axes.set_xlabel(f"answers that fail it, of {summary.learners} learners")
    axes.set_title("Checks that fail most")
    figure.savefig(plot)
    return [table, plot]
