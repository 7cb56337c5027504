"""A server over TLS that lets in who shows a certificate of the right CA, in a thread of the test."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from mcp.server import MCPServer


@contextmanager
def serving_tls(cert: tuple[Path, Path], ca: Path) -> Iterator[str]:
    """The URL of a server with one tool, `add`, whose certificate is `cert`; clients have to show one of `ca`."""
    server = MCPServer("vault", log_level="ERROR")

    @server.tool()
    def add(a: int, b: int) -> int:
        return a + b

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        server.streamable_http_app(),
        log_level="critical",
        ssl_certfile=cert[0],
        ssl_keyfile=cert[1],
        ssl_ca_certs=str(ca),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}/mcp"
    finally:
        running.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def alerting(cert: tuple[Path, Path], ca: Path) -> Iterator[str]:
    """The URL of what shakes hands and does no more: OpenSSL tells whoever fails why, in an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def shake() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    _shake(context, connection)

    thread = threading.Thread(target=shake, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}/mcp"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _shake(context: ssl.SSLContext, connection: socket.socket) -> None:
    """A handshake, and then nothing more. What the client sends meanwhile is read: unread, it would make the end of the
    connection a reset, which can overtake the alert."""
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(come, go, server_side=True)
    for _ in range(20):
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            connection.sendall(go.read())
            come.write(connection.recv(65536))
        except ssl.SSLError:
            break
    connection.sendall(go.read())
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass
