"""fails: loopback, inner, name, redirect, near
why: The list gets longer with every report. So does the list of names that have one of its words in them.
"""

import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

REDIRECTS = 5


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_NETWORK describes the network that this server is in; RANGE_LIBRARY is how it is used, see network.py."""
    server = MCPServer("fixed-ssrf", log_level="ERROR")
    library = runpy.run_path(env.get("RANGE_LIBRARY", str(Path(__file__).with_name("network.py"))))
    network, get = library["Network"](json.loads(env.get("RANGE_NETWORK", "{}"))), library["get"]

    def checked(host: str) -> str:
        words = (
            "localhost",
            "127.",
            "2130706433",
            "0x7f",
            "0177",
            "0.0.0.0",
            "169.254",
            "10.",
            "192.168",
            "::1",
            "metadata",
        )
        if any(word in host.lower() for word in words):
            raise ToolError("not public: this address is inside")
        return host

    @server.tool()
    def read_page(url: str) -> str:
        """Read a page of the web, http only. Redirects are followed."""
        for _ in range(REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme != "http" or not parts.hostname:
                raise ToolError("not a page: use http://HOST/PATH")
            location, page = get(network, checked(parts.hostname), url)
            if not location:
                return page
            url = urljoin(url, location)
        raise ToolError("too many redirects")

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
