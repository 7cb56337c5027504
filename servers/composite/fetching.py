"""JSON over HTTP, from places that were allowed before. Never from an address because a model wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio.to_thread

from labkit.defences.urls import UrlError, UrlGuard, kind, origin, parse

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
        self.origins = [_loopback(each) for each in origins]

    async def get(self, url: str) -> Any:
        """The JSON at "upstream:/PATH", or at an address below one of the origins."""
        if url.startswith(f"{UPSTREAM}/"):
            address = await anyio.to_thread.run_sync(self._upstream) + url.removeprefix(UPSTREAM)
        elif _origin(url) in self.origins:
            address = url
        else:
            allowed = " or ".join([f"{UPSTREAM}/PATH", *(f"{each}/PATH" for each in self.origins)])
            raise FetchError(f"{url[:200]!r} is not among the places to fetch from: use {allowed}")
        body = await self._body(url, address)
        try:
            return json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise FetchError(f"{url} did not answer with JSON: is the path right?") from error

    async def _body(self, url: str, address: str) -> bytes:
        # Neither redirects nor a proxy from the environment: both lead to addresses that nobody has allowed.
        guard = UrlGuard(
            inside=("127.0.0.0/8", "::1/128"),
            origins=[_origin(address)],
            redirects=0,
            max_bytes=MAX_BYTES,
            seconds=SECONDS,
        )
        try:
            page = await guard.get(address, {"user-agent": "mcp-lab-composite"})
        except UrlError as error:
            if error.reason == "too-large":
                said = f"answers with more than {MAX_BYTES} bytes: ask for less of it"
            elif error.reason == "timeout":
                said = f"has not answered within {SECONDS:g} seconds: try again later"
            else:
                said = f"cannot be fetched ({error.reason}). Is the service running?"
            raise FetchError(f"{url} {said}") from error
        if page.status != 200:
            raise FetchError(f"{url} answered {page.status}: is the path right?")
        return page.body


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _origin(url: str) -> str:
    """Scheme, host and port, as a browser compares them; "" for what is no plain address."""
    try:
        return origin(parse(url))
    except UrlError:
        return ""


def _loopback(text: str) -> str:
    """An origin from the settings, if it is on this machine."""
    try:
        on_this_machine = kind(parse(text).host) == "loopback"
    except (UrlError, ValueError):  # a name may lead here today and elsewhere tomorrow
        on_this_machine = False
    if not on_this_machine:
        raise FetchError(f"COMPOSITE_ORIGINS names {text!r}, which is not on this machine: use http://127.0.0.1:PORT")
    return _origin(text)
