from mcp.server import MCPServer

PAGES = {"welcome.md": "# Welcome", "travel/rail.md": "Book second class.", "travel/night/sleeper.md": "Take a cabin."}
COVER = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

server = MCPServer("handbook", log_level="ERROR")
ALL = str(sorted(PAGES))


@server.resource("handbook://index")
def index() -> str:
    """The paths of all pages."""
    return ALL


@server.resource("handbook://cover")
def cover() -> str:
    """The picture on the cover."""
    return COVER


@server.resource("handbook://pages/{path}")
def page(path: str) -> str:
    """One page."""
    return PAGES.get(path, "")


@server.tool()
def write_page(path: str, text: str) -> str:
    """Write a page."""
    PAGES[path] = text
    return f"wrote {path}"


@server.tool()
def find_pages(word: str) -> list[str]:
    """Find the pages in which a word occurs."""
    return [text for path, text in sorted(PAGES.items()) if word in text]


if __name__ == "__main__":
    server.run()
