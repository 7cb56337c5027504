"""The certificate below a notebook cell: a table of what is wrong, evidence folded, styles inline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.testbench.check import CheckResult, Finding
from labkit.testbench.report.plot import figures
from labkit.testbench.report.text import escaped

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate

MARKS = {"error": "✗", "warning": "!", "info": "i", "broken": "‼"}
CELL = "text-align:left;vertical-align:top;padding:4px 10px 4px 0;overflow-wrap:anywhere"
PRE = "white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0 6px"
SHOWN = 8
"""Findings of one check that are shown; the reports have them all."""


def summary(certificate: Certificate) -> str:
    """The HTML. It inherits its colours, and so fits a light and a dark theme."""
    passed = certificate.passed
    colour = "rgba(46,160,100,.9)" if passed else "rgba(220,70,70,.9)"
    ran = ", ".join(
        f"{section} {sum(r.status == 'passed' for r in results)}/{sum(r.status != 'skipped' for r in results)}"
        for section, results in certificate.sections().items()
    )
    wrong = [result for result in certificate.results if result.findings or result.status == "broken"]
    skipped = [result for result in certificate.results if result.status == "skipped"]
    stale = "".join(f"<li>baseline: {escaped(entry)}</li>" for entry in certificate.stale)
    return (
        "<div class='labkit-certificate' style='text-align:left'>"
        f"<div style='border-left:4px solid {colour};padding:2px 10px'><b>{escaped(certificate.name)}</b>: "
        f"<b>{certificate.verdict}</b>, {escaped((certificate.counted or 'no findings') + certificate.unasked)}<br>"
        f"<span style='opacity:.8'>{escaped(f'{certificate.target}, {certificate.transport}, ')}"
        f"{escaped(' and '.join(certificate.eras))}; passed: {escaped(ran or 'nothing ran')}; "
        f"{certificate.seconds:.1f} s; seed {certificate.seed}, budget {certificate.budget:g} s</span>"
        f"{f'<br>{escaped(certificate.note)}' if certificate.note else ''}</div>"
        f"{f'<ul>{stale}</ul>' if stale else ''}{_table(wrong)}{_measured(certificate)}{_skipped(skipped)}"
        "<div style='opacity:.8'>For others: <code>certificate.save('certificate.html')</code>, "
        "or .json, .xml (JUnit), .sarif, .svg</div></div>"
    )


def _table(results: list[CheckResult]) -> str:
    if not results:
        return ""
    head = "".join(f"<th style='{CELL}'>{name}</th>" for name in ("", "check", "what happened", "how to fix"))
    rows = "".join(_row(result) for result in results)
    return f"<table style='width:100%'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(result: CheckResult) -> str:
    check = result.check
    severity = "broken" if result.status == "broken" else result.severity or "info"
    known = "<br>expected" if result.expected else ""
    left_out = len(result.findings) - SHOWN
    found = "".join(_finding(finding) for finding in result.findings[:SHOWN])
    found += f"<div>{left_out} more: certificate.findings</div>" if left_out > 0 else ""
    if result.reason:
        found += f"<div>the check itself broke: {escaped(result.reason)}</div>"
    return (
        f"<tr><td style='{CELL};min-width:6em'>{MARKS[severity]} {severity}{known}</td>"
        f"<td style='{CELL}'><code>{escaped(check.id)}</code><br>{escaped(check.title)}</td>"
        f"<td style='{CELL}'>{found}</td>"
        f"<td style='{CELL}'>{escaped(check.fix)}<br><span style='opacity:.8'>{escaped(check.spec)}</span></td></tr>"
    )


def _finding(finding: Finding) -> str:
    where = " ".join(part for part in (finding.era, finding.subject) if part)
    parts = (("sent", finding.sent), ("received", finding.received), ("again", finding.call))
    evidence = "".join(f"<div>{name}</div><pre style='{PRE}'>{escaped(text)}</pre>" for name, text in parts if text)
    line = f"{f'<code>{escaped(where)}</code> ' if where else ''}{escaped(finding.message)}"
    if not evidence:
        return f"<div>{line}</div>"
    return f"<details><summary style='cursor:pointer'>{line}</summary>{evidence}</details>"


def _measured(certificate: Certificate) -> str:
    shown = figures(certificate.figures)
    return f"<details><summary style='cursor:pointer'>Measured</summary>{shown}</details>" if shown else ""


def _skipped(results: list[CheckResult]) -> str:
    if not results:
        return ""
    items = "".join(f"<li><code>{escaped(result.check.id)}</code>: {escaped(result.reason)}</li>" for result in results)
    return f"<details><summary style='cursor:pointer'>{len(results)} skipped</summary><ul>{items}</ul></details>"
