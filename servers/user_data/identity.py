"""Who is calling. The answer comes from a verified token or from whoever started the server, never from an argument.

A tool with a parameter `user_id` has no isolation: the model fills it in, with any id that it has read somewhere.

1. An access token that the SDK has verified: its subject.
2. Development only, with USER_DATA_DEV=1:
   - without a network (stdio, in memory) the user that the launcher names, USER_DATA_USER;
   - over HTTP the header `X-Dev-User`, from loopback, and not through a proxy, which makes the world look local.
3. Otherwise nobody.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Any, Literal

from mcp.server.auth.middleware.auth_context import get_access_token

DEV_HEADER = "x-dev-user"
PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
HOW = "start the server with USER_DATA_DEV=1 and USER_DATA_USER=NAME, or put it behind an authorization server"


class NotSignedIn(Exception):
    """Nobody is known to be calling; the message says why and what to do."""


@dataclass(frozen=True)
class User:
    """Whose data a request is about."""

    id: str
    source: Literal["access token", "development"]


@dataclass(frozen=True)
class Development:
    """The development identity, as the environment was when the server was loaded."""

    allowed: bool
    user: str

    @classmethod
    def from_environment(cls) -> Development:
        # Nothing but the very value: "0", "false" and "no" must not turn it on.
        return cls(os.environ.get("USER_DATA_DEV") == "1", os.environ.get("USER_DATA_USER", ""))

    def name(self, request: Any) -> str:
        """Who is said to be calling. Raises NotSignedIn, also for requests that are not from here."""
        if not self.allowed:
            raise NotSignedIn(f"nobody is signed in: {HOW}")
        if request is None:
            name, place = self.user, "USER_DATA_USER"
        else:
            refuse_the_world(request)
            name, place = request.headers.get(DEV_HEADER, ""), "the header X-Dev-User"
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
            raise NotSignedIn(f"{place} is {name[:40]!r}: name a user, in lower case, such as ada")
        return name


def current_user(request: Any, development: Development) -> User:
    """The caller. `request` is the HTTP request (Starlette's) that brought the call, None where there is none."""
    token = get_access_token()
    if token is None:
        return User(development.name(request), "development")
    if not token.subject:
        raise NotSignedIn("the access token names no subject: ask for one that belongs to a user")
    return User(token.subject, "access token")


def refuse_the_world(request: Any) -> None:
    """Raise NotSignedIn unless a request comes from this machine, straight."""
    if proxies := [name for name in PROXIED if name in request.headers]:
        raise NotSignedIn(f"the development identity does not work through a proxy (there is {proxies[0]}): sign in")
    host = request.client.host if request.client else ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise NotSignedIn(f"the development identity works from this machine only, not from {host or 'nowhere'}")
