"""Who may use what: the scopes that each tool, resource and prompt needs. What has no rule is refused, and not listed.

    policy = Permissions(
        {
            "tools": {"read_file": "files:read", "write_file": ["files:read", "files:write"], "about": []},
            "resources": {"file:///*": "files:read"},
        },
        roles={"editor": ["files:*"]},
    )
    server = MCPServer("files", middleware=[PermissionGuard(policy)])

What a rule may say, and what it may not, so that reading the table is enough:

- `*` stands at the end of a name only, and alone for every name. All rules that cover a name count, so a wildcard never
  takes away what another rule asks for; and a rule catches other spellings of its name (case, percent-encoding), while
  only the very name is let in.
- A role may hold `files:*`: every scope that begins with `files:`. A scope in a token is a text: `files:*` in it is no
  wildcard, and no rule can ask for it.
- `[]` is open to everybody, and has to be written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from labkit.defences.principals import challenge
from labkit.errors import LabError

Kind = Literal["tools", "resources", "prompts"]
KINDS: tuple[Kind, ...] = ("tools", "resources", "prompts")
Needs = str | Sequence[str]
_SLASHES = re.compile(r"[ .]*[/\\]+")
"""With the dots and blanks before them, which Windows leaves out."""


class PermissionsError(LabError):
    """A table of permissions that cannot be used as it is written."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What somebody brings along.

    With roles and scopes, both have to allow a thing: the role says what the user may do, the scopes of the token what
    the user has let this client do. `scopes=None` is a proof of identity without scopes, such as an API key, and
    `roles=None` one that says nothing of roles, such as a machine's token. `()` is somebody who has none: whose last
    role is taken away must not be left with all that the token says.
    """

    roles: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None


NOBODY = Caller()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody may use a thing, and if not, what is missing."""

    kind: Kind
    name: str
    allowed: bool
    needs: tuple[str, ...] = ()
    """All scopes that it takes."""
    missing: tuple[str, ...] = ()
    ruled: bool = True
    """Whether there is a rule for it. What has none is answered like what does not exist."""

    @property
    def reason(self) -> str:
        """A sentence for whoever was refused; "" when nobody was."""
        if self.allowed:
            return ""
        if not self.ruled:
            return f"Unknown {self.kind[:-1]}: {self.name}"
        few = "the scope" if len(self.missing) == 1 else "the scopes"
        return f"{self.name} needs {few} {', '.join(self.missing)}, which you do not have: ask for a token with it."

    def challenge(self, resource_metadata: str = "") -> str:
        """The value of `WWW-Authenticate` for HTTP 403 (RFC 6750, section 3.1). `scope` has all that it takes."""
        return challenge(error="insufficient_scope", scopes=self.needs, resource_metadata=resource_metadata)


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: str
    needs: tuple[str, ...]

    def lets_in(self, name: str) -> bool:
        """Whether the very name is meant. A wildcard stands for no path that leads out of what is before it."""
        if not self.pattern.endswith("*"):
            return name == self.pattern
        head = self.pattern[:-1]
        return name.startswith(head) and not _climbs(name[len(head) :])

    def catches(self, folded: str) -> bool:
        """Whether some spelling of the name is meant."""
        if not self.pattern.endswith("*"):
            return folded == _folded(self.pattern)
        return folded.startswith(_folded(self.pattern[:-1]))


