"""The benchmarks run and report. What they measure is for people to judge: no test has a time in it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOPICS = {
    "calls": 12,
    "imports": 7,
    "fifty": 1,
    "grading": 2,
    "certify": 2,
    "file_search": 3,
    "limiter_memory": 6,
    "patterns": 18,
    "gateway": 8,
    "replicas": 3,
    "cluster": 3,
    "simulator": 2,
}
LONG = ("calls", "imports", "fifty", "grading", "certify", "patterns", "replicas", "cluster", "simulator")
"""Even one round of them takes five seconds or more: LAB_WHOLE=1 runs them, too."""
RUN = [topic for topic in TOPICS if topic not in LONG or os.environ.get("LAB_WHOLE")]


def module(name: str) -> ModuleType:
    """A module of the benchmarks by its file: the folder is no part of the package, so not on the path."""
    spec = importlib.util.spec_from_file_location(f"tested_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec and spec.loader
    made = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


rows = module("rows")


def test_there_is_a_test_for_each_topic() -> None:
    paths = (ROOT / "benchmarks").glob("*.py")
    assert {path.stem for path in paths if "\ndef run(" in path.read_text(encoding="utf-8")} == set(TOPICS)


@pytest.mark.slow
@pytest.mark.parametrize("topic", RUN)
def test_a_topic_measures(topic: str) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", "--only", topic]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=110)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["machine"]["cores"] and report["machine"]["mcp"].startswith("2.")
    assert len(report["rows"]) == TOPICS[topic]
    for row in report["rows"]:
        assert row["topic"] == topic and row["lab"] > 0
        assert row["met"] == (None if row["bar"] is None else row["figure"] <= row["bar"])


def test_a_ratio_is_the_median_of_pairs_and_not_the_ratio_of_medians() -> None:
    row = rows.ratio_row("t", "c", [1.0, 20.0, 3.0], [1.0, 10.0, 3.0], 1.1)
    assert row.figure == 1.0 and row.met and row.lab == 3.0


def test_a_bar_is_met_or_missed_or_not_there() -> None:
    assert rows.beyond_row("t", "c", [120.0], [60.0], 50).met is False
    assert rows.time_row("t", "c", [99.0], 100).met is True
    assert rows.time_row("t", "c", [99.0], None).met is None


def test_a_class_is_judged_by_the_median_of_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    one, two = [100.0, 100.0, 120.0], [50.0, 100.0, 80.0]
    row = module("grading").cohort_row(one, two, 20)
    assert row.figure == 80 / 120 and row.met is False, "the best blocks would have met the bar"
    assert "1.50 times the rate of one" in row.note and "best block: 2.00" in row.note


def test_the_table_says_what_was_missed_and_on_which_machine() -> None:
    text = rows.markdown([rows.ratio_row("calls", "over stdio", [2.0], [1.0], 1.1)], rows.machine())
    assert "| calls | over stdio | 2.000 ms | 1.000 ms | 2.00x | ≤ 1.1x | MISSED |" in text
    assert "python 3." in text and "cores " in text and "mcp 2." in text


def test_saving_replaces_what_stands_between_the_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    runner = importlib.import_module("benchmarks.__main__")
    page = tmp_path / "README.md"
    page.write_text(f"before {runner.BEGIN} old {runner.END} after", encoding="utf-8")
    runner.save(page, "new")
    assert page.read_text(encoding="utf-8") == f"before {runner.BEGIN}\nnew\n{runner.END} after"
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="has no <!-- results"):
        runner.save(page, "new")
