import asyncio
import json
import sys
import time
import uuid
from contextvars import ContextVar

from mcp.server import MCPServer

server = MCPServer("kitchen", log_level="ERROR")
LINES = []
errand = ContextVar("errand", default="")


def begin():
    errand.set(uuid.uuid4().hex)
    return errand.get()


def log(event):
    line = {"errand": errand.get(), "event": event}
    LINES.append(line)
    print(json.dumps(line), file=sys.stderr, flush=True)


log("the kitchen is open")


@server.tool()
async def order(dish: str, wait: float) -> str:
    """Order a dish; the answer is the id of the errand."""
    mine = begin()
    log(f"ordered {dish}")
    await asyncio.sleep(wait)
    await asyncio.gather(cook(dish), asyncio.to_thread(pack, dish))
    log(f"served {dish}")
    return mine


async def cook(dish):
    log(f"cooked {dish}")


def pack(dish):
    log(f"packing {dish}")
    time.sleep(0.2)
    log(f"packed {dish}")


@server.tool()
def quick(dish: str) -> str:
    """A dish that is there already; the answer is the id of the errand."""
    mine = begin()
    pack(dish)
    return mine


@server.resource("log://lines")
def lines() -> str:
    """All lines of the log."""
    log("somebody looks")
    return json.dumps(LINES)


if __name__ == "__main__":
    server.run()
