"""JUnit XML: one test suite a section, one test case a check, as CI systems read it.

A check is a failure when it keeps the server from being certified; warnings and advice are told as output of a test
that passes. What a baseline expects is skipped, a check that broke, or for which there was no time, is an error.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.testbench.check import CheckResult, Finding
from labkit.testbench.report.text import visible

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate


def render(certificate: Certificate) -> str:
    """The XML."""
    root = ET.Element("testsuites", {"name": visible(f"labkit certify {certificate.name}")})
    for section, results in certificate.sections().items():
        suite = ET.SubElement(root, "testsuite", {"name": section, "timestamp": certificate.at[:19]})
        for result in results:
            _case(suite, result)
    if certificate.stale:
        suite = ET.SubElement(root, "testsuite", {"name": "baseline", "timestamp": certificate.at[:19]})
        for entry in certificate.stale:
            name = entry.split()[0].rstrip(":")
            case = ET.SubElement(suite, "testcase", {"classname": "baseline", "name": visible(name), "time": "0"})
            ET.SubElement(case, "failure", {"message": visible(entry)})
    if not certificate.ran and not certificate.late:
        suite = ET.SubElement(root, "testsuite", {"name": "certificate", "timestamp": certificate.at[:19]})
        case = ET.SubElement(suite, "testcase", {"classname": "certificate", "name": "tested", "time": "0"})
        ET.SubElement(case, "failure", {"message": "nothing was tested: no check applies"})
    for suite in root:
        _count(suite, list(suite), ("failures", "errors", "skipped"))
    # Jenkins' schema knows no `skipped` here.
    _count(root, [case for suite in root for case in suite], ("failures", "errors"))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, result: CheckResult) -> None:
    check = result.check
    where = {"classname": check.section, "name": check.id, "time": f"{result.seconds:.3f}"}
    case = ET.SubElement(suite, "testcase", where)
    if result.late:
        ET.SubElement(case, "error", {"message": visible(result.reason)})
    elif result.status == "skipped":
        ET.SubElement(case, "skipped", {"message": visible(result.reason)})
    elif result.status == "broken":
        ET.SubElement(case, "error", {"message": visible(f"the check itself broke: {result.reason}")})
    elif result.expected:
        ET.SubElement(case, "skipped", {"message": f"expected by the baseline: {len(result.findings)} findings"})
    elif result.severity == "error":
        failure = ET.SubElement(case, "failure", {"message": visible(result.findings[0].message), "type": "error"})
        failure.text = _told(result)
    if result.findings and case.find("failure") is None:
        ET.SubElement(case, "system-out").text = _told(result)


def _told(result: CheckResult) -> str:
    check = result.check
    found = "\n\n".join(_evidence(finding, finding.severity or check.severity) for finding in result.findings)
    return visible(f"{check.title}\n\n{found}\n\nfix: {check.fix}\nspecification: {check.spec}")


def _evidence(finding: Finding, severity: str) -> str:
    head = " ".join(part for part in (severity, finding.era, finding.subject) if part)
    parts = [(name, getattr(finding, name)) for name in ("sent", "received", "call")]
    return "\n".join([f"{head}: {finding.message}", *(f"  {name}: {text}" for name, text in parts if text)])


def _count(element: ET.Element, cases: list[ET.Element], attributes: Sequence[str]) -> None:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    element.set("tests", str(len(cases)))
    for attribute in attributes:
        element.set(attribute, str(sum(case.find(kinds[attribute]) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
