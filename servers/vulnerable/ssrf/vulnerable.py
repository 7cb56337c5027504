"""Vulnerable: what it fetches is decided by comparing the address with a list of words.

An address has many spellings, a name leads where its owner says - elsewhere at the next question, if he likes -, and a
redirect leads on. The list knows none of this; and it refuses shop10.example, which has "10." in its name.
"""

import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

BLOCKED = ("localhost", "127.0.0.1", "0.0.0.0", "169.254", "10.", "192.168")
REDIRECTS = 5


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_NETWORK describes the network that this server is in; RANGE_LIBRARY is how it is used, see network.py."""
    server = MCPServer("vulnerable-ssrf", log_level="ERROR")
    library = runpy.run_path(env.get("RANGE_LIBRARY", str(Path(__file__).with_name("network.py"))))
    network, get = library["Network"](json.loads(env.get("RANGE_NETWORK", "{}"))), library["get"]

    @server.tool()
    def read_page(url: str) -> str:
        """Read a page of the web, http only. Redirects are followed."""
        for _ in range(REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme != "http" or not parts.hostname:
                raise ToolError("not a page: use http://HOST/PATH")
            if any(word in parts.hostname for word in BLOCKED):
                raise ToolError("not public: this address is inside")
            location, page = get(network, parts.hostname, url)
            if not location:
                return page
            url = urljoin(url, location)
        raise ToolError("too many redirects")

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
