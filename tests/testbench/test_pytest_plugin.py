"""The plugin, run by pytest runs of its own: where the server comes from, eras, transports, scopes, failing tests."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import mcp.server.mcpserver
import psutil
import pytest

import labkit.session.sync
from labkit.catalog import LAB_ROOT

pytest_plugins = ["pytester"]
LOADED = (mcp.server.mcpserver, labkit.session.sync)
"""A run in this process takes back what it imports: what is here already is not imported for each."""
LIGHT = Path(__file__).parents[1] / "session" / "light_server.py"
COMMAND = shlex.join([sys.executable, str(LIGHT)]) if sys.platform != "win32" else f'"{sys.executable}" "{LIGHT}"'
BOTH = "'2025-11-25', '2026-07-28'"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """run(SOURCE, *arguments) -> the outcome; a name of the lab in the source is filled in."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # whichever plugins this environment has besides
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n")

    def running(source: str, *arguments: str) -> Any:
        pytester.makepyfile(f"import pytest\nCOMMAND = {COMMAND!r}\nBOTH = ({BOTH})\n{source}")
        plugins = ["-p", "labkit.testbench.pytest_plugin", "-p", "anyio.pytest_plugin"]
        return pytester.runpytest_inprocess(*plugins, "--strict-markers", *arguments)

    return running


def test_async_and_plain_tests_speak_to_the_target_of_the_command_line(run: Any) -> None:
    source = """
@pytest.mark.anyio
async def test_awaits(mcp):
    assert (await mcp.call("add", a=2, b=3)).text == "5"
def test_waits(mcp, mcp_server):
    assert mcp.call("add", a=2, b=3).text == "5" and mcp_server == COMMAND
"""
    run(source, "--mcp-target", COMMAND).assert_outcomes(passed=2)


def test_without_a_server_it_says_how_to_name_one(run: Any) -> None:
    outcome = run("def test_it(mcp): pass")
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["*give pytest --mcp-target*"])
    outcome.stdout.no_fnmatch_line("*Traceback*")


def test_a_marker_names_the_server_and_its_options_and_goes_before_the_command_line(run: Any) -> None:
    source = """
@pytest.mark.mcp_server(COMMAND, era="2025-11-25", name="mine")
def test_it(mcp): assert (mcp.name, mcp.era) == ("mine", "2025-11-25")
"""
    run(source, "--mcp-target", "no-such-server").assert_outcomes(passed=1)


def test_a_fixture_of_ones_own_names_the_server(run: Any) -> None:
    source = """
from mcp.server.mcpserver import MCPServer
@pytest.fixture(params=["one", "two"])
def mcp_server(request):
    made = MCPServer(request.param)
    @made.tool()
    def who() -> str: return request.param
    return made, {"name": "given"}
@pytest.mark.anyio
@pytest.mark.mcp_via("memory", "http")
async def test_it(mcp, request):
    assert (await mcp.call("who")).data in request.node.name and mcp.name == "given"
"""
    run(source).assert_outcomes(passed=4)


def test_eras_and_transports_make_one_run_each(run: Any) -> None:
    source = """
@pytest.mark.mcp_server("calculator")
@pytest.mark.mcp_era(*BOTH)
@pytest.mark.mcp_via("memory", "stdio")
def test_it(mcp, mcp_era, mcp_via): assert (mcp.era, mcp.transport) == (mcp_era, mcp_via)
@pytest.mark.mcp_server("calculator")
@pytest.mark.mcp_era("2025-11-25")
def test_one(mcp): assert mcp.era == "2025-11-25"
def test_none(): pass
"""
    outcome = run(source, "-v")
    outcome.assert_outcomes(passed=6)
    outcome.stdout.fnmatch_lines_random(["*::test_it?2025-11-25-memory? PASSED*", "*::test_one PASSED*"])


def test_the_command_line_names_eras_for_tests_that_do_not(run: Any) -> None:
    source = """
def test_it(mcp, mcp_era): assert mcp.era == mcp_era
@pytest.mark.mcp_era("2025-11-25")
def test_marked(mcp): assert mcp.era == "2025-11-25"
"""
    eras = ["--mcp-era", "2025-11-25", "--mcp-era", "2026-07-28"]
    run(source, "--mcp-target", COMMAND, *eras).assert_outcomes(passed=3)


def test_connections_end_with_their_test_or_with_the_scope_asked_for(run: Any) -> None:
    source = """
PIDS = []
def test_a(mcp): PIDS.append(mcp.pid)
def test_b(mcp): assert mcp.pid not in PIDS
@pytest.mark.mcp_server(COMMAND, scope="module")
class TestShared:
    def test_c(self, mcp): PIDS.append(mcp.pid)
    def test_d(self, mcp, mcp_tape):
        assert mcp.pid == PIDS[-1]
        mcp.close()
    def test_e(self, mcp): assert mcp.pid != PIDS[-1] and mcp.call("add", a=2, b=3).text == "5"
@pytest.mark.mcp_server(COMMAND, scope="class")
def test_f(mcp): pass
"""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    outcome = run(source, "--mcp-target", COMMAND)
    outcome.assert_outcomes(passed=5, errors=1)
    outcome.stdout.fnmatch_lines(["*there are function, module and session*"])
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_a_failing_test_shows_its_frames_and_no_others(run: Any) -> None:
    source = """
@pytest.mark.mcp_server(COMMAND, scope="session", era="2026-07-28")
class TestThem:
    def test_good(self, mcp): mcp.call("add", a=1, b=1)
    def test_bad(self, mcp):
        mcp.call("add", a=2, b=3)
        assert False
"""
    outcome = run(source)
    outcome.assert_outcomes(passed=1, failed=1)
    outcome.stdout.fnmatch_lines(["*MCP frames*", "*tools/call add*", "*result*add*"])
    assert str(outcome.stdout).count("→ request") == 1


def test_a_server_that_does_not_start_is_one_sentence_with_its_last_words(run: Any) -> None:
    command = f'"{sys.executable}" -c "import sys; sys.exit(\'no such database\')"'
    outcome = run("def test_it(mcp): pass", "--mcp-target", command)
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["*no such database*"])
    outcome.stdout.no_fnmatch_line("*Traceback*")


def test_the_tape_is_that_of_the_test(run: Any) -> None:
    source = """
def test_it(mcp, mcp_tape):
    mark = mcp_tape.count
    mcp.call("add", a=2, b=3)
    assert [f.method for f in mcp_tape.since(mark)] == ["tools/call"] * 2
"""
    run(source, "--mcp-target", COMMAND).assert_outcomes(passed=1)


def test_loading_it_imports_neither_the_sdk_nor_the_session() -> None:
    heavy = "('mcp', 'pydantic', 'anyio', 'labkit.session', 'labkit.wire', 'asyncio')"
    code = f"import sys, pytest; before = set(sys.modules); import labkit.testbench.pytest_plugin\nprint([m for m in {heavy} if m in sys.modules and m not in before], len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60, check=True)
    heavy_found, _, number = done.stdout.strip().rpartition(" ")
    assert heavy_found == "[]" and int(number) < 10


def test_naming_it_twice_is_no_error(run: Any) -> None:
    """As its entry point does where labkit is installed, and `-p` beside it: pytest tells them apart by name."""
    run("def test_it(): pass", "-p", "labkit.testbench.pytest_plugin").assert_outcomes(passed=1)
    tables = tomllib.loads((LAB_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    entries = tables["project"]["entry-points"]["pytest11"]
    assert entries == {"labkit.testbench.pytest_plugin": "labkit.testbench.pytest_plugin"}
