"""The runner: `python -m benchmarks [--quick] [--only TOPIC ...] [--json] [--save]`.

The exit code is 1 when a bar is missed in a full run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.rows import Row, cells, machine, markdown

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
Topic = Callable[[bool], list[Row]]


def topics() -> dict[str, Topic]:
    """The modules of this folder that measure something, by name."""
    found: dict[str, Topic] = {}
    for info in pkgutil.iter_modules(benchmarks.__path__):
        if info.name != "__main__":
            run = getattr(importlib.import_module(f"benchmarks.{info.name}"), "run", None)
            if run is not None:
                found[info.name] = run
    return found


def main(argv: list[str] | None = None) -> int:
    """Measure, print the table, and tell by the exit code whether all bars are met."""
    known = topics()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that all works; the figures are rough")
    parser.add_argument("--only", nargs="+", metavar="TOPIC", choices=list(known), help=", ".join(known))
    parser.add_argument("--json", action="store_true", help="print the results as JSON in place of the table")
    parser.add_argument("--save", action="store_true", help=f"write the table into {README.name}")
    options = parser.parse_args(argv)

    talk = Console(stderr=True)
    rows: list[Row] = []
    facts = machine()
    for name in options.only or known:
        began = time.perf_counter()
        rows += known[name](options.quick)
        talk.print(f"{name}: {time.perf_counter() - began:.0f} s", highlight=False)
        if options.save:  # after each topic: a run that is broken off keeps what it has
            save(README, markdown(rows, facts))
    if options.json:
        print(json.dumps({"machine": facts, "rows": [asdict(row) | {"met": row.met} for row in rows]}, indent=1))
    else:
        show(rows, facts)
    return 1 if not options.quick and any(row.met is False for row in rows) else 0


def show(rows: list[Row], facts: dict[str, str]) -> None:
    """Print the table."""
    table = Table("topic", "case", caption=", ".join(f"{name} {value}" for name, value in facts.items()))
    for heading in ("lab", "bare", "figure", "bar"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        table.add_row(*cells(row), style={True: "green", False: "red", None: ""}[row.met])
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def save(path: Path, text: str) -> None:
    """Replace what stands between the markers in the file. Raises ValueError when it has no markers."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no {BEGIN} ... {END}: put these two lines where the table is to stand.")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
