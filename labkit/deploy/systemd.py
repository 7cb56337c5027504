"""Rules for a systemd unit that runs a server on a machine of its own, and a reader for such units."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from labkit.deploy.reading import found, secret_in
from labkit.deploy.rules import DeployError, Finding

WALLS = {
    "NoNewPrivileges": ("yes",),
    "ProtectSystem": ("strict",),
    "ProtectHome": ("yes", "tmpfs"),
    "PrivateTmp": ("yes", "disconnected"),
    "PrivateDevices": ("yes",),
    "RestrictAddressFamilies": (),
    "SystemCallFilter": (),
}
"""What a server can do without, and the values that keep it from it; without any, each value that names something."""
STOP, DRAIN, GRACE = 90.0, 5.0, 20.0
"""Seconds: systemd's own until it kills, and what the entry point takes when nothing is set."""
_UNITS = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
_BOOLEANS = {"true": "yes", "on": "yes", "1": "yes", "false": "no", "off": "no", "0": "no"}


def read_unit(text: str) -> dict[str, dict[str, list[str]]]:
    """The values of a unit by section and key, in their order; a key with nothing forgets what stood before.

    Raises DeployError for a line that is none of a unit.
    """
    sections: dict[str, dict[str, list[str]]] = {}
    here: dict[str, list[str]] | None = None
    lines = (line.strip() for line in text.splitlines())
    for line in re.sub(r"\\\n", " ", "\n".join(line for line in lines if line[:1] not in ("#", ";"))).splitlines():
        if name := re.fullmatch(r"\[(.+)\]", line):
            here = sections.setdefault(name[1], {})
        elif line:
            key, equals, value = (part.strip() for part in line.partition("="))
            if here is None or not equals:
                raise DeployError(f"A unit has [Section] and KEY=VALUE, and not {line[:60]!r}: mend that first.")
            here[key] = [*here.get(key, []), value] if value else []
    return sections


def judge_unit(text: str) -> Iterator[Finding]:
    """What is wrong with a .service. Raises DeployError for one without ExecStart."""
    service = read_unit(text).get("Service", {})

    def last(key: str) -> str:
        value = (service.get(key) or [""])[-1]
        return _BOOLEANS.get(value.lower(), value)

    command = last("ExecStart")
    if not command:
        raise DeployError("This unit has no ExecStart in [Service]: write the command of the server.")
    environment = _environment(service.get("Environment", []))
    if last("DynamicUser") != "yes" and last("User") in ("", "root", "0"):
        yield found("unit-as-root", "User", f"the user is {last('User') or 'root, because none is named'}")
    for name, value in environment.items():
        if secret_in(name, value):
            yield found("secret-literal", f"Environment, {name}", "the value is written out")
    if re.match(r"[-@:+!]*\S*\b(ba|da|z)?sh\s+-\w*c\b", command) and not re.search(r"-\w*c\s+['\"]?exec\s", command):
        yield found("shell-command", "ExecStart", "the command is for a shell")
    if last("MemoryMax") in ("", "infinity"):
        yield found("no-memory-limit", "MemoryMax", "there is none")
    if last("Restart") not in ("always", "on-failure"):
        yield found("unit-no-restart", "Restart", f"it is {last('Restart') or 'not set, which means no'}")
    needs = sum(
        _number(environment.get(name, ""), usual)
        for name, usual in (("DRAIN_SECONDS", DRAIN), ("GRACE_SECONDS", GRACE))
    )
    if (stop := _seconds(last("TimeoutStopSec"))) <= needs:
        yield found("short-grace", "TimeoutStopSec", f"it is {stop:g} s, and drain and grace take {needs:g} s")
    # An empty list of capabilities is one of none, and no key a list of all.
    missing = [key for key, good in WALLS.items() if not (last(key) in good if good else last(key))]
    missing += ["CapabilityBoundingSet"] if service.get("CapabilityBoundingSet") != [] else []
    if missing:
        yield found("unit-open", "[Service]", f"it does not have {', '.join(missing)}")


def _environment(lines: list[str]) -> dict[str, str]:
    """Several NAME=VALUE may stand in one line, each of them quoted as a whole."""
    try:
        words = [word for line in lines for word in shlex.split(line)]
    except ValueError as error:
        raise DeployError(f"Environment= cannot be read: {error}. Close its quotes.") from error
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _seconds(text: str) -> float:
    """A span as systemd writes it: 35, 35s, 1min 30s, infinity."""
    if text == "infinity":
        return float("inf")
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text)
    return sum(float(number) * _UNITS.get(unit, 1) for number, unit in parts) if parts else STOP


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default
