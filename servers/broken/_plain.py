"""A stdio server in plain Python for defects that an SDK would prevent: it starts in 20 ms and does as it is told.

    from _plain import Plain, TEXT
    Plain({"hello": ({"type": "object"}, lambda arguments: "hello")}).run()

A subclass overrides `answer` (a result for a method), `reply` (the whole frame), or `write` (what goes to stdout).
Apart from its defect a server made of this is correct in both eras: certify finds nothing else. Run by itself, this
file is one without a defect, to compare with.
"""

import json
import sys

from _check import problem

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
PREFIX = "io.modelcontextprotocol/"
LISTED = ("server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list")


class Error(Exception):
    """A JSON-RPC error to answer with."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.code, self.data = code, data


def well_formed(message):
    """Whether it is a request or a notification."""
    return (
        isinstance(message, dict)
        and isinstance(message.get("method"), str)
        and isinstance(message.get("params", {}), dict)
        and type(message.get("id", 0)) in (int, str)
    )


class Plain:
    """`tools` maps a name to (input schema, function of the arguments that returns a text or a result object)."""

    name = "plain"

    def __init__(self, tools, descriptions=None):
        self.tools, self.descriptions = tools, descriptions or {}
        self.era = ""

    def run(self):
        """Answer every line of stdin until it ends; with the argument `http`, serve HTTP instead."""
        if sys.argv[1:] == ["http"]:
            from _plain_http import over_http

            over_http(self).serve()
            return
        for line in sys.stdin:
            try:
                message = json.loads(line)
            except ValueError:
                self.write({"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}})
                continue
            self.take(message)

    def take(self, message):
        """One message of the client, whatever it is."""
        if not well_formed(message):
            self.write({"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid request"}})
        elif "id" in message:
            self.write(self.reply(message))

    def write(self, frame):
        """One frame, one line."""
        sys.stdout.write(json.dumps(frame) + "\n")
        sys.stdout.flush()

    def reply(self, message):
        """The frame that answers a request."""
        frame = {"jsonrpc": "2.0", "id": message["id"]}
        params = message.get("params") or {}
        modern = f"{PREFIX}protocolVersion" in (params.get("_meta") or {})
        try:
            self.check_version(message["method"], params, modern)
            result = self.answer(message["method"], params)
        except Error as error:
            return frame | {
                "error": {"code": error.code, "message": str(error)} | ({"data": error.data} if error.data else {})
            }
        if modern:
            result = {
                "resultType": "complete",
                "_meta": {f"{PREFIX}serverInfo": {"name": self.name, "version": "1"}},
            } | result
            if message["method"] in LISTED or message["method"] == "resources/read":
                result = {"ttlMs": 0, "cacheScope": "private"} | result
        return frame | {"result": result}

    def check_version(self, method, params, modern):
        """Refuse what is of no revision that this server speaks, and requests before `initialize`."""
        if modern:
            if method in ("initialize", "ping"):
                raise Error(-32601, f"{MODERN} has no {method}")
            if f"{PREFIX}clientCapabilities" not in params["_meta"]:
                raise Error(-32602, "_meta lacks the clientCapabilities")
            asked = params["_meta"][f"{PREFIX}protocolVersion"]
            if asked != MODERN:
                raise Error(-32022, "Unsupported protocol version", {"supported": [MODERN], "requested": asked})
        elif method == "initialize":
            self.era = self.version(params.get("protocolVersion"))
        elif not self.era and method != "ping":
            raise Error(-32602, "Received request before initialization was complete")

    def version(self, asked):
        """The version to answer `initialize` with."""
        return HANDSHAKE

    def capabilities(self):
        """What is announced."""
        return {"tools": {"listChanged": False}}

    def page(self, cursor):
        """Where the page of this cursor begins. Raises Error for one that this server did not give."""
        if cursor is not None:
            raise Error(-32602, "There is no such cursor")
        return 0

    def listing(self):
        """The tools as `tools/list` shows them."""
        return [
            {"name": name, "description": self.descriptions.get(name, f"Does {name}."), "inputSchema": schema}
            for name, (schema, _) in self.tools.items()
        ]

    def answer(self, method, params):
        """The result object of a request. Raises Error."""
        if method == "initialize":
            return {
                "protocolVersion": self.era,
                "capabilities": self.capabilities(),
                "serverInfo": {"name": self.name, "version": "1"},
            }
        if method == "server/discover":
            return {"supportedVersions": [MODERN], "capabilities": self.capabilities()}
        if method == "ping" and self.era:
            return {}
        if method == "tools/list":
            self.page(params.get("cursor"))
            return {"tools": self.listing()}
        if method == "tools/call":
            return self.call(params)
        raise Error(-32601, f"Method not found: {method}")

    def refusal(self, schema, arguments):
        """Why these arguments are not taken; None when they are."""
        return problem(schema, arguments)

    def call(self, params):
        """`tools/call`."""
        if params.get("name") not in self.tools:
            raise Error(-32602, f"Unknown tool: {params.get('name')}")
        schema, function = self.tools[params["name"]]
        arguments = params.get("arguments") or {}
        said = self.refusal(schema, arguments)
        if said:
            return {"content": [{"type": "text", "text": said}], "isError": True}
        made = function(arguments)
        return made if isinstance(made, dict) else {"content": [{"type": "text", "text": str(made)}]}


# Schemas for tools.
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string", "description": "Any text."}},
    "required": ["text"],
    "additionalProperties": False,
}


if __name__ == "__main__":
    Plain({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
