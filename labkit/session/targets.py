"""What a learner may point at, and what it takes to connect to it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from mcp import StdioServerParameters
from mcp.server import MCPServer, Server

from labkit.catalog import CatalogEntry, load_catalog
from labkit.errors import CatalogError, ConnectError, did_you_mean
from labkit.hosts import read_host_config
from labkit.session import node
from labkit.session.loading import load_server
from labkit.session.sdk import get_default_environment
from labkit.session.serving import ProcessServer, RunningServer, ThreadServer, launch_command, launch_environment
from labkit.session.tls import Tls
from labkit.wire import mask_url, mask_words

Via = Literal["memory", "stdio", "http", "sse"]
TRANSPORTS: tuple[Via, ...] = ("memory", "stdio", "http", "sse")


def _nothing() -> None: ...


@dataclass
class Plan:
    """One way to one server: exactly one of `server`, `params`, `running` and `url` says how."""

    name: str
    via: Via
    server: Any = None
    params: StdioServerParameters | None = None
    running: RunningServer | None = None
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    tls: Tls | None = None
    forget: Callable[[], None] = _nothing

    @property
    def shown(self) -> str:
        """The target for messages: a command line, a URL, or the name."""
        if self.params:
            text = shlex.join([Path(self.params.command).name, *mask_words(self.params.args)])
            return text if len(text) <= 100 else text[:97] + "..."
        return mask_url(self.url) or self.name


def make_plan(
    target: Any,
    *,
    via: str | None = None,
    server: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    headers: Mapping[str, str] | None = None,
    tls: Tls | Mapping[str, str | Path] | None = None,
    port: int = 0,
) -> Plan:
    """Decide what `target` is. Starts nothing. Raises CatalogError, HostConfigError or ConnectError."""
    _check_env(env)
    plan = _plan(target, via, server, env, cwd, port)
    if headers and plan.via not in ("http", "sse"):
        plan.forget()
        raise ConnectError(
            f"headers= are for HTTP, and {plan.name!r} is reached over {plan.via}: add via='http', or use env=."
        )
    plan.headers = {**plan.headers, **(headers or {})}
    if tls and not plan.url.lower().startswith("https:"):
        plan.forget()
        raise ConnectError(f"tls= is for a URL that begins with https, and {plan.name!r} has none: leave it out.")
    plan.tls = Tls.of(tls) if tls else None
    return plan


def _check_env(env: Mapping[str, str] | None) -> None:
    given: Mapping[Any, Any] = env or {}
    for name, value in given.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            wrong = f"{name!r} is {type(value).__name__}" if isinstance(name, str) else f"the name {name!r} is no text"
            raise ConnectError(f"env= holds text only, and {wrong}: write env={{{str(name)!r}: {str(value)!r}}}.")


def _plan(
    target: Any,
    via: str | None,
    server: str | None,
    env: Mapping[str, str] | None,
    cwd: str | Path | None,
    port: int,
) -> Plan:
    if via is not None and via not in TRANSPORTS:
        raise ConnectError(f"via={via!r} is not a transport. {did_you_mean(via, TRANSPORTS, has='There are')}")
    if isinstance(target, (MCPServer, Server)):
        return _object(target, via, port, env)
    if isinstance(target, Path) or (isinstance(target, str) and _is_file(target)):
        return _file(Path(target).expanduser(), via, server, env, cwd, port)
    if isinstance(target, str) and target.lower().startswith(("http://", "https://")):
        _only(via, ("http", "sse"), "a URL", env)
        return Plan(mask_url(target), _via(via, "http"), url=target)
    if isinstance(target, Sequence) and not isinstance(target, str) and target:
        return _command([str(word) for word in cast("Sequence[Any]", target)], via, env, cwd)
    if isinstance(target, str) and target.strip():
        return _name_or_command(target.strip(), via, env, cwd, port)
    raise ConnectError(
        f"Cannot connect to {target!r}. Give a catalog name, a command line (text or list), a URL, an MCPServer or"
        " Server object, a server's .py file, or a host configuration file."
    )


def _via(via: str | None, default: Via) -> Via:
    return default if via is None else via  # pyright: ignore[reportReturnType]  # checked by make_plan


def _only(via: str | None, allowed: tuple[Via, ...], what: str, env: Mapping[str, str] | None = None) -> None:
    if via is not None and via not in allowed:
        raise ConnectError(f"{what} is reached over {' or '.join(allowed)}, not over {via!r}: leave via= out.")
    if env and "stdio" not in allowed:
        raise ConnectError(f"env= is for servers that run in a process of their own; {what} does not.")


def _is_file(text: str) -> bool:
    # One word that ends so is a file, there or not: then what is missing is said. Others may be commands.
    return text.endswith((".py", ".json")) and (Path(text).expanduser().is_file() or len(text.split()) == 1)


def _object(target: Any, via: str | None, port: int, env: Mapping[str, str] | None) -> Plan:
    _only(via, ("memory", "http", "sse"), "An object of this kernel", env)
    name = target.name or "server"
    if via in ("http", "sse"):
        return Plan(name, via, running=ThreadServer(name, target, via=via, port=port))  # pyright: ignore[reportArgumentType]
    return Plan(name, "memory", server=target)


def _file(
    path: Path,
    via: str | None,
    server: str | None,
    env: Mapping[str, str] | None,
    cwd: str | Path | None,
    port: int,
) -> Plan:
    if path.suffix == ".py":
        if not path.is_file():
            raise CatalogError(
                f"There is no file {path} in {Path.cwd()}." if not path.is_absolute() else f"There is no file {path}."
            )
        return _python_file(_script_name(path), path.resolve(), server or "server", _via(via, "stdio"), env, cwd, port)
    entry = read_host_config(path, server)
    if entry.url:
        _only(via, ("http", "sse"), f"Server {entry.name!r} of {path.name}", env)
        return Plan(
            entry.name, _via(via, "sse" if entry.type == "sse" else "http"), url=entry.url, headers=dict(entry.headers)
        )
    plan = _command([entry.command, *entry.args], via, {**entry.env, **(env or {})}, cwd or entry.cwd, as_given=True)
    plan.name = entry.name
    return plan


def _python_file(
    name: str, path: Path, attribute: str, via: Via, env: Mapping[str, str] | None, cwd: str | Path | None, port: int
) -> Plan:
    if via == "memory":
        if env:
            raise ConnectError("env= is for servers that run in a process of their own: add via='stdio' or via='http'.")
        server, forget = load_server(path, attribute)
        return Plan(name, via, server=server, forget=forget)
    if via == "stdio":
        command = launch_command("stdio", path)
        params = StdioServerParameters(command=command[0], args=command[1:], env=launch_environment(env), cwd=cwd)
        return Plan(name, via, params=params)
    return Plan(name, via, running=ProcessServer(name, path, attribute, via=via, port=port, env=env, cwd=cwd))


def _catalog(
    entry: CatalogEntry, via: str | None, env: Mapping[str, str] | None, cwd: str | Path | None, port: int
) -> Plan:
    if not entry.is_python:
        _only(via, ("stdio", "http"), f"{entry.name!r}, which is not written in Python,")
    chosen = _via(via, "memory" if entry.is_python else "stdio")
    own = env if chosen == "memory" else {**entry.env, **(env or {})}
    return _python_file(entry.name, entry.path, entry.object, chosen, own, cwd, port)


def _name_or_command(
    text: str, via: str | None, env: Mapping[str, str] | None, cwd: str | Path | None, port: int
) -> Plan:
    catalog = load_catalog()
    if text in catalog:
        return _catalog(catalog.find(text), via, env, cwd, port)
    words = _words(text)
    if (
        len(words) > 1
        or any(each in text for each in (os.sep, os.altsep) if each)
        or shutil.which(words[0], path=_search_path(env))
    ):
        return _command(words, via, env, cwd)
    hint = did_you_mean(text, catalog, has="The catalog has")
    raise CatalogError(f"{text!r} is neither a server of the catalog nor a program on the PATH. {hint}")


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise ConnectError(f"The command line {text!r} cannot be read: {error}. Give it as a list of words.") from None
    if os.name == "nt":  # there, backslashes stand for themselves, and quotes stay on
        words = [word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word for word in words]
    return words


def _command(
    words: list[str], via: str | None, env: Mapping[str, str] | None, cwd: str | Path | None, *, as_given: bool = False
) -> Plan:
    _only(via, ("stdio",), "A command")
    command, path = words[0], _search_path(env)
    given = {**_network(), "PATH": path, **(env or {})}
    if command in node.PROGRAMS and not shutil.which(command, path=path):
        given["PATH"] = node.find().path(path)  # the one that came with the extras is on nobody's PATH
    if not as_given and command in ("python", "python3"):
        command = sys.executable  # the kernel's own Python, whatever the PATH says
    params = StdioServerParameters(command=command, args=words[1:], env=given, cwd=cwd)
    return Plan(_command_name(words), "stdio", params=params)


def _command_name(words: list[str]) -> str:
    """A short name for a command: its script or package if there is one, else the program."""
    if "-c" in words:
        return Path(words[0]).stem
    for word in mask_words(words[1:]):
        if word.endswith((".py", ".js", ".mjs", ".ts")):
            return _script_name(Path(word))
        if not word.startswith(("-", "/", ".", "***")):
            return word
    return Path(words[0]).stem


_NETWORK = frozenset(
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"]
)


def _network() -> dict[str, str]:
    # How this machine reaches others is no secret of the learner's, and `npx` cannot do without it.
    names = {name: value for name, value in os.environ.items() if name.upper() in _NETWORK}
    return names | {name: value for name, value in os.environ.items() if name.lower().startswith("npm_config_")}


def _script_name(path: Path) -> str:
    return path.resolve().parent.name if path.stem in ("server", "index", "main") else path.stem


def _search_path(env: Mapping[str, str] | None) -> str:
    # A kernel often runs without its environment activated: programs installed beside its Python count.
    path = (env or {}).get("PATH") or get_default_environment().get("PATH", os.defpath)
    beside = str(Path(sys.executable).parent)
    return path if beside in path.split(os.pathsep) else os.pathsep.join((path, beside))
