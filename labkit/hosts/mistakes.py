"""What a host will stumble over in its file, found by reading it: each mistake with the sentence that mends it.

What only shows when a server is started - another interpreter, words on stdout - is `labkit.testbench.entry`'s.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from labkit.errors import HostConfigError, did_you_mean
from labkit.hosts.editing import read_any
from labkit.hosts.known import HOSTS, Host
from labkit.hosts.reading import HostFile, check_entry
from labkit.wire import is_credential

_KEYS = {host.key for host in HOSTS.values()}
_ANY = re.compile(r"\$\{[^}]*\}|\$\{\{[^}]*\}\}")
_ENV = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_SHELL = re.compile(r"^~[/\\]|^~$|(?<!\$)\$[A-Za-z_]|%[A-Za-z_]+%")
_SCRIPT = (".py", ".js", ".mjs", ".cjs", ".ts", ".sh", ".jar")
_RUNNERS = ("python", "python3", "py", "uv", "node", "npx", "uvx")


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: what kind it is, in which server ("" for the whole file), and how to mend it."""

    kind: str
    server: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.server}: {self.sentence}" if self.server else self.sentence


def mistakes(host: Host, file: Path, *, project: Path | None = None) -> list[Mistake]:
    """All that is wrong with a host's file, as far as reading shows it. Raises HostConfigError when it is not there."""
    if not file.is_file():
        raise HostConfigError(f"There is no file {file}: labkit hosts add NAME --to {host.id} makes it.")
    try:
        found = read_any(file, host)
    except HostConfigError as error:
        return [Mistake("syntax", "", f"{error} {host.title} reads nothing of such a file.")]
    return [*_of_file(host, file, found), *(m for name in found.servers for m in _of_entry(host, found, name, project))]


def _of_file(host: Host, file: Path, found: HostFile) -> Iterator[Mistake]:
    if file.suffix == ".json" and not host.lenient:
        try:
            json.loads(file.read_text(encoding="utf-8-sig"))
        except json.JSONDecodeError as error:
            yield Mistake(
                "syntax",
                "",
                f"{host.title} wants strict JSON, without comments and trailing commas: line {error.lineno} of {file}.",
            )
    if not found.servers:
        other = next((key for key in sorted(_KEYS - {host.key}) if isinstance(found.whole.get(key), dict)), "")
        if other:
            who = " and ".join(each.title for each in HOSTS.values() if each.key == other)
            sentence = f"{host.title} reads {host.key!r}, and the file has {other!r}, which is for {who}: rename it."
            yield Mistake("wrong key", "", sentence)
        elif host.key not in found.whole:
            near = did_you_mean(host.key, [key for key in found.whole if "erver" in key], has="It has")
            yield Mistake("wrong key", "", f"The file has no {host.key!r}, where {host.title} looks. {near}".strip())
    for name in found.twice:
        yield Mistake("twice", "", f"{name!r} stands twice in one object; the first is lost: rename one of them.")


def _of_entry(host: Host, found: HostFile, name: str, project: Path | None) -> Iterator[Mistake]:
    raw = found.servers[name]
    if not isinstance(raw, dict):
        yield Mistake("shape", name, "the entry must be an object.")
        return
    entry = cast("dict[str, Any]", raw)
    command: Any = entry.get("command")
    if isinstance(command, dict):
        sentence = "'command' is an object, as Zed wrote it once: put 'command', 'args' and 'env' beside each other."
        yield Mistake("shape", name, sentence)
        return
    if isinstance(entry.get("args"), str):
        words = json.dumps(shlex.split(entry["args"]))
        yield Mistake("shape", name, f"'args' is one text, and has to be a list: {words}.")
        return
    yield from _of_type(host, name, entry)
    yield from _of_references(host, found, name, entry)
    yield from _of_secrets(host, name, entry)
    # Whatever the host would put in place is put there for the rest, so that one mistake is told once.
    filled = json.loads(_ANY.sub("x", json.dumps(entry)))
    parsed, wrong = check_entry(name, filled)
    for sentence in wrong:
        yield Mistake("shape", name, sentence)
    if not wrong and parsed.command:
        yield from _of_command(host, name, parsed.command, parsed.args, parsed.env, parsed.cwd, project)


def _of_type(host: Host, name: str, entry: Mapping[str, Any]) -> Iterator[Mistake]:
    kind = entry.get("type")
    wanted = "http" if entry.get("url") else "stdio"
    if host.typed and kind is None and (host.id == "vscode" or wanted == "http"):
        yield Mistake("type", name, f'{host.title} wants to be told the kind of server: add "type": "{wanted}".')
    elif isinstance(kind, str) and kind not in ("stdio", "http", "sse", "streamable-http"):
        yield Mistake("type", name, f'{kind!r} is no type that {host.title} knows: write "type": "{wanted}".')
    elif kind == "streamable-http" and host.id in ("claude-code", "vscode"):
        yield Mistake("type", name, f'{host.title} calls Streamable HTTP "http": write "type": "http".')
    if entry.get("url") and not host.remote:
        yield Mistake("type", name, f"{host.title} does not read URLs from its file: add it in its settings instead.")


