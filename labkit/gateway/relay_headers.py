"""What the SDK says of the headers of a stateless request. A client sends the same ones again and again: they are
judged once, and the verdict is kept."""

from __future__ import annotations

from dataclasses import dataclass

from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.inbound import find_duplicated_routing_header
from starlette.datastructures import Headers
from starlette.requests import Request

MOST = 1000
LONGEST = 2000
"""Verdicts that are kept, and bytes of headers that one is kept for: callers send what they like."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Headers that are in order by themselves."""

    headers: Headers
    by_name: dict[str, str]
    """As the SDK's ladder of checks takes them."""


class Headings:
    """Judges headers: host, origin, content type, accept, and that nothing which routes is there twice."""

    def __init__(self, security: TransportSecuritySettings) -> None:
        self._security = TransportSecurityMiddleware(security)
        self._kept: dict[tuple[tuple[bytes, bytes], ...], Heading | None] = {}

    async def of(self, request: Request) -> Heading | None:
        """The headers of a request; None when they are not in order."""
        key = tuple(request.scope["headers"])
        try:
            return self._kept[key]
        except KeyError:
            heading = await self._judged(request)
        if sum(len(name) + len(value) for name, value in key) <= LONGEST:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = heading
        return heading

    async def _judged(self, request: Request) -> Heading | None:
        if await self._security.validate_request(request, is_post=True) is not None:
            return None
        if check_accept_headers(request) != (True, True):
            return None
        headers = request.headers
        if find_duplicated_routing_header(headers.items()) is not None:
            return None
        return Heading(headers, dict(headers))
