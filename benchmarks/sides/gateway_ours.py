"""The lab's gateway with its full policy on: limit, breaker, deadline, metrics, audit.

gateway_ours.py FOLDER URL ... stands in front of servers at URLs; with "stdio" for a URL, of one that it starts.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))

from labkit.gateway import Gateway

FOLDER, *URLS = sys.argv[1:]
POLICY = {
    "limits": {"calls": "1000000/second", "per": "client"},
    "breaker": {"failures": 5, "recover": 10},
    "deadline": 30,
    "audit": f"{FOLDER}/audit",
}
BACKEND = str(Path(__file__).with_name("gateway_backend.py"))


def table(url: str) -> dict[str, Any]:
    """The entry of one server."""
    return {"url": url} if url != "stdio" else {"command": sys.executable, "args": [BACKEND, "0", "stdio"]}


async def main() -> None:
    """Serve as `labkit gateway run` does, until stdin closes."""
    async with Gateway.of({f"b{number}": table(url) for number, url in enumerate(URLS)}, POLICY) as gateway:
        print(json.dumps({"url": await gateway.start()}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
