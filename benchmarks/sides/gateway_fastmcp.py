"""fastmcp's proxy in front of one server: gateway_fastmcp.py [--reuse] URL. With --reuse it keeps one client open."""

import asyncio
import sys

import serving
from fastmcp import Client
from fastmcp.server import create_proxy

URL = sys.argv[-1]


async def main() -> None:
    """Serve until stdin closes."""
    if "--reuse" in sys.argv:
        async with Client(URL) as client:
            await serving.serve(create_proxy(client).http_app(path="/mcp", json_response=True, stateless_http=True))
    else:
        await serving.serve(create_proxy(URL).http_app(path="/mcp", json_response=True, stateless_http=True))


asyncio.run(main())
