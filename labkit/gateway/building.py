"""From what each backend lists to what clients see: filters, names, and what to do when two want the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from labkit.errors import CollisionError, did_you_mean
from labkit.gateway.config import BackendConfig, Filter, GatewayConfig
from labkit.gateway.config_reading import TOOL_NAME
from labkit.gateway.uris import Patterns

Json = dict[str, Any]
Kind = Literal["tools", "resources", "templates", "prompts"]
KINDS: tuple[Kind, ...] = ("tools", "resources", "templates", "prompts")
KEY: dict[Kind, str] = {"tools": "name", "resources": "uri", "templates": "uriTemplate", "prompts": "name"}
"""The member of an item that it is known by."""
Lists = Mapping[str, Sequence[Json]]
"""What one backend lists, by kind."""

META_VERSION = "labkit/version"
META_DEPRECATED = "labkit/deprecated"
_WILD = re.compile(r"[*?\[]")
_EXPRESSION = re.compile(r"\{([+#./;?&|!@=,]?)([^{}]*)\}")
_VARIABLE = re.compile(r"[^,*]+")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a name leads: to a backend, and what the thing is called there."""

    owner: str
    name: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What one backend wants to offer under a name."""

    name: str
    route: Route
    item: Json


@dataclass
class Names:
    """The names of one kind. `items` has what clients see."""

    routes: dict[str, Route] = field(default_factory=dict[str, Route])
    items: dict[str, Json] = field(default_factory=dict[str, Json])


class Gate:
    """A filter, made ready: which of a backend's items pass, and what they are called then."""

    __slots__ = ("_allow", "_deny", "_prefix", "_rename", "_uris", "filter")

    def __init__(self, filter: Filter, prefix: str, *, uris: bool) -> None:
        self.filter = filter
        self._allow = None if filter.allow == ("*",) else Patterns(filter.allow, uris=uris)
        self._deny = Patterns(filter.deny, uris=uris) if filter.deny else None
        self._rename, self._prefix, self._uris = filter.rename, prefix, uris

    def passes(self, name: str) -> bool:
        """Whether an item of that name or URI is offered."""
        if self._uris:
            allowed = self._allow is None or self._allow.match_all(name)
            return allowed and not (self._deny is not None and self._deny.match_any(name))
        allowed = self._allow is None or self._allow.match(name)
        return allowed and not (self._deny is not None and self._deny.match(name))

    def name(self, there: str) -> str:
        """What clients call it."""
        return self._rename.get(there) or self._prefix + there


def gates(backend: BackendConfig, separator: str) -> dict[Kind, Gate]:
    """The filters of a backend. Resources and templates share one, and keep their URIs."""
    prefix = backend.prefix + separator if backend.prefix else ""
    resources = Gate(backend.resources, "", uris=True)
    return {
        "tools": Gate(backend.tools, prefix, uris=False),
        "resources": resources,
        "templates": resources,
        "prompts": Gate(backend.prompts, prefix, uris=False),
    }


def build_names(
    kind: Kind,
    lists: Mapping[str, Lists],
    config: GatewayConfig,
    gates_of: Mapping[str, Mapping[Kind, Gate]],
    before: Names | None,
    problems: list[str],
) -> Names:
    """The names of one kind. Without names from `before`, collisions raise CollisionError; with them, whoever had a
    name keeps it, the newcomer goes without, and `problems` says so."""
    claims: dict[str, list[Claim]] = {}
    for owner, backend in config.backends.items():
        if owner in lists:
            gate = gates_of[owner][kind]
            items = lists[owner].get(kind, ())
            _check_patterns(kind, owner, gate.filter, items, problems)
            for claim in _claims(kind, backend, gate, items, problems):
                same = normal_template(claim.name) if kind == "templates" else claim.name
                claims.setdefault(same, []).append(claim)
    names, collisions = Names(), list[str]()
    for rivals in claims.values():
        kept = _incumbent(rivals, before)
        names.routes[kept.name], names.items[kept.name] = kept.route, kept.item
        for other in rivals:
            if other is kept:
                continue
            if other.route == kept.route:
                problems.append(f"{other.route.owner!r} lists {other.route.name!r} twice; its first one is offered.")
            elif other.name != kept.name and other.route.owner == kept.route.owner:
                names.routes[other.name], names.items[other.name] = other.route, other.item
            else:
                collisions.append(_collision(kind, kept, other))
                problems.append(f"{collisions[-1]} Until then {other.route.owner!r} goes without it.")
    if collisions and before is None:
        raise CollisionError("\n".join(collisions))
    return names


