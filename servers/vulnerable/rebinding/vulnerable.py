"""Vulnerable: it listens on 127.0.0.1, so whoever asks is on this machine; and so is every page in the user's browser.

Behind a proxy the SDK's protection answered 421 to the public name, so it was switched off. A page whose name was made
to mean 127.0.0.1 (DNS rebinding) now asks, and reads the answer.
"""

from collections.abc import Mapping

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

SECURITY = TransportSecuritySettings(enable_dns_rebinding_protection=False)


def app(env: Mapping[str, str]):
    """RANGE_NAMES has the public names, with commas: a proxy that is reached as https://NAME passes on its Host."""
    server = MCPServer("vulnerable-rebinding", log_level="ERROR")

    @server.tool()
    async def read_note() -> str:
        """Read the note that the user wrote for themselves."""
        return env.get("RANGE_CANARY", "canary")

    return server.streamable_http_app(transport_security=SECURITY, stateless_http=True, json_response=True)


if __name__ == "__main__":
    from labkit.range import run

    run(app=app)
