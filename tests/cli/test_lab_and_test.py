"""How JupyterLab and pytest are started."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from labkit.catalog import LAB_ROOT
from labkit.cli import app, lab, suite
from labkit.cli.lab import jupyter_arguments
from labkit.cli.suite import run_all, split_arguments


def test_the_lab_listens_on_loopback_and_keeps_its_token() -> None:
    arguments = jupyter_arguments(None, browser=True)
    assert "--ServerApp.ip=127.0.0.1" in arguments
    assert not any("token" in each or "password" in each for each in arguments)
    assert "--no-browser" not in arguments


def test_an_explicit_port_is_used_or_refused() -> None:
    arguments = jupyter_arguments(9001, browser=False)
    assert {"--ServerApp.port=9001", "--ServerApp.port_retries=0", "--no-browser"} <= set(arguments)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there is no root on Windows")
@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (1000, False)])
def test_root_is_allowed_when_one_is_root(monkeypatch, uid: int, allowed: bool) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert ("--allow-root" in jupyter_arguments(None, browser=False)) is allowed


def test_jupyterlab_comes_up_wants_its_token_and_ends_with_its_kernels(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    places = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("RUNTIME", "CONFIG", "DATA")}
    command = [sys.executable, "-m", "labkit", "lab", "--no-browser", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **places, "JUPYTER_TOKEN": token}, stdout=log, stderr=log, cwd=tmp_path
        )
        try:
            base = f"http://127.0.0.1:{port}"
            wait_for(process, f"{base}/api")
            assert status(f"{base}/api/contents/labkit") == 403
            assert status(f"{base}/api/contents/labkit?token={token}") == 200
            settings = json.loads(
                get(f"{base}/lab/api/settings/@jupyterlab/apputils-extension:notification?token={token}")
            )
            assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
        finally:
            process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
            process.wait(30)
    assert process.returncode == 0 or os.name == "nt"


def get(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return answer.read().decode("utf-8")


def status(url: str) -> int:
    try:
        get(url)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    while process.poll() is None:
        try:
            get(url)
        except OSError:
            continue
        return
    pytest.fail("JupyterLab ended before it answered")


@pytest.mark.parametrize(
    ("arguments", "general", "browser"),
    [
        (["-q", "-k", "tests"], [], []),
        (["-q", "tests/cli/test_talk.py::test_x"], ["tests/cli/test_talk.py::test_x"], []),
        (["tests/browser", "tests/cli"], ["tests/cli"], ["tests/browser"]),
    ],
)
def test_paths_are_told_from_options(monkeypatch, tmp_path, arguments, general, browser) -> None:
    for name in ("cli/test_talk.py", "browser/conftest.py"):
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(suite, "LAB_ROOT", tmp_path)
    _, *found = split_arguments(arguments)
    assert found == [general, browser]


def runs_of(
    monkeypatch, *arguments: str, codes: tuple[int, ...] = (0, 0), reason: str = ""
) -> tuple[list[list[str]], int]:
    """The pytest command lines that `labkit test ARGUMENTS` would run, and its exit code."""
    import typer

    seen: list[list[str]] = []

    def run(runs: list[list[str]], *, beside: bool) -> list[int]:
        seen.extend(runs)
        return list(codes[: len(runs)])

    monkeypatch.setattr(suite, "run_all", run)
    monkeypatch.setattr(suite, "no_browser_reason", lambda: reason)
    monkeypatch.setattr(suite, "has_browser_tests", lambda: True)
    context = type("Context", (), {"args": list(arguments)})()
    with pytest.raises(typer.Exit) as exit:
        suite.test(context)
    return seen, exit.value.exit_code


@pytest.mark.parametrize(
    "arguments", ["nosuchpath", "-q tests/nosuch.py::test_x", "-n2 nosuch -x", "--pdbcls x tests/nosuch"]
)
def test_a_path_that_is_not_there_ends_at_once_with_the_exit_code_of_pytest(monkeypatch, capsys, arguments) -> None:
    seen, code = runs_of(monkeypatch, *arguments.split())
    assert (seen, code) == ([], 4)
    assert "error: there is no " in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", ["-k nosuch", "-m nosuch", "--maxfail 2", "--durations 5 -x", "-q -n 2", "--junitxml out.xml"]
)
def test_the_value_of_an_option_is_no_path(monkeypatch, options) -> None:
    (run,), _ = runs_of(monkeypatch, *options.split(), "tests/cli")
    assert run[-len(options.split()) - 1 :] == [*options.split(), "tests/cli"]


@pytest.mark.parametrize("port", ["-5", "0", "99999"])
def test_a_port_that_there_cannot_be_is_wrong_usage(monkeypatch, port: str) -> None:
    monkeypatch.setattr(lab, "jupyter_arguments", lambda *_, **__: pytest.fail("JupyterLab would be started"))
    done = CliRunner().invoke(app, ["lab", "--port", port])
    assert done.exit_code == 2 and "--port" in done.output


def test_the_whole_suite_is_two_runs_that_keep_apart_what_failed(monkeypatch) -> None:
    (first, second), code = runs_of(monkeypatch, "-q")
    assert first[:2] == ["-n", str(suite.workers())]
    assert "--ignore=tests/browser" in first
    assert second == ["-o", "cache_dir=.pytest_cache/browser", "-q", "tests/browser"]
    assert code == 0


@pytest.mark.parametrize("beside", [True, False])
def test_both_runs_print_one_after_the_other_and_have_a_code_each(capfd, beside: bool) -> None:
    assert run_all([["--no-such-option"], ["--version", "--version"]], beside=beside) == [4, 0]
    out, err = capfd.readouterr()
    assert "--no-such-option" in err and "pytest" in out


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM on Windows")
@pytest.mark.parametrize("beside", [True, False])
def test_told_to_end_it_ends_its_runs_first_as_ctrl_c_would(tmp_path, beside: bool) -> None:
    waits = (
        "import os, pathlib, threading, time\n"
        "def test_waits():\n"
        "    here = pathlib.Path(__file__)\n"
        "    here.with_suffix('.pid').write_text(str(os.getpid()))\n"
        "    try:\n"
        "        threading.Event().wait()\n"
        "    finally:\n"
        "        here.with_suffix('.ended').touch()\n"
    )
    files = [tmp_path / f"test_{name}.py" for name in ("one", "two")[: 1 + beside]]
    for file in files:
        file.write_text(waits, encoding="utf-8")
    runs = [["-p", "no:cacheprovider", "-q", "--rootdir", str(tmp_path), str(file)] for file in files]
    program = f"from labkit.cli.suite import run_all\nrun_all({runs!r}, beside={beside})"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=log, stderr=log, cwd=LAB_ROOT)
        while process.poll() is None and not all(file.with_suffix(".pid").exists() for file in files):
            time.sleep(0.05)
        process.terminate()
        process.wait(60)
    assert process.returncode == 128 + signal.SIGTERM, (tmp_path / "log").read_text(encoding="utf-8")
    for file in files:
        assert file.with_suffix(".ended").exists()
        assert not psutil.pid_exists(int(file.with_suffix(".pid").read_text(encoding="utf-8")))


def test_one_path_is_one_run_without_workers(monkeypatch) -> None:
    seen, _ = runs_of(monkeypatch, "tests/cli")
    assert seen == [["--ignore=tests/browser", "tests/cli"]]


@pytest.mark.parametrize(
    ("codes", "code"), [((1, 0), 1), ((0, 1), 1), ((0, 5), 0), ((5, 0), 0), ((5, 5), 5), ((0, 2), 2)]
)
def test_either_run_can_fail_the_suite_and_an_empty_half_does_not(monkeypatch, codes, code) -> None:
    assert runs_of(monkeypatch, codes=codes)[1] == code


def test_without_a_browser_its_tests_are_left_out_aloud(monkeypatch, capsys) -> None:
    seen, code = runs_of(monkeypatch, codes=(0,), reason="no Chromium; install one")
    assert len(seen) == 1
    assert code == 0
    assert "browser tests skipped: no Chromium; install one" in capsys.readouterr().err


def test_the_settings_of_the_lab_are_defaults_in_its_own_folder() -> None:
    file = LAB_ROOT / "labkit" / "cli" / "jupyter" / "labconfig" / "default_setting_overrides.json"
    assert (
        json.loads(file.read_text(encoding="utf-8"))["@jupyterlab/apputils-extension:notification"]["fetchNews"]
        == "false"
    )
