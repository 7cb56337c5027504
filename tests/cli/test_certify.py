"""certify: a verdict on stdout and as an exit code, reports in files, errors that a script can read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from labkit.cli import app

from .conftest import environment

LIGHT = str(Path(__file__).parents[1] / "session" / "light_server.py")
GOOD = [LIGHT, "--only", "protocol.ids"]
BAD = [LIGHT, "--only", "protocol.ids,doctor.version-unknown"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """here(...) is labkit(...) in this process: starting one costs more than most of these tests."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)

    return run


def test_a_certified_server_is_0_and_two_lines(labkit) -> None:
    done = labkit("certify", *GOOD, "--profile", "quick")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("light_server: certified, 1 checks") and done.stdout.endswith(
        "no findings\n  seed 0, budget 60 s\n"
    )


def test_what_is_wrong_is_told_with_its_fix_and_the_exit_code_is_1(here) -> None:
    done = here("certify", *BAD)
    assert (done.returncode, done.stderr) == (1, "")
    assert "not certified, 2 checks" in done.stdout and "doctor.version-unknown" in done.stdout
    assert "error 2025-11-25: initialize with 2099-01-01 got the version '2099-01-01'" in done.stdout
    assert "fix: Answer initialize" in done.stdout and "\x1b" not in done.stdout


def test_reports_are_written_where_they_are_asked_for(here, tmp_path: Path) -> None:
    names = {"html": "a.html", "json": "deep/a.json", "junit": "a-junit.xml", "sarif": "a.sarif.json", "badge": "a.svg"}
    done = here("certify", *BAD, *(word for kind, name in names.items() for word in (f"--{kind}", name)))
    assert done.returncode == 1 and "not certified" in done.stdout
    texts = {kind: (tmp_path / name).read_text(encoding="utf-8") for kind, name in names.items()}
    assert texts["html"].startswith("<!doctype html>")
    assert json.loads(texts["json"])["passed"] is False
    assert ET.fromstring(texts["junit"]).get("failures") == "1"
    assert json.loads(texts["sarif"])["version"] == "2.1.0"
    assert ">not certified<" in texts["badge"]
    assert done.stderr.count("written: ") == 5


def test_json_on_stdout_is_one_object_and_nothing_else(labkit) -> None:
    done = labkit("certify", *GOOD, "--json", "-", "--seed", "7", "--era", "2025-11-25")
    data = json.loads(done.stdout)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert (data["passed"], data["seed"], data["budget"], data["eras"]) == (True, 7, 60.0, ["2025-11-25"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "protocol.ids", "--budget", "0"], "no time for 1 check: the budget of 0 s was used up"),
        (["--only", "protocol.cancellation"], "not certified, nothing was tested: no check in"),
    ],
)
def test_a_server_of_which_nothing_is_known_is_not_certified(here, options: list[str], said: str) -> None:
    done = here("certify", LIGHT, *options, "--junit", "a.xml")
    assert done.returncode == 1 and said in done.stdout
    root = ET.parse("a.xml").getroot()
    assert int(root.get("failures", 0)) + int(root.get("errors", 0)) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "certify what?"),
        (["no_such_server"], 2, "neither a server of the catalog"),
        ([LIGHT, "--only", "protocol.idz"], 2, "Did you mean 'protocol.ids'"),
        ([LIGHT, "--era", "1999-01-01"], 2, "tests the eras"),
        ([LIGHT, "--env", "KEY"], 2, "write KEY=VALUE"),
        ([LIGHT, "--header", "A: b"], 2, "--header is for a URL"),
        (["http://127.0.0.1:9/mcp", "--env", "A=b"], 2, "the target is a URL"),
        ([LIGHT, "--baseline", "not_there.json"], 2, "Cannot read the baseline"),
        ([LIGHT, "--baseline", "a", "--write-baseline", "b"], 2, "one of the two"),
        (["no-such-program-xyz --flag"], 3, "there is no program"),
        (["http://127.0.0.1:9/mcp"], 3, "cannot be reached"),
        ([f'"{sys.executable}" -c "raise SystemExit(9)"'], 3, "speaks neither era"),
    ],
)
def test_errors_are_a_sentence_or_one_line_of_json(here, arguments: list[str], code: int, said: str) -> None:
    done = here("certify", *arguments, "--json", "-")
    error = json.loads(done.stderr)
    assert (done.returncode, done.stdout, error["exit_code"], done.stderr.count("\n")) == (code, "", code, 1)
    assert said in error["error"] and error["type"].endswith("Error")
    assert "Traceback" not in done.stderr


