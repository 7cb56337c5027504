"""Versions of one server side by side: which one a client sees, and how it asks for another.

Backends with the same prefix and each a `version` are versions of one server, which is known by that prefix. Clients
see the highest version that is not deprecated. A request asks for another one by a pin, in `_meta` or, over HTTP, in a
header; lists and calls follow it alike:

    {"_meta": {"labkit/versions": {"calc": "1"}}}        Labkit-Versions: calc=1, notes=2

Pure data: what the versions offer is for `front` to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from mcp_types import INVALID_PARAMS
from mcp_types.jsonrpc import HEADER_MISMATCH

from labkit.errors import RpcError, did_you_mean
from labkit.gateway.config import BackendConfig

META = "labkit/versions"
HEADER = "labkit-versions"
HOW = f'write {{"{META}": {{"SERVER": "VERSION"}}}} in _meta, or the header Labkit-Versions: SERVER=VERSION'

_NUMBERS = re.compile(r"[vV]?(\d+(?:[.-]\d+)*)")


@dataclass(frozen=True)
class Family:
    """One server in several versions."""

    name: str
    versions: Mapping[str, tuple[str, ...]]
    """Version -> the backends that are it, the lowest version first."""
    deprecated: Mapping[str, str] = field(default_factory=dict[str, str])
    """Version -> what to use instead."""

    @cached_property
    def default(self) -> str:
        """The highest version that is not deprecated; the highest when all are."""
        order = list(self.versions)[::-1]
        return next((v for v in order if v not in self.deprecated), order[0])

    def hidden(self, version: str) -> frozenset[str]:
        """The backends of all other versions."""
        return frozenset(owner for other, owners in self.versions.items() if other != version for owner in owners)

    @cached_property
    def said(self) -> str:
        """The versions, for messages."""
        notes = {self.default: " (default)"}
        return ", ".join(v + (" (deprecated)" if v in self.deprecated else notes.get(v, "")) for v in self.versions)


class Versions:
    """All families of a configuration."""

    def __init__(self, backends: Mapping[str, BackendConfig]) -> None:
        self.families = {family.name: family for family in _families(backends)}
        self._of = {
            owner: (family.name, version)
            for family in self.families.values()
            for version, owners in family.versions.items()
            for owner in owners
        }
        self.by_default = self.hidden({})
        """The backends that nobody sees who does not ask for them."""

    def __bool__(self) -> bool:
        return bool(self.families)

    def hidden(self, pins: Mapping[str, str]) -> frozenset[str]:
        """The backends that are out of sight under these pins. Raises RpcError for what there is not."""
        for server, version in pins.items():
            family = self.families.get(server)
            if family is None:
                which = did_you_mean(server, self.families, has="Those that have are")
                raise RpcError(INVALID_PARAMS, f"No server {server!r} has versions here. {which}")
            if version not in family.versions:
                text = f"There is no version {version!r} of {server!r}. Its versions: {family.said}."
                raise RpcError(INVALID_PARAMS, text, {"server": server, "versions": list(family.versions)})
        found: set[str] = set()
        for name, family in self.families.items():
            found |= family.hidden(pins.get(name, family.default))
        return frozenset(found)

    def pin_for(self, owner: str) -> dict[str, str]:
        """The pin with which a backend is in sight; empty when it needs none."""
        found = self._of.get(owner)
        return {} if found is None else {found[0]: found[1]}

    def each(self) -> list[frozenset[str]]:
        """What is hidden from those who pin one server: one set for each version that is no default."""
        return [
            self.hidden({name: version})
            for name, family in self.families.items()
            for version in family.versions
            if version != family.default
        ]


def _families(backends: Mapping[str, BackendConfig]) -> Iterable[Family]:
    members: dict[str, dict[str, list[BackendConfig]]] = {}
    for backend in backends.values():
        if backend.version and backend.prefix:  # bare names say not whose versions they are
            members.setdefault(backend.prefix, {}).setdefault(backend.version, []).append(backend)
    for prefix, versions in members.items():
        order = sorted(versions, key=rank)
        notices = {v: next((b.deprecated for b in versions[v] if b.deprecated), "") for v in order}
        yield Family(
            prefix,
            {version: tuple(backend.name for backend in versions[version]) for version in order},
            {version: notice for version, notice in notices.items() if notice},
        )


def rank(version: str) -> tuple[Any, ...]:
    """What versions are sorted by: 1.9 < 1.10, v2-beta < v2, 2026-01-31 < 2026-07-28, words before all numbers."""
    found = _NUMBERS.match(version)
    if found is None:
        return ((), 0, version)
    numbers, rest = tuple(int(part) for part in re.split("[.-]", found[1])), version[found.end() :]
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    return ((0, *numbers), not rest or rest.startswith("+"), _natural(rest), version)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = re.findall(r"\d+|\D+", text)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def pins_of(meta: Any, headers: Any) -> dict[str, str]:
    """The pins of a request: server -> version. Raises RpcError when they are none, or `_meta` and header disagree."""
    said = cast("dict[str, Any]", meta).get(META) if isinstance(meta, dict) else None
    lines: list[str] = headers.getlist(HEADER) if headers is not None and HEADER in headers else []
    if said is None and not lines:
        return {}
    pins: dict[str, str] = {}
    for line in lines:
        for server, version in _from_header(line):
            _add(pins, server, version)
    if said is None:
        return pins
    if not isinstance(said, dict):
        raise RpcError(INVALID_PARAMS, f"{META} is no object: {HOW}.")
    for server, version in cast("dict[str, Any]", said).items():
        if not isinstance(version, str):
            raise RpcError(INVALID_PARAMS, f"{META}: the version of {server!r} is no text: {HOW}.")
        _add(pins, server, version)
    return pins


def _from_header(line: str) -> Iterable[tuple[str, str]]:
    for part in line.split(","):
        server, equals, version = (piece.strip() for piece in part.partition("="))
        if not equals or not server or not version:
            raise RpcError(INVALID_PARAMS, f"Labkit-Versions: cannot read {part.strip()[:80]!r}: {HOW}.")
        yield server, version


def _add(pins: dict[str, str], server: str, version: str) -> None:
    if pins.setdefault(server, version) != version:
        text = f"The request pins {server!r} to both {pins[server]!r} and {version!r}: pin it to one of them."
        raise RpcError(HEADER_MISMATCH, text)
