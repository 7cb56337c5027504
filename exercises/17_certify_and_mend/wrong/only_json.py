"""fails: lines, rest
why: The JSON is looked at, and what it holds is not: a list, or an object without a method, ends the server.
"""

import json
import sys

VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
TOOL = {
    "name": "mean",
    "description": "The mean of some temperatures in degrees Celsius.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "readings": {
                "type": "array",
                "items": {"type": "number", "minimum": -90, "maximum": 60},
                "minItems": 1,
                "description": "Degrees Celsius, one reading at least.",
            }
        },
        "required": ["readings"],
        "additionalProperties": False,
    },
    "outputSchema": {"type": "object", "properties": {"mean": {"type": "number"}}, "required": ["mean"]},
    "annotations": {"readOnlyHint": True},
}


class Refused(Exception):
    """A request that gets an error: its code and message, and data if there are any."""


def error(code, message, data=None):
    return {"error": {"code": code, "message": message} | ({"data": data} if data else {})}


def is_reading(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and -90 <= value <= 60


def mean(arguments):
    readings = arguments.get("readings")
    fits = set(arguments) == {"readings"} and isinstance(readings, list) and all(map(is_reading, readings))
    if not fits or not readings:
        text = "readings must be a list of one temperature or more, each from -90 to 60"
        return {"content": [{"type": "text", "text": text}], "isError": True}
    print(f"mean of {len(readings)} readings", file=sys.stderr)
    value = round(sum(readings) / len(readings), 1)
    return {"content": [{"type": "text", "text": f"{value} °C"}], "structuredContent": {"mean": value}}


def answer(method, params):
    meta = params.get("_meta", {})
    asked = meta.get(f"{PREFIX}protocolVersion")
    if asked is None or f"{PREFIX}clientCapabilities" not in meta:
        raise Refused(-32602, "_meta needs the protocolVersion and the clientCapabilities")
    if asked != VERSION:
        raise Refused(-32022, "Unsupported protocol version", {"supported": [VERSION], "requested": asked})
    if method == "server/discover":
        return {"supportedVersions": [VERSION], "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}
    if method == "tools/list":
        if "cursor" in params:
            raise Refused(-32602, "There is no such cursor")
        return {"tools": [TOOL], "ttlMs": 0, "cacheScope": "private"}
    if method == "tools/call":
        if params.get("name") != "mean":
            raise Refused(-32602, f"Unknown tool: {params.get('name')}")
        return mean(params.get("arguments", {}))
    raise Refused(-32601, f"Method not found: {method}")


def is_request(message):
    named = isinstance(message, dict) and isinstance(message.get("method"), str)
    return named and isinstance(message.get("params", {}), dict) and type(message.get("id", 0)) in (int, str)


def reply(line):
    frame = {"jsonrpc": "2.0"}
    try:
        message = json.loads(line)
    except ValueError:
        return frame | error(-32700, "Parse error")
    if "id" not in message:
        return None
    frame["id"] = message["id"]
    try:
        result = answer(message["method"], message.get("params", {}))
    except Refused as refused:
        return frame | error(*refused.args)
    server = {f"{PREFIX}serverInfo": {"name": "thermometer", "version": "1"}}
    return frame | {"result": {"resultType": "complete", "_meta": server} | result}


def main():
    for line in sys.stdin:
        frame = reply(line)
        if frame is not None:
            print(json.dumps(frame), flush=True)


if __name__ == "__main__":
    main()
