"""Who owns which name: the tools, resources, templates and prompts of all backends under one roof.

    registry = Registry.build({"calc": {"tools": [...]}, "notes": {"resources": [...]}}, config)
    registry.route("tools", "calc.add")            # Route(owner='calc', name='add')
    items, cursor = registry.page("tools", None, 100)

Pure data: nothing here talks to anybody. A registry never changes; when a list does, another one is built and takes
its place. A name is never taken apart to find its owner: what a tool is called does not prove where it lives.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate
from mcp_types import INVALID_PARAMS

from labkit.errors import RpcError
from labkit.gateway.building import (
    KINDS,
    Gate,
    Json,
    Kind,
    Lists,
    Names,
    Route,
    build_names,
    gates,
    literal_length,
)
from labkit.gateway.config import GatewayConfig
from labkit.gateway.uris import scheme_of


class Registry:
    """What clients see, in order of names, and where each name leads. Built by `build`."""

    __slots__ = ("_gates", "_kinds", "_order", "_reverse", "_schemes", "_templates", "problems")

    def __init__(self, kinds: Mapping[Kind, Names], gates: Mapping[str, Gate], problems: tuple[str, ...]) -> None:
        self._kinds = dict(kinds)
        self._gates = gates
        self.problems = problems
        """What could not be offered, and why."""
        self._order = {kind: sorted(names.items) for kind, names in kinds.items()}
        self._reverse = {kind: {route: name for name, route in names.routes.items()} for kind, names in kinds.items()}
        self._templates = _templates(kinds["templates"])
        self._schemes: dict[str, set[str]] = {}
        for kind in ("resources", "templates"):
            for uri, route in kinds[kind].routes.items():
                self._schemes.setdefault(scheme_of(uri), set()).add(route.owner)

    @classmethod
    def build(cls, lists: Mapping[str, Lists], config: GatewayConfig, previous: Registry | None = None) -> Registry:
        """The names of those backends that have listed theirs (`lists`: backend -> kind -> items).

        Without a `previous` registry, two backends that want one name raise CollisionError, with all of them in it.
        With one, whoever had the name keeps it, the other goes without, and `problems` says so.
        """
        problems: list[str] = []
        gates_of = {name: gates(backend, config.separator) for name, backend in config.backends.items()}
        kinds: dict[Kind, Names] = {}
        for kind in KINDS:
            before = None if previous is None else previous._kinds[kind]
            kinds[kind] = build_names(kind, lists, config, gates_of, before, problems)
        return cls(kinds, {name: gate["resources"] for name, gate in gates_of.items()}, tuple(problems))

    @classmethod
    def empty(cls, config: GatewayConfig) -> Registry:
        """The registry before anybody has listed anything."""
        return cls.build({}, config)

    def route(self, kind: Kind, name: str) -> Route | None:
        """Where a name or a URI leads; None when nobody has it.

        A URI that nobody lists goes to the backend with the most specific template that it fits, else to the only
        one with resources of its scheme, unless that backend's filter is against it.
        """
        found = self._kinds[kind].routes.get(name)
        return self._unlisted(name) if found is None and kind == "resources" else found

    def name_of(self, kind: Kind, owner: str, there: str) -> str | None:
        """What clients call what is called `there` at a backend; None when it is not offered."""
        return self._reverse[kind].get(Route(owner, there))

    def item(self, kind: Kind, name: str) -> Json | None:
        """An item as clients see it."""
        return self._kinds[kind].items.get(name)

    def items(self, kind: Kind) -> list[Json]:
        """All items of a kind as clients see them, in order of their names."""
        items = self._kinds[kind].items
        return [items[name] for name in self._order[kind]]

    def input_schema(self, name: str) -> Json | None:
        """The input schema of a tool, by the name that clients see."""
        item = self._kinds["tools"].items.get(name)
        schema: Any = item.get("inputSchema") if item else None
        return cast(Json, schema) if isinstance(schema, dict) else None

    def page(
        self, kind: Kind, cursor: str | None, size: int, visible: Callable[[str], bool] | None = None
    ) -> tuple[list[Json], str | None]:
        """At most `size` of the items that are `visible`, after the cursor, and the cursor of the next page.

        A cursor says after which name to go on, so that also across a change of registries each item that both have
        is met once. Raises RpcError -32602 for a cursor that no page of this kind ended with.
        """
        order, items = self._order[kind], self._kinds[kind].items
        first = 0 if cursor is None else bisect_right(order, _name_in(kind, cursor))
        if visible is None:
            names = order[first : first + size + 1]
        else:
            names = list[str]()
            for at in range(first, len(order)):
                if visible(order[at]):
                    names.append(order[at])
                    if len(names) > size:
                        break
        more = len(names) > size
        del names[size:]
        return [items[name] for name in names], _cursor(kind, names[-1]) if more else None

    def changes(self, previous: Registry) -> list[Kind]:
        """The kinds whose lists are not what they were."""
        return [kind for kind in KINDS if self._kinds[kind].items != previous._kinds[kind].items]

    def _unlisted(self, uri: str) -> Route | None:
        for template in self._templates:
            if template.scheme and template.fits(uri) and self._gates[template.owner].passes(uri):
                return Route(template.owner, uri)
        owners = self._schemes.get(scheme_of(uri), ())
        if len(owners) != 1:
            # A template that begins with a variable claims all there is: it is heard when nobody knows the scheme.
            owners = {t.owner for t in self._templates if not t.scheme and t.fits(uri)} if not owners else ()
        for owner in owners if len(owners) == 1 else ():
            if self._gates[owner].passes(uri):
                return Route(owner, uri)
        return None


class _Template:
    """A template to route by. One that the SDK cannot read is known by its text before the first variable."""

    __slots__ = ("_begin", "_parsed", "owner", "rank", "scheme")

    def __init__(self, text: str, owner: str) -> None:
        self.owner, self.scheme = owner, scheme_of(text)
        self._begin = text.partition("{")[0]
        self._parsed: UriTemplate | None = None
        with suppress(InvalidUriTemplate):
            self._parsed = UriTemplate.parse(text)
        variables = len(self._parsed.variables) if self._parsed else 0
        self.rank = (self._parsed is None, -literal_length(text), variables, text)
        """The most specific come first: what has most text of its own, and least variables."""

    def fits(self, uri: str) -> bool:
        """Whether the URI is one that the template makes."""
        if not uri.startswith(self._begin):
            return False
        return self._parsed is None or self._parsed.match(uri) is not None


def _templates(names: Names) -> list[_Template]:
    return sorted((_Template(text, route.owner) for text, route in names.routes.items()), key=lambda t: t.rank)


def _cursor(kind: Kind, name: str) -> str:
    # Names come from backends, and JSON can carry what UTF-8 cannot.
    return urlsafe_b64encode(f"{kind}:{name}".encode("utf-8", "surrogatepass")).rstrip(b"=").decode()


def _name_in(kind: Kind, cursor: Any) -> str:
    try:
        packed = cursor.encode("ascii") if isinstance(cursor, str) else b""  # it comes from a client as it is
        text = urlsafe_b64decode(packed + b"=" * (-len(packed) % 4)).decode("utf-8", "surrogatepass")
    except ValueError:
        text = ""
    said, colon, name = text.partition(":")
    if said != kind or not colon or not name or _cursor(kind, name) != cursor:
        raise RpcError(INVALID_PARAMS, "That is no cursor of this list: list again from the start, without a cursor.")
    return name
