"""What warm.py promises: who starts a server cannot tell whether it was forked, and nothing of it is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests import warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers of tests are forked on Linux only")
FACTS = """
import faulthandler, json, logging, os, signal, sys, threading
from pathlib import Path
import psutil
STATUS = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "name": __name__, "file": __file__,
    "environ": dict(os.environ), "cwd": os.getcwd(), "parent": os.getppid(), "bytecode": sys.dont_write_bytecode,
    "command line": psutil.Process().cmdline(),
    "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getpgid(0) if len(sys.argv) > 2 else 0],
    "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4],
    "signals": [str(signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "masks": [line for line in STATUS if line.startswith(("Umask", "SigBlk", "SigIgn", "SigCgt"))],
    "faults": faulthandler.is_enabled(), "threads": threading.active_count(),
    "streams": [[s.name, s.encoding, s.errors, s.newlines, s.line_buffering, s.write_through, type(s.buffer).__name__]
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "age": logging.LogRecord("", 0, "", 0, "", None, None).relativeCreated < 30_000,
    "said": sys.stdin.read(),
}), flush=True)
print("on stderr", file=sys.stderr)
raise SystemExit(int(sys.argv[1]))
"""


ORDINARY = subprocess.Popen._execute_child


@pytest.fixture(scope="module")
def template():
    """A template of these tests' own, in the place of that of the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "_execute_child", ORDINARY)
        made = warm.Warm()
        yield made
        made.close()


@pytest.fixture(autouse=True)
def no_settings_of_python(monkeypatch):
    """A server of these tests has those that its test gives it."""
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        monkeypatch.delenv(name)


@pytest.fixture
def servers(template):
    """The template, which counts from 0."""
    template.forked = 0
    return template


def started(path, *options: str, code: int = 3, **more):
    done = subprocess.run(
        [sys.executable, str(path), str(code), *options],
        input="hello",
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **more,
    )
    assert (done.returncode, done.stderr) == (code, "on stderr\n")
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "env", [{}, {"PYTHONPATH": "elsewhere", "PYTHONUTF8": "1"}, {"PYTHONUNBUFFERED": "1"}], ids=str
)
@pytest.mark.parametrize("session", [True, False])
def test_a_server_cannot_tell_how_it_was_started(servers, tmp_path, env, session):
    server = tmp_path / "server.py"
    server.write_text(FACTS, encoding="utf-8")
    more = {"cwd": tmp_path, "env": {"ANSWER": "42", "PATH": os.environ["PATH"]} | env, "start_new_session": session}
    ordinary, forked = started(server, "group", **more), started(server, "group", **more)
    assert servers.forked == 1, "the first start of a program is an ordinary one, the second is not"
    if session:
        ordinary["leads"].pop(), forked["leads"].pop()
    for fact in ordinary:
        assert forked[fact] == ordinary[fact], fact
    assert forked["said"] == "hello" and forked["age"] and forked["parent"] == os.getpid()


def test_it_has_our_folder_and_environment_where_nothing_else_is_said_and_our_exit_codes(
    servers, tmp_path, monkeypatch
):
    server = tmp_path / "odd_server.py"
    server.write_text(FACTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWER", "42")
    found = [started(server, code=code) for code in (0, 0, 7)]
    assert servers.forked == 2
    for each in found:
        for name in ("COLUMNS", "LINES"):  # readline sets them where os.environ does not see it
            each["environ"].pop(name, None)
    for fact in found[0]:
        assert found[1][fact] == found[0][fact], fact
    assert (found[2]["environ"]["ANSWER"], found[2]["cwd"]) == ("42", str(tmp_path))


def test_an_error_that_it_ends_with_is_told(servers, tmp_path):
    """That of a closed pipe too, which the template itself takes for the end of who asks."""
    server = tmp_path / "server.py"
    server.write_text("raise BrokenPipeError('the reader has gone')", encoding="utf-8")
    for _ in range(2):
        done = subprocess.run([sys.executable, str(server)], capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 1 and done.stderr.endswith("BrokenPipeError: the reader has gone\n")
    assert servers.forked == 1


def test_a_forked_server_is_a_child_that_signals_reach(servers, tmp_path):
    server = tmp_path / "server.py"
    server.write_text("import sys\nprint('up', flush=True)\nsys.stdin.read()", encoding="utf-8")

    def up() -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, str(server)], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        assert process.stdout and process.stdout.readline() == b"up\n"
        return process

    for number in (0, signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = up()
        assert psutil.Process(process.pid).ppid() == os.getpid()
        if number:
            process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == -number
    assert servers.forked == 3


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (["-c", "raise SystemExit(3)"], {}),
        (["server.py"], {"env": {"PYTHONHASHSEED": "1"}}),
        (["server.py"], {"pass_fds": [2]}),
        (["server.py"], {"preexec_fn": os.getpid}),
    ],
    ids=["a command", "a setting of Python's", "a descriptor", "a function"],
)
def test_what_a_fork_could_not_be_is_started_in_the_ordinary_way(servers, tmp_path, command, more):
    (tmp_path / "server.py").write_text("raise SystemExit(3)", encoding="utf-8")
    for _ in range(2):
        assert subprocess.run([sys.executable, *command], cwd=tmp_path, check=False, **more).returncode == 3
    assert servers.forked == 0
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            subprocess.run([sys.executable, "server.py"], cwd=tmp_path / "nowhere", check=False)


def test_when_the_template_was_killed_servers_start_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess.Popen, "_execute_child", ORDINARY)
    server = tmp_path / "server.py"
    server.write_text(FACTS, encoding="utf-8")
    own = warm.Warm()
    own.process.kill()
    own.process.wait()
    assert [started(server)["said"] for _ in range(3)] == ["hello"] * 3 and own.forked == 0
    own.close()


def test_a_template_ends_with_the_process_that_it_is_for(tmp_path):
    program = "from tests.warm import Warm\nprint(Warm().process.pid, flush=True)\ninput()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, cwd=warm.ROOT) as owner:
        assert owner.stdout
        template = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    gone, _ = psutil.wait_procs([template], timeout=30)
    assert gone or template.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("switch", ["LABKIT_NO_FORK", "LAB_WHOLE"])
def test_it_can_be_turned_off(monkeypatch, switch):
    for name in ("LABKIT_NO_FORK", "LAB_WHOLE"):
        monkeypatch.delenv(name, raising=False)
    assert warm.allowed()
    monkeypatch.setenv(switch, "1")
    assert not warm.allowed()
