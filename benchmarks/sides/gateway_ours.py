"""The lab's gateway in front of servers at URLs, with its full policy on: limit, breaker, deadline, metrics, audit."""

import asyncio
import sys
from pathlib import Path

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
gateway = Gateway.of({f"b{number}": {"url": url} for number, url in enumerate(URLS)}, POLICY)
asyncio.run(serving.serve(gateway.app()))
