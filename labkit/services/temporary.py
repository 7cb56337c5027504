"""Services for a test or a notebook: in a folder of their own, and gone with whoever asked for them.

    with lab.services.Temporary() as own:
        url = own.up("postgres")[0].url

What `labkit services up` starts runs until `down`. What this starts ends with the block, with `close`, or with the
process, however that ends: a guard, which is a process of its own, then finds its input at an end, and clears up.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from labkit.catalog import LAB_ROOT
from labkit.services import control, place, processes
from labkit.services.supervised import apart

_GUARD = "from labkit.services.temporary import guard; guard()"
_PROGRAMS = ("initdb", "pg_ctl", "createdb", "postgres", "redis", "valkey")


class Temporary:
    """A folder for services that nobody else knows of. `up`, `down`, `status` and `url` are those of `lab.services`."""

    def __init__(self) -> None:
        # Not below a folder that only its owner may enter: as root, PostgreSQL runs as another account.
        self.folder = Path(tempfile.mkdtemp(prefix="lab-services-")).resolve()
        self.folder.chmod(0o755)
        nowhere, command = subprocess.DEVNULL, [sys.executable, "-c", _GUARD]
        self._guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, cwd=LAB_ROOT, **apart()
        )
        assert self._guard.stdin
        self._guard.stdin.write(f"{self.folder}\n".encode())
        self._guard.stdin.flush()
        self._closed = False

    def up(self, *names: str) -> control.Table:
        with place.at(self.folder):
            return control.up(*names)

    def down(self, *names: str) -> control.Table:
        with place.at(self.folder):
            return control.down(*names)

    def status(self, *names: str) -> control.Table:
        with place.at(self.folder):
            return control.status(*names)

    def url(self, name: str) -> str:
        with place.at(self.folder):
            return control.url(name)

    def close(self) -> None:
        """End the services and delete all that is theirs. Closing twice is fine."""
        if not self._closed:
            _clear(self.folder)
            self._guard.kill()
            self._guard.communicate()
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def guard() -> None:
    """Wait for the end of the process that started this one, then clear up the folder that it has named."""
    named = sys.stdin.buffer.read().decode()
    if named.endswith("\n"):
        _clear(Path(named.rstrip("\n")))


def _clear(folder: Path) -> None:
    """End what runs there, and what is about to: whoever was killed may have been starting a service."""
    with place.at(folder):
        rooms = [folder, *(status.data.parent for status in control.status())]
        control.down(delete_data=True)
        while starting := processes.naming(_PROGRAMS, rooms):
            processes.end(starting, grace=0.0)
            control.down(delete_data=True)
    shutil.rmtree(folder, ignore_errors=True)