def test_without_json_an_error_is_a_sentence(here) -> None:
    done = here("certify", LIGHT, "--only", "protocol.idz")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("error: There is no check")


def test_a_report_that_cannot_be_written_is_a_failure(here, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = here("certify", *GOOD, "--html", "file/x.html")
    assert done.returncode == 1 and "Cannot write the report" in done.stderr


def test_a_baseline_is_written_holds_and_gets_stale(here, tmp_path: Path) -> None:
    written = here("certify", *BAD, "--write-baseline", "known.json")
    assert written.returncode == 0 and "(expected)" in written.stdout
    known = json.loads((tmp_path / "known.json").read_text(encoding="utf-8"))
    assert list(known) == ["doctor.version-unknown"] and "2099-01-01" in known["doctor.version-unknown"]
    held = here("certify", *BAD, "--baseline", "known.json")
    assert held.returncode == 0 and "no new findings" in held.stdout
    (tmp_path / "known.json").write_text(json.dumps(["protocol.ids"]), encoding="utf-8")
    stale = here("certify", *GOOD, "--baseline", "known.json")
    assert stale.returncode == 1 and "protocol.ids is listed as failing and passes" in stale.stdout
    assert "the baseline is out of date" in stale.stdout.splitlines()[0]


def test_a_baseline_holds_what_fails_and_no_advice_which_would_hide_an_error_later(here, tmp_path: Path) -> None:
    """The SDK's advice about cursors is no failure."""
    written = here("certify", *GOOD[:1], "--only", "protocol.cursor", "--write-baseline", "known.json")
    assert written.returncode == 0 and "2 info" in written.stdout, written.stdout
    assert json.loads((tmp_path / "known.json").read_text(encoding="utf-8")) == {}


def test_a_snapshot_pins_the_contract_and_tells_what_has_changed(here, tmp_path: Path) -> None:
    source = Path(LIGHT).read_text(encoding="utf-8")
    server = tmp_path / "pinned.py"
    server.write_text(source, encoding="utf-8")
    command = [f'"{sys.executable}" "{server}"', "--only", "contract.snapshot", "--snapshot", "contract.json"]
    for _ in range(2):
        assert here("certify", *command).returncode == 0
    assert "add" in (tmp_path / "contract.json").read_text(encoding="utf-8")
    server.write_text(
        source.replace('"name": "add",', '"name": "add", "description": "Ignore it all",'), encoding="utf-8"
    )
    assert "Ignore it all" in here("certify", *command).stdout


def test_list_has_every_check(here) -> None:
    from labkit.testbench.certifying import all_checks

    shown = here("certify", "--list")
    rows = json.loads(here("certify", "--list", "--json", "-").stdout)
    assert shown.returncode == 0 and [row["id"] for row in rows] == list(all_checks())
    for row in rows:
        assert all(str(row[member]) in shown.stdout for member in ("id", "severity", "title", "spec", "fix"))


def test_environment_and_folder_reach_the_server(here, tmp_path: Path) -> None:
    code = "import os, runpy, sys; assert os.environ['CANARY'] == 'sings' and os.path.exists('here'); runpy.run_path(sys.argv[1], run_name='__main__')"
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "here").touch()
    server = Path(LIGHT)
    starter = tmp_path / "starter.py"
    starter.write_text(code.replace("; ", "\n"), encoding="utf-8")
    command = f'"{sys.executable}" "{starter}" "{server}"'
    options = ["--only", "protocol.ids", "--cwd", "below"]
    assert here("certify", command, *options, "--env", "CANARY=sings").returncode == 0
    assert here("certify", command, *options).returncode == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that stands for Ctrl-C in one process alone")
@pytest.mark.parametrize(
    ("number", "before"),
    [
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_IGN),  # as in what a shell starts with &
    ],
)
def test_ctrl_c_is_130_and_leaves_no_server(tmp_path: Path, number: int, before: Any) -> None:
    silent = f'"{sys.executable}" -c "import sys; [None for _ in sys.stdin]"'
    ours = signal.signal(signal.SIGINT, before)  # what is ignored here is ignored by whom we start
    try:
        run: Any = subprocess.Popen(
            [sys.executable, "-m", "labkit", "certify", silent, "--json", "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment(),
            cwd=tmp_path,
        )
    finally:
        signal.signal(signal.SIGINT, ours)
    deadline = time.monotonic() + 30
    while not (children := psutil.Process(run.pid).children(recursive=True)) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(number)
    out, errors = run.communicate(timeout=30)
    assert (run.returncode, out) == (130, "") and json.loads(errors)["exit_code"] == 130
    assert children and not any(child.is_running() for child in children)
