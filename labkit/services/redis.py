"""A Redis (or Valkey) of our own: loopback, a free port, a password, data kept between runs."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from labkit.services import place, processes, programs
from labkit.services.service import ServiceError, ServiceMissingError, Status

PROGRAM = "redis"
START_SECONDS = 20.0


class Redis:
    """Implements `service.Service`."""

    name = "redis"

    def __init__(self) -> None:
        self.folder = place.folder(self.name)
        # Resolved, because the working folder of a process is reported without links.
        self.data = self.folder / "data"
        self.log = self.folder / "redis.log"
        self._settings = self.folder / "service.json"
        self._pid_file = self.folder / "redis.pid"

    def status(self) -> Status:
        settings = place.read_settings(self._settings)
        pid = self._pid()
        if pid is None or "port" not in settings:
            return Status(self.name, False, data=self.data, note=_what_would_run())
        return Status(
            self.name,
            True,
            pid=pid,
            port=settings["port"],
            url=f"redis://:{settings['password']}@127.0.0.1:{settings['port']}/0",
            version=settings.get("version", ""),
            data=self.data,
        )

    def start(self) -> Status:
        settings = place.read_settings(self._settings)
        if self._pid() is not None and "port" in settings:
            with suppress(ServiceError):
                return self._when_ready(settings["port"], settings["password"])
        self.stop()  # what does not answer, or has lost its settings
        program = programs.redis_program()
        self.data.mkdir(exist_ok=True)
        password = settings.get("password") or secrets.token_urlsafe(24)
        # Somebody may take the port between our looking and Redis's: then it says so, and we look again.
        for attempt in range(3):
            port = place.free_port(settings.get("port") if attempt == 0 else None)
            self._configure(port, password)
            self.log.unlink(missing_ok=True)
            run = subprocess.run(
                [str(program), str(self._config)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=START_SECONDS,
                check=False,
            )
            if run.returncode != 0:
                raise ServiceError(f"Redis did not start: {(run.stdout + run.stderr).strip()[-800:]}")
            kept = {"port": port, "password": password, "version": programs.version(program), "program": str(program)}
            place.write_private(self._settings, json.dumps(kept, indent=2))
            try:
                return self._when_ready(port, password)
            except ServiceError:
                if attempt == 2 or "in use" not in self._last_words():
                    raise
        raise AssertionError("unreachable")

    def stop(self) -> None:
        running = processes.belonging(PROGRAM, self.data)
        for process in running:
            with suppress(psutil.Error):
                process.terminate()  # Redis saves what it holds, then goes
        if left := processes.end(running, grace=10.0):
            raise ServiceError(f"Redis does not end, not even when killed: processes {[p.pid for p in left]}.")
        self._pid_file.unlink(missing_ok=True)

    def delete_data(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        for file in (self._settings, self._config, self.log):
            file.unlink(missing_ok=True)

    @property
    def _config(self) -> Path:
        return self.folder / "redis.conf"

    def _configure(self, port: int, password: str) -> None:
        # In a file and not on the command line, which every account of the machine can read.
        lines = [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            "daemonize yes",  # our process would have to collect it otherwise, and may end before it
            f"pidfile {_quoted(self._pid_file)}",
            f"logfile {_quoted(self.log)}",
            f"dir {_quoted(self.data)}",
            "appendonly yes",
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
        ]
        place.write_private(self._config, "\n".join(lines) + "\n")

    def _pid(self) -> int | None:
        process = processes.of_pid_file(self._pid_file, PROGRAM, self.data)
        if process is None:  # the file is gone or stale: look for the process itself
            process = next(iter(processes.belonging(PROGRAM, self.data)), None)
        return process.pid if process else None

    def _when_ready(self, port: int, password: str) -> Status:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if _ping(port, password):
                return self.status()
            if self._pid() is None and (self.log.exists() and "Redis is starting" not in self._last_words()):
                break
            time.sleep(0.02)
        raise ServiceError(f"Redis did not become ready on 127.0.0.1:{port}. {self._last_words()}")

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return f"It wrote no log ({self.log})."
        return f"The end of {self.log}:\n" + "\n".join(lines[-6:])


def _ping(port: int, password: str) -> bool:
    """Whether our Redis answers there: somebody else's would not know the password."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while b"PONG" not in answer:
                more = connection.recv(1000)
                if not more or b"-" in more[:1]:
                    return False
                answer += more
            return True
    except OSError:
        return False


def _what_would_run() -> str:
    try:
        return f"not running; would use {programs.redis_program()}"
    except ServiceMissingError as error:
        return str(error)


def _quoted(path: Path) -> str:
    return '"' + path.as_posix().replace("\\", "\\\\").replace('"', '\\"') + '"'