def normal_template(template: str) -> str:
    """A URI template with its variables' names taken out: two with the same rest match the same URIs."""
    return _EXPRESSION.sub(lambda m: f"{{{m.group(1)}{_VARIABLE.sub('_', m.group(2))}}}", template)


def literal_length(template: str) -> int:
    """How many characters of a URI template are not variables."""
    return len(_EXPRESSION.sub("", template))


def _claims(kind: Kind, backend: BackendConfig, gate: Gate, items: Sequence[Json], problems: list[str]) -> list[Claim]:
    made: list[Claim] = []
    for item in items:
        there = cast(Any, item).get(KEY[kind]) if isinstance(cast(Any, item), dict) else None
        if not isinstance(there, str) or not there:
            problems.append(f"{backend.name!r} lists one of its {kind} without {KEY[kind]!r}; it is left out.")
        elif gate.passes(there):
            name = gate.name(there)
            if kind == "tools" and not TOOL_NAME.fullmatch(name):
                problems.append(
                    f"{backend.name!r}: no tool may be called {_short(name)} (1 to 128 letters, digits, '_', '.' and"
                    " '-'); it is left out. Give it a name with 'rename'."
                )
                continue
            made.append(Claim(name, Route(backend.name, there), _as_seen(kind, backend, item, name)))
    return made


def _as_seen(kind: Kind, backend: BackendConfig, item: Json, name: str) -> Json:
    seen = {**item, KEY[kind]: name}
    if backend.version or backend.deprecated:
        meta = dict(item.get("_meta") or {})
        if backend.version:
            meta[META_VERSION] = backend.version
        if backend.deprecated:
            meta[META_DEPRECATED] = backend.deprecated
            seen["description"] = f"Deprecated: {backend.deprecated}. {item.get('description') or ''}".strip()
        seen["_meta"] = meta
    return seen


def _incumbent(rivals: Sequence[Claim], before: Names | None) -> Claim:
    # Whoever had the name keeps it; else the first in the configuration's order, whichever was connected first.
    had = [claim for claim in rivals if before is not None and before.routes.get(claim.name) == claim.route]
    return (had or rivals)[0]


def _collision(kind: Kind, kept: Claim, other: Claim) -> str:
    one, two = kept.route, other.route
    what = f"the {kind.removesuffix('s')} {_short(other.name)}"
    if one.owner == two.owner:
        return f"{one.owner!r} offers both {one.name!r} and {two.name!r} as {what}: 'rename' only one of them so."
    both = f"{one.owner!r} and {two.owner!r} both offer {what}"
    if kind in ("tools", "prompts"):
        return f"{both}: give one of them another 'prefix', or 'rename' it there."
    return f"{both}: write it under 'resources', 'deny' of one of them."


def _check_patterns(kind: Kind, owner: str, filter: Filter, items: Sequence[Json], problems: list[str]) -> None:
    # A denied tool whose name is misspelt is an offered tool.
    if kind in ("resources", "templates"):
        return
    known = [str(cast(Any, item).get(KEY[kind])) for item in items if isinstance(cast(Any, item), dict)]
    for word, names in (("allow", filter.allow), ("deny", filter.deny), ("rename", tuple(filter.rename))):
        for name in names:
            if name not in known and (word == "rename" or not _WILD.search(name)):
                hint = did_you_mean(name, known)
                problems.append(f"{owner!r} has no {kind.removesuffix('s')} {name!r} to {word}. {hint}")


def _short(name: str) -> str:
    return repr(name) if len(name) <= 150 else f"{name[:140]!r}..."
