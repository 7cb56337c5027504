"""JSON over HTTP, from places that were allowed before. Never from an address because a model wrote it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx2

MAX_BYTES = 2_000_000
SECONDS = 5.0
"""For all of an answer: a service that sends a byte now and then does not hold us."""
UPSTREAM = "upstream:"


class FetchError(Exception):
    """The address is refused, or gives no JSON; the message says why and what to do."""


class Fetcher:
    """Fetches from the lab's own upstream, started by `upstream` on first use, and from `origins`."""

    def __init__(self, upstream: Callable[[], str], origins: list[str]) -> None:
        self._upstream = upstream
        self.origins = [_loopback(origin) for origin in origins]

    async def get(self, url: str) -> Any:
        """The JSON at "upstream:/PATH", or at an address below one of the origins."""
        if url.startswith(f"{UPSTREAM}/"):
            address = await anyio.to_thread.run_sync(self._upstream) + url.removeprefix(UPSTREAM)
        elif _origin(url) in self.origins:
            address = url
        else:
            allowed = " or ".join([f"{UPSTREAM}/PATH", *(f"{origin}/PATH" for origin in self.origins)])
            raise FetchError(f"{url[:200]!r} is not among the places to fetch from: use {allowed}")
        try:
            with anyio.fail_after(SECONDS):
                body = await self._body(url, address)
        except TimeoutError as error:
            raise FetchError(f"{url} has not answered within {SECONDS:g} seconds: try again later") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise FetchError(f"{url} cannot be fetched: {type(error).__name__}. Is the service running?") from error
        try:
            return json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise FetchError(f"{url} did not answer with JSON: is the path right?") from error

    async def _body(self, url: str, address: str) -> bytes:
        # Neither redirects nor a proxy from the environment: both lead to addresses that nobody has allowed.
        async with (
            httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=SECONDS) as client,
            client.stream("GET", address, headers={"user-agent": "mcp-lab-composite"}) as response,
        ):
            if response.status_code != 200:
                raise FetchError(f"{url} answered {response.status_code}: is the path right?")
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise FetchError(f"{url} answers with more than {MAX_BYTES} bytes: ask for less of it")
        return body


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _origin(url: str) -> str:
    """Scheme, host and port, as a browser compares them; "" for what is no plain address."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return ""
    if parts.username is not None or parts.password is not None or not parts.hostname or "\\" in url:
        return ""  # http://127.0.0.1:80@elsewhere/ goes elsewhere
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def _loopback(origin: str) -> str:
    """An origin from the settings, if it is on this machine."""
    normal = _origin(origin)
    host = urlsplit(normal).hostname or ""
    try:
        on_this_machine = ipaddress.ip_address(host).is_loopback
    except ValueError:
        on_this_machine = False  # a name may lead here today and elsewhere tomorrow
    if not on_this_machine:
        raise FetchError(f"COMPOSITE_ORIGINS names {origin!r}, which is not on this machine: use http://127.0.0.1:PORT")
    return normal
