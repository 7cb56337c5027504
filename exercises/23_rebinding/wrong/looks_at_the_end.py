"""fails: host, origin
why: endswith is right for the domain of a name, and wrong for the name: evil-localhost, or x in front of a public one.
"""

from collections.abc import Mapping

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

LOCAL = ("127.0.0.1", "localhost", "[::1]")


OFF = TransportSecuritySettings(enable_dns_rebinding_protection=False)


class Door:
    """Answers the names and the pages that are expected."""

    def __init__(self, inner, names):
        self.inner, self.names = inner, names

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            host, origin = headers.get("host", ""), headers.get("origin")
            if not (host.rpartition(":")[0].endswith(LOCAL) or host.endswith(tuple(self.names) or "?")):
                return await PlainTextResponse("not this host", 421)(scope, receive, send)
            if origin is not None and not (
                origin.removeprefix("http://").rpartition(":")[0].endswith(LOCAL)
                or origin.endswith(tuple(self.names) or "?")
            ):
                return await PlainTextResponse("not this page", 403)(scope, receive, send)
        await self.inner(scope, receive, send)


def app(env: Mapping[str, str]):
    """RANGE_NAMES has the public names, with commas: a proxy that is reached as https://NAME passes on its Host."""
    server = MCPServer("fixed-rebinding", log_level="ERROR")
    names = [name.strip() for name in env.get("RANGE_NAMES", "").split(",") if name.strip()]

    @server.tool()
    async def read_note() -> str:
        """Read the note that the user wrote for themselves."""
        return env.get("RANGE_CANARY", "canary")

    inner = server.streamable_http_app(transport_security=OFF, stateless_http=True, json_response=True)
    return Door(inner, names)


if __name__ == "__main__":
    from labkit.range import run

    run(app=app)
