"""A server whose calls take known kinds of time: what simulations are compared with.

Run it by itself: python labkit/scaling/simulate_server.py. PLACES is how many calls it works on at the same time.
"""

from __future__ import annotations

import hashlib
import os
import random
import time

import anyio
import anyio.to_thread
from mcp.server import MCPServer

server = MCPServer("simulate_server", log_level="WARNING")
room = anyio.CapacityLimiter(int(os.environ.get("PLACES", "1")))
drawn = random.Random(f"replica {os.environ.get('LAB_REPLICA', '0')}")
ROUNDS = 4_000
"""Of SHA-256 in one go: about a millisecond, in which the interpreter is free."""


def amount() -> float:
    """How much there is to do: 1 on average, with a tail as real calls have it (deviation 0.53)."""
    return drawn.lognormvariate(-0.125, 0.5)


def work(milliseconds: float) -> None:
    """Keep a core busy; about so long where ROUNDS take a millisecond."""
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", max(1, int(milliseconds * ROUNDS)))


@server.tool()
async def nothing() -> float:
    """Only what the protocol costs."""
    return 0.0


@server.tool()
async def wait() -> float:
    """Wait for another service, about 20 ms. Returns the seconds that it had a place."""
    more = amount()
    async with room:
        began = time.perf_counter()
        await anyio.sleep(more * 0.02)
        return time.perf_counter() - began


@server.tool()
async def compute() -> float:
    """Use a core for about 10 ms, in a thread. Returns the seconds that it had a place."""
    more = amount()
    async with room:
        began = time.perf_counter()
        await anyio.to_thread.run_sync(work, more * 10)
        return time.perf_counter() - began


if __name__ == "__main__":
    server.run()
