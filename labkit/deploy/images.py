"""Dockerfiles and Compose files: what an image says about itself, and rules for both."""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.deploy.reading import at, environment, found, items, secret_in, table, untagged
from labkit.deploy.rules import DeployError, Finding

TOOLS = re.compile(r"(^|[\s;&|/\"])(curl|wget)\b")
_INSTALLS = re.compile(r"(apt-get|apt|apk|dnf)\b.*\b(curl|wget)\b")


@dataclass
class Stage:
    """One stage of a Dockerfile, with what it has from the stage that it continues."""

    name: str
    base: str
    user: str = ""
    workdir: str = "/"
    env: dict[str, str] = field(default_factory=dict[str, str])
    entrypoint: list[str] | str = field(default_factory=list[str])
    cmd: list[str] | str = field(default_factory=list[str])
    healthcheck: list[str] | str = ""
    copies: list[tuple[list[str], str, str]] = field(default_factory=list[tuple[list[str], str, str]])
    """Sources, target, and the stage that they come from ("" for the build's own folder)."""
    exposes: list[str] = field(default_factory=list[str])
    runs: list[str] = field(default_factory=list[str])

    @property
    def command(self) -> list[str] | str:
        """What a container runs: ENTRYPOINT and CMD as one list, or a text for a shell."""
        for part in (self.entrypoint, self.cmd):
            if isinstance(part, str):
                return part
        return [*self.entrypoint, *self.cmd]


def read_dockerfile(text: str) -> list[Stage]:
    """The stages of a Dockerfile. Raises DeployError for one that has none."""
    stages: list[Stage] = []
    for word, rest in _instructions(text):
        if word == "FROM":
            base, _, name = re.sub(r"--\S+\s+", "", rest).partition(" ")
            stages.append(_continued(stages, base, re.sub(r"(?i)^as\s+", "", name.strip())))
        elif word != "ARG" or stages:
            if not stages:
                raise DeployError(f"A Dockerfile begins with FROM, this one with {word}: write the base image first.")
            _apply(stages[-1], word, rest)
    if not stages:
        raise DeployError("This Dockerfile has no FROM: write the base image.")
    return stages


def judge_dockerfile(text: str) -> Iterator[Finding]:
    """What is wrong with a Dockerfile. Users and commands count where no other stage continues or copies from it."""
    stages = read_dockerfile(text)
    names = {stage.name for stage in stages if stage.name}
    used = {stage.base for stage in stages} | {source for stage in stages for *_, source in stage.copies if source}
    for number, stage in enumerate(stages):
        where = f"stage {stage.name or number}"
        if stage.base not in names and stage.base != "scratch" and (why := untagged(stage.base)):
            yield found("image-tag", f"{where}, FROM", why)
        for name, value in stage.env.items():
            if secret_in(name, value):
                yield found("secret-literal", f"{where}, {name}", "the value is written out")
        if stage.name in used:
            continue
        if stage.user.partition(":")[0] in ("", "root", "0"):
            yield found("runs-as-root", f"{where}, USER", f"the user is {stage.user or 'root, because none is named'}")
        # With exec the shell becomes the program, and the program hears the signal.
        if isinstance(stage.command, str) and not stage.command.startswith("exec "):
            yield found("shell-command", f"{where}, CMD", f"{stage.command!r} is for a shell")
        asked = stage.healthcheck if isinstance(stage.healthcheck, str) else " ".join(stage.healthcheck)
        if TOOLS.search(asked) and not any(_INSTALLS.search(run) for run in stage.runs):
            yield found("health-needs-tool", f"{where}, HEALTHCHECK", f"it runs {asked.split()[0]}")


def judge_compose(body: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with a Compose file."""
    for name, value in table(body.get("services")).items():
        service, where = table(value), f"services.{name}"
        if "build" not in service and (why := untagged(str(service.get("image") or ""))):
            yield found("image-tag", f"{where}.image", why)
        for variable, text in environment(service.get("environment")).items():
            if secret_in(variable, text):
                yield found("secret-literal", f"{where}.environment.{variable}", "the value is written out")
        if "mem_limit" not in service and at(service, "deploy", "resources", "limits", "memory") is None:
            yield found("no-memory-limit", where, "there is no mem_limit")
        if str(service.get("user", "")).partition(":")[0] in ("root", "0"):
            yield found("runs-as-root", f"{where}.user", f"the user is {service['user']}")
        if "build" in service and service.get("read_only") is not True:
            yield found("writable-root", where, "read_only is not true")
        for port in items(service.get("ports")):
            if not _has_address(port):
                yield found("port-for-all", f"{where}.ports", str(at(port, "published") or port))
        test: Any = at(service, "healthcheck", "test")
        asked = " ".join(map(str, items(test))) or str(test or "")
        if "build" in service and TOOLS.search(asked):
            yield found("health-needs-tool", f"{where}.healthcheck", f"it runs {asked}")


def _has_address(port: Any) -> bool:
    if isinstance(port, dict):
        return bool(at(port, "host_ip")) or not at(port, "published")
    # "8080" alone gets a port of the host's choosing, on all addresses as well.
    return str(port).count(":") >= 2 and not str(port).startswith("0.0.0.0:")


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word.upper(), " ".join(rest.split())


def _continued(stages: list[Stage], base: str, name: str) -> Stage:
    before = next((stage for stage in stages if stage.name == base and base), None)
    if before is None:
        return Stage(name, base)
    return replace(copy.deepcopy(before), name=name, base=base)


def _apply(stage: Stage, word: str, rest: str) -> None:
    if word == "USER":
        stage.user = rest
    elif word == "WORKDIR":
        stage.workdir = rest
    elif word in ("ENV", "ARG"):
        stage.env |= _variables(rest)
    elif word == "RUN":
        stage.runs.append(rest)
    elif word == "EXPOSE":
        stage.exposes += rest.split()
    elif word == "CMD":
        stage.cmd = _form(rest)
    elif word == "ENTRYPOINT":
        stage.entrypoint, stage.cmd = _form(rest), []  # what the base would have run is no argument of it
    elif word == "HEALTHCHECK":
        stage.healthcheck = _form(rest.partition("CMD ")[2].strip())
    elif word in ("COPY", "ADD"):
        source = re.search(r"--from=(\S+)", rest)
        *sources, target = [part for part in rest.split() if not part.startswith("--")]
        stage.copies.append((sources, target, source[1] if source else ""))


def _variables(rest: str) -> dict[str, str]:
    words = shlex.split(rest)
    if words and "=" not in words[0]:  # ENV NAME VALUE, the old form, and ARG NAME
        return {words[0]: " ".join(words[1:])}
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _form(rest: str) -> list[str] | str:
    if not rest.startswith("["):
        return rest
    try:
        return [str(each) for each in json.loads(rest)]
    except ValueError:
        return rest
