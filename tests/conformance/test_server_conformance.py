"""The official conformance suite against servers/everything, over HTTP, in both revisions that it scores: by itself, and
through the gateway, which has to change nothing.

By hand: `make conformance`, or `python start.py test tests/conformance`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import npm_packages
import pytest
import yaml

import labkit as lab

PACKAGE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"  # the newest line: 0.1 does not know 2026-07-28
NODE = 22  # older ones lack fs.globSync, and the suite dies at once
SCORED = {"2025-11-25": 30, "2026-07-28": 37}
BASELINE: dict[str, dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("baseline.yml").read_text(encoding="utf-8")
)

FOLDER = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")

# The first test may have to install.
pytestmark = [pytest.mark.anyio, pytest.mark.network, pytest.mark.timeout(npm_packages.INSTALL_SECONDS + 120)]


@dataclass
class Report:
    """What the suite said."""

    passed: set[str]
    failed: dict[str, list[str]]
    """Scenario -> the checks that failed, in the suite's words."""
    output: str


def run_suite(package: Path, revision: str, url: str, folder: Path) -> Report:
    """Run the scored scenarios of one revision and read the checks that each has written."""
    command: list[str | Path] = [npm_packages.node(NODE).exe, package / "dist" / "index.js", "server", "--url", url]
    command += ["--requirements", revision, "-o", folder]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=110, check=False)
    report = Report(set(), {}, done.stdout + done.stderr)
    for file in sorted(folder.glob("server-*/checks.json")):
        scenario = FOLDER.fullmatch(file.parent.name)["scenario"]
        checks: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        failed = [
            f"{check['id']}: {check.get('errorMessage') or check.get('description')}"
            for check in checks
            if check["status"] == "FAILURE"
        ]
        if failed:
            report.failed[scenario] = failed
        elif any(check["status"] == "SUCCESS" for check in checks):
            report.passed.add(scenario)
    return report


@asynccontextmanager
async def reached(way: str) -> AsyncIterator[str]:
    """The URL of `everything`: its own, or that of a gateway in front of it."""
    running = await lab.serve("everything", via="http")
    try:
        if way == "direct":
            yield running.url
            return
        gateway = lab.Gateway.of({"everything": {"url": running.url, "gateway": {"prefix": ""}}})
        try:
            yield await gateway.start()
        finally:
            await gateway.close()
    finally:
        await running.stop()


@pytest.mark.parametrize("way", ["direct", "gateway"])
@pytest.mark.parametrize("revision", SCORED)
async def test_every_scored_scenario_passes_or_is_explained(revision: str, way: str, tmp_path: Path) -> None:
    package = npm_packages.install(PACKAGE, at_least=NODE) / "@modelcontextprotocol" / "conformance"
    requirements = (package / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    scored = set(yaml.safe_load(requirements)["server"])
    assert len(scored) == SCORED[revision]

    async with reached(way) as url:
        report = await anyio.to_thread.run_sync(run_suite, package, revision, url, tmp_path)

    explained = set(BASELINE[revision])
    missing = scored - report.passed - explained
    details = "\n".join(f"{scenario}: {report.failed.get(scenario, 'did not run')}" for scenario in sorted(missing))
    assert not missing, f"{revision}\n{details}\n{report.output[-2000:]}"
    assert not explained & report.passed, "these pass now: take them out of baseline.yml"


def test_the_baseline_explains_itself() -> None:
    assert BASELINE.keys() == SCORED.keys()
    for revision, scenarios in BASELINE.items():
        for scenario, reason in scenarios.items():
            assert isinstance(reason, str) and "mcp" in reason, f"{revision} {scenario}: name the limit of the SDK"
