"""What clients see: one registry for those who pin nothing, and one for each choice of versions that somebody has made.

Pure data, like the registries themselves. What backends list comes in by `rebuild`; a request finds its view by `of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcp.server.context import ServerRequestContext

from labkit.errors import RpcError
from labkit.gateway.building import Json, Kind, Lists
from labkit.gateway.config import GatewayConfig
from labkit.gateway.fallback import Target
from labkit.gateway.names import Registry
from labkit.gateway.versions import Versions, pins_of


class Views:
    """See the module. `default` is what clients see who pin nothing."""

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.versions = Versions(config.backends)
        self.default = Registry.empty(config)
        self.lists: Mapping[str, Lists] = {}
        """What backends list, by their names."""
        self.uneven: frozenset[str] = frozenset()
        """Names of tools whose input schema is not the same in all views."""
        self._pinned: dict[frozenset[str], Registry] = {}

    def __iter__(self) -> Iterator[Registry]:
        yield self.default
        yield from self._pinned.values()

    def take_over(self, old: Views) -> None:
        """Show what another configuration has made, until this one has something of its own."""
        self.default, self.lists = old.default, old.lists

    def rebuild(self, lists: Mapping[str, Lists]) -> set[Kind]:
        """Make all of them anew. Returns the kinds whose lists have changed, in whichever view."""
        before, old = self.default, self._pinned
        self.lists = lists
        self.default = self._built(self.versions.by_default, before)
        hidden = dict.fromkeys([*self.versions.each(), *old])
        self._pinned = {each: self._built(each, old.get(each, before)) for each in hidden}
        self.uneven = frozenset(name for view in self._pinned.values() for name in _uneven(view, self.default))
        changes = [self.default.changes(before)]
        changes += [view.changes(old[each]) for each, view in self._pinned.items() if each in old]
        return {kind for kinds in changes for kind in kinds}

    def _built(self, hidden: frozenset[str], before: Registry) -> Registry:
        seen = {name: each for name, each in self.lists.items() if name not in hidden}
        return Registry.build(seen, self.config, before)

    @property
    def problems(self) -> list[str]:
        """What could not be offered, and why."""
        return list(dict.fromkeys(problem for view in self for problem in view.problems))

    def pinned(self, pins: Mapping[str, str]) -> Registry:
        """What clients see who ask for these versions. Raises RpcError for a version that there is not."""
        hidden = self.versions.hidden(pins)
        if hidden == self.versions.by_default:
            return self.default
        view = self._pinned.get(hidden)
        if view is None:
            view = self._pinned[hidden] = self._built(hidden, self.default)
        return view

    def of(self, ctx: ServerRequestContext[Any, Any]) -> Registry:
        """What the sender of a request sees. Raises RpcError for a pin of what there is not."""
        pins = pins_of((ctx.params or {}).get("_meta"), getattr(ctx.request, "headers", None))
        return self.pinned(pins) if pins else self.default

    def target(self, ctx: ServerRequestContext[Any, Any]) -> Target | None:
        """Where a `tools/call` goes; None when it goes nowhere."""
        name: Any = (ctx.params or {}).get("name")
        try:
            view = self.of(ctx)
        except RpcError:
            return None  # the handler says so
        route = view.route("tools", name)
        return Target(route.owner, route.name, name, view) if route else None

    def at(self, owner: str, there: str) -> Target | None:
        """A tool at a backend, by its name there, in whichever version; None when it is not offered."""
        view = self.pinned(self.versions.pin_for(owner))
        name = view.name_of("tools", owner, there)
        return Target(owner, there, name, view) if name is not None else None

    def owners(self, uri: str) -> set[str]:
        """Who has a resource, in whichever version."""
        return {route.owner for view in self if (route := view.route("resources", uri))}

    def input_schema(self, name: str) -> Json | None:
        """A tool's input schema, for those who cannot know which version is asked for: None when it depends on that."""
        return None if name in self.uneven else self.default.input_schema(name)


def _uneven(one: Registry, other: Registry) -> set[str]:
    names = {tool["name"] for view in (one, other) for tool in view.items("tools")}
    return {name for name in names if one.input_schema(name) != other.input_schema(name)}
