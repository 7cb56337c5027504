"""fails: loopback, inner, name, redirect
why: ipaddress says which numbers are public. What it cannot read is taken for a name, such as 127.1.
"""

import ipaddress
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

REDIRECTS = 5
# Not public either, although some versions of Python say so.
MORE = [ipaddress.ip_network(each) for each in ("192.0.0.0/24", "fec0::/10")]


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_NETWORK describes the network that this server is in; RANGE_LIBRARY is how it is used, see network.py."""
    server = MCPServer("fixed-ssrf", log_level="ERROR")
    library = runpy.run_path(env.get("RANGE_LIBRARY", str(Path(__file__).with_name("network.py"))))
    network, get = library["Network"](json.loads(env.get("RANGE_NETWORK", "{}"))), library["get"]

    def is_public(address: Any) -> bool:
        inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
        if inner:
            return is_public(inner)
        special = address.is_multicast or address.is_reserved or any(address in each for each in MORE)
        return address.is_global and not special

    def public_address(host: Any) -> str:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host
        if not is_public(address):
            raise ToolError("not public: this address is inside")
        return host

    @server.tool()
    def read_page(url: str) -> str:
        """Read a page of the web, http only. Redirects are followed."""
        for _ in range(REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme != "http" or not parts.hostname:
                raise ToolError("not a page: use http://HOST/PATH")
            location, page = get(network, public_address(parts.hostname), url)
            if not location:
                return page
            url = urljoin(url, location)
        raise ToolError("too many redirects")

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
