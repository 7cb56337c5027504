"""A PostgreSQL of our own: private, one at a time, and back on its feet whatever was left behind."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest

from labkit.services import control, processes, programs
from labkit.services.postgres import Postgres
from labkit.services.service import ServiceError, Status

pytestmark = pytest.mark.anyio


async def value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def start_from_outside() -> subprocess.Popen[str]:
    script = "from labkit.services import up; print(up('postgres')[0].pid)"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", script], stdout=pipe, stderr=pipe, encoding="utf-8")


@contextmanager
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        assert process.stdin
        process.stdin.close()


async def test_up_gives_a_server_that_answers(postgres: str) -> None:
    found = control.up(postgres)["postgres"]
    assert str(await value(found.url, "SHOW server_version")).startswith(found.version)
    assert found.version
    assert control.url(postgres) == found.url


async def test_only_loopback_and_only_with_the_password(postgres: str, home: Path) -> None:
    found = control.up(postgres)[0]
    assert {c.laddr.ip for c in psutil.Process(found.pid).net_connections() if c.status == "LISTEN"} == {"127.0.0.1"}
    with pytest.raises(asyncpg.InvalidPasswordError):
        await value(found.url.replace(str(urlsplit(found.url).password), "guess"), "SELECT 1")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await value(f"postgresql://postgres@127.0.0.1:{found.port}/postgres", "SELECT 1")
    if os.name == "posix":
        assert stat.S_IMODE((home / "postgres" / "service.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(found.data.stat().st_mode) == 0o700
    assert str(urlsplit(found.url).password) not in " ".join(psutil.Process(found.pid).cmdline())
    assert str(urlsplit(found.url).password) not in repr(control.status()) + control.status()._repr_html_()


async def test_up_again_changes_nothing(postgres: str) -> None:
    assert control.up(postgres)[0] == control.up(postgres)[0]


async def test_two_callers_at_once_start_one_server(postgres: str) -> None:
    control.down(postgres)
    callers = [start_from_outside() for _ in range(2)]
    said = [caller.communicate(timeout=60) for caller in callers]
    assert [caller.returncode for caller in callers] == [0, 0], said
    assert said[0][0] == said[1][0] == f"{control.status(postgres)[0].pid}\n"


async def test_down_leaves_no_process_and_keeps_the_data_and_the_port(postgres: str) -> None:
    first = control.up(postgres)[0]
    await value(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    family = processes.belonging("postgres", first.data)
    assert len(family) > 1
    assert not control.down(postgres)[0].running
    assert processes.belonging("postgres", first.data) == []
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family)
    again = control.up(postgres)[0]
    assert (again.url, await value(again.url, "SELECT answer FROM kept")) == (first.url, 42)
    await value(again.url, "DROP TABLE kept")


async def test_down_ends_a_server_that_somebody_is_using(postgres: str) -> None:
    connection = await asyncpg.connect(control.up(postgres)[0].url)
    control.down(postgres)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    await connection.close(timeout=1)


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
async def test_up_after_kill_9(postgres: str) -> None:
    killed = control.up(postgres)[0]
    process = psutil.Process(killed.pid)
    process.kill()
    assert processes.end([process], grace=5.0) == []
    assert not control.status(postgres)[0].running
    found = control.up(postgres)[0]
    assert found.pid != killed.pid
    assert await value(found.url, "SELECT 1") == 1


@pytest.mark.parametrize("pid", ["stranger", "dead", "nonsense"])
async def test_a_pid_file_that_lies_is_not_believed(postgres: str, pid: str) -> None:
    control.up(postgres)  # so that there are data
    data = control.down(postgres)[0].data
    with another_process() as stranger:
        number = {"stranger": stranger.pid, "dead": 2**22 - 3, "nonsense": "what?"}[pid]
        file = data / "postmaster.pid"
        file.write_text(f"{number}\n{data}\n1\n5432\n\n127.0.0.1\n0 0\nready\n", encoding="utf-8")
        assert not control.status(postgres)[0].running
        control.down(postgres)
        assert stranger.poll() is None, "down() ended a process that is not ours"
        file.write_text(f"{number}\n{data}\n1\n5432\n\n127.0.0.1\n0 0\nready\n", encoding="utf-8")
        found = control.up(postgres)[0]
        assert await value(found.url, "SELECT 1") == 1
        assert stranger.poll() is None


async def test_a_port_that_somebody_took_is_left_to_him(postgres: str) -> None:
    port = control.up(postgres)[0].port
    control.down(postgres)
    with socket.create_server(("127.0.0.1", port or 0)):
        found = control.up(postgres)[0]
        assert found.port != port
        assert await value(found.url, "SELECT 1") == 1


async def test_data_of_another_version_is_not_touched(postgres: str) -> None:
    control.up(postgres)  # so that there are data
    mark = control.down(postgres)[0].data / "PG_VERSION"
    before = mark.read_text(encoding="utf-8")
    try:
        mark.write_text("9\n", encoding="utf-8")
        with pytest.raises(
            ServiceError, match=r"was made by PostgreSQL 9, .* or delete the data: labkit services down"
        ):
            control.up(postgres)
    finally:
        mark.write_text(before, encoding="utf-8")


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A second home, in a folder that only we may enter; gives the PostgreSQL in it, ended afterwards."""
    monkeypatch.setenv("LAB_SERVICES", str(tmp_path / "services"))
    service = Postgres()
    yield service
    service.stop()
    service.delete_data()
    assert not service.data.exists()


async def test_the_wheel_runs_too_as_root_in_a_closed_folder_and_after_its_settings_are_lost(
    second: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one PostgreSQL that everybody can have, in the places where it is hardest."""
    wheel = programs._wheel_postgres()
    if not wheel:
        pytest.skip(f"the PostgreSQL wheel is not installed: {programs.EXTRAS}")
    monkeypatch.setattr(programs, "_on_path", lambda program: [])
    monkeypatch.setattr(programs, "_debian", list)
    if second.account:
        assert second.room != second.folder
        monkeypatch.setattr(programs, "reachable_by_others", lambda path: path)  # as if .venv were closed to others
    first: Status = second.start()
    assert str(await value(first.url, "SHOW server_version")).startswith(first.version)
    (second.folder / "service.json").unlink()
    again = second.start()
    assert again.url != first.url
    assert await value(again.url, "SELECT 1") == 1
    assert len(list(second.room.glob("data.without-password-*"))) == 1


async def test_data_are_given_to_the_version_that_made_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    versions = {"one": "15.3", "two": "18.1"}
    for name in versions:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(programs, "_on_path", lambda program: [tmp_path / "one"])
    monkeypatch.setattr(programs, "_debian", list)
    monkeypatch.setattr(programs, "_wheel_postgres", lambda: [tmp_path / "two"])
    monkeypatch.setattr(programs.shutil, "which", lambda program, path: program)
    monkeypatch.setattr(programs, "version", lambda program: versions[program.parent.name])
    assert [programs.postgres_programs(major).name for major in ("", "15", "18", "9")] == ["one", "one", "two", "one"]