def _of_references(host: Host, found: HostFile, name: str, entry: Mapping[str, Any]) -> Iterator[Mistake]:
    for text in _texts(entry):
        for reference in _ANY.findall(text):
            yield from _of_reference(host, found, name, reference)
        if _SHELL.search(_ANY.sub("", text)):
            sentence = f"{text!r} is for a shell, and no shell reads it: write the whole path, or the value."
            yield Mistake("shell", name, sentence)


def _of_reference(host: Host, found: HostFile, name: str, reference: str) -> Iterator[Mistake]:
    inside = reference.strip("${}").strip()
    asked = re.fullmatch(r"input:(.+)", inside)
    if host.inputs and asked:
        inputs: Any = found.whole.get("inputs")
        rows = cast("list[dict[str, Any]]", inputs) if isinstance(inputs, list) else []
        if asked[1] not in [row.get("id") for row in rows]:
            sentence = f"{reference} asks for an input that 'inputs' does not declare: labkit hosts add does that."
            yield Mistake("reference", name, sentence)
        return
    if inside.startswith(("workspaceFolder", "userHome", "pathSeparator", "/")) and host.id in ("vscode", "cursor"):
        return
    variable, fallback = inside.removeprefix("env:").partition(":-")[::2]
    mine = host.reference.replace("{name}", variable) if host.reference else ""
    if host.inputs:  # an input is one way, and the environment is the other
        mine = f"${{env:{variable}}}"
    written = reference.replace(f":-{fallback}", "") if fallback else reference
    if not mine:
        sentence = f"{reference} reaches the server as it stands: {host.title} puts nothing in its place."
        yield Mistake("reference", name, sentence)
    elif written != mine:
        yield Mistake("reference", name, f"{host.title} does not know {reference}: it writes {mine}.")
    elif _ENV.fullmatch(written) and not fallback and variable not in os.environ:
        sentence = f"the environment has no {variable}, which {reference} asks for: set it before {host.title} starts."
        yield Mistake("variable", name, sentence)


def _of_secrets(host: Host, name: str, entry: Mapping[str, Any]) -> Iterator[Mistake]:
    for table in ("env", "headers"):
        values: Any = entry.get(table)
        for key, value in cast("dict[str, Any]", values).items() if isinstance(values, dict) else ():
            literal = isinstance(value, str) and value.strip() and not _ANY.search(value)
            if literal and is_credential(key) and not key.upper().endswith("_FILE"):
                instead = host.refer(key) if host.reference else f"{key}_FILE and the path of a file that holds it"
                sentence = f"{table}.{key} is a secret in plain text, and such files are copied about: write {instead}."
                yield Mistake("secret", name, sentence)


def _of_command(
    host: Host,
    name: str,
    command: str,
    args: tuple[str, ...],
    env: Mapping[str, str],
    cwd: str | None,
    project: Path | None,
) -> Iterator[Mistake]:
    if " " in command.strip() and not shutil.which(command):
        first, *rest = shlex.split(command, posix=os.name == "posix")
        if shutil.which(first):
            sentence = f"'command' is a whole line: write {json.dumps(first)} there, and {json.dumps(rest)} as 'args'."
            yield Mistake("whole line", name, sentence)
            return
    base = starting_folder(host, cwd, project)
    if _is_path(command) and not _absolute(command):
        yield Mistake("relative", name, _relative(host, command, base))
    elif not _program(command, env):
        yield Mistake("command", name, _missing(command))
    for word in args:
        if not word.lower().endswith(_SCRIPT) or "://" in word or word.startswith("-"):
            continue
        if _absolute(word):
            if not Path(word).is_file():
                yield Mistake("file", name, f"there is no file {word}: is the path right, and complete?")
        elif host.starts_in != "project" or not (base / word).is_file():
            yield Mistake("relative", name, _relative(host, word, base))


def starting_folder(host: Host, cwd: str | None, project: Path | None) -> Path:
    """The folder that a command starts in."""
    if cwd and Path(cwd).is_absolute():
        return Path(cwd)
    start = {"project": project or Path.cwd(), "home": Path.home(), "root": Path(Path.cwd().anchor)}[host.starts_in]
    return (start / (cwd or "")).resolve()


def _relative(host: Host, word: str, base: Path) -> str:
    here = Path.cwd() / word
    whole = f"write {here.as_posix()}" if here.is_file() else "write the whole path"
    return f"{word!r} is relative, and {host.title} starts servers in {base}, where it is not: {whole}."


def _is_path(command: str) -> bool:
    return "/" in command or "\\" in command


def _absolute(text: str) -> bool:
    return Path(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _program(command: str, env: Mapping[str, str]) -> str | None:
    return shutil.which(command, path=env.get("PATH"))


def _missing(command: str) -> str:
    name = Path(command).name
    if name.startswith("python") or name == "py":
        return f"there is no program {command!r} here: write {sys.executable}, which has the lab's packages."
    near = did_you_mean(name, [each for each in _RUNNERS if shutil.which(each)], has="There are")
    return f"there is no program {command!r} where the host looks for it. Install it, or write its whole path. {near}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, Any]", value).values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _texts(each)
