"""A report has one look per place, and tells a common cause once."""

from __future__ import annotations

import io

from rich.console import Console

from labkit.grading.report import BEGUN, CRASHED, FAILED, NOT_ATTEMPTED, PASSED, CheckResult, Report

CHECKS = [
    CheckResult("a", "first <b>", 1, PASSED),
    CheckResult("b", "second", 2, FAILED, "because", "got 1", 4, "x < y"),
    CheckResult("c", "third", 3, NOT_ATTEMPTED),
]


def test_the_outcome_is_the_worst_of_what_was_attempted() -> None:
    def outcome(*statuses: str) -> str:
        return Report("x", "X", [CheckResult(str(n), "", 1, s) for n, s in enumerate(statuses)]).outcome

    assert outcome(PASSED, PASSED) == PASSED
    assert outcome(NOT_ATTEMPTED, NOT_ATTEMPTED) == NOT_ATTEMPTED
    assert outcome(PASSED, NOT_ATTEMPTED) == BEGUN
    assert outcome(PASSED, FAILED, NOT_ATTEMPTED) == FAILED
    assert outcome(PASSED, FAILED, CRASHED) == CRASHED


def test_plain_rich_and_html_say_the_same() -> None:
    report = Report("x", "X", CHECKS, seed=7)
    out = io.StringIO()
    Console(file=out, width=200).print(report)
    for text in (str(report), out.getvalue(), report._repr_html_()):
        for part in ("1 of 3 checks passed, 1/6 points", "got 1", "your line 4", "because", "not attempted"):
            assert part in text
    assert "first &lt;b&gt;" in report._repr_html_()
    assert "<code>x &lt; y</code>" in report._repr_html_()


def test_a_common_cause_is_told_once() -> None:
    checks = [CheckResult(str(n), str(n), 1, CRASHED, "reason", "it broke", 1, "x") for n in range(3)]
    assert str(Report("x", "X", checks, note="it broke")).count("it broke") == 1
    assert str(Report("x", "X", checks)).count("it broke") == 1


def test_the_afterword_waits_for_the_pass() -> None:
    good = Report("x", "X", CHECKS[:1], afterword="well done")
    assert "well done" in str(good) and "well done" in good._repr_html_()
    assert "well done" not in str(Report("x", "X", CHECKS, afterword="well done"))


def test_as_dict_is_plain_data() -> None:
    data = Report("x", "X", CHECKS, seed=7).as_dict()
    assert (data["score"], data["points"], data["outcome"], data["seed"]) == (1, 6, FAILED, 7)
    assert data["checks"][1]["line"] == 4
