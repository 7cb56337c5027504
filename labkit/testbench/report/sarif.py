"""SARIF 2.1.0, for code scanners: the findings of the security section.

A finding was observed on a running server, so there is no line to point at: the place is the server's own file when
the target names one that is there, else its name; the tool or resource concerned is the logical location.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from labkit.testbench.check import Check, CheckResult, Finding
from labkit.testbench.report.text import visible

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
SECTION = "security"


def render(certificate: Certificate) -> str:
    """The JSON text."""
    results = certificate.sections().get(SECTION, [])
    rules = [result.check for result in results]
    place = _place(certificate)
    seen: Counter[tuple[str, str, str]] = Counter()
    began = datetime.fromisoformat(certificate.at)
    untold = [_untold(result) for result in results if result.status == "broken" or result.late]
    run = {
        "tool": {
            "driver": {
                "name": "labkit certify",
                "version": certificate.environment["labkit"],
                "rules": [_rule(check) for check in rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not untold,
                "startTimeUtc": _utc(began),
                "endTimeUtc": _utc(began + timedelta(seconds=certificate.seconds)),
                "toolExecutionNotifications": untold,
            }
        ],
        "results": [
            _result(finding, result, index, place, seen)
            for index, result in enumerate(results)
            for finding in result.findings
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _place(certificate: Certificate) -> str:
    """A relative reference, as scanners want one."""
    for word in certificate.target.split():
        if "://" not in word and not Path(word).is_absolute() and Path(word).is_file():
            return quote(Path(word).as_posix())
    return quote(visible(certificate.name), safe="")


def _rule(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": " ".join((check.run.__doc__ or check.title).split())},
        "help": {"text": f"{check.fix} Specification: {check.spec}"},
        "defaultConfiguration": {"level": LEVELS[check.severity]},
    }


def _result(
    finding: Finding, result: CheckResult, index: int, place: str, seen: Counter[tuple[str, str, str]]
) -> dict[str, Any]:
    check = result.check
    about = (check.id, finding.subject, finding.era)
    seen[about] += 1
    same = "\0".join((*about, str(seen[about]))).encode("utf-8", "surrogatepass")
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": place}, "region": {"startLine": 1}}}
    if finding.subject:
        location["logicalLocations"] = [{"name": visible(finding.subject), "kind": "function"}]
    evidence = {name: visible(getattr(finding, name)) for name in ("sent", "received", "era", "call")}
    made: dict[str, Any] = {
        "ruleId": check.id,
        "ruleIndex": index,
        "level": LEVELS[finding.severity or check.severity],
        "message": {"text": visible(finding.message)},
        "locations": [location],
        "partialFingerprints": {"checkSubjectEra/v1": hashlib.sha256(same).hexdigest()},
        "properties": {name: text for name, text in evidence.items() if text},
    }
    if result.expected:
        made["suppressions"] = [{"kind": "external", "justification": "expected by the baseline"}]
    return made


def _utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _untold(result: CheckResult) -> dict[str, Any]:
    """What a scanner has to know before it takes no result for a good one."""
    text = f"{result.check.id} {'broke' if result.status == 'broken' else 'has no result'}: {result.reason}"
    return {"level": "error", "message": {"text": visible(text)}, "associatedRule": {"id": result.check.id}}
