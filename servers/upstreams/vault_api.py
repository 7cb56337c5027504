"""A part of the HTTP API of HashiCorp Vault, on loopback and in memory, for tests and notebooks; for no real secret.

    python servers/upstreams/vault_api.py [--port 0]

Prints {"url": "http://127.0.0.1:PORT", "token": "..."} as one line of JSON, the token being that of root, and serves
until its standard input ends. In a kernel: `with VaultServer() as vault: vault.url, vault.token`.

    POST /v1/secret/data/NAME            {"data": {...}, "options": {"cas": 1}}: the next version
    GET /v1/secret/data/NAME[?version=1] the newest one, or that one; DELETE hides the newest
    GET /v1/secret/metadata/NAME         which versions there are
    POST /v1/auth/token/create           {"ttl": "60s"}: a token that ends; renew-self, lookup-self, revoke-self
    GET /v1/database/creds/ROLE          a user and a password with a lease
    PUT /v1/sys/leases/renew, revoke     {"lease_id": ...}
    GET /v1/sys/health                   without a token

`mode` is "ok", "sealed" (503), or "broken" (answers that are no JSON); `clock` is what time it is, for tests.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

LEASE_SECONDS = 60.0
TOKEN_SECONDS = 3600.0


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


class State:
    """All that the server knows. One request at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.root = f"canary-root-{secrets.token_hex(12)}"
        self.mode = "ok"
        self.requests: list[str] = []
        self.secrets: dict[str, list[dict[str, Any] | None]] = {}
        self.tokens: dict[str, float] = {}
        self.leases: dict[str, float] = {}

    def answer(self, method: str, target: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request. Raises Refused."""
        parts = urlsplit(target)
        path = unquote(parts.path.removeprefix("/v1/"))
        self.requests.append(f"{method} {path}")
        if path == "sys/health":
            return {"initialized": True, "sealed": self.mode == "sealed"}
        if self.mode == "sealed":
            raise Refused(503, "Vault is sealed")
        if token != self.root and self.tokens.get(token, 0.0) <= self.clock():
            raise Refused(403, "permission denied")
        if path.startswith("secret/data/"):
            version = int(parse_qs(parts.query).get("version", ["0"])[0])
            return self.secret(method, path.removeprefix("secret/data/"), version, body)
        if path.startswith("secret/metadata/"):
            versions = self.versions(path.removeprefix("secret/metadata/"))
            shown = {str(n): {"deletion_time": "" if v else "deleted"} for n, v in enumerate(versions, 1)}
            return {"data": {"current_version": len(versions), "versions": shown}}
        if path.startswith("auth/token/"):
            return self.token(path.removeprefix("auth/token/"), token, body)
        if path.startswith("database/creds/"):
            return self.lease(path)
        if path in ("sys/leases/renew", "sys/leases/revoke"):
            return self.held(path, body)
        raise Refused(404, "no handler for route")

    def versions(self, name: str) -> list[dict[str, Any] | None]:
        if name not in self.secrets:
            raise Refused(404)
        return self.secrets[name]

    def secret(self, method: str, name: str, version: int, body: dict[str, Any]) -> dict[str, Any]:
        if method in ("POST", "PUT"):
            there = self.secrets.setdefault(name, [])
            if body.get("options", {}).get("cas", len(there)) != len(there):
                raise Refused(400, "check-and-set parameter did not match the current version")
            there.append(dict(body["data"]))
            return {"data": {"version": len(there)}}
        there = self.versions(name)
        number = version or len(there)
        found = there[number - 1] if 0 < number <= len(there) else None
        if method == "DELETE":
            there[-1] = None
            return {}
        if found is None:
            raise Refused(404)
        return {"lease_duration": 0, "data": {"data": found, "metadata": {"version": number}}}

    def token(self, what: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        now = self.clock()
        if what == "create":
            made, lasts = f"canary-token-{secrets.token_hex(12)}", duration(body.get("ttl"), TOKEN_SECONDS)
            self.tokens[made] = now + lasts
            return {"auth": {"client_token": made, "lease_duration": lasts, "renewable": True}}
        if what == "renew-self":
            lasts = duration(body.get("increment"), TOKEN_SECONDS)
            self.tokens[token] = now + lasts
            return {"auth": {"lease_duration": lasts, "renewable": True}}
        if what == "revoke-self":
            self.tokens.pop(token, None)
            return {}
        if what == "lookup-self":
            return {"data": {"ttl": self.tokens.get(token, now) - now}}
        raise Refused(404)

    def lease(self, path: str) -> dict[str, Any]:
        name = f"{path}/{secrets.token_hex(8)}"
        self.leases[name] = self.clock() + LEASE_SECONDS
        data = {"username": f"v-{secrets.token_hex(4)}", "password": f"canary-password-{secrets.token_hex(12)}"}
        return {"lease_id": name, "lease_duration": LEASE_SECONDS, "renewable": True, "data": data}

    def held(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name, now = str(body.get("lease_id")), self.clock()
        if self.leases.get(name, 0.0) <= now:
            raise Refused(400, "lease not found")
        if path.endswith("revoke"):
            del self.leases[name]
            return {}
        lasts = min(duration(body.get("increment"), LEASE_SECONDS), LEASE_SECONDS)
        self.leases[name] = now + lasts
        return {"lease_id": name, "lease_duration": lasts, "renewable": True}


def duration(given: object, default: float) -> float:
    """Seconds of 60, "60" or "60s"."""
    found = re.fullmatch(r"(\d+)s?", str(given))
    return float(found[1]) if found else default


class VaultServer:
    """A Vault on a free port of 127.0.0.1, in a thread. A context manager, or `start` and `stop`."""

    def __init__(self, *, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self.state = state = State(clock)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if state.mode == "stopped":  # a connection that was kept open
                    self.close_connection = True
                    return
                with state.lock:
                    status, said = 200, json.dumps(None)
                    try:
                        body = json.loads(raw or b"{}") or {}
                        token = self.headers.get("X-Vault-Token", "")
                        said = json.dumps(state.answer(self.command, self.path, token, body))
                    except Refused as refused:
                        status, said = refused.status, json.dumps({"errors": [str(refused)] if str(refused) else []})
                    except (ValueError, KeyError, TypeError, AttributeError):
                        status, said = 400, json.dumps({"errors": ["malformed request"]})
                    if state.mode == "broken":
                        said = "<html>bad gateway</html>"
                data = said.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PUT = do_DELETE = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def token(self) -> str:
        """The token of root."""
        return self.state.root

    def put(self, name: str, **fields: str) -> int:
        """Write a secret, as whoever rotates it does; the number of its version."""
        with self.state.lock:
            return int(self.state.secret("POST", name, 0, {"data": fields})["data"]["version"])

    def start(self) -> Self:
        """Serve; a context manager does it by itself."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it. Stopping twice is fine, and one that was never started."""
        self.state.mode = "stopped"
        if self._thread.ident is not None:  # else it would wait for an end that does not come
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="A part of Vault's HTTP API, on loopback and in memory.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    with VaultServer(port=parser.parse_args().port) as vault:
        print(json.dumps({"url": vault.url, "token": vault.token}), flush=True)
        sys.stdin.buffer.read()
        os._exit(0)  # nothing to save


if __name__ == "__main__":
    main()
