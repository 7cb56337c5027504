"""A process that does what a script says, for a client that is checked: no process is started, and nothing takes time.

A script is a list of steps:

    ("hears", n)      goes on when n lines have come in all
    ("says", text)    writes to stdout; <0> in it is the id of the first request that it has heard
    ("warns", n)      writes n bytes to stderr
    ("waits", None)   goes on when its stdin is closed
    ("stays", None)   does not end, whatever happens (for some seconds, so that a check does)
    ("ends", code)    ends

What waits in vain ends with the code 99. That is found out by counting turns of the event loop, in which all that
happens here happens, so that a busy machine changes nothing.
"""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from typing import Any

TURNS = 300
"""Of the event loop in which something has to happen: a client needs a few."""


class Pipe(asyncio.Transport):
    """What a server writes into; it has to wait while nobody reads."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.reader, self.full = asyncio.StreamReader(limit), False
        self.reader.set_transport(self)

    def pause_reading(self) -> None:
        self.full = True

    def resume_reading(self) -> None:
        self.full = False


class Server:
    """Looks like an asyncio.subprocess.Process, and its stdin."""

    def __init__(self, script: list[tuple[str, Any]]) -> None:
        self.script, self.heard, self.closed = script, b"", False
        self.returncode: int | None = None

    async def start(
        self, stdin: int | None = None, stdout: int | None = None, stderr: int | None = None, limit: int = 2**16
    ) -> "Server":
        self.stdin, out, err = self, Pipe(limit), Pipe(2**15 if stderr == PIPE else 2**30)
        self.stdout, self.stderr = out.reader, err.reader if stderr == PIPE else None
        self.life = asyncio.create_task(self.live(out, err))
        return self

    def write(self, data: bytes) -> None:
        self.heard += data

    async def drain(self) -> None:
        if self.returncode is not None:
            raise ConnectionResetError("the server has ended")

    def close(self) -> None:
        self.closed = True

    async def wait_closed(self) -> None:
        await self.drain()

    async def wait(self) -> int | None:
        await asyncio.wait([self.life])
        return self.returncode

    def kill(self) -> None:
        self.life.cancel()

    terminate = kill

    def lines(self) -> list[bytes]:
        return self.heard.split(b"\n")[:-1]

    def asked(self) -> list[dict[str, Any]]:
        return [frame for frame in map(json.loads, self.lines()) if "method" in frame]

    async def live(self, out: Pipe, err: Pipe) -> None:
        try:
            for verb, what in self.script:
                if verb == "hears":  # so many lines in all
                    await self.until(lambda n=what: len(self.lines()) >= n)
                elif verb == "says":  # <0> is the id of the first request
                    for n, frame in enumerate(self.asked()):
                        what = what.replace(f"<{n}>", json.dumps(frame["id"]))
                    await self.put(out, what.encode("utf-8", "surrogateescape"))
                elif verb == "warns":
                    await self.put(err, b"w" * what)
                elif verb == "waits":  # for the end of its input
                    await self.until(lambda: self.closed)
                elif verb == "stays":  # whatever happens
                    for _ in range(2000):
                        await asyncio.sleep(0.001)
                elif verb == "ends":
                    self.returncode = what
                    return
        except asyncio.CancelledError:
            self.returncode = -9
        except (TimeoutError, ValueError, KeyError, TypeError):
            self.returncode = 99
        finally:
            out.reader.feed_eof()
            err.reader.feed_eof()

    async def put(self, pipe: Pipe, data: bytes) -> None:
        for at in range(0, len(data), 10_000):
            pipe.reader.feed_data(data[at : at + 10_000])
            await self.until(lambda: not pipe.full)

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            if true():
                return
            await asyncio.sleep(0)
        raise TimeoutError


async def play(
    ask: Callable[..., Awaitable[Any]], script: list[tuple[str, Any]], requests: list[Any], patience: float
) -> dict[str, Any]:
    """What `ask` gives, or raises, and what the server has seen of it."""
    server = Server(script)
    try:
        found: dict[str, Any] = {"told": await ask(server.start, requests, patience)}
    except Exception as error:
        found = {"raised": f"{type(error).__name__}: {error}"}
    finally:
        server.kill()
    heard = [line.decode("utf-8", "replace") for line in server.heard.split(b"\n")]
    return {**found, "heard": heard, "closed": server.closed, "code": server.returncode}
