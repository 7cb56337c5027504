from mcp.server import MCPServer

FILES = {"main.py": "print(sum([1, 2]))\n", "web/login.py": "password = 'hunter2'\n"}

server = MCPServer("reviewer", log_level="ERROR")


@server.resource("code://{+path}", mime_type="text/x-python")
def code(path: str) -> str:
    """One file."""
    return FILES[path]


@server.tool()
def write_file(path: str, text: str) -> str:
    """Write a file."""
    FILES[path] = text
    return f"wrote {path}"


@server.prompt()
def review_file(path, focus):
    return [
        {"role": "system", "content": f"You are a reviewer. Look for {focus}."},
        {"role": "user", "content": f"Review {path}: {FILES[path]}"},
    ]


if __name__ == "__main__":
    server.run()
