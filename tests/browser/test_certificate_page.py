"""The page of a certificate in a browser: readable in both themes, alone, and inert whatever the server said."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from labkit.testbench.certificate import Certificate
from labkit.testbench.check import Check, CheckResult, Finding
from tests.browser import axe

HOSTILE = "<script>document.title='owned'</script><img src='http://127.0.0.1:9/x' onerror=\"document.title='owned'\">"


async def _body(bench: Any) -> AsyncGenerator[Finding]:
    """Nothing."""
    return
    yield Finding("")


def result(id: str, severity: Any, *findings: Finding, status: Any = "failed", reason: str = "") -> CheckResult:
    check = Check(id, f"The rule of {id}", severity, "basic#x", "Mend it.", frozenset({"stdio"}), "quick", _body)
    return CheckResult(check, status, list(findings), reason)


@pytest.fixture
def page_of(page: Page, tmp_path: Path) -> Page:
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "2025-11-25", HOSTILE)
    results = [
        result("doctor.a", "error", status="passed"),
        result("doctor.b", "error", status="skipped", reason="nothing to check"),
        result("doctor.c", "error", status="broken", reason=HOSTILE),
        *(result(f"security.{severity}", severity, finding) for severity in ("error", "warning", "info")),
    ]
    certificate = Certificate(HOSTILE, HOSTILE, "stdio", ["2025-11-25"], "full", results, ["security.x: stale"])
    page.goto(certificate.save(tmp_path / "certificate.html").as_uri())
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_either_theme(page_of: Page, theme: Any) -> None:
    page_of.emulate_media(color_scheme=theme)
    page_of.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert axe.findings(page_of) == []


def test_nothing_of_the_servers_runs_or_loads(page_of: Page) -> None:
    requests: list[str] = []
    page_of.on("request", lambda request: requests.append(request.url))
    page_of.reload()
    assert "owned" not in page_of.title().replace(HOSTILE, "")
    assert [url for url in requests if not url.startswith("file:")] == []
    page_of.get_by_text("Evidence").first.click()
    assert page_of.locator("pre").first.inner_text() == HOSTILE
    narrow = page_of.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert narrow[0] <= narrow[1]
