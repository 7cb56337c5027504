"""A way in without credentials, for the developer's own machine, which cannot reach production.

    bypass = Development.from_environment(os.environ, host="127.0.0.1")     # None when nobody asked for it
    principal = bypass.admit(scope)                                         # of an ASGI request; None for all others

Three things have to be true at once, each by itself: the environment says so (`LABKIT_ENVIRONMENT=development` and
`LABKIT_DEV_USER=NAME`), the server listens on loopback, and the request comes from this machine straight. Where a
variable names production, a server that was asked for the bypass does not start: to go on without it would hide that
somebody had tried.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from labkit.defences.loopback import is_loopback_host
from labkit.defences.principals import Principal
from labkit.errors import LabError

ENVIRONMENT, USER, ROLES, SCOPES = "LABKIT_ENVIRONMENT", "LABKIT_DEV_USER", "LABKIT_DEV_ROLES", "LABKIT_DEV_SCOPES"
NAMED = ("ENVIRONMENT", "ENV", "APP_ENV", "NODE_ENV", "PYTHON_ENV", "DEPLOYMENT_ENVIRONMENT", "STAGE")
"""Where machines usually say what they are for. What ends like these counts as well, such as DJANGO_ENV."""
DEPLOYED = (
    "KUBERNETES_SERVICE_HOST",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "K_SERVICE",
    "WEBSITE_SITE_NAME",
)
"""Set by what runs programs for others: nobody develops there."""
PROXIED = (b"forwarded", b"x-forwarded", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip", b"via")
"""How the headers of proxies begin. Behind a proxy of this machine the whole world looks local."""
PLACES = ("VIRTUAL_ENV", "CONDA_DEFAULT_ENV")
"""End like such a name, and say where Python is."""
_PRODUCTION = re.compile(r"(?<![a-z])(prod|production|prd|live|staging)(?![a-z])", re.IGNORECASE)
_logger = logging.getLogger(__name__)


class DevelopmentError(LabError):
    """The development identity was asked for where it must not be. The server has to stop."""


class Development:
    """The identity of a developer. Made by `from_environment` only where it may be."""

    def __init__(self, user: str, roles: tuple[str, ...] = (), scopes: tuple[str, ...] = ()) -> None:
        self._principal = Principal(user, roles, "development", scopes=scopes, has_roles=bool(roles))

    @classmethod
    def from_environment(cls, env: Mapping[str, str], *, host: str) -> Development | None:
        """The identity that the environment asks for, for a server that listens on `host`; None when it asks for none.

        Raises DevelopmentError when it asks for one and may not have it.
        """
        user = env.get(USER, "")
        if not user:
            return None
        why = f"{USER} is set, which lets in whoever asks as {user!r}"
        if env.get(ENVIRONMENT) != "development":
            raise DevelopmentError(
                f"{why}, and {ENVIRONMENT} is {env.get(ENVIRONMENT)!r}: set it to 'development', or take {USER} out."
            )
        for name, value in env.items():
            if name != ENVIRONMENT and (_names_a_stage(name) and _PRODUCTION.search(value)):
                raise DevelopmentError(f"{why}, and {name} is {value!r}: take {USER} out, here it must never be.")
            if name in DEPLOYED and value:
                raise DevelopmentError(f"{why}, and {name} is set: take {USER} out of what is deployed.")
        if not is_loopback_host(host.strip("[]").lower()):
            raise DevelopmentError(f"{why}, and the server would listen on {host!r}: it has to be 127.0.0.1.")
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", user):
            raise DevelopmentError(f"{USER} is {user[:40]!r}: name a user in small letters, such as ada.")
        _logger.warning("NO AUTHENTICATION: every request from this machine is %r (%s, %s)", user, ENVIRONMENT, USER)
        return cls(user, tuple(env.get(ROLES, "").split()), tuple(env.get(SCOPES, "").split()))

    def admit(self, scope: Mapping[str, Any]) -> Principal | None:
        """The developer, when a request without credentials comes from this machine and through nobody; else None."""
        headers: list[tuple[bytes, bytes]] = [(name.lower(), value) for name, value in scope["headers"]]
        client = scope.get("client")
        # HTTP/1.0 is what a proxy speaks that was given no settings, and then says nothing of whom it speaks for.
        if not client or not is_loopback_host(str(client[0])) or scope.get("http_version") == "1.0":
            return None
        for name, value in headers:
            # A page of the web that has its name point here (DNS rebinding) sends its own name as Host and Origin.
            text = value.decode("latin-1")
            if name.startswith(PROXIED) or (name == b"host" and not is_loopback_host(_host(f"//{text}"))):
                return None
            if name == b"origin" and not is_loopback_host(_host(text)):
                return None
            if name == b"sec-fetch-site" and text == "cross-site":  # a page's GET has no Origin
                return None
        hosts = [name for name, _ in headers if name == b"host"]
        if len(hosts) != 1:
            return None
        _logger.warning("NO AUTHENTICATION: a request is let in as %r", self._principal.subject)
        return self._principal


def _names_a_stage(name: str) -> bool:
    name = name.upper()
    return name not in PLACES and (name in NAMED or name.endswith(("_ENV", "_ENVIRONMENT", "_STAGE")))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