class Permissions:
    """A table of what each thing needs, and what each role holds. Raises PermissionsError when it is not clear."""

    def __init__(self, needs: Mapping[str, Mapping[str, Needs]], *, roles: Mapping[str, Needs] | None = None) -> None:
        if unknown := sorted(set(needs) - set(KINDS)):
            raise PermissionsError(f"Permissions know tools, resources and prompts, not {unknown[0]!r}.")
        self._rules: dict[Kind, list[_Rule]] = {
            kind: [_rule(kind, pattern, wanted) for pattern, wanted in needs.get(kind, {}).items()] for kind in KINDS
        }
        self._roles = {role: _held(role, given) for role, given in (roles or {}).items()}

    def check(self, kind: Kind, name: str, caller: Caller = NOBODY) -> Decision:
        """Whether this caller may use it."""
        needs = self.needs(kind, name)
        if needs is None:
            return Decision(kind, name, allowed=False, ruled=False)
        missing = tuple(scope for scope in needs if not self.holds(caller, scope))
        return Decision(kind, name, not missing, needs, missing)

    def needs(self, kind: Kind, name: str) -> tuple[str, ...] | None:
        """All scopes that it takes, sorted; None when no rule lets anybody in."""
        rules = self._rules[kind]
        if not name or not any(rule.lets_in(name) for rule in rules):
            return None
        folded = _folded(name)
        return tuple(sorted({scope for rule in rules if rule.catches(folded) for scope in rule.needs}))

    def holds(self, caller: Caller, scope: str) -> bool:
        """Whether somebody holds a scope, by roles, by the scopes of a token, or by both when both are there."""
        by_role = any(_covers(held, scope) for role in caller.roles or () for held in self._roles.get(role, ()))
        if caller.scopes is None:
            return by_role
        return scope in caller.scopes and (by_role or caller.roles is None)

    def least(self, kind: Kind, names: Iterable[str]) -> tuple[str, ...]:
        """The scopes that are enough for these names and for nothing that needs more: what to ask a user for.

        Raises PermissionsError for a name that nobody may use.
        """
        enough: set[str] = set()
        for name in names:
            needs = self.needs(kind, name)
            if needs is None:
                raise PermissionsError(f"No rule lets anybody use {name!r} of the {kind}: add one.")
            enough.update(needs)
        return tuple(sorted(enough))

    def uncovered(self, kind: Kind, names: Iterable[str]) -> list[str]:
        """Names of a server that no rule lets anybody use: look at it when a server starts."""
        return [name for name in names if self.needs(kind, name) is None]


def _rule(kind: str, pattern: str, needs: Needs) -> _Rule:
    where = f"The rule {pattern!r} of the {kind}"
    if not pattern or "*" in pattern[:-1]:
        raise PermissionsError(f"{where} cannot be used: '*' may stand at the end, and nowhere else.")
    scopes = (needs,) if isinstance(needs, str) else tuple(needs)
    for scope in scopes:
        if not _is_scope(scope) or "*" in scope:
            raise PermissionsError(f"{where} asks for {scope!r}: write a scope such as 'files:read', without '*'.")
    return _Rule(pattern, scopes)


def _held(role: str, given: Needs) -> tuple[str, ...]:
    scopes = (given,) if isinstance(given, str) else tuple(given)
    for scope in scopes:
        if not _is_scope(scope) or ("*" in scope and (not scope.endswith(":*") or "*" in scope[:-1])):
            raise PermissionsError(
                f"The role {role!r} holds {scope!r}: write 'files:read', or 'files:*' for all of them."
            )
    return scopes


def _is_scope(scope: str) -> bool:
    """Whether it is a scope-token of RFC 6749, section 3.3: no spaces, no quotes."""
    return bool(scope) and all("!" <= c <= "~" and c not in '"\\' for c in scope)


def _covers(held: str, scope: str) -> bool:
    return held == scope or (held.endswith(":*") and scope.startswith(held[:-1]) and len(scope) >= len(held))


def _climbs(rest: str) -> bool:
    plain = _unquoted(rest).replace("\\", "/")
    return any(part in (".", "..") for part in plain.split("/")) or "\x00" in plain


def _unquoted(text: str) -> str:
    """The text with all layers of percent-encoding off."""
    for _ in range(8):
        bare = unquote(text)
        if bare == text:
            break
        text = bare
    return text


def _folded(name: str) -> str:
    """One form for all spellings that some server may take for the same name: `a//b` and `a\\b` are `a/b` there."""
    plain = unicodedata.normalize("NFKC", _unquoted(name)).casefold()
    return _SLASHES.sub("/", "".join(c for c in plain if unicodedata.category(c) not in ("Cc", "Cf")))
