"""The internet of the drill, in small: a public site and an inner service, both on loopback, and who is called what.

The site's address is a public one, and a cable leads from it to a port of 127.0.0.1; what a guard decides about the
address is what it would decide anywhere. The inner service has the addresses that such services have, and the machine's
own: no exception is made for anything that a guard looks at.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PUBLIC, PUBLIC6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
SITES = ("docs.example", "shop10.example", "localhost.example", "127.0.0.1.example", "metadata.example")
SITES += ("10.0.0.1.shop.example", "x169.254.example", "internal-affairs.example", "xn--bcher-kva.example")
"""Names of the public site."""
BORDERING = ("9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.254", "128.0.0.1")
BORDERING += ("169.253.255.255", "169.255.0.1", "172.15.255.255", "172.32.0.1", "192.167.255.255", "192.169.0.1")
BORDERING += ("223.255.255.254", "2001:4860:4860::8888", "2002:5db8:d70e::1")
"""Public addresses beside those that are not; all lead to the public site."""
INNER = ("169.254.169.254", "100.100.100.200", "10.0.0.7", "172.16.0.1", "192.168.1.1", "192.0.0.192", "198.18.0.1")
INNER += ("240.0.0.1", "fd00:ec2::254", "fe80::1", "fec0::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1")
INNER += ("::ffff:169.254.169.254", "::ffff:10.0.0.7", "224.0.0.1", "ff02::1")
"""Addresses of the inner service, beside those of this machine."""
LED = {f"{kind}.attacker.example": address for kind, address in (("loop", "127.0.0.1"), ("loop6", "::1"))}
LED |= {"private.attacker.example": "10.0.0.7", "cloud.attacker.example": "169.254.169.254"}
LED |= {"shared.attacker.example": "100.100.100.200", "mapped.attacker.example": "::ffff:127.0.0.1"}
"""Names whose owner lets them lead inside."""
REBINDING = {f"rebind{n}.attacker.example": [[PUBLIC]] * n + [["127.0.0.1"]] for n in (1, 2, 3)}
REBINDING |= {"both.attacker.example": [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC]]}
"""Names that lead elsewhere when they are looked up again."""


class Sites:
    """Both servers, while it is entered. What the inner one says has the canary in it."""

    def __init__(self, canary: str) -> None:
        self.canary = canary
        self.visits = 0
        """How often the inner service was asked."""

    def __enter__(self) -> Self:
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(each)) for each in (self._outer, self._inner)]
        self.outer, self.inner = (each.server_address[1] for each in self._servers)
        for each in self._servers:
            each.daemon_threads = True
            threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        for each in self._servers:
            each.shutdown()
            each.server_close()

    @property
    def world(self) -> dict[str, Any]:
        """Names and cables, as a server of the drill takes them in RANGE_NETWORK."""
        names: dict[str, list[list[str]]] = {name: [[PUBLIC]] for name in SITES}
        names |= {name: [[address]] for name, address in LED.items()} | REBINDING
        names |= {"v6.example": [[PUBLIC6]], "many.example": [[PUBLIC, PUBLIC6, "11.0.0.1"]]}
        cables = dict.fromkeys((PUBLIC, PUBLIC6, *BORDERING), self.outer) | dict.fromkeys(INNER, self.inner)
        return {"names": names, "cables": cables}

    @property
    def env(self) -> dict[str, str]:
        """The setting with the world in it."""
        return {"RANGE_NETWORK": json.dumps(self.world)}

    def _outer(self, path: str, host: str) -> tuple[int, dict[str, str], str]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/to":
            return 302, {"Location": query["url"]}, ""
        if parts.path == "/hops":
            left = int(query["n"])
            return (302, {"Location": f"/hops?n={left - 1}"}, "") if left else (200, {}, "arrived")
        return 200, {}, f"page {path} of {host}"

    def _inner(self, path: str, host: str) -> tuple[int, dict[str, str], str]:
        self.visits += 1
        return 200, {}, f"credentials: {self.canary}"


def _handler(answer: Callable[[str, str], tuple[int, dict[str, str], str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, text = answer(self.path, self.headers.get("Host", ""))
            body = text.encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
