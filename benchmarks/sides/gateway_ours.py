"""The lab's gateway with its full policy on: limit, breaker, deadline, metrics, audit.

gateway_ours.py FOLDER URL ... stands in front of servers at URLs; with "stdio" for a URL, of one that it starts.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))

import serving

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


gateway = Gateway.of({f"b{number}": table(url) for number, url in enumerate(URLS)}, POLICY)
asyncio.run(serving.serve(gateway.app()))
