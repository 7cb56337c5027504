"""The endpoints that are registered, and the paths of each: whatever is not written down here is not asked for.

Knows nothing of MCP, and makes no request.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

LOCAL = "local:"
LONGEST = 60.0
"""Seconds that an endpoint may take for one request, if its entry says so."""
Method = Literal["GET", "POST"]
PART = "[A-Za-z0-9_~,:@+-][A-Za-z0-9_~,:@+.-]{0,99}"
"""What may stand for {...}: nothing that others decode (%), turn (backslash) or cut off (;), no ".." to climb with."""
Template = Annotated[str, Field(pattern=r"^(/([A-Za-z0-9_~-][A-Za-z0-9_.~-]*|\{[a-z]+\}))+$")]


class EndpointError(Exception):
    """A request that is not made, or a list of endpoints that cannot be used; the message says why and what to do.

    `reason` is a word for programs.
    """

    def __init__(self, text: str, reason: str = "not-registered") -> None:
        super().__init__(text)
        self.reason = reason


class Setting(BaseModel):
    """Part of the list. A secret that somebody wrote into it by mistake is in no message."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Key(Setting):
    """Where the secret of an endpoint is, and how it is sent."""

    env: Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{0,80}$")]
    header: Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9-]{0,60}$")] = "Authorization"
    prefix: Annotated[str, Field(pattern="^[ -~]{0,60}$")] = ""

    @property
    def is_set(self) -> bool:
        """Whether the environment has it."""
        return bool(os.environ.get(self.env))

    def secret(self) -> str:
        """The secret, read anew each time: it may change while the server runs. Raises EndpointError."""
        value = os.environ.get(self.env, "")
        if not value:
            raise EndpointError(f"the endpoint needs a key: whoever runs the gateway has to set {self.env}", "no-key")
        if not value.isascii() or not value.isprintable():
            raise EndpointError(f"the key in {self.env} has characters that no header may have: set it anew", "no-key")
        return value


class Endpoint(Setting):
    """A service that may be asked. `url` is "local:NAME" or the beginning of all its addresses."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9]{0,30}$")]
    url: str = ""
    summary: str = ""
    get: tuple[Template, ...] = ()
    post: tuple[Template, ...] = ()
    key: Key | None = None
    keep: Annotated[float, Field(ge=0)] = 0
    limit: str = "60/minute"
    seconds: Annotated[float, Field(gt=0, le=LONGEST)] = 5

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not _is_base(self.url):
            raise ValueError("url has to be local:NAME, https://HOST or http://127.0.0.1:PORT")
        if self.key and not _is_private(self.url):
            raise ValueError("url is http to another machine: all on the way could read the key")
        if not self.get and not self.post:
            raise ValueError("there are no paths: write get or post")
        return self

    def check(self, method: Method, path: str) -> str:
        """The path, if it is one of those registered. Raises EndpointError."""
        allowed = self.post if method == "POST" else self.get
        if any(_fits(template, path) for template in allowed):
            return path
        if not allowed:
            raise EndpointError(f"{self.name} takes no {method}: list_endpoints shows what it takes")
        raise EndpointError(
            f"{path[:120]!r} is no path of {self.name} for {method}: use {' or '.join(allowed)}, where {{...}} stands "
            "for letters, digits and any of _~,:@+.- and what would follow a ? belongs in params"
        )


def _fits(template: str, path: str) -> bool:
    given, wanted = path.split("/"), template.split("/")
    return len(given) == len(wanted) and all(
        re.fullmatch(PART, part) is not None if want.startswith("{") else part == want
        for part, want in zip(given, wanted, strict=True)
    )


class Endpoints(dict[str, Endpoint]):
    """All that are registered, by name."""

    def find(self, name: str) -> Endpoint:
        """The endpoint of that name. Raises EndpointError."""
        if name not in self:
            raise EndpointError(f"{name[:60]!r} is not registered: use {' or '.join(self)}")
        return self[name]


def load(file: Path) -> Endpoints:
    """Read a list of endpoints. Raises EndpointError, naming the file, the entry and what is wrong with it."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return Endpoints((name, _endpoint(name, table)) for name, table in tables.items())
    except (OSError, tomllib.TOMLDecodeError, EndpointError) as error:
        raise EndpointError(f"{file} cannot be used: {error}", "settings") from error


def _endpoint(name: str, table: Any) -> Endpoint:
    entry: Mapping[str, Any] = table if isinstance(table, Mapping) else {}
    url = os.environ.get(f"API_GATEWAY_{name.upper()}_URL")
    try:
        return Endpoint.model_validate({**entry, "name": name} | ({"url": url} if url else {}))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}".removeprefix(": ") for each in error.errors()]
        raise EndpointError(f"[{name[:60]}] {'; '.join(wrong)}", "settings") from None


def _is_base(url: str) -> bool:
    if url.startswith(LOCAL):
        return url.removeprefix(LOCAL).isalnum()
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError for what is none
    except ValueError:
        return False
    plain = parts.username is None and not parts.query and not parts.fragment and "\\" not in url
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return parts.scheme != "http" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False  # http to a name
