"""Services that end with whoever asked for them, however that is; and those of `up`, which do not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from labkit.catalog import LAB_ROOT
from labkit.services import Temporary, control, place, processes

STARTS = """
import sys
from labkit.services import Temporary
own = Temporary()
print(own.folder, flush=True)
found = own.up(sys.argv[1])[0]
print(found.pid, found.data, flush=True)
input()
"""
DIES = """
import os, pathlib, signal, pytest
from labkit import services

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    yield
    pathlib.Path(os.environ["SAYS"]).write_text(str(item.funcargs["alive"]), encoding="utf-8")
    os.kill(os.getpid(), signal.SIGKILL)

@pytest.fixture(autouse=True)
def alive(request, monkeypatch):
    "The number of the server's process, by way of the fixtures that the tests of that folder have."
    if "home" in request.fixturenames:
        request.getfixturevalue("home")
        return services.up("postgres")[0].pid
    from urllib.parse import urlsplit
    import psutil
    option = ["-p", str(urlsplit(request.getfixturevalue("postgres")).port)]
    return next(p.pid for p in psutil.process_iter(["name", "cmdline"])
                if p.info["name"].startswith("postgres") and option == p.info["cmdline"][-2:])
"""


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing of it has come true"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def somebody(name: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that starts a service, and the folder that it does so in."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", STARTS, name], stdin=pipe, stdout=pipe, encoding="utf-8") as process:
        assert process.stdout
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_service_ends_with_a_process_that_is_killed(name: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(name)
    with somebody(name) as (process, folder):
        assert process.stdout
        pid, _, data = process.stdout.readline().strip().partition(" ")
        assert not gone(int(pid)) and Path(data).is_dir()
        process.kill()
        process.wait()
    until(lambda: gone(int(pid)))
    until(lambda: not Path(data).exists() and not folder.exists())


@pytest.mark.parametrize("program", ["initdb", "pg_ctl"])
def test_a_service_that_is_just_being_started_ends_too(postgres: str, program: str) -> None:
    with somebody(postgres) as (process, folder), place.at(folder):
        rooms = [folder, control.status(postgres)[0].data.parent]
        until(lambda: bool(processes.naming((program,), rooms)))
        process.kill()
        process.wait()
    until(lambda: not folder.exists())
    assert not any(room.exists() for room in rooms)
    assert processes.naming(("initdb", "pg_ctl", "postgres"), rooms) == []


@pytest.mark.parametrize(
    "test",
    [
        "tests/services/test_postgres.py::test_up_again_changes_nothing",
        "tests/servers/test_leave_manager_at_once.py::test_what_raises_inside_a_transaction_is_undone[postgresql]",
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_a_service_of_a_test_ends_with_a_pytest_that_is_killed(postgres: str, test: str, tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(DIES, encoding="utf-8")
    says = tmp_path / "pid.txt"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SAYS": str(says)}
    environment.pop("DATABASE_URL_TEST", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "dies", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=LAB_ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == -9, done.stdout + done.stderr
    until(lambda: gone(int(says.read_text(encoding="utf-8"))))


def test_closing_ends_the_service_and_leaves_nothing(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = control.status(postgres)[0].data
    own = Temporary()
    with own:
        found = own.up(postgres)[0]
        assert own.url(postgres) == found.url and own.status(postgres)[0].pid == found.pid
        assert found.data != elsewhere == control.status(postgres)[0].data  # `up` and the others mean their own folder
        assert not own.down(postgres)[0].running
        found = own.up(postgres)[0]
        guard = own._guard
    assert gone(found.pid or 0) and guard.poll() is not None
    assert not own.folder.exists() and not found.data.exists()
    own.close()


def test_what_up_started_stays_when_its_starter_is_killed(redis: str) -> None:
    script = "import sys; from labkit.services import up; print(up(sys.argv[1])[0].pid, flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script, redis], stdin=pipe, stdout=pipe, encoding="utf-8") as starter:
        assert starter.stdout
        pid = int(starter.stdout.readline())
        starter.kill()
        starter.wait()
    assert control.status(redis)[0].pid == pid
    command = [sys.executable, "-m", "labkit", "services", "up", redis]
    subprocess.run(command, cwd=LAB_ROOT, check=True, stdout=subprocess.DEVNULL, timeout=60)
    assert control.status(redis)[0].pid == pid and not gone(pid)
