"""The certificate as one HTML page: no script, nothing loaded from elsewhere, light and dark.

Every text that comes from the server is escaped, and what it hides is made visible.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.testbench.check import CheckResult, Finding
from labkit.testbench.report import badge
from labkit.testbench.report.plot import figures
from labkit.testbench.report.text import escaped

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
STATES = {"passed": "passed", "failed": "failed", "skipped": "skipped", "broken": "check broke"}


def render(certificate: Certificate) -> str:
    """The page."""
    title = escaped(f"{certificate.name}: {certificate.verdict}")
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head><body><main>\n{''.join(_parts(certificate))}"
        "</main></body></html>\n"
    )


def _parts(certificate: Certificate) -> Iterator[str]:
    yield badge.render(certificate)
    yield f"<h1>{escaped(certificate.name)}</h1>\n"
    state = "passed" if certificate.passed else "failed"
    counted = escaped((certificate.counted or "no findings") + certificate.unasked)
    yield f'<p class="lead"><span class="verdict {state}">{certificate.verdict}</span>: {counted}</p>\n'
    if certificate.note:
        yield f"<p>{escaped(certificate.note)}</p>\n"
    yield _facts(certificate)
    yield _overview(certificate)
    if certificate.stale:
        entries = "".join(f"<li>{escaped(entry)}</li>" for entry in certificate.stale)
        yield f'<h2>The baseline is out of date</h2><ul class="failed">{entries}</ul>\n'
    for section, results in certificate.sections().items():
        yield f'<h2 id="{escaped(section)}">{escaped(section.capitalize())}</h2>\n'
        yield from _section(section, results)
        if section == "load":
            yield figures(certificate.figures)


def _facts(certificate: Certificate) -> str:
    server = " ".join(certificate.server.values()) or "does not say"
    facts = {
        "target": certificate.target,
        "server": server,
        "transport": certificate.transport,
        "eras": ", ".join(certificate.eras),
        "profile": certificate.profile,
        "seed": str(certificate.seed),
        "budget": f"{certificate.budget:g} s",
        "when": f"{certificate.at}, in {certificate.seconds:.1f} s",
        "environment": ", ".join(f"{name} {value}" for name, value in certificate.environment.items()),
    }
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{escaped(value)}</dd>' for name, value in facts.items())}</dl>\n"


def _overview(certificate: Certificate) -> str:
    columns = ("section", "passed", "failed", "expected", "skipped", "check broke", "seconds")
    head = "".join(f'<th scope="col"{_number(place)}>{name}</th>' for place, name in enumerate(columns))
    rows = "".join(
        f'<tr><th scope="row"><a href="#{escaped(section)}">{escaped(section)}</a></th>'
        + "".join(f'<td class="number">{value}</td>' for value in _tally(results))
        + "</tr>"
        for section, results in certificate.sections().items()
    )
    return f"<table><caption>Checks by section</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n"


def _number(place: int) -> str:
    return ' class="number"' if place else ""


def _tally(results: list[CheckResult]) -> list[str]:
    states = [("expected" if result.expected else result.status) for result in results]
    counted = [str(states.count(state)) for state in ("passed", "failed", "expected", "skipped", "broken")]
    return [*counted, f"{sum(result.seconds for result in results):.1f}"]


def _section(section: str, results: list[CheckResult]) -> Iterator[str]:
    told = [result for result in results if result.findings]
    for result in told:
        yield _check(result)
    rows = "".join(
        f'<tr><td class="{result.status}">{STATES[result.status]}{" (expected)" if result.expected else ""}</td>'
        f"<td><code>{escaped(result.check.id)}</code></td>"
        f"<td>{escaped(result.check.title)}{_because(result)}</td>"
        f'<td class="number">{result.seconds:.2f}</td></tr>'
        for result in results
    )
    columns = "".join(
        f'<th scope="col"{_number(name == "seconds")}>{name}</th>' for name in ("outcome", "check", "rule", "seconds")
    )
    yield (
        f"<details{'' if told else ' open'}><summary>All {len(results)} checks of this section</summary>"
        f"<table><caption>Checks of {escaped(section)}</caption><thead><tr>{columns}</tr></thead>"
        f"<tbody>{rows}</tbody></table></details>\n"
    )


def _because(result: CheckResult) -> str:
    return f'<br><span class="skipped">{escaped(result.reason)}</span>' if result.reason else ""


def _check(result: CheckResult) -> str:
    check, severity = result.check, result.severity or "info"
    expected = ' <span class="expected">(expected by the baseline)</span>' if result.expected else ""
    return (
        f'<section class="finding {severity}"><h3><span class="tag {severity}">{severity}</span> '
        f"{escaped(check.title)} <code>{escaped(check.id)}</code>{expected}</h3>"
        f"{''.join(_finding(finding, severity) for finding in result.findings)}"
        f"<p><strong>Fix:</strong> {escaped(check.fix)}</p>"
        f"<p>Specification: <code>{escaped(check.spec)}</code></p></section>\n"
    )


def _finding(finding: Finding, severity: str) -> str:
    where = ", ".join(part for part in (finding.era, finding.subject) if part)
    own = finding.severity if finding.severity and finding.severity != severity else ""
    head = f'<span class="tag {own}">{own}</span> ' if own else ""
    line = f"{head}{f'<code>{escaped(where)}</code>: ' if where else ''}{escaped(finding.message)}"
    evidence = "".join(
        f"<p>{name}</p><pre>{escaped(text)}</pre>"
        for name, text in (("Sent", finding.sent), ("Received", finding.received), ("Again", finding.call))
        if text
    )
    return f"<p>{line}</p>" + (f"<details><summary>Evidence</summary>{evidence}</details>" if evidence else "")
