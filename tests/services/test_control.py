"""Names, defaults, what is missing, and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import labkit as lab
from labkit.cli import app
from labkit.services import place, programs
from labkit.services.service import ServiceError, ServiceMissingError


def test_the_command_line_goes_through_a_whole_life(redis: str, talk: Any) -> None:
    run = CliRunner().invoke
    assert run(app, ["services", "up", redis]).stdout.startswith("redis     up    redis://:***@127.0.0.1:")
    (row,) = json.loads(run(app, ["services", "status", redis, "--json"]).stdout)
    assert row["running"] and "***" in row["url"]
    url = run(app, ["services", "url", redis]).stdout.strip()
    assert url == lab.services.url("redis")
    assert run(app, ["services", "down", redis]).stdout.startswith("redis     down")
    assert Path(row["data"]).is_dir()
    assert run(app, ["services", "down", redis, "--delete-data"]).exit_code == 0
    assert not Path(row["data"]).exists()
    done = run(app, ["services", "url", redis])
    assert (done.exit_code, done.stderr) == (1, "error: redis is not running. Start it: labkit services up redis\n")


def test_an_unknown_name_is_answered_with_the_near_one(home: Path) -> None:
    with pytest.raises(ServiceError, match="no service 'postgre'. Did you mean 'postgres'"):
        lab.services.up("postgre")


@pytest.mark.parametrize(("name", "title"), [("postgres", "PostgreSQL"), ("redis", "Redis")])
def test_what_is_missing_is_said_with_the_command_that_gets_it(
    name: str, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_SERVICES", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_debian", list)
    monkeypatch.setattr(programs, "_package", lambda name: tmp_path / name)
    monkeypatch.setattr(programs.sys, "platform", "linux")
    with pytest.raises(
        ServiceMissingError, match=f"{title} is not on this machine: .* `python start.py setup --extras`"
    ):
        lab.services.up(name)
    (down,) = lab.services.status(name)
    assert not down.running and "start.py setup --extras" in down.note
    done = CliRunner().invoke(app, ["services", "up", name])
    assert done.exit_code == 1 and done.stderr.startswith(f"error: {title} is not on this machine")


def test_a_program_for_another_kind_of_machine_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "redis-server").write_bytes(b"\x7fELF for somebody else")
    (tmp_path / "bin" / "redis-server").chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(programs, "_package", lambda name: tmp_path)
    with pytest.raises(ServiceMissingError):
        programs.redis_program()


def test_embedded_stores_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert lab.services.database_url().startswith("sqlite:///")
    assert lab.services.redis_url() == "memory://"
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/db")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere")
    assert (lab.services.database_url(), lab.services.redis_url()) == ("postgresql://somewhere/db", "redis://somewhere")


def test_the_lock_keeps_others_out_and_ends_with_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holds = "import sys; from pathlib import Path; from labkit.services.place import only_one\n"
    holds += "with only_one(Path(sys.argv[1])): print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        monkeypatch.setattr(place, "LOCK_SECONDS", 0.1)
        with (
            pytest.raises(ServiceError, match="Another process has been starting or stopping"),
            place.only_one(tmp_path),
        ):
            pass
        holder.kill()
    entered = threading.Event()
    monkeypatch.setattr(place, "LOCK_SECONDS", 10)
    with place.only_one(tmp_path):
        entered.set()
    assert entered.is_set()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LAB_SERVICES", str(tmp_path / "file"))
    with pytest.raises(ServiceError, match="Set LAB_SERVICES to a folder that can be written"):
        lab.services.up("redis")
