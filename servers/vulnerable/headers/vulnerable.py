"""Vulnerable: a door in front of the server lets in by what the headers say, and the server runs what the body says.

The door reads `Mcp-Method` and `Mcp-Name`. Clients of last year send neither: so a request without them passes, and the
door writes them in, from the body, for the server that wants to see them.
"""

import base64
import json
from collections.abc import Mapping

from mcp.server import MCPServer
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse

CALLERS = {"Bearer demo-token-of-ada": "ada", "Bearer demo-token-of-ben": "ben"}
"""Not secret: they open this server only."""
GRANTS = {"ada": ["count_orders", "export_orders"], "ben": ["count_orders"], "nobody": []}
"""The tools that each may call. Methods other than tools/call are open to all."""
LIMIT = 1 << 20
"""Bytes of a request's body."""


class Door:
    """Lets callers use the tools that are granted to them."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.inner(scope, receive, send)
        request = Request(scope, receive)
        body = await request.body()
        message = parsed(body)
        granted = GRANTS[CALLERS.get(request.headers.get("authorization"), "nobody")]
        method, name = request.headers.get("mcp-method"), decoded(request.headers.get("mcp-name"))
        if method == "tools/call" and name not in granted:
            return await refusal(403, -32003, f"you may not call {name}")(scope, receive, send)
        if message is not None:
            scope = {**scope, "headers": [*without(scope["headers"]), *written(message)]}
        await self.inner(scope, replay(body, receive), send)


def decoded(value):
    """What a header says, which may be base64; None when it is not there, or cannot be decoded."""
    if not value or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except ValueError:
        return None


def parsed(body):
    """The message that a body is; None when it cannot be read, or is not one object."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def named(message):
    """The tool that a message calls; None when it calls none."""
    params = message.get("params")
    return params.get("name") if message.get("method") == "tools/call" and isinstance(params, dict) else None


def without(headers):
    return [(name, value) for name, value in headers if name not in (b"mcp-method", b"mcp-name")]


def written(message):
    """The headers that say what the message says."""
    found = [(b"mcp-method", str(message.get("method")).encode())]
    if (name := named(message)) is not None:
        found.append((b"mcp-name", b"=?base64?" + base64.b64encode(str(name).encode()) + b"?="))
    return found


def refusal(status, code, message):
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}, status)


def replay(body, receive):
    """What the server reads in the place of `receive`: the same body once more."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_event():
        return left.pop() if left else await receive()

    return next_event


def app(env: Mapping[str, str]):
    """The server, which knows no callers, behind the door."""
    server = MCPServer("vulnerable-headers", log_level="ERROR")

    @server.tool()
    async def count_orders() -> int:
        """Count the orders of today."""
        return 12

    @server.tool()
    async def export_orders() -> str:
        """Export all orders, with names and addresses."""
        return "Ada Lovelace, " + env.get("RANGE_CANARY", "canary")

    inner = server.streamable_http_app(stateless_http=True, json_response=True)
    return RequestBodyLimitMiddleware(Door(inner), LIMIT)


if __name__ == "__main__":
    from labkit.range import run

    run(app=app)
