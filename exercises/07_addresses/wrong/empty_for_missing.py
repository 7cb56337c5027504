"""fails: missing
why: An empty text seems a polite way to say that there is nothing. It says that there is an empty page.
"""

import base64
import json

import mcp_types as types
from mcp.server import CacheHint, MCPServer

PAGES = {"welcome.md": "# Welcome", "travel/rail.md": "Book second class.", "travel/night/sleeper.md": "Take a cabin."}
COVER = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

server = MCPServer(
    "handbook", log_level="ERROR", cache_hints={"resources/read": CacheHint(ttl_ms=60_000, scope="public")}
)


@server.resource("handbook://index", mime_type="application/json")
def index() -> str:
    """The paths of all pages."""
    return json.dumps(sorted(PAGES))


@server.resource("handbook://cover", mime_type="image/png")
def cover() -> bytes:
    """The picture on the cover."""
    return base64.b64decode(COVER)


@server.resource("handbook://pages/{+path}", mime_type="text/markdown")
def page(path: str) -> str:
    """One page."""
    return PAGES.get(path, "")


@server.tool()
def write_page(path: str, text: str) -> str:
    """Write a page."""
    PAGES[path] = text
    return f"wrote {path}"


@server.tool()
def find_pages(word: str) -> list[types.ResourceLink]:
    """Find the pages in which a word occurs. Answers with links, to be read where it is worth it."""
    found = [path for path, text in sorted(PAGES.items()) if word in text]
    return [types.ResourceLink(uri=f"handbook://pages/{path}", name=path) for path in found]


if __name__ == "__main__":
    server.run()
