"""Fixed: a request says which name it was sent to, and which page sent it; both have to be among the expected ones."""

from collections.abc import Mapping

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

LOCAL = ("127.0.0.1", "localhost", "[::1]")


def security(names):
    """Loopback names with any port, and the public names as they are."""
    hosts = [f"{name}:*" for name in LOCAL]
    pages = [*(f"http://{host}" for host in hosts), *(f"https://{name}" for name in names)]
    return TransportSecuritySettings(allowed_hosts=[*hosts, *names], allowed_origins=pages)


def app(env: Mapping[str, str]):
    """RANGE_NAMES has the public names, with commas: a proxy that is reached as https://NAME passes on its Host."""
    server = MCPServer("fixed-rebinding", log_level="ERROR")
    names = [name.strip() for name in env.get("RANGE_NAMES", "").split(",") if name.strip()]

    @server.tool()
    async def read_note() -> str:
        """Read the note that the user wrote for themselves."""
        return env.get("RANGE_CANARY", "canary")

    return server.streamable_http_app(transport_security=security(names), stateless_http=True, json_response=True)


if __name__ == "__main__":
    from labkit.range import run

    run(app=app)
