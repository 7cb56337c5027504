"""Certifying as such: good and bad servers, baselines, budgets, and checks that break. Each section has tests of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.catalog import SERVERS
from labkit.testbench import certify
from labkit.testbench.bench import Bench
from labkit.testbench.certifying import all_checks, choose
from labkit.testbench.check import CHECKS, Check, Finding, NotApplicable

pytestmark = pytest.mark.anyio
LIGHT = Path(__file__).parents[1] / "session" / "light_server.py"
QUICK: dict[str, Any] = {"profile": "quick", "only": ["doctor", "protocol.ids"]}


def command(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-E", "-c", code]


async def test_a_good_server_has_no_findings() -> None:
    # A plain server starts in a moment; those of the lab are certified in test_verdicts.
    certificate = await certify([sys.executable, str(SERVERS / "broken" / "_plain.py")], **QUICK)
    told = [finding for _, finding in certificate.findings if "This machine is busy" not in finding.message]
    assert certificate.passed and told == [], str(certificate)
    assert certificate.eras == ["2025-11-25", "2026-07-28"] and certificate.transport == "stdio"


async def test_an_object_of_the_kernel_is_tested_over_http() -> None:
    server = MCPServer("mine")

    @server.tool()
    def hello() -> str:
        """Say hello."""
        return "hello"

    certificate = await certify(server, **QUICK)
    assert certificate.passed and certificate.transport == "http", str(certificate)
    assert "doctor.ends-on-eof" not in {r.check.id for r in certificate.results}


async def test_what_is_found_comes_with_its_evidence() -> None:
    certificate = await certify(LIGHT, only=["doctor.version-unknown"])
    assert not certificate.passed
    (result, finding), *_ = certificate.findings
    assert result.check.id == "doctor.version-unknown" and finding.era == "2025-11-25"
    assert '"2099-01-01"' in finding.sent and '"2099-01-01"' in finding.received
    assert "fix:" in str(certificate) and result.check.fix in str(certificate)
    row = json.loads(json.dumps(certificate.as_dict()))["checks"][0]
    assert row["status"] == "failed" and row["severity"] == "error" and row["findings"][0]["sent"] == finding.sent


async def test_a_server_that_speaks_neither_era_is_one_clear_sentence() -> None:
    with pytest.raises(lab.ConnectError, match="speaks neither era") as caught:
        await certify(command("import sys; sys.exit('no such database')"))
    assert "no such database" in str(caught.value)
    with pytest.raises(lab.ConnectError, match="no program"):
        await certify(["no-such-program-xyz", "x"])


async def test_nothing_outlives_it() -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    await certify(LIGHT, profile="quick")
    with pytest.raises(lab.ConnectError):
        await certify(command("import sys, time; sys.stdin.readline(); sys.exit(3)"))
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


async def test_cancelled_while_it_starts_it_ends_what_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    opening, started = Bench.open, asyncio.Event()

    async def slow_for_one_era(self: Bench, era: str) -> Any:
        if era != "2025-11-25":
            await asyncio.Event().wait()
        wire = await opening(self, era)
        asyncio.get_running_loop().call_soon(started.set)
        return wire

    monkeypatch.setattr(Bench, "open", slow_for_one_era)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    run = asyncio.ensure_future(certify(LIGHT))
    await started.wait()
    assert {child.pid for child in psutil.Process().children(recursive=True)} > before
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize(
    ("content", "stale"),
    [
        (["doctor.version-unknown"], ""),
        ({"doctor.version-unknown": "a demo: it echoes what it is asked"}, ""),
        (["doctor.version-unknown", "protocol.ids"], "protocol.ids is listed as failing and passes"),
        (["doctor.version-unknown", "protocol.idz"], "no such check. Did you mean 'protocol.ids'"),
    ],
)
async def test_a_baseline_holds_what_is_known(tmp_path: Path, content: Any, stale: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    certificate = await certify(LIGHT, only=["doctor.version-unknown", "protocol.ids"], baseline=file)
    assert certificate.findings == [] and certificate.passed is (not stale)
    assert stale in " ".join(certificate.stale)


@pytest.mark.parametrize(
    ("content", "said"), [("{", "not JSON"), ("3", "must be a list"), ("[1]", "must be a list"), (None, "Cannot read")]
)
async def test_a_baseline_that_cannot_be_used(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "baseline.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(lab.LabError, match=said):
        await certify(LIGHT, baseline=file)


async def test_wrong_names_are_told() -> None:
    with pytest.raises(lab.LabError, match=r"no check or section 'doktor'.*Did you mean 'doctor'"):
        await certify(LIGHT, only=["doktor"])
    with pytest.raises(lab.LabError, match="tests the eras"):
        await certify(LIGHT, era="1999-01-01")


async def test_a_check_that_breaks_is_not_the_servers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(bench: Bench) -> AsyncGenerator[Finding]:
        raise RuntimeError("a bug")
        yield Finding("")

    async def nothing(bench: Bench) -> AsyncGenerator[Finding]:
        raise NotApplicable("no tools")
        yield Finding("")

    all_checks()
    for name, body in (("breaks", breaks), ("nothing", nothing)):
        made = Check(f"doctor.{name}", name, "error", "", "", frozenset({"stdio"}), "quick", body)
        monkeypatch.setitem(CHECKS, made.id, made)
    certificate = await certify(LIGHT, only=["doctor.breaks", "doctor.nothing"])
    first, second = certificate.results
    assert (first.status, first.reason) == ("broken", "RuntimeError: a bug") and not certificate.passed
    assert (second.status, second.reason) == ("skipped", "no tools") and certificate.findings == []


async def test_what_does_not_fit_the_budget_is_skipped_and_said() -> None:
    certificate = await certify(LIGHT, budget=0.0)
    assert {r.status for r in certificate.results} == {"skipped"}
    assert all("budget" in r.reason for r in certificate.results)
    assert not certificate.passed and certificate.late == len(certificate.results)
    assert f"no time for {certificate.late} checks: the budget of 0 s was used up" in certificate.headline


async def test_a_check_that_the_budget_cuts_short_is_skipped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(bench: Bench) -> AsyncGenerator[Finding]:
        await asyncio.Event().wait()
        yield Finding("")

    all_checks()
    made = Check("doctor.endless", "endless", "error", "", "", frozenset({"stdio"}), "quick", endless)
    monkeypatch.setitem(CHECKS, made.id, made)
    certificate = await certify(LIGHT, only=["protocol.ids", "doctor.endless"], budget=3.0)
    result = next(each for each in certificate.results if each.check.id == "doctor.endless")
    assert result.status == "skipped" and "used up while it ran" in result.reason
    assert not certificate.passed and "no time for " in certificate.headline
    monkeypatch.setattr(sys.modules["labkit.testbench.certifying"], "LONGEST", 0.2)
    (result,) = (await certify(LIGHT, only=["doctor.endless"])).results
    assert result.status == "broken" and "did not come to an end" in result.reason


def test_the_order_of_the_checks_is_not_that_of_the_imports() -> None:
    code = "from labkit.testbench.certifying import all_checks; print(*all_checks())"
    first = "import labkit.testbench.load, labkit.testbench.contract_kept, labkit.testbench.doctor_http; "
    done = subprocess.run([sys.executable, "-c", first + code], capture_output=True, text=True, check=True)
    own = [each for each in all_checks().values() if each.run.__module__.startswith("labkit.testbench.")]
    here = [each.id for each in own if each.section != "replay"]  # those register with the replay of a cassette
    assert done.stdout.split() == here
    sections = list(dict.fromkeys(each.partition(".")[0] for each in here))
    assert sections == ["doctor", "protocol", "contract", "fuzz", "security", "load"]


def test_every_check_is_documented() -> None:
    for each in all_checks().values():
        assert each.title and each.fix and each.spec and each.run.__doc__, each.id
        assert each.section in ("doctor", "protocol", "contract", "fuzz", "security", "load", "replay"), each.id
    assert {c.id for c in choose("quick", "http")} < {c.id for c in choose("full", "stdio")} | {
        c.id for c in choose("full", "http")
    }
