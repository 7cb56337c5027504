"""The internet of the drill, as a server sees it: names that are looked up, and hosts that can be asked over HTTP.

No name server and no host outside of this machine is asked. A server of the range loads it with `runpy`.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from typing import Any
from urllib.parse import urlsplit

from mcp.server.mcpserver.exceptions import ToolError

LONGEST = 100_000
"""Bytes of a page that are read."""


class Network:
    """Names and hosts as they are for this server: all of the internet that there is, on loopback.

    `names` has the addresses of a name, for each time that it is looked up (the last stay). `cables` has the port of
    127.0.0.1 at which the host with an address is to be found, whatever port is asked for. The machine's own addresses
    are what they are everywhere; all others lead nowhere.
    """

    def __init__(self, world: dict[str, Any]) -> None:
        self.names = {"localhost": [["127.0.0.1"]], **world.get("names", {})}
        self.cables = world.get("cables", {})

    def resolve(self, host: str) -> list[str]:
        """The addresses of a name, or of a number in any spelling that the system knows. Raises ToolError."""
        name = host.lower().rstrip(".")
        if name in self.names:
            answers = self.names[name]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, ValueError) as error:
            raise ToolError(f"there is no host {host!r}") from error
        return [str(each[4][0]) for each in found]

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to a host: its name is looked up, an address is taken as it is. Raises ToolError, OSError."""
        address = self.resolve(host)[0]
        if address in self.cables:
            return socket.create_connection(("127.0.0.1", self.cables[address]), timeout=5)
        if address.removeprefix("::ffff:").startswith(("127.", "0.")) or address in ("::1", "::"):
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        raise ConnectionRefusedError(f"no cable leads to {address}")


def get(network: Network, address: str, url: str) -> tuple[str, str]:
    """Ask the host with an address, or of a name, for what is at the URL: where it redirects to, and what it says.

    The first is empty when it does not redirect. Raises ToolError.
    """
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        port = parts.port or 80
        with contextlib.closing(http.client.HTTPConnection(str(parts.hostname), port, timeout=5)) as connection:
            connection.sock = network.connect(address, port)
            connection.request("GET", path)
            answer = connection.getresponse()
            location = answer.getheader("location", "") if 300 <= answer.status < 400 else ""
            return location, answer.read(LONGEST).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ToolError(f"{url!r} cannot be read ({type(error).__name__})") from error
