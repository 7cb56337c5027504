"""A stdio server in forty lines of standard library: it starts in 20 ms where one on the SDK takes 600.

For tests that start hundreds. It has one tool, `add`, and speaks both eras as far as connecting and calling goes.
Run it as `python -I -S -E light_server.py [mute]`; mute, it reads and never answers.
"""

import json
import sys

INFO = {"name": "light", "version": "1"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
STATELESS = "io.modelcontextprotocol/protocolVersion"


def answer(method: str, params: dict) -> dict:
    """The result object for one request. KeyError for a method that this server does not have."""
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": INFO}
    results = {
        "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
        "tools/list": {"tools": [{"name": "add", "inputSchema": SCHEMA}]},
    }
    if method == "tools/call":
        total = params["arguments"]["a"] + params["arguments"]["b"]
        result = {"content": [{"type": "text", "text": str(total)}]}
    else:
        result = results[method]
    if STATELESS in params.get("_meta", {}):
        result |= {"resultType": "complete", "_meta": {"io.modelcontextprotocol/serverInfo": INFO}}
        if method != "tools/call":
            result |= {"cacheScope": "private", "ttlMs": 0}
    return result


def main() -> None:
    """Answer each line of stdin on stdout, until stdin ends."""
    mute = "mute" in sys.argv[1:]
    for line in sys.stdin:
        message = json.loads(line)
        if mute or "id" not in message:
            continue
        reply = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            reply["result"] = answer(message["method"], message.get("params") or {})
        except KeyError:
            reply["error"] = {"code": -32601, "message": "Method not found"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
