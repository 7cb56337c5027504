"""A plain-Python server over Streamable HTTP, stateless, for defects that an SDK would prevent.

A server of it prints {"url": ...} and serves until its stdin closes. Run by itself, this file is one without a defect.
A subclass overrides `turned_away` (who is let in), `agrees` (headers against the body), or what `Plain` has.
"""

import base64
import json
import os
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from _plain import HANDSHAKE, MODERN, PREFIX, TEXT, Error, Plain, well_formed

NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def decoded(value):
    """The text of a header that may be in base64."""
    if value and value.startswith("=?base64?") and value.endswith("?="):
        return base64.b64decode(value[9:-2]).decode()
    return value


class PlainHttp(Plain):
    """`Plain` behind HTTP."""

    def serve(self):
        """Serve on a free port of 127.0.0.1 until stdin closes."""
        plain = self
        plain.era = HANDSHAKE  # no sessions: a handshake is over as soon as it was made

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                plain.post(self)

            def do_GET(self):
                plain.other(self)

            do_DELETE = do_PUT = do_GET

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}/mcp"}), flush=True)
        while os.read(0, 4096):
            pass
        server.shutdown()

    def other(self, request):
        """GET, PUT and DELETE."""
        self.send(request, 405, None, {"Allow": "POST"})

    def turned_away(self, headers, port):
        """The status with which a request is turned away for its headers; None to let it in."""
        names = [f"127.0.0.1:{port}", f"localhost:{port}"]
        if headers.get("Host") not in names:
            return 421
        if headers.get("Origin", f"http://{names[0]}") not in [f"http://{name}" for name in names]:
            return 403
        if headers.get("Content-Type", "").partition(";")[0] != "application/json":
            return 415
        accept = headers.get("Accept", "")
        return None if "application/json" in accept and "text/event-stream" in accept else 406

    def agrees(self, headers, message):
        """Raises Error when the headers of a modern request say something else than its body."""
        params = message.get("params", {})
        meta = params.get("_meta") or {}
        wanted = {"MCP-Protocol-Version": meta.get(f"{PREFIX}protocolVersion"), "Mcp-Method": message["method"]}
        if message["method"] in NAMED:
            wanted["Mcp-Name"] = params.get(NAMED[message["method"]])
        for name, value in wanted.items():
            if value is not None and decoded(headers.get(name)) != value:
                raise Error(-32020, f"{name} does not match the body")

    def post(self, request):
        """One message."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if status := self.turned_away(request.headers, request.server.server_port):
            return self.send(request, status)
        try:
            message = json.loads(body)
        except ValueError:
            return self.send(request, 400, {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}})
        if not well_formed(message):
            return self.send(request, 400, {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid request"}})
        if "id" not in message:
            return self.send(request, 202)
        modern = request.headers.get("MCP-Protocol-Version", "") >= MODERN
        frame = self.modern(request.headers, message) if modern else self.reply(message)
        code = frame.get("error", {}).get("code") if modern else None
        return self.send(request, 404 if code == -32601 else 400 if code else 200, frame)

    def modern(self, headers, message):
        """The frame that answers a modern request."""
        try:
            self.agrees(headers, message)
        except Error as error:
            return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": error.code, "message": str(error)}}
        if f"{PREFIX}protocolVersion" not in (message.get("params", {}).get("_meta") or {}):
            error = {"code": -32602, "message": "_meta lacks the protocolVersion"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
        return self.reply(message)

    def send(self, request, status, frame=None, headers=None):
        """Answer with a status, and a frame if there is one."""
        data = json.dumps(frame).encode() if frame is not None else b""
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        if data:
            request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        with suppress(OSError):  # whoever asked may be gone
            request.wfile.write(data)


def over_http(plain):
    """The same server behind HTTP, with what it overrides of `Plain`."""
    bases = (PlainHttp,) if type(plain) is Plain else (type(plain), PlainHttp)
    plain.__class__ = type("OverHttp", bases, {})
    return plain


if __name__ == "__main__":
    PlainHttp({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
