"""A PostgreSQL of our own: loopback, a free port, a generated password, data kept between runs.

As root, which PostgreSQL refuses, it runs as the account `postgres` or `nobody`; the password stays root's.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from psutil import Process

from labkit.services import place, processes, programs
from labkit.services.service import ServiceError, ServiceMissingError, Status

PROGRAM = "postgres"
USER = DATABASE = "lab"
START_SECONDS = 40

_CONF = """
# Added by labkit.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 32MB
password_encryption = scram-sha-256
log_line_prefix = '%m [%p] %u@%d '
"""


class Postgres:
    """Implements `service.Service`."""

    name = "postgres"

    def __init__(self) -> None:
        self.folder = place.folder(self.name)
        self.account = programs.account_for_root()
        self.room = self._room()
        self.data = self.room / "data"
        self.log = self.room / "postgres.log"
        self._settings = self.folder / "service.json"

    def status(self) -> Status:
        settings = place.read_settings(self._settings)
        server = self._server()
        if server is None or "port" not in settings:
            return Status(self.name, False, data=self.data, note=_what_would_run())
        port, password = settings["port"], settings["password"]
        return Status(
            self.name,
            True,
            pid=server.pid,
            port=port,
            url=f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}",
            version=settings.get("version", ""),
            data=self.data,
        )

    def start(self) -> Status:
        settings = place.read_settings(self._settings)
        if self._server() and "port" in settings and place.accepts(settings["port"]):
            return self.status()
        if self._server():
            self.stop()  # it runs, but not as our settings say
        programs.postgres_programs()  # if there are none, nothing has been begun
        self._make_room()
        folder = self._programs()
        self._fits(folder)
        if not settings.get("complete") or not (self.data / "PG_VERSION").is_file():
            settings = self._create(folder)
        processes.wait_until_gone(PROGRAM, self.data, grace=3.0)  # the workers of a server that was killed
        # Nothing of ours lives, so this file lies; with the number of a stranger's process it would stop the server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._launch(folder, settings)
        if not settings.get("database"):
            environment = {"PGPASSWORD": settings["password"]}
            where = ["-h", "127.0.0.1", "-p", str(settings["port"]), "-U", USER, "--maintenance-db", "postgres"]
            self._run([folder / "createdb", *where, DATABASE], "make its database", environment, may_fail="exists")
            settings["database"] = True
            self._keep(settings)
        return self.status()

    def stop(self) -> None:
        if self._server():
            with suppress(ServiceError):  # what it leaves is ended below
                self._run(
                    [self._programs() / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", "20", "stop"], "stop"
                )
        left = processes.end(processes.belonging(PROGRAM, self.data), grace=1.0)
        if left:
            raise ServiceError(f"PostgreSQL does not end, not even when killed: processes {[p.pid for p in left]}.")
        if self.data.is_dir():
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def delete_data(self) -> None:
        self._settings.unlink(missing_ok=True)
        if self.room == self.folder:
            shutil.rmtree(self.data, ignore_errors=True)
            self.log.unlink(missing_ok=True)
        else:
            shutil.rmtree(self.room, ignore_errors=True)

    def _server(self) -> Process | None:
        return processes.of_pid_file(self.data / "postmaster.pid", PROGRAM, self.data)

    def _room(self) -> Path:
        """Where its data goes: beside our settings, or where the account it runs as may go, too."""
        if self.account is None or programs.reachable_by_others(self.folder) is None:
            return self.folder
        mark = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()).resolve() / f"mcp-lab-postgres-{mark}"

    def _make_room(self) -> None:
        """The room beside the settings is there already; one in the folder for temporary files must be made, by us."""
        if self.room == self.folder:
            return
        self.room.mkdir(exist_ok=True)
        if self.room.is_symlink() or self.room.stat().st_uid != 0:
            raise ServiceError(f"{self.room} is somebody else's: remove it, or set LAB_SERVICES to another folder.")
        self.room.chmod(0o711)

    def _programs(self) -> Path:
        """The programs, where the account may run them."""
        folder = programs.postgres_programs(self._major())
        if self.account is None or programs.reachable_by_others(folder) is None:
            return folder
        package = folder.parents[1]
        if package.name != programs.WHEEL:
            closed = programs.reachable_by_others(folder)
            raise ServiceError(
                f"PostgreSQL refuses to run as root, and the account {self.account.name} may not enter {closed}, "
                f"where its programs are. Get others: `{programs.EXTRAS}`."
            )
        copy = self.room / f"programs-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        if not copy.is_dir():
            draft = self.room / "programs.new"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(folder.parent, draft / package.name / folder.parent.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # where its programs look for them, seen from there
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            draft.rename(copy)
        return copy / package.name / folder.parent.name / folder.name

    def _major(self) -> str:
        """The version that made the data, '' if there are none."""
        try:
            return (self.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def _fits(self, folder: Path) -> None:
        """Data of one major version is of no use to another. It is only lessons' data, but not ours to delete."""
        found, major = self._major(), programs.version(folder / "postgres").partition(".")[0]
        if found and found != major:
            raise ServiceError(
                f"The data in {self.data} was made by PostgreSQL {found}, and {folder} holds {major}. Put PostgreSQL "
                f"{found} on the PATH, or delete the data: labkit services down postgres --delete-data"
            )

    def _create(self, folder: Path) -> dict[str, Any]:
        """initdb into a fresh folder. What an interrupted one left is removed: it was never used."""
        if _finished(self.data):  # and its password is lost with service.json
            self.data.rename(self.data.with_name(f"data.without-password-{secrets.token_hex(4)}"))
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        settings: dict[str, Any] = {"password": secrets.token_urlsafe(24)}
        secret = self.room / "password.new"
        try:
            place.write_private(secret, settings["password"])
            self._hand_over(self.data, secret)
            options = ["-U", USER, "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--no-sync", f"--pwfile={secret}"]
            self._run([folder / "initdb", "-D", self.data, *options], "make its data folder")
        finally:
            secret.unlink(missing_ok=True)
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(_CONF)
        settings["version"] = programs.version(folder / "postgres")
        settings["complete"] = True
        self._keep(settings)
        return settings

    def _launch(self, folder: Path, settings: dict[str, Any]) -> None:
        for attempt in range(3):
            # The port it had before, so that the addresses that others hold stay good.
            settings["port"] = place.free_port(settings.get("port") if attempt == 0 else None)
            self._keep(settings)
            self.log.unlink(missing_ok=True)
            self.log.touch()
            self._hand_over(self.log)
            command = [folder / "pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", str(START_SECONDS)]
            try:
                self._run([*command, "-o", f"-p {settings['port']}", "start"], "start")
                return
            except ServiceError:
                if attempt == 2 or "in use" not in self._last_words():
                    raise

    def _run(
        self, command: list[Path | str], to: str, environment: dict[str, str] | None = None, may_fail: str | None = None
    ) -> None:
        """Run one of its programs, as the account if we are root. `to` says what for, in messages."""
        account = self.account
        # Into a file: a server that lives on would keep a pipe open, and us waiting.
        with tempfile.TemporaryFile() as said:
            try:
                done = subprocess.run(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    cwd=self.room,
                    env={**os.environ, "LC_ALL": "C", **(environment or {})},
                    timeout=START_SECONDS + 20,
                    check=False,
                    user=account.uid if account else None,
                    group=account.gid if account else None,
                    extra_groups=[] if account else None,
                    start_new_session=True,  # an interrupted cell signals the whole group of the kernel
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ServiceError(f"PostgreSQL could not {to}: {error}") from error
            said.seek(0)
            text = said.read().decode("utf-8", "replace").strip()
        if done.returncode and not (may_fail and may_fail in text):
            raise ServiceError(f"PostgreSQL could not {to}: {text[-800:]}\n{self._last_words()}")

    def _hand_over(self, *paths: Path) -> None:
        if self.account and sys.platform != "win32":
            for path in paths:
                os.chown(path, self.account.uid, self.account.gid)

    def _keep(self, settings: dict[str, Any]) -> None:
        place.write_private(self._settings, json.dumps(settings, indent=2))

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return f"The end of {self.log}:\n" + "\n".join(lines[-8:]) if lines else ""


def _finished(data: Path) -> bool:
    try:
        return _CONF in (data / "postgresql.conf").read_text(encoding="utf-8")
    except OSError:
        return False


def _what_would_run() -> str:
    try:
        return f"not running; would use {programs.postgres_programs()}"
    except ServiceMissingError as error:
        return str(error)
