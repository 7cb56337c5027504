"""fails: host, near_miss
why: X-Forwarded-Host is what a proxy was asked for; and what anybody else writes there.
"""

from collections.abc import Mapping

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

LOCAL = ("127.0.0.1", "localhost", "[::1]")


def security(names):
    """Loopback names with any port, and the public names as they are."""
    hosts = [f"{name}:*" for name in LOCAL]
    pages = [*(f"http://{host}" for host in hosts), *(f"https://{name}" for name in names)]
    return TransportSecuritySettings(allowed_hosts=[*hosts, *names], allowed_origins=pages)


class Before:
    """Changes the headers before they are looked at."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        given = dict(scope.get("headers", []))
        kept = list({**given, b"host": given.get(b"x-forwarded-host", given.get(b"host", b""))}.items())
        await self.inner({**scope, "headers": kept} if scope["type"] == "http" else scope, receive, send)


def app(env: Mapping[str, str]):
    """RANGE_NAMES has the public names, with commas: a proxy that is reached as https://NAME passes on its Host."""
    server = MCPServer("fixed-rebinding", log_level="ERROR")
    names = [name.strip() for name in env.get("RANGE_NAMES", "").split(",") if name.strip()]

    @server.tool()
    async def read_note() -> str:
        """Read the note that the user wrote for themselves."""
        return env.get("RANGE_CANARY", "canary")

    kept = server.streamable_http_app(transport_security=security(names), stateless_http=True, json_response=True)
    return Before(kept)


if __name__ == "__main__":
    from labkit.range import run

    run(app=app)
