"""What a check of credentials ends in: somebody who may come in, or a refusal with its status and challenge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labkit.defences.identity_config import ANONYMOUS


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may come in."""

    subject: str
    """Who it is: the principal of an API key, or the `sub` of a token; "" for nobody in particular."""
    roles: tuple[str, ...] = ()
    how: str = ""
    """How it was proved: "key", "jwt", "development", or "" when nothing was."""
    expires: float | None = None
    """When the proof ends, in seconds since 1970."""
    provider: str = ""
    """Which of several providers said so; "" where there is only one."""
    issuer: str = ""
    client: str = ""
    """The program that a token was issued to (`client_id`, RFC 9068), where the token says it."""
    scopes: tuple[str, ...] = ()
    """What the token may be used for (`scope`)."""
    has_roles: bool = True
    """Whether the proof says anything of roles. A machine's token does not: it has its scopes alone."""

    @property
    def id(self) -> str:
        """What to count and to keep things by. An issuer's "alice" is not the "alice" who has an API key, nor that of
        another issuer."""
        if not self.how:
            return ""
        return ":".join((self.how, self.provider, self.subject) if self.provider else (self.how, self.subject))


NOBODY = Principal("", (ANONYMOUS,))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody may not come in. The reason can be shown to anyone."""

    status: int
    reason: str
    authenticate: str = ""
    """The value of `WWW-Authenticate`; "" for none."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {"WWW-Authenticate": self.authenticate} if self.authenticate else {}


def challenge(*, error: str = "", reason: str = "", scopes: Iterable[str] = (), resource_metadata: str = "") -> str:
    """The value of `WWW-Authenticate` (RFC 6750, section 3; RFC 9728, section 5.1).

    Whoever sent nothing is told no `error`, only what to bring. `scopes` are all that the request needs.
    """
    members = [f'error="{error}"'] if error else []
    if reason:
        members.append(f'error_description="{plain(reason)}"')
    if wanted := " ".join(scopes):
        members.append(f'scope="{plain(wanted)}"')
    if resource_metadata:
        members.append(f'resource_metadata="{resource_metadata}"')
    return f"Bearer {', '.join(members)}".rstrip()


def plain(text: str) -> str:
    """Text as it may stand between quotes in a header: printable ASCII without quotes and backslashes."""
    return "".join(c for c in text if " " <= c <= "~" and c not in '"\\')
