"""What a certificate is written down as: nothing of the server's is markup, nothing is hidden, readers can parse it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncGenerator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import labkit as lab
from labkit.testbench import certify
from labkit.testbench.bench import Bench
from labkit.testbench.certificate import Certificate
from labkit.testbench.check import Check, CheckResult, Finding
from labkit.testbench.report import FORMATS, render
from labkit.testbench.report.summary import summary
from labkit.testbench.report.text import visible

SCHEMA = json.loads(
    (Path(lab.__file__).parent / "testbench/schema/certificate.schema.json").read_text(encoding="utf-8")
)
VALID = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
HOSTILE = "</pre><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\x00\x1b[31m\u202eabc\u200b\ufffe\ud800"


async def _body(bench: Bench) -> AsyncGenerator[Finding]:
    """Why it matters."""
    return
    yield Finding("")


def made(id: str, *findings: Finding, status: Any = None, reason: str = "", severity: Any = "error") -> CheckResult:
    check = Check(id, f"The rule of {id}", severity, "basic#x", "Mend it.", frozenset({"stdio"}), "quick", _body)
    return CheckResult(check, status or ("failed" if findings else "passed"), list(findings), reason, 0.25)


@pytest.fixture
def hostile() -> Certificate:
    """One result of each kind, with hostile text wherever a server can put some."""
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    known = made("security.known", Finding("known", subject="tool"))
    known.expected = True
    results = [
        made("doctor.good"),
        made("doctor.off", status="skipped", reason=HOSTILE),
        made("doctor.broke", status="broken", reason=HOSTILE),
        made("security.bad", finding, Finding("twice", subject="b", severity="warning"), Finding("again", subject="b")),
        made("security.mild", Finding("mild"), severity="warning"),
        made("security.advice", Finding("advice"), severity="info"),
        known,
    ]
    names = {"name": HOSTILE, "version": HOSTILE}
    return Certificate(HOSTILE, HOSTILE, "stdio", ["2025-11-25"], "quick", results, [HOSTILE], server=names)


class Elements(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("make", [lambda c: render(c, ".html"), summary, lambda c: render(c, ".svg")])
def test_hostile_text_is_text(hostile: Certificate, make: Any) -> None:
    seen = Elements(make(hostile))
    assert not {"script", "img", "link", "iframe", "object"} & seen.tags
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert all(value.startswith("#") for value in seen.attributes.get("href", [])) and "src" not in seen.attributes
    assert "<script>alert(1)</script>" in seen.text
    assert "‹U+202E›abc‹U+200B›" in seen.text and not set("\x00\x1b\u202e\u200b\ud800") & set(seen.text)


@pytest.mark.parametrize("ending", [*FORMATS, ".json"])
def test_every_report_can_be_written_and_read_as_utf8(hostile: Certificate, ending: str, tmp_path: Path) -> None:
    path = hostile.save(tmp_path / "new" / f"out{ending}")
    text = path.read_text(encoding="utf-8")
    assert "security.bad" in text or ending == ".svg"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_page_needs_nothing_else_and_tells_all(hostile: Certificate) -> None:
    page = render(hostile, ".html")
    seen = Elements(page)
    assert "url(" not in page and "@import" not in page
    (policy,) = [value for value in seen.attributes["content"] if "default-src" in value]
    assert policy.startswith("default-src 'none'")
    assert "prefers-color-scheme: dark" in page
    for result in hostile.results:
        assert result.check.id in seen.text and (not result.findings or result.check.fix in seen.text)
    assert "not certified" in seen.text and "basic#x" in seen.text and hostile.environment["mcp"] in seen.text
    assert seen.text.count("Evidence") == 1 and "(expected by the baseline)" in seen.text


def test_the_page_of_a_real_server_and_its_json(calculator: Certificate) -> None:
    assert "certified" in Elements(render(calculator, ".html")).text
    VALID.validate(json.loads(render(calculator, ".json")))
    assert calculator.server["name"] and "<pre>" not in calculator._repr_html_()


@pytest.fixture(scope="module")
async def calculator(anyio_backend: str) -> Certificate:
    return await certify(Path(__file__).parents[1] / "session" / "light_server.py", profile="quick", only=["protocol"])


def test_the_json_is_as_its_schema_says(hostile: Certificate) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    data = json.loads(render(hostile, ".json"))
    VALID.validate(data)
    assert data["counts"] == {"error": 2, "warning": 2, "info": 1} and data["passed"] is False
    for change in ({"format": 2}, {"profile": "slow"}, {"more": 1}, {"eras": []}):
        assert not VALID.is_valid(data | change)


def test_junit_counts_what_keeps_it_from_being_certified(hostile: Certificate) -> None:
    root = ET.fromstring(render(hostile, ".xml"))
    suites = {suite.get("name"): suite for suite in root}
    assert [*suites] == ["doctor", "security", "baseline"]
    for suite in (*suites.values(), root):
        cases = list(suite.iter("testcase"))
        counts = {"tests": len(cases)} | {
            many: sum(case.find(one) is not None for case in cases)
            for many, one in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
        }
        if suite is root:
            assert suite.attrib.keys() == {"name", "tests", "failures", "errors", "time"}  # all that Jenkins takes
            counts.pop("skipped")
        assert {name: int(suite.get(name, "-1")) for name in counts} == counts
        assert all(float(case.get("time", "-1")) >= 0 and case.get("name") for case in cases)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "2", "1")
    assert [suite.get("skipped") for suite in root] == ["1", "1", "0"]
    by_name = {case.get("name"): case for case in root.iter("testcase")}
    assert by_name["security.bad"].findtext("failure", "").count("Mend it.") == 1
    assert "mild" in by_name["security.mild"].findtext("system-out", "")
    assert by_name["doctor.good"].find("failure") is None


def test_junit_says_what_there_was_no_time_for_and_when_nothing_was_tested(hostile: Certificate) -> None:
    late = made("doctor.late", status="skipped", reason="no time")
    late.late = True
    for results in ([made("doctor.good"), late], [made("doctor.off", status="skipped")]):
        hostile.results, hostile.stale = results, []
        root = ET.fromstring(render(hostile, ".xml"))
        assert (root.get("errors"), root.get("failures")) == (("1", "0") if late in results else ("0", "1"))
        assert not hostile.passed


def test_every_report_says_seed_and_budget(hostile: Certificate) -> None:
    hostile.seed, hostile.budget = 7, 90.0
    data = json.loads(render(hostile, ".json"))
    assert (data["seed"], data["budget"]) == (7, 90.0)
    assert "seed 7, budget 90 s" in str(hostile) and "seed 7, budget 90 s" in summary(hostile)
    page = Elements(render(hostile, ".html")).text
    assert "seed7" in page and "budget90 s" in page


def test_sarif_has_the_security_section_as_scanners_read_it(
    hostile: Certificate, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my server.py").touch()
    (tmp_path / "server.py").touch()
    hostile.target = "python -m http://x server.py"
    data = json.loads(render(hostile, ".sarif"))
    assert (
        data["version"] == "2.1.0"
        and data["$schema"].endswith("sarif-2.1.0.json")
        and set(data) == {"$schema", "version", "runs"}
    )
    (run,) = data["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [r.check.id for r in hostile.results if r.check.section == "security"]
    assert [rule["defaultConfiguration"]["level"] for rule in rules] == ["error", "warning", "note", "error"]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "error", "warning", "note", "error"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] and result["message"]["text"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "server.py"
    prints = [result["partialFingerprints"]["checkSubjectEra/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    hostile.target = "https://example.com/mcp"
    (place,) = json.loads(render(hostile, ".sarif"))["runs"][0]["results"][0]["locations"]
    assert re.fullmatch(r"[\w%.~-]+", place["physicalLocation"]["artifactLocation"]["uri"])
    assert [bool(result.get("suppressions")) for result in run["results"]] == [False] * 5 + [True]


def test_sarif_tells_what_there_was_no_time_for_and_when(hostile: Certificate) -> None:
    hostile.at, hostile.seconds = "2026-11-30T10:00:00+00:00", 17.6
    (said,) = json.loads(render(hostile, ".sarif"))["runs"][0]["invocations"]
    assert said["executionSuccessful"] and said["toolExecutionNotifications"] == []
    assert (said["startTimeUtc"], said["endTimeUtc"]) == ("2026-11-30T10:00:00Z", "2026-11-30T10:00:17Z")
    late = made("security.late", status="skipped", reason="the budget of time was used up")
    late.late = True
    hostile.results.append(late)
    (said,) = json.loads(render(hostile, ".sarif"))["runs"][0]["invocations"]
    (told,) = said["toolExecutionNotifications"]
    assert not said["executionSuccessful"] and told["associatedRule"]["id"] == "security.late"


def test_a_fingerprint_outlives_a_change_of_words(hostile: Certificate) -> None:
    def prints() -> list[str]:
        return [
            r["partialFingerprints"]["checkSubjectEra/v1"]
            for r in json.loads(render(hostile, ".sarif"))["runs"][0]["results"]
        ]

    before = prints()
    hostile.results[3].findings[1].message = "other words"
    assert prints() == before
    hostile.results[3].findings[1].subject = "another tool"
    assert [a == b for a, b in zip(prints(), before, strict=True)] == [True, False, False, True, True, True]


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ((), ">certified<"),
        ((Finding("x", severity="warning"),), ">certified, 1 warning<"),
        ((Finding("x"),), ">not certified<"),
    ],
)
def test_the_badge_says_the_verdict(findings: tuple[Finding, ...], said: str) -> None:
    svg = render(
        Certificate("mine", "python x.py", "stdio", ["2025-11-25"], "quick", [made("doctor.x", *findings)]), ".svg"
    )
    root = ET.fromstring(svg)
    assert said in svg and "mine: " in (root.get("aria-label") or "")


def test_an_unknown_ending_names_those_that_there_are(hostile: Certificate, tmp_path: Path) -> None:
    with pytest.raises(lab.LabError, match=r"'\.htm'.*Did you mean '\.html'"):
        hostile.save(tmp_path / "x.htm")
    (tmp_path / "file").touch()
    with pytest.raises(lab.LabError, match="Cannot write the report"):
        hostile.save(tmp_path / "file" / "x.html")


def test_ordinary_text_stays_as_it_is() -> None:
    assert visible("Grüße, 世界 🎉\n\tindented") == "Grüße, 世界 🎉\n\tindented"
    assert visible("a\U000e0041b") == "a‹U+E0041›b"
    assert visible("sun \u2600\ufe0f, 1\ufe0f\u20e3") == "sun \u2600\ufe0f, 1\ufe0f\u20e3"
    assert visible("a\U000e0101b\ufe00\ufe01c\u3164\u2062") == "a‹U+E0101›b‹U+FE00›‹U+FE01›c‹U+3164›‹U+2062›"
