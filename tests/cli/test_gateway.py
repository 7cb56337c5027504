"""`labkit gateway`: a configuration checked, run, read anew, and its pins approved, as an operator does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import labkit as lab

LIGHT = Path(__file__).parents[1] / "session" / "light_server.py"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A gateway in front of one small server, which pins what it offers."""
    return write(tmp_path, {"light": {"command": sys.executable, "args": [str(LIGHT)]}}, pins="pins.json")


def write(folder: Path, servers: dict[str, Any], **gateway: Any) -> Path:
    file = folder / "gateway.json"
    file.write_text(json.dumps({"mcpServers": servers, "gateway": gateway}), encoding="utf-8")
    return file


def test_check_says_what_would_be_offered(labkit, config: Path) -> None:
    done = labkit("gateway", "check", str(config), "--json")
    (row,) = json.loads(done.stdout)["servers"]
    assert (done.returncode, row["server"], row["state"]) == (0, "light", "ready"), done.stderr
    assert row["tools"] > 0
    table = labkit("gateway", "check", str(config), "--offline")
    assert (table.returncode, table.stdout) == (0, f"{config}: 1 servers: light\n")


def test_check_fails_for_a_server_that_cannot_be_reached_and_names_it(labkit, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"gone": {"command": "no-such-program-xyz"}, "light": {"command": sys.executable, "args": [str(LIGHT)]}},
    )
    done = labkit("gateway", "check", str(file))
    assert done.returncode == 1 and "no program 'no-such-program-xyz'" in done.stderr
    assert "light" in done.stdout and "ready" in done.stdout


def test_all_mistakes_of_a_file_are_told_at_once(labkit, tmp_path: Path) -> None:
    file = write(tmp_path, {"a": {"command": "x", "url": "http://127.0.0.1:9/mcp"}}, limts={"calls": "many"})
    done = labkit("gateway", "run", str(file))
    assert done.returncode == 2 and "limts" in done.stderr and "limits" in done.stderr and "'url'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_changed_waits_until_somebody_approves_it(labkit, config: Path, tmp_path: Path) -> None:
    assert labkit("gateway", "check", str(config)).returncode == 0
    pins = json.loads((tmp_path / "pins.json").read_text(encoding="utf-8"))
    tool = next(iter(pins["backends"]["light"]))
    pinned = pins["backends"]["light"][tool]
    pinned["definition"]["description"] = "Something else."
    from labkit.defences.pins import digest

    pinned["sha256"] = digest(pinned["definition"])
    (tmp_path / "pins.json").write_text(json.dumps(pins), encoding="utf-8")
    changed = labkit("gateway", "check", str(config))
    assert changed.returncode == 1 and f"labkit gateway approve light.{tool}" in changed.stderr
    assert f"changed  light.{tool}" in labkit("gateway", "pins", "--config", str(config)).stdout
    approved = labkit("gateway", "approve", f"light.{tool}", "--config", str(config))
    assert approved.returncode == 0 and f"approved light.{tool}" in approved.stdout
    assert labkit("gateway", "check", str(config)).returncode == 0
    again = labkit("gateway", "approve", f"light.{tool}", "--config", str(config))
    assert again.returncode == 1 and "Nothing" in again.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGHUP is what POSIX systems have; Windows restarts the gateway")
def test_it_runs_until_it_is_told_to_stop_and_reads_its_file_anew(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labkit", "gateway", "run", str(config)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=tmp_path)
    try:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        with lab.sync.connect(url) as conn:
            assert conn.call("light.add", a=2, b=3).text == "5"
            servers = {name: {"command": sys.executable, "args": [str(LIGHT)]} for name in ("light", "second")}
            write(tmp_path, servers, pins="pins.json")
            child.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 60
            while "second.add" not in conn.tools.names:
                assert time.monotonic() < deadline, conn.tools.names
                time.sleep(0.1)  # polling another process
                conn.refresh()
            assert conn.call("second.add", a=2, b=3).text == "5"
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) in (0, -signal.SIGTERM)
    finally:
        child.kill()
        child.communicate()
