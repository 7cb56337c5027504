"""Tools by what they do, not by what they are called: who has one, and whose turn is it.

    need = Need(name="*search*", arguments={"query"}, tags={"docs"}, read_only=True)
    find(need, {"wiki": [...], "mail": [...]})            # Offers, in the order of the backends
    router = Router(lambda: offered(gateway), load=lambda owner: gateway.backends[owner].in_flight)
    offer = router.pick(need)                             # offer.owner, offer.name
    gateway.registry.name_of("tools", offer.owner, offer.name)   # what clients call it

Tools of two backends are equal when name and input schema are: then each of them will do, and the calls are spread over
them. Tools that merely fit the same need are not: which of those to take is decided by the order of the backends.

Pure, but for `offered`, which reads what a gateway knows and asks nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from labkit.errors import UnknownNameError
from labkit.gateway.exchange import Json

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

Balance = Literal["round_robin", "least_loaded"]
TAGS = ("labkit/tags", "tags")
"""Members of a tool's `_meta` that hold tags."""
NESTED = ("fastmcp", "_fastmcp")
"""Members of `_meta` in which FastMCP keeps them."""
ABSENT = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
"""What holds where a tool says nothing (specification 2026-07-28, ToolAnnotations)."""


@dataclass(frozen=True)
class Need:
    """What a tool has to be like. What is left out does not matter; all that is given has to fit.

    `name` is a shell's pattern for the tool's own name, case aside; `words` have to occur in name, title or
    description. `arguments` are names that it has to take, and `only` says that it may demand no others.
    """

    name: str = "*"
    words: Collection[str] = ()
    tags: Collection[str] = ()
    arguments: Collection[str] = ()
    only: bool = False
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None

    def fits(self, tool: Mapping[str, Any]) -> bool:
        """Whether a tool, as it is listed, is one."""
        return (
            fnmatchcase(str(tool.get("name", "")).lower(), self.name.lower())
            and all(word.lower() in _text(tool) for word in self.words)
            and set(self.tags) <= tags_of(tool)
            and self._takes(_table(tool.get("inputSchema")))
            and all(wanted is None or hint(tool, name) is wanted for name, wanted in self._hints.items())
        )

    @property
    def _hints(self) -> dict[str, bool | None]:
        return dict(zip(ABSENT, (self.read_only, self.destructive, self.idempotent, self.open_world), strict=True))

    def _takes(self, schema: Json) -> bool:
        if not set(self.arguments) <= _table(schema.get("properties")).keys():
            return False
        demanded: Any = schema.get("required") or ()
        return not self.only or set(demanded) <= set(self.arguments)

    def __str__(self) -> str:
        given = {name: value for name, value in vars(self).items() if value not in ((), None, False) and value != "*"}
        return ", ".join(f"{name}={value!r}" for name, value in given.items()) or "anything"


@dataclass(frozen=True)
class Offer:
    """A tool at a backend, by its name there."""

    owner: str
    name: str
    tool: Mapping[str, Any] = field(repr=False, compare=False)

    @cached_property
    def kind(self) -> str:
        """What equal tools have in common: name and input schema."""
        return json.dumps([self.name, self.tool.get("inputSchema")], sort_keys=True)


def find(need: Need, tools: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Offer]:
    """All tools that fit, of all backends (`tools`: backend -> what it lists), in order."""
    return [
        Offer(owner, str(tool["name"]), tool) for owner, listed in tools.items() for tool in listed if need.fits(tool)
    ]


class Router:
    """Chooses a backend for each call. `tools` gives those that are well now, `load` how much each has to do."""

    def __init__(
        self,
        tools: Callable[[], Mapping[str, Sequence[Mapping[str, Any]]]],
        *,
        balance: Balance = "round_robin",
        load: Callable[[str], float] = lambda owner: 0.0,
    ) -> None:
        self._tools, self._balance, self._load = tools, balance, load
        self._last: dict[str, str] = {}  # kind -> the backend that had it last

    def pick(self, need: Need, *, without: Collection[str] = ()) -> Offer:
        """A tool that fits, at a backend whose turn it is and that is not in `without`. Raises UnknownNameError."""
        tools = self._tools()
        offers = find(need, {owner: listed for owner, listed in tools.items() if owner not in without})
        if not offers:
            known = ", ".join(owner for owner in tools if owner not in without)
            raise UnknownNameError(f"No tool fits {need}. Asked were: {known or 'nobody, as nobody is well'}.")
        equal = [each for each in offers if each.kind == offers[0].kind]
        chosen = self._turn(equal)
        self._last[chosen.kind] = chosen.owner
        return chosen

    def _turn(self, equal: list[Offer]) -> Offer:
        # The one after the one that was last; those in between may have gone, or come back.
        last = self._last.get(equal[0].kind)
        start = next((n + 1 for n, each in enumerate(equal) if each.owner == last), 0)
        order = equal[start:] + equal[:start]
        if self._balance == "least_loaded":
            return min(order, key=lambda offer: self._load(offer.owner))
        return order[0]


def hint(tool: Mapping[str, Any], name: str) -> bool:
    """An annotation of a tool, or what holds where it has none. A tool that reads is neither destructive nor changes
    anything the second time."""
    said = _table(tool.get("annotations"))
    if name != "readOnlyHint" and name != "openWorldHint" and said.get("readOnlyHint") is True:
        return name == "idempotentHint"
    value = said.get(name)
    return value if isinstance(value, bool) else ABSENT[name]


def may_repeat(tool: Mapping[str, Any]) -> bool:
    """Whether a second call with the same arguments does no harm, as the tool says."""
    return hint(tool, "idempotentHint")


def tags_of(tool: Mapping[str, Any]) -> set[str]:
    """The tags in a tool's `_meta`."""
    meta = _table(tool.get("_meta"))
    lists: list[Any] = [meta.get(name) for name in TAGS] + [_table(meta.get(name)).get("tags") for name in NESTED]
    return {tag for tags in lists if isinstance(tags, list) for tag in cast("list[Any]", tags) if isinstance(tag, str)}


def offered(gateway: Gateway) -> dict[str, list[Json]]:
    """What the backends of a gateway offer that are well, by their own names. Filters and pins hold, roles do not."""
    found: dict[str, list[Json]] = {}
    hidden = gateway.views.versions.by_default
    for name, backend in gateway.backends.items():
        if backend.state != "ready" or name in hidden:
            continue
        listed = [tool for tool in backend.lists["tools"] if isinstance(tool.get("name"), str)]
        found[name] = [tool for tool in listed if gateway.registry.name_of("tools", name, tool["name"])]
    return found


def _text(tool: Mapping[str, Any]) -> str:
    return " ".join(str(tool.get(member) or "") for member in ("name", "title", "description")).lower()


def _table(value: Any) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}
