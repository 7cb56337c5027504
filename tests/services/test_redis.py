"""A Redis of our own, treated as roughly as PostgreSQL is."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit.services import control, processes
from labkit.services.service import ServiceError, Status


def password(found: Status) -> str:
    return found.url.removeprefix("redis://:").partition("@")[0]


def test_up_gives_a_server_that_answers_those_who_know_the_password(redis: str, home: Path, talk: Any) -> None:
    found = control.up(redis)["redis"]
    with talk(found.port) as say:
        assert say("PING").startswith("-NOAUTH")
        assert say(f"AUTH {password(found)}") == "+OK"
        assert say("PING") == "+PONG"
    assert {c.laddr.ip for c in psutil.Process(found.pid).net_connections() if c.status == "LISTEN"} == {"127.0.0.1"}
    assert password(found) not in " ".join(psutil.Process(found.pid).cmdline())
    for name in ("service.json", "redis.conf"):
        assert stat.S_IMODE((home / "redis" / name).stat().st_mode) == 0o600
    assert control.up(redis)[0] == found


def test_down_leaves_no_process_and_keeps_the_data_and_the_port(redis: str, talk: Any) -> None:
    first = control.up(redis)[0]
    with talk(first.port) as say:
        say(f"AUTH {password(first)}")
        assert say("SET answer 42") == "+OK"
    assert not control.down(redis)[0].running
    assert processes.belonging("redis", first.data) == []
    again = control.up(redis)[0]
    assert again.url == first.url
    with talk(again.port) as say:
        say(f"AUTH {password(again)}")
        assert say("GET answer") == "42"


def test_up_after_kill_9_and_with_a_pid_file_that_lies(redis: str, home: Path) -> None:
    killed = control.up(redis)[0]
    process = psutil.Process(killed.pid)
    process.kill()
    assert processes.end([process], grace=5.0) == []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (home / "redis" / "redis.pid").write_text(f"{stranger.pid}\n", encoding="utf-8")
        assert not control.status(redis)[0].running
        assert control.up(redis)[0].pid not in (killed.pid, stranger.pid)
        control.down(redis)
        assert stranger.poll() is None
        assert stranger.stdin
        stranger.stdin.close()


def test_a_running_server_is_found_without_its_pid_file(redis: str, home: Path) -> None:
    found = control.up(redis)[0]
    (home / "redis" / "redis.pid").unlink()
    assert control.up(redis)[0] == found


def test_one_whose_settings_were_lost_is_replaced(redis: str, home: Path) -> None:
    found = control.up(redis)[0]
    (home / "redis" / "service.json").unlink()
    again = control.up(redis)[0]
    assert again.pid != found.pid
    assert [p.pid for p in processes.belonging("redis", found.data)] == [again.pid]


def test_a_port_that_somebody_took_is_left_to_him(redis: str) -> None:
    port = control.up(redis)[0].port
    control.down(redis)
    with socket.create_server(("127.0.0.1", port or 0)):
        assert control.up(redis)[0].port != port


@pytest.mark.skipif(os.name == "nt", reason="Redis does not run on Windows")
def test_what_goes_wrong_at_the_start_is_told(redis: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control.down(redis)
    monkeypatch.setattr(
        "labkit.services.redis.Redis._configure", lambda self, *_: self._config.write_text("nonsense 1\n")
    )
    with pytest.raises(ServiceError, match="(?s)Redis did not start: .*nonsense 1"):
        control.up(redis)
