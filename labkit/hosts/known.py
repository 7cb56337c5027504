"""The hosts that the lab knows: where each keeps its servers on the three systems, and how it writes an entry.

Each host says where that is documented. Paths are those of its own documentation, as of 2026-11.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from labkit.errors import HostConfigError, did_you_mean
from labkit.hosts.reading import HostEntry

System = Literal["linux", "macos", "windows"]
Scope = Literal["user", "project"]
SCOPES: tuple[Scope, ...] = ("user", "project")


@dataclass(frozen=True)
class Host:
    """One host. `user` and `project` are paths with {home}, {config} (XDG), {support} (macOS), {appdata} and {name}."""

    id: str
    title: str
    source: str
    """The page of its documentation."""
    key: str = "mcpServers"
    """The member of the file that holds the servers."""
    user: Mapping[System, str] = field(default_factory=dict[System, str])
    project: str = ""
    """Relative to the folder that is open; "" when the host has no such file."""
    typed: bool = False
    """Whether an entry has to say `"type"`."""
    remote: bool = True
    """Whether an entry may be a URL."""
    lenient: bool = False
    """Whether comments and trailing commas are allowed."""
    inputs: bool = False
    """Whether the file declares what the host has to ask for, under `inputs`, and entries refer to that."""
    reference: str = ""
    """How an entry refers to a secret called {name}; "" when it cannot."""
    starts_in: Literal["home", "project", "root"] = "project"
    """The folder in which the host starts commands, when the entry has no `cwd`."""

    def file(
        self,
        scope: Scope = "user",
        *,
        project: Path | None = None,
        name: str = "NAME",
        system: System | None = None,
        home: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Path:
        """The file that holds the servers: of the user, or of a project's folder (the current one).

        `name` is the server's, for hosts that have a file for each. Raises HostConfigError where there is no such file.
        """
        if scope == "project":
            if not self.project:
                raise HostConfigError(f"{self.title} has no file per project: leave --project out.")
            return (project or Path.cwd()) / self.project.format(name=name)
        system = system or this_system()
        if system not in self.user:
            raise HostConfigError(f"{self.title} keeps no file of the user: say --project, or --config FILE.")
        home, environ = home or Path.home(), os.environ if environ is None else environ
        places = {
            "home": home.as_posix(),
            "config": environ.get("XDG_CONFIG_HOME") or (home / ".config").as_posix(),
            "support": (home / "Library" / "Application Support").as_posix(),
            "appdata": environ.get("APPDATA") or (home / "AppData" / "Roaming").as_posix(),
        }
        return Path(self.user[system].format(name=name, **places))

    def write(self, entry: HostEntry) -> dict[str, Any]:
        """An entry as this host writes it. Raises HostConfigError for one that it cannot have."""
        if entry.url:
            if not self.remote:
                raise HostConfigError(
                    f"{self.title} does not read URLs from its file: add {entry.url} in its settings, as a connector."
                )
            kind = "sse" if entry.type == "sse" else "http"
            headers = {"headers": dict(entry.headers)} if entry.headers else {}
            return {**({"type": kind} if self.typed else {}), "url": entry.url, **headers}
        made: dict[str, Any] = {"type": "stdio"} if self.typed else {}
        made |= {"command": entry.command, "args": list(entry.args)}
        if entry.env:
            made["env"] = dict(entry.env)
        if entry.cwd:
            made["cwd"] = entry.cwd
        return made

    def refer(self, secret: str) -> str:
        """What stands in an entry in the place of a secret. Raises HostConfigError when the host cannot refer."""
        if not self.reference:
            raise HostConfigError(
                f"{self.title} copies what stands in its file and cannot refer to a secret. Let the server read"
                f" {secret} from a file, and give it the file's path: --env {secret}_FILE=PATH."
            )
        return self.reference.replace("{name}", secret)


_DESKTOP: dict[System, str] = {
    "linux": "{config}/Claude/claude_desktop_config.json",
    "macos": "{support}/Claude/claude_desktop_config.json",
    "windows": "{appdata}/Claude/claude_desktop_config.json",
}
_CODE: dict[System, str] = {
    "linux": "{config}/Code/User/mcp.json",
    "macos": "{support}/Code/User/mcp.json",
    "windows": "{appdata}/Code/User/mcp.json",
}
_ZED: dict[System, str] = {
    "linux": "{config}/zed/settings.json",
    "macos": "{home}/.config/zed/settings.json",
    "windows": "{appdata}/Zed/settings.json",
}


def _everywhere(path: str) -> dict[System, str]:
    return {"linux": path, "macos": path, "windows": path}


HOSTS: dict[str, Host] = {
    host.id: host
    for host in (
        Host(
            "claude-desktop",
            "Claude Desktop",
            "modelcontextprotocol.io/docs/develop/connect-local-servers",
            user=_DESKTOP,
            remote=False,
            starts_in="root",
        ),
        Host(
            "claude-code",
            "Claude Code",
            "code.claude.com/docs/en/mcp",
            user=_everywhere("{home}/.claude.json"),
            project=".mcp.json",
            typed=True,
            reference="${{name}}",
        ),
        Host(
            "cursor",
            "Cursor",
            "cursor.com/docs/context/mcp",
            user=_everywhere("{home}/.cursor/mcp.json"),
            project=".cursor/mcp.json",
            lenient=True,
            reference="${env:{name}}",
        ),
        Host(
            "vscode",
            "VS Code",
            "code.visualstudio.com/docs/copilot/reference/mcp-configuration",
            key="servers",
            user=_CODE,
            project=".vscode/mcp.json",
            typed=True,
            lenient=True,
            inputs=True,
            reference="${input:{name}}",
        ),
        Host(
            "zed",
            "Zed",
            "zed.dev/docs/ai/mcp",
            key="context_servers",
            user=_ZED,
            project=".zed/settings.json",
            lenient=True,
        ),
        Host(
            "continue",
            "Continue",
            "docs.continue.dev/customize/deep-dives/mcp",
            user=_everywhere("{home}/.continue/mcpServers/{name}.json"),
            project=".continue/mcpServers/{name}.json",
            reference="${{ secrets.{name} }}",
        ),
        Host(
            "generic",
            "mcp.json",
            "modelcontextprotocol.io/docs/develop/connect-local-servers",
            project="mcp.json",
            reference="${{name}}",
        ),
    )
}


def find_host(id: str) -> Host:
    """The host of that id. Raises HostConfigError, naming the nearest ones."""
    if id not in HOSTS:
        raise HostConfigError(f"The lab knows no host {id!r}. {did_you_mean(id, HOSTS)}")
    return HOSTS[id]


def this_system() -> System:
    """The system that this is, as hosts tell them apart."""
    return "windows" if sys.platform == "win32" else "macos" if sys.platform == "darwin" else "linux"
