"""Write a server into a host's file, or take it out: the rest of the file stays as it is, byte for byte.

A copy of the file as it was is made beside it first (`mcp.json.2026-11-30T10-00-00.bak`; the last five stay), and the
new text is put in its place in one step: a host that reads meanwhile sees the one or the other.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import yaml

from labkit.errors import HostConfigError, did_you_mean
from labkit.hosts.jsonc import remove_member, set_member
from labkit.hosts.known import Host, Scope
from labkit.hosts.reading import INPUT, HostEntry, HostFile, parse_host_text, read_host_file

KEPT = 5
"""Copies of earlier states that stay beside a file."""


def add(file: Path, entry: HostEntry, host: Host, *, replace: bool = False) -> Path | None:
    """Write an entry into a host's file; returns where the copy of the file as it was is, or None for a new file.

    Inputs that the entry asks for are declared where the host wants that (VS Code). Raises HostConfigError when the
    name is taken and not to be replaced, and for a file that cannot be changed without guessing.
    """
    text = _read(file)
    if not replace and text.strip() and entry.name in read_host_file(file, host.key).servers:
        raise HostConfigError(f"{file} has a server {entry.name!r} already: say --replace, or give this one a --name.")
    try:
        changed = set_member(text, [host.key, entry.name], host.write(entry))
        if host.inputs:
            changed = _declare(changed, file, host, entry)
    except ValueError as error:
        raise HostConfigError(f"{file} cannot be changed: {error}. Mend that first; nothing was written.") from error
    return _write(file, changed)


def remove(file: Path, name: str, host: Host) -> Path | None:
    """Take a server out of a host's file; returns where the copy is. Raises HostConfigError when it is not there."""
    found = read_host_file(file, host.key)
    if name not in found.servers:
        raise HostConfigError(f"{file} has no server {name!r}. {did_you_mean(name, found.servers)}")
    try:
        changed = remove_member(_read(file), [host.key, name])
    except (ValueError, KeyError) as error:
        raise HostConfigError(f"{file} cannot be changed: {error}. Mend that first; nothing was written.") from error
    if "{name}" in host.project and not parse_host_text(changed, file, host.key).servers:
        copy = _copy(file)
        file.unlink()  # a file of its own for each server: an empty one is none
        return copy
    return _write(file, changed)


def files(host: Host, project: Path | None = None) -> list[tuple[Scope, Path]]:
    """The files of a host that are there: the user's, and those of a project's folder (the current one)."""
    mine = _there(host.file("user", name="*")) if host.user else []
    theirs = _there(host.file("project", project=project, name="*")) if host.project else []
    known = {path.resolve() for path in mine}  # the project may be the home folder: then those are the user's
    found: list[tuple[Scope, Path]] = [("user", path) for path in mine]
    return [*found, *(("project", path) for path in theirs if path.resolve() not in known)]


def _there(file: Path) -> list[Path]:
    """The file, if it is there. Where each server has one: all of them, and the one beside their folder."""
    if "*" not in file.name:
        return [file] if file.is_file() else []
    found = [path for kind in ("*.json", "*.yaml", "*.yml") for path in sorted(file.parent.glob(kind))]
    whole = file.parent.parent / "config.yaml"
    return [*found, *([whole] if whole.is_file() else [])]


def read_any(file: Path, host: Host) -> HostFile:
    """A host's file, JSON or - of Continue - YAML. Raises HostConfigError."""
    if file.suffix == ".json":
        return read_host_file(file, host.key)
    try:
        loaded: Any = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, yaml.YAMLError) as error:
        raise HostConfigError(f"{file} cannot be read: {' '.join(str(error).split())}.") from error
    whole = cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}
    listed: Any = whole.get(host.key)
    rows = cast("list[dict[str, Any]]", listed) if isinstance(listed, list) else []
    return HostFile(file, whole, {str(row["name"]): row for row in rows if "name" in row})


def _declare(text: str, file: Path, host: Host, entry: HostEntry) -> str:
    """Inputs that an entry refers to and the file does not declare yet, so that the host asks for them once."""
    words = [*entry.args, *entry.env.values(), *entry.headers.values()]
    asked = [name for word in words for kind, name in INPUT.findall(word) if kind == "input"]
    inputs: Any = parse_host_text(text, file, host.key).whole.get("inputs") or []
    declared = cast("list[dict[str, Any]]", inputs) if isinstance(inputs, list) else []
    new = [name for name in dict.fromkeys(asked) if name not in [each.get("id") for each in declared]]
    if not new:
        return text
    rows = [{"type": "promptString", "id": name, "description": name, "password": True} for name in new]
    return set_member(text, ["inputs"], [*declared, *rows])


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise HostConfigError(f"Cannot read {file}: {error}.") from error


def _write(file: Path, text: str) -> Path | None:
    file = file.resolve()  # through a link, as people keep these files elsewhere
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        copy = _copy(file)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".new")
        try:
            with os.fdopen(handle, "wb") as new:
                new.write(text.encode("utf-8"))
            if copy:
                shutil.copymode(file, name)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HostConfigError(f"Cannot write {file}: {error.strerror or error}. It is as it was.") from error
    return copy


def _copy(file: Path) -> Path | None:
    if not file.exists():
        return None
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%f")
    copy = file.with_name(f"{file.name}.{stamp}.bak")
    shutil.copy2(file, copy)
    for old in sorted(file.parent.glob(f"{file.name}.*.bak"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return copy
