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
_INPUT = re.compile(r"\$\{(input|command|config):([^}]*)\}")
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


def read_host_config(path: str | Path, server: str | None = None) -> HostEntry:
    """The entry `server` of a host configuration file (the only entry when there is just one).

    Understands the key `mcpServers` (most hosts) and `servers` (VS Code, whose settings have it below `mcp`),
    `command`/`args`/`env`/`cwd` and `url`/`headers`/`type`, comments and trailing commas; `${VAR}`, `${env:VAR}`
    and `${VAR:-default}` come from the environment.
    Raises HostConfigError naming the file, the entry and the key at fault.
    """
    path = Path(path)
    try:
        config = _parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise HostConfigError(f"Cannot read the host configuration {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise HostConfigError(f"{path} is not valid JSON: {error}.") from error
    whole = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
    inner: Any = whole.get("mcp")
    if isinstance(inner, dict):
        whole = {**cast("dict[str, Any]", inner), **whole}
    tables: Any = whole.get("mcpServers") or whole.get("servers")
    if not isinstance(tables, dict) or not tables:
        raise HostConfigError(f"{path} has no 'mcpServers' (or 'servers') object with servers in it.")
    servers = cast("dict[str, Any]", tables)
    if server is None:
        if len(servers) > 1:
            raise HostConfigError(f"{path} configures {', '.join(servers)}: say which one with server='...'.")
        server = next(iter(servers))
    if server not in servers:
        raise HostConfigError(f"{path} has no server {server!r}. {did_you_mean(server, servers)}")
    return _entry(path, server, servers[server])


def _entry(path: Path, name: str, raw: Any) -> HostEntry:
    where = f"{path}, server {name!r}"
    if not isinstance(raw, dict):
        raise HostConfigError(f"{where}: the entry must be an object.")
    entry = cast("dict[str, Any]", _expand(raw, where))
    command, url = entry.get("command", ""), entry.get("url") or entry.get("serverUrl") or ""
    if bool(command) == bool(url):
        raise HostConfigError(f"{where}: give either 'command' or 'url'.")
    args: Any = entry.get("args", [])
    if not isinstance(args, list) or not all(isinstance(a, str) for a in cast("list[Any]", args)):
        raise HostConfigError(f"{where}: 'args' must be a list of strings.")
    for key in ("env", "headers"):
        table: Any = entry.get(key) or {}
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in cast("dict[str, Any]", table).values()):
            raise HostConfigError(f"{where}: {key!r} must be an object of strings.")
    return HostEntry(
        name=name,
        command=str(command),
        args=tuple(cast("list[str]", args)),
        env=dict(entry.get("env") or {}),
        cwd=entry.get("cwd"),
        url=str(url),
        headers=dict(entry.get("headers") or {}),
        type=str(entry.get("type") or entry.get("transport") or "").lower(),
    )


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        plain = _COMMENT.sub(lambda m: m.group(1) or " ", text)  # as editors allow in their settings
        try:
            return json.loads(_COMMA.sub(lambda m: m.group(1) or "", plain))
        except ValueError:
            pass
        raise


def _expand(value: Any, where: str) -> Any:
    if isinstance(value, str):
        if asked := _INPUT.search(value):
            raise HostConfigError(
                f"{where}: {asked.group()} is something that only the editor can fill in. Write ${{env:NAME}} in its"
                " place and set NAME in the environment."
            )
        return _VARIABLE.sub(lambda m: _variable(m, where), value)
    if isinstance(value, list):
        return [_expand(v, where) for v in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {k: _expand(v, where) for k, v in cast("dict[str, Any]", value).items()}
    return value


def _variable(match: re.Match[str], where: str) -> str:
    name, default = match.group(1), match.group(2)
    found = os.environ.get(name, cast("str | None", default))
    if found is None:
        raise HostConfigError(f"{where}: the environment has no {name}; set it, or write ${{{name}:-default}}.")
    return found
