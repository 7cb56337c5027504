"""Vulnerable: a bridge that opens whatever address an authorization server names as its sign-in page, with a shell.

The metadata comes from the other side (RFC 8414): a hostile server writes into it what it likes. Here a harmless
program stands for the opener of the system, such as xdg-open: it prints what it was given.

    RANGE_SHOW    anything: say what would be run, and run nothing
"""

import shlex
import subprocess
import sys
from urllib.parse import urlencode

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
    start(f"{shlex.join(OPENER)} {url}")
    return url


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
    server = MCPServer("vulnerable-opener", log_level="ERROR")

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
