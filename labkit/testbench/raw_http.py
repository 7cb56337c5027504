"""A Streamable HTTP endpoint, spoken to request by request."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import httpx2

from labkit.defences.loopback import is_loopback
from labkit.session.http import no_trust, system_trust, why_unreachable
from labkit.session.tls import Tls
from labkit.testbench.raw import (
    PATIENCE,
    Answer,
    Came,
    Json,
    RawWire,
    answer_of,
    came_of,
)


class RawHttp(RawWire):
    """A Streamable HTTP endpoint, request by request."""

    transport = "http"

    def __init__(self, url: str, era: str, headers: Mapping[str, str] | None = None, tls: Tls | None = None) -> None:
        """Raises ConnectError for files of `tls` that cannot be used."""
        super().__init__(era)
        self.url = url
        self._headers = dict(headers or {})
        self._session = ""
        self._shown, self._answered = bool(tls and tls.cert), False
        near = is_loopback(url)
        # To read the authorities of the system takes 20-40 ms, and a run makes many of these.
        plain = near and url.lower().startswith("http:")
        trust = tls.context() if tls else no_trust() if plain else system_trust()
        self._client = httpx2.AsyncClient(timeout=PATIENCE, verify=trust, trust_env=not near, follow_redirects=False)

    def headers(self, message: Json | None = None) -> dict[str, str]:
        """What the specification asks a client to send with this message."""
        head = {"content-type": "application/json", "accept": "application/json, text/event-stream", **self._headers}
        method = (message or {}).get("method")
        if self.modern:
            head["mcp-protocol-version"] = self.era
            given = (message or {}).get("params")
            params = cast(Json, given) if isinstance(given, dict) else {}
            if isinstance(method, str):
                head["mcp-method"] = method
            name = params.get("uri") if method == "resources/read" else params.get("name")
            if method in ("tools/call", "prompts/get", "resources/read") and isinstance(name, str):
                head["mcp-name"] = name
        elif method != "initialize":
            head["mcp-protocol-version"] = self.era
            if self._session:
                head["mcp-session-id"] = self._session
        return head

    async def ask(self, message: Json, *, timeout: float = PATIENCE) -> Answer:
        return await self.post(json.dumps(message), self.headers(message), id=message.get("id"), timeout=timeout)

    async def notify(self, method: str, params: Json | None = None) -> None:
        message: Json = {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})
        await self.post(json.dumps(message), self.headers(message), id=None)

    async def post(
        self,
        body: str | bytes,
        headers: Mapping[str, str],
        *,
        id: Any = None,
        method: str = "POST",
        timeout: float = PATIENCE,
        enough: int = 0,
    ) -> Answer:
        """Send this body with these headers, nothing added; `id` is that of the answer to look for in what comes.

        `enough` messages before the answer end the reading, when it is given: a stream may stay open for ever.
        """
        shown = body if isinstance(body, str) else body.decode("utf-8", "replace")
        self._note("sent", shown)
        began = time.perf_counter()
        data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        before: list[str] = []
        response: httpx2.Response | None = None
        try:
            async with asyncio.timeout(self.patience(timeout)):
                request = self._client.build_request(method, self.url, content=data, headers=dict(headers))
                response = await self._client.send(request, stream=True)
                try:
                    received, message = await self._body(response, id, before, enough)
                finally:
                    await response.aclose()
        except TimeoutError:
            status = response.status_code if response is not None else None
            return Answer("silence", shown, seconds=time.perf_counter() - began, status=status, before=before)
        except (httpx2.TransportError, ssl.SSLError) as error:
            why = why_unreachable(error, httpx2.URL(self.url), shown=self._shown, answered=self._answered)
            return Answer("closed", shown, why, seconds=time.perf_counter() - began)
        finally:
            for each in before:
                self._note("received", each)
        if message is not None:
            self._note("received", received)
        self._answered = True
        self._session = self._session or response.headers.get("mcp-session-id", "")
        came: Came = "other" if message is None else came_of(message)
        return Answer(
            came,
            shown,
            received,
            message,
            time.perf_counter() - began,
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            before,
        )

    async def fetch(self, url: str) -> tuple[int | None, str]:
        """GET a document beside the endpoint, without credentials: status and text; no status when nobody answers."""
        try:
            answer = await self._client.get(url, headers={"accept": "application/json"}, timeout=5.0)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return None, f"{type(error).__name__}: {error}"
        return answer.status_code, answer.text

    async def _body(
        self, response: httpx2.Response, id: Any, before: list[str], enough: int
    ) -> tuple[str, Json | None]:
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            text = (await response.aread()).decode("utf-8", "replace")
            if (message := answer_of(text, id)) is None and response.status_code >= 400:
                message = answer_of(text, None)  # an error for a request whose id could not be read
            return text, message
        async for line in response.aiter_lines():
            if not line.startswith("data:"):
                continue
            text = line.removeprefix("data:").strip()
            if (message := answer_of(text, id)) is not None:
                return text, message
            if text:
                before.append(text)
            if enough and len(before) >= enough:
                break
        return "\n".join(before[-3:]), None

    @property
    def alive(self) -> bool:
        return not self._client.is_closed

    async def close(self) -> None:
        if self._client.is_closed:
            return
        if self._session and not self.modern:
            with suppress(Exception):  # being polite to a server that may be gone
                await self._client.delete(self.url, headers=self.headers())
        await self._client.aclose()
