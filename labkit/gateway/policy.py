"""Who may see and use what: roles, each with patterns on the names that clients see and on URIs.

    policy = Policy(config)
    policy.may(principal, "tools", "calc.add")
    registry.page("tools", cursor, 100, policy.sees(principal, "tools"))

With roles in the configuration, what no role of a caller allows is denied. Without any, everyone who is let in may use
everything. A list and a call are decided by the same rule, so that nothing can be called that cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from labkit.defences.identity import Principal
from labkit.gateway.building import Kind
from labkit.gateway.config import GatewayConfig, Role
from labkit.gateway.uris import Patterns

MOST_SETS = 256
MOST_DECISIONS = 4096
LONGEST = 256
"""What is remembered: sets of roles, decisions for each, characters of a name. Callers choose URIs as they like."""


class Policy:
    """Decides by the roles of a configuration; without them, always for the caller."""

    __slots__ = ("_decided", "_roles", "open")

    def __init__(self, config: GatewayConfig) -> None:
        self.open = config.roles is None
        """Whether everybody may use everything."""
        self._roles: Mapping[str, Role] = config.roles or {}
        self._decided: dict[tuple[tuple[str, ...], Kind], _Rule] = {}

    def may(self, principal: Principal, kind: Kind, name: str) -> bool:
        """Whether the principal may use what has this name; for resources and templates, a URI."""
        if self.open:
            return True
        rule = self._decided.get((principal.roles, kind)) or self._rule(principal.roles, kind)
        decided = rule.known.get(name)
        return rule.decide(name) if decided is None else decided

    def names(self, principal: Principal, scheme: str) -> bool:
        """Whether a role of the principal names resources of this scheme, not merely all there are."""
        mine = (self._roles[role] for role in principal.roles if role in self._roles)
        return any(pattern.startswith(scheme) for role in mine for pattern in role.resources)

    def sees(self, principal: Principal, kind: Kind) -> Callable[[str], bool] | None:
        """The same question with only the name left open, as `Registry.page` takes it. None when the answer is yes."""
        return None if self.open else partial(self.may, principal, kind)

    def sight(self, principal: Principal) -> tuple[str, ...]:
        """What decides what a principal sees: those for whom it is the same see the same lists."""
        return () if self.open else tuple(sorted({role for role in principal.roles if role in self._roles}))

    def _rule(self, roles: tuple[str, ...], kind: Kind) -> _Rule:
        if len(self._decided) >= MOST_SETS:
            self._decided.clear()  # An issuer may give everybody a set of roles of their own.
        field = "resources" if kind == "templates" else kind
        patterns: list[str] = []
        for role in roles:
            if role in self._roles:
                patterns += getattr(self._roles[role], field)
        rule = self._decided[roles, kind] = _Rule(Patterns(patterns, uris=field == "resources"), field == "resources")
        return rule


class _Rule:
    """The patterns of one set of roles for one kind, with the decisions made so far."""

    __slots__ = ("_patterns", "_uris", "known")

    def __init__(self, patterns: Patterns, uris: bool) -> None:
        self._patterns, self._uris = patterns, uris
        self.known: dict[str, bool] = {}

    def decide(self, name: str) -> bool:
        allowed = self._patterns.match_all(name) if self._uris else self._patterns.match(name)
        if len(name) <= LONGEST:
            if len(self.known) >= MOST_DECISIONS:
                self.known.clear()
            self.known[name] = allowed
        return allowed
