"""One request to an endpoint over HTTP: with its key, within its limits, to the address that was registered.

Knows nothing of MCP, and of no pattern: a request is made once, as told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import httpx2

from labkit.patterns.deadline import within
from labkit.patterns.failures import Unavailable
from labkit.patterns.http_pool import HttpPool
from servers.api_gateway.endpoints import LOCAL, LONGEST, Endpoint, EndpointError, Method
from servers.upstreams.process import BankUpstream, Upstream, UpstreamError, WeatherUpstream

MAX_BYTES = 250_000
"""Of one answer."""
CONNECTIONS = 10
"""To one host at the same time."""
MAX_RETRY_AFTER = 3600.0
TRANSIENT = {429: "overloaded", 500: "unavailable", 502: "unavailable", 503: "unavailable", 504: "timeout"}
"""Statuses that may be different next time, and what they mean."""
HIDDEN = "[hidden]"
"""Stands in an answer where the endpoint repeated the key."""
LOCAL_SERVICES: Mapping[str, type[Upstream]] = {"weather": WeatherUpstream, "bank": BankUpstream}

Params = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered."""

    status: int
    data: Any


class Outgoing:
    """Makes requests with one client, and starts the services of the lab that are asked for. Close it."""

    def __init__(self) -> None:
        # Neither redirects nor cookies nor proxies: they lead to addresses and sessions that nobody has registered.
        self._pool = HttpPool(per_host=CONNECTIONS, timeout=LONGEST)
        self._services: dict[str, Upstream] = {}
        self._starting = anyio.Lock()

    async def send(
        self,
        endpoint: Endpoint,
        method: Method,
        path: str,
        params: Params | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask an endpoint.

        Raises EndpointError when it is not to be asked so, or answers that it will not; Unavailable when the same
        request may be answered later.
        """
        path = endpoint.check(method, path)
        secret = endpoint.key.secret() if endpoint.key else ""
        sent = {"user-agent": "mcp-lab-gateway", "accept": "application/json", **(headers or {})}
        if endpoint.key:
            sent[endpoint.key.header] = endpoint.key.prefix + secret
        url = await self.base(endpoint) + path
        what = f"{endpoint.name} {path}"
        try:
            async with within(endpoint.seconds, what=what):
                return await self._exchange(what, secret, method, url, params, body, sent)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # The kind only: texts of the HTTP library may quote a header.
            raise Unavailable(f"{endpoint.name} cannot be reached ({type(error).__name__}): try again later") from error

    async def base(self, endpoint: Endpoint) -> str:
        """The beginning of its addresses. Starts the service of the lab that it names. Raises as `send` does."""
        if not endpoint.url.startswith(LOCAL):
            return endpoint.url.rstrip("/")
        name = endpoint.url.removeprefix(LOCAL)
        if name not in LOCAL_SERVICES:
            known = " or ".join(f"{LOCAL}{each}" for each in LOCAL_SERVICES)
            raise EndpointError(
                f"{endpoint.name} is at {endpoint.url}, which the lab does not have: use {known}", "settings"
            )
        async with self._starting:
            service = self._services.get(name) or self._services.setdefault(name, LOCAL_SERVICES[name]())
            try:
                return await anyio.to_thread.run_sync(service.url)
            except UpstreamError as error:
                raise Unavailable(str(error)) from error

    async def close(self) -> None:
        """Close connections, and end the services that were started."""
        services, self._services = self._services, {}
        await self._pool.close()
        for service in services.values():
            await anyio.to_thread.run_sync(service.stop)

    async def _exchange(
        self,
        what: str,
        secret: str,
        method: Method,
        url: str,
        params: Params | None,
        body: Any,
        headers: Mapping[str, str],
    ) -> Reply:
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        if content is not None:
            headers = {**headers, "content-type": "application/json"}
        query = {name: _text(value) for name, value in (params or {}).items()} or None
        async with self._pool.http.stream(method, url, params=query, content=content, headers=headers) as response:
            raw = b""
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    raise EndpointError(f"{what} answers with more than {MAX_BYTES} bytes: ask for less", "too-large")
        if response.is_redirect:
            raise EndpointError(f"{what} points to another address, which is not followed", "moved")
        try:
            data = json.loads(raw, parse_constant=_no_number) if raw else None
            data = _without(secret, data) if secret else data
        except (ValueError, RecursionError) as error:
            if response.is_success:
                text = f"{what} did not answer with JSON"
                raise EndpointError(text, "not-json") from error
            data = None
        if response.is_success:
            return Reply(response.status_code, data)
        raise _status_error(what, response, data)


def _status_error(what: str, response: httpx2.Response, data: Any) -> EndpointError | Unavailable:
    status = response.status_code
    said = (data.get("detail") or data.get("error") or data.get("title")) if isinstance(data, dict) else None
    text = f"{what} answered {status}: {said if isinstance(said, str) else response.reason_phrase}"[:500]
    if status not in TRANSIENT:
        hint = " (the key of the gateway is not enough for this)" if status in (401, 403) else ""
        return EndpointError(text + hint, f"http-{status}")
    retry_after: float | None = None
    with suppress(KeyError, ValueError):  # none, or a date
        retry_after = min(max(0.0, float(response.headers["retry-after"])), MAX_RETRY_AFTER)
    return Unavailable(text, reason=TRANSIENT[status], retry_after=retry_after)


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _without(secret: str, value: Any) -> Any:
    """The value, without the secret in any of its texts: some services repeat what they were sent."""
    if isinstance(value, str):
        return value.replace(secret, HIDDEN)
    if isinstance(value, list):
        return [_without(secret, each) for each in value]
    if isinstance(value, dict):
        return {name.replace(secret, HIDDEN): _without(secret, each) for name, each in value.items()}
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
