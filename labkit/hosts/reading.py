"""Host configuration files: the `mcpServers` format that desktop hosts and editors share."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from labkit.errors import HostConfigError, did_you_mean

_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')
INPUT = re.compile(r"\$\{(input|command|config):([^}]*)\}")
_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True)
class HostEntry:
    """One configured server: a command to start, or a URL to connect to."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    type: str = ""


@dataclass(frozen=True)
class HostFile:
    """A host configuration file as it is written: `${VAR}` still stands there, and no entry has been looked at."""

    path: Path
    whole: Mapping[str, Any]
    """The object that the file is. What an editor keeps below `mcp` is there too."""
    servers: Mapping[str, Any]
    """The servers' entries by name; empty when the file has none."""
    twice: tuple[str, ...] = ()
    """Keys that stand twice in one object, where the first is lost."""

    def entry(self, name: str) -> HostEntry:
        """The entry of that name. Raises HostConfigError, naming the nearest ones or what is wrong with it."""
        if name not in self.servers:
            raise HostConfigError(f"{self.path} has no server {name!r}. {did_you_mean(name, self.servers)}")
        entry, mistakes = check_entry(name, self.servers[name])
        if mistakes:
            raise HostConfigError(f"{self.path}, server {name!r}: {mistakes[0]}")
        return entry

    def entries(self) -> dict[str, HostEntry]:
        """All entries. Raises HostConfigError for the first that cannot be used."""
        return {name: self.entry(name) for name in self.servers}


def read_host_config(path: str | Path, server: str | None = None) -> HostEntry:
    """The entry `server` of a host configuration file (the only entry when there is just one).

    Understands the key `mcpServers` (most hosts) and `servers` (VS Code, whose settings have it below `mcp`),
    `command`/`args`/`env`/`cwd` and `url`/`headers`/`type`, comments and trailing commas; `${VAR}`, `${env:VAR}`
    and `${VAR:-default}` come from the environment.
    Raises HostConfigError naming the file, the entry and the key at fault.
    """
    file = read_host_file(path)
    if not file.servers:
        raise HostConfigError(f"{file.path} has no 'mcpServers' (or 'servers') object with servers in it.")
    if server is None:
        if len(file.servers) > 1:
            raise HostConfigError(f"{file.path} configures {', '.join(file.servers)}: say which one with server='...'.")
        server = next(iter(file.servers))
    return file.entry(server)


def read_host_file(path: str | Path, key: str = "") -> HostFile:
    """All that a host configuration file says; with `key`, what one host reads: the servers below that member.

    Raises HostConfigError when it cannot be read or is no JSON.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise HostConfigError(f"Cannot read the host configuration {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise HostConfigError(f"{path} is not valid JSON: {error}.") from error
    return parse_host_text(text, path, key)


def parse_host_text(text: str, path: Path, key: str = "") -> HostFile:
    """The same of a text; `path` is for messages. Raises HostConfigError when it is no JSON."""
    try:
        config, twice = _parse(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise HostConfigError(f"{path} is not valid JSON: {error}.") from error
    whole = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
    inner: Any = whole.get("mcp")
    if isinstance(inner, dict):
        whole = {**cast("dict[str, Any]", inner), **whole}
    tables: Any = whole.get(key) if key else whole.get("mcpServers") or whole.get("servers")
    servers = cast("dict[str, Any]", tables) if isinstance(tables, dict) else {}
    return HostFile(path, whole, servers, twice)


def check_entry(name: str, raw: Any) -> tuple[HostEntry, list[str]]:
    """One server's table as an entry, and all that is wrong with it. With a mistake in it, an entry is of no use."""
    if not isinstance(raw, dict):
        return HostEntry(name), ["the entry must be an object."]
    filled, mistakes = expand(raw)
    entry = cast("dict[str, Any]", filled)
    command, url = entry.get("command", ""), entry.get("url") or entry.get("serverUrl") or ""
    if bool(command) == bool(url):
        mistakes.append("give either 'command' or 'url'.")
    for key in ("command", "cwd", "url", "serverUrl", "type", "transport"):
        if not isinstance(entry.get(key) or "", str):
            mistakes.append(f"{key!r} must be a string.")
    args: Any = entry.get("args", [])
    if not isinstance(args, list) or not all(isinstance(a, str) for a in cast("list[Any]", args)):
        mistakes.append("'args' must be a list of strings.")
    for key in ("env", "headers"):
        table: Any = entry.get(key) or {}
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in cast("dict[str, Any]", table).values()):
            mistakes.append(f"{key!r} must be an object of strings.")
    if mistakes:
        return HostEntry(name), mistakes
    return HostEntry(
        name=name,
        command=str(command),
        args=tuple(cast("list[str]", args)),
        env=dict(entry.get("env") or {}),
        cwd=entry.get("cwd"),
        url=str(url),
        headers=dict(entry.get("headers") or {}),
        type=str(entry.get("type") or entry.get("transport") or "").lower(),
    ), []


def expand(value: Any) -> tuple[Any, list[str]]:
    """A JSON value with each `${VAR}` in it replaced from the environment, and what could not be."""
    mistakes: list[str] = []
    return _expand(value, mistakes), mistakes


def _parse(text: str) -> tuple[Any, tuple[str, ...]]:
    try:
        return _load(text)
    except ValueError:
        plain = _COMMENT.sub(lambda m: m.group(1) or " ", text)  # as editors allow in their settings
        try:
            return _load(_COMMA.sub(lambda m: m.group(1) or "", plain))
        except ValueError:
            pass
        raise


def _load(text: str) -> tuple[Any, tuple[str, ...]]:
    twice: list[str] = []

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice.extend(name for name in made if names.count(name) > 1)
        return made

    return json.loads(text, object_pairs_hook=table), tuple(twice)


def _expand(value: Any, mistakes: list[str], at: str = "") -> Any:
    if isinstance(value, str):
        if asked := INPUT.search(value):
            mistakes.append(
                f"{asked.group()}{f' ({at})' if at else ''} is something that only the editor can fill in. Write"
                " ${env:NAME} in its place and set NAME in the environment."
            )
            return value
        return _VARIABLE.sub(lambda m: _variable(m, mistakes, at), value)
    if isinstance(value, list):
        return [_expand(v, mistakes, f"{at}[{n}]") for n, v in enumerate(cast("list[Any]", value))]
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {k: _expand(v, mistakes, f"{at}.{k}" if at else k) for k, v in table.items()}
    return value


def _variable(match: re.Match[str], mistakes: list[str], at: str) -> str:
    name, default = match.group(1), match.group(2)
    found = os.environ.get(name, cast("str | None", default))
    if found is None:
        asks = f", which {at!r} asks for" if at else ""
        mistakes.append(f"the environment has no {name}{asks}; set it, or write ${{{name}:-default}}.")
        return match.group()
    return found
