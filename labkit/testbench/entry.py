"""Start a server as a host would start it - the same command, environment and folder - and certify it quickly.

trial = await try_entry(HOSTS["cursor"], file.servers["weather"], "weather")
trial.certificate, trial.mistakes
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import ConnectError, LabError
from labkit.hosts import HostEntry, check_entry
from labkit.hosts.known import Host
from labkit.hosts.mistakes import Mistake, starting_folder
from labkit.testbench.certificate import Certificate
from labkit.testbench.certifying import certify

_NO_MODULE = re.compile(r"No module named '?([\w.]+)")
_SECRETS = re.compile(r"\$\{\{\s*secrets\.([A-Za-z_]\w*)\s*\}\}")
_INPUT = re.compile(r"\$\{input:([A-Za-z_]\w*)\}")
BUDGET = 60.0
"""Seconds for one entry."""
LONGEST = 1500
"""Characters of what a server said before it ended."""


@dataclass(frozen=True)
class Trial:
    """What became of one entry. Without a certificate it did not start, and `mistakes` says why."""

    name: str
    certificate: Certificate | None
    mistakes: tuple[Mistake, ...]

    @property
    def passed(self) -> bool:
        """Whether it started as the host would start it, and is certified."""
        return self.certificate is not None and self.certificate.passed and not self.mistakes


async def try_entry(host: Host, raw: Mapping[str, Any], name: str, *, project: Path | None = None) -> Trial:
    """Start one entry of a host's file and certify it with the quick profile.

    Secrets that the host would ask for, or keeps itself, are taken from the environment under their names. Nothing is
    raised on account of the server: what is wrong is in the result.
    """
    if missing := [each for each in _asked(raw) if each not in os.environ]:
        told = (
            f"{host.title} fills in {', '.join(missing)}, and here the environment has none to try the server with:"
            f" set {'it' if len(missing) == 1 else 'them'}, then labkit hosts test {name}."
        )
        return Trial(name, None, (Mistake("secret", name, told),))
    entry, wrong = check_entry(name, _with_secrets(raw))
    if wrong:
        return Trial(name, None, tuple(Mistake("shape", name, sentence) for sentence in wrong))
    try:
        certificate = await _certify(host, entry, project)
    except ConnectError as error:
        return Trial(name, None, (_why(host, entry, "\n".join([str(error), *getattr(error, "__notes__", [])])),))
    except LabError as error:
        return Trial(name, None, (Mistake("start", name, str(error)),))
    noise = [finding for result, finding in certificate.findings if result.check.id == "doctor.clean-stdout"]
    said = tuple(
        Mistake("stdout", name, f"{finding.message}. stdout is for messages: print to stderr, or use logging.")
        for finding in noise[:1]
    )
    if certificate.late:
        sentence = f"{certificate.late} checks did not fit {BUDGET:g} s: server or machine are slow."
        said = (*said, Mistake("slow", name, sentence))
    return Trial(name, certificate, said)


async def _certify(host: Host, entry: HostEntry, project: Path | None) -> Certificate:
    if entry.url:
        return await certify(entry.url, profile="quick", headers=entry.headers, budget=BUDGET)
    program = shutil.which(entry.command, path=entry.env.get("PATH"))
    if program is None:
        raise ConnectError(f"there is no program {entry.command!r} where the host looks for it.")
    # The whole path: in a command of the lab, a bare `python` would be the lab's own.
    folder = starting_folder(host, entry.cwd, project)
    return await certify([program, *entry.args], profile="quick", env=entry.env, cwd=folder, budget=BUDGET)


def _why(host: Host, entry: HostEntry, said: str) -> Mistake:
    if missing := _NO_MODULE.search(said):
        return Mistake(
            "interpreter",
            entry.name,
            f"{entry.command} has no module {missing[1]!r}: it is another interpreter than the one that has it. Write"
            f" that one's whole path as 'command'; the lab's is {sys.executable}.",
        )
    if entry.url:
        return Mistake("unreachable", entry.name, f"{said.splitlines()[0]} Is it running?")
    return Mistake("start", entry.name, " ".join(said.split())[:LONGEST])


def _asked(value: Any) -> list[str]:
    """The names of what the host would ask for, or keeps itself."""
    text = json.dumps(value)
    return list(dict.fromkeys([*_INPUT.findall(text), *_SECRETS.findall(text)]))


def _with_secrets(value: Any) -> Any:
    """An entry in which what the host would fill in refers to the environment."""
    if isinstance(value, str):
        return _INPUT.sub(r"${\1}", _SECRETS.sub(r"${\1}", value))
    if isinstance(value, Mapping):
        return {key: _with_secrets(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_with_secrets(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return value
