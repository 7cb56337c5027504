"""fails: envelope, meta_stays, handshake
why: The keys are written as the handshake knew them, without the prefix that makes them the protocol's own.
"""

PREFIX = "io.modelcontextprotocol/"
VERSION = "2026-07-28"
GONE = {"notifications/initialized", "notifications/roots/list_changed", "logging/setLevel"}
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def modernize(frame, client):
    method = frame["method"]
    if method in GONE:
        return None
    if "id" not in frame:
        return frame
    params = frame.get("params", {})
    if method in ("initialize", "ping"):
        method, params = "server/discover", {}
    envelope = {
        "protocolVersion": VERSION,
        "clientInfo": client["info"],
        "clientCapabilities": client["capabilities"],
    }
    meta = {**params.get("_meta", {}), **envelope}
    return {"jsonrpc": "2.0", "id": frame["id"], "method": method, "params": {**params, "_meta": meta}}


def http_headers(frame):
    method, params = frame["method"], frame["params"]
    headers = {"MCP-Protocol-Version": params["_meta"][PREFIX + "protocolVersion"], "Mcp-Method": method}
    if method in NAMED:
        headers["Mcp-Name"] = params[NAMED[method]]
    return headers


def state_of(result):
    return result.get("resultType", "complete")
