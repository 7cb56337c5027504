"""A bank on loopback, for servers that call an API on behalf of their users: the upstream of the user_data server.

    python servers/upstreams/bank_api.py [--port 0]

Prints its address as one line of JSON, {"url": "http://127.0.0.1:PORT"}, and serves until its standard input ends.

    GET /accounts                    the accounts of whoever the token belongs to
    GET /accounts/ID                 one of them; 404 for those of others, as for those that are not
    POST /transfers                  {"from": ID, "to": ID, "cents": 100} between them; 201. A second request with the
                                     same `Idempotency-Key` moves nothing, and is answered like the first

Who calls is told by `Authorization: Bearer TOKEN`. Every answer also sets a session cookie, and a request that brings
one is served for the session, without a look at the token: many APIs behave like that, and a client that keeps cookies
for all of its users mixes them up.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import threading
from collections import OrderedDict
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKENS = {"demo-token-of-ada": "ada", "demo-token-of-ben": "ben"}
"""Not secret: they open this bank only."""
ACCOUNTS = {
    "ada": {"A-100": ("Current", 125_050), "A-101": ("Savings", 900_000)},
    "ben": {"B-200": ("Current", 4_210)},
}
KEPT_TRANSFERS = 1000
"""How many answers are remembered for requests that come twice."""


class Bank(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: on a kept connection the second would wait 40 ms
    sessions: dict[str, str] = {}  # noqa: RUF012
    done: OrderedDict[tuple[str, str], tuple[int, object]] = OrderedDict()  # noqa: RUF012
    one_at_a_time = threading.Lock()

    def do_GET(self) -> None:
        user = self.user()
        if user is None:
            return self.answer(401, {"error": "unknown token"})
        accounts = [{"id": key, "name": name, "cents": cents} for key, (name, cents) in ACCOUNTS[user].items()]
        if self.path == "/accounts":
            return self.answer(200, {"accounts": accounts}, user)
        for account in accounts:
            if self.path == f"/accounts/{account['id']}":
                return self.answer(200, account, user)
        self.answer(404, {"error": "no such account"}, user)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        user = self.user()
        if user is None:
            return self.answer(401, {"error": "unknown token"})
        if self.path != "/transfers":
            return self.answer(404, {"error": "no such thing"}, user)
        with self.one_at_a_time:
            key = (user, self.headers.get("Idempotency-Key", ""))
            status, said = self.done.get(key) or transfer(user, body)
            if key[1] and status == 201:
                self.done[key] = status, said
                while len(self.done) > KEPT_TRANSFERS:
                    self.done.popitem(last=False)
        self.answer(status, said, user)

    def user(self) -> str | None:
        session = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.sessions.get(session.value) if session else TOKENS.get(token)

    def answer(self, status: int, body: object, user: str = "") -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if user:
            name = secrets.token_hex(8)
            self.sessions[name] = user
            self.send_header("Set-Cookie", f"session={name}; Path=/")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def transfer(user: str, body: bytes) -> tuple[int, object]:
    """Move money between two accounts of a user: the status and the answer."""
    own = ACCOUNTS[user]
    try:
        wanted = json.loads(body)
        source, target, cents = wanted["from"], wanted["to"], wanted["cents"]
        if type(cents) is not int or cents <= 0 or source == target:
            raise ValueError
        (from_name, has), (to_name, had) = own[source], own[target]
    except (ValueError, KeyError, TypeError):
        return 400, {"error": "a transfer has from and to, two of your accounts, and cents, a whole number above 0"}
    if has < cents:
        return 409, {"error": f"{source} has no more than {has} cents"}
    own[source], own[target] = (from_name, has - cents), (to_name, had + cents)
    return 201, {"id": secrets.token_hex(8), "from": source, "to": target, "cents": cents}


def main() -> None:
    parser = argparse.ArgumentParser(description="A bank on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Bank)
    server.daemon_threads = True
    threading.Thread(target=exit_at_end_of_input, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    server.serve_forever()


def exit_at_end_of_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # nothing to save


if __name__ == "__main__":
    main()
