"""fails: looks
why: Addresses without TLS are let through for all hosts: whoever is on the way writes the page.
"""

import re
import subprocess
import sys
from urllib.parse import urlencode, urlsplit

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

OPENER = [sys.executable, "-c", "import sys; print('opened:', *sys.argv[1:])"]


class Refused(Exception):
    """A sign-in page that is not opened; the message says why."""


def sign_in(metadata, params, start):
    """Open the sign-in page of an authorization server, and return its address. Raises Refused.

    `start(command)` is given a list, which is run as it is, or a text, which goes through a shell.
    """
    endpoint = metadata["authorization_endpoint"]
    url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(params)}"
    if not is_page(endpoint):
        raise Refused("the authorization server names a sign-in page that is no page of the web: it is not opened")
    start([*OPENER, url])
    return url


def is_page(endpoint):
    """Whether an address may be opened: https, or http of this machine; printable, and without a user's name in it."""
    try:
        parts = urlsplit(endpoint)
        _ = parts.port  # raises ValueError when it is none
    except ValueError:
        return False
    secure = parts.scheme in ("https", "http")
    return bool(secure and parts.hostname and "@" not in parts.netloc and re.fullmatch(r"[!-~]+", endpoint))


# What is around it. Leave it as it is.
def start(command):
    """Run the opener, and return what it printed."""
    return subprocess.run(
        command,
        shell=isinstance(command, str),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        timeout=10,
    ).stdout


def make(env):
    run = repr if env.get("RANGE_SHOW") else start
    server = MCPServer("fixed-opener", log_level="ERROR")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def connect_account(authorization_endpoint: str) -> str:
        """Sign in at an authorization server: opens the page that its metadata names."""
        printed = []
        metadata = {"authorization_endpoint": authorization_endpoint}
        try:
            sign_in(metadata, {"response_type": "code", "client_id": "bridge"}, lambda it: printed.append(run(it)))
        except Refused as refused:
            raise ToolError(str(refused)) from refused
        return printed[0]

    return server


def rehearse(metadata, params):
    """What is started when this metadata arrives: the commands, and why it was refused."""
    started = []
    try:
        return {"url": sign_in(metadata, params, started.append), "started": started, "refused": None}
    except Refused as refused:
        return {"url": None, "started": started, "refused": str(refused)}


if __name__ == "__main__":
    from labkit.range import run

    run(make)
