"""What a probe looks for: words that nobody else has, a file outside of every root, a port that nobody should call.

A finding of the security section is a canary that came back, or a visit to the port: never a guess.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path


def word() -> str:
    """Letters that no server has of itself."""
    return "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(12))


@asynccontextmanager
async def secret_file() -> AsyncGenerator[tuple[Path, str]]:
    """A file with a canary in a folder of its own, and the canary."""
    with tempfile.TemporaryDirectory(prefix="labkit-canary-", ignore_cleanup_errors=True) as folder:
        path, canary = Path(folder).resolve() / "canary.txt", word()
        path.write_text(canary + "\n", encoding="utf-8")
        yield path, canary


@contextmanager
def ways_out(folder: Path, canary: str) -> Generator[list[str]]:
    """Paths that lead out of a folder to a canary, and look as if they stayed: for servers that compare text.

    A neighbour whose name begins like the folder's, and a link in it. Both are gone afterwards.
    """
    beside = Path(tempfile.mkdtemp(prefix=f"{folder.name}-labkit-", dir=folder.parent))
    link = folder / f"labkit-{word().lower()}"
    try:
        (beside / "canary.txt").write_text(canary + "\n", encoding="utf-8")
        found = [f"../{beside.name}/canary.txt", str(beside / "canary.txt")]
        with suppress(OSError):  # not everybody may make links on Windows
            link.symlink_to(beside, target_is_directory=True)
            found += [f"{link.name}/canary.txt", str(link / "canary.txt")]
        yield found
    finally:
        with suppress(OSError):
            link.unlink(missing_ok=True)
        shutil.rmtree(beside, ignore_errors=True)


class Port:
    """A listener on loopback that notes the path of every request, and answers with a canary."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        self.canary = word()
        self.number = 0

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError):
            line = await asyncio.wait_for(reader.readline(), 5)
            self.visits.append(line.decode("latin-1").strip()[:300])
            body = f'{{"canary": "{self.canary}"}}'
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
            )
            writer.write(f"{head}\r\n\r\n{body}".encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_port() -> AsyncGenerator[Port]:
    """A port of 127.0.0.1 that nobody but a forged request would visit."""
    port = Port()
    server = await asyncio.start_server(port._visit, "127.0.0.1", 0)  # pyright: ignore[reportPrivateUsage]
    port.number = int(server.sockets[0].getsockname()[1])
    try:
        yield port
    finally:
        server.close()
        await server.wait_closed()
