"""What a gateway adds to a call over HTTP: the lab's with its full policy on, fastmcp's proxy, and the way without any.

All of them stand in front of the same servers (the SDK's low-level Server, JSON answers, 50 tools each), one process
each, and take turns under the same load client.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from subprocess import SubprocessError

import psutil

from benchmarks import peers
from benchmarks.raw_load import HANDSHAKE, MODERN, Load, ask, load
from benchmarks.rows import Row
from benchmarks.side import SIDES, STOP_SECONDS

ADDED = 0.6
"""Milliseconds that the gateway may add at p50, one call at a time, in the modern era."""
SHARE = {(MODERN, 1): 0.45, (MODERN, 8): 0.7, (HANDSHAKE, 1): 0.25, (HANDSHAKE, 8): 0.25}
"""Era, calls in flight -> the share of direct throughput that has to be left."""
LIST = 15.0
"""Milliseconds for the list of 3 x 50 tools."""
ERAS = {MODERN: "modern", HANDSHAKE: "handshake"}
DIRECT, OURS = "direct", "the lab's gateway"
PEERS = {"fastmcp": (), "fastmcp, one client kept": ("--reuse",)}
PROXY = "mcp-proxy"
TIMES_PROXY, TIMES_REUSE = 10.0, 3.0


def run(quick: bool = False) -> list[Row]:
    """Added latency and throughput at 1, 8 and 64 in flight, both eras; the list of three servers; memory; peers."""
    blocks, calls, flights = (1, 20, (1,)) if quick else (5, 300, (1, 8, 64))
    with ExitStack() as stack:
        backends = [stack.enter_context(_serving("gateway_backend.py", str(number)))[0] for number in range(3)]
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        ours, process = stack.enter_context(_serving("gateway_ours.py", folder, *backends))
        urls = {DIRECT: (backends[0], "echo"), OURS: (ours, "b0.echo")}
        version = ""
        if not quick and (python := _peer("fastmcp")):
            version = peers.version_of("fastmcp", python)
            for name, options in PEERS.items():
                command = [*options, backends[0]]
                urls[name] = stack.enter_context(_serving("gateway_fastmcp.py", *command, python=python))[0], "echo"
        found = asyncio.run(_measured(urls, blocks, calls, flights))
        lists = asyncio.run(_lists(ours, 3 if quick else 21))
        memory = process.memory_info().rss / 2**20
        stdio = {} if quick else _over_stdio(stack, folder, blocks, calls, flights)
    rows = [row for era in ERAS for flight in flights for row in _rows(found, era, flight)]
    rows.append(Row("gateway", "the list of 3 x 50 tools, as clients ask for it", lists, None, lists, "ms", LIST))
    rows.append(Row("gateway", "memory after all of that, 3 backends", memory, None, memory, "MiB", None))
    return [*rows, *_against(found, version), *_against_proxy(stdio)]


Found = dict[tuple[str, str, int], list[Load]]
"""Side, era, calls in flight -> a load for each block."""


async def _measured(urls: dict[str, tuple[str, str]], blocks: int, calls: int, flights: tuple[int, ...]) -> Found:
    found: Found = {}
    for block in range(blocks):
        for era in ERAS:
            for flight in flights:
                sides = list(urls.items())
                for name, (url, tool) in sides if block % 2 else reversed(sides):
                    # A peer that makes a connection a call takes a minute for what others do in a second.
                    slow = name in PEERS
                    done = await load(url, era, tool, flight, max(10, calls // 10 if slow else calls * min(flight, 4)))
                    found.setdefault((name, era, flight), []).append(done)
    return found


def _over_stdio(stack: ExitStack, folder: str, blocks: int, calls: int, flights: tuple[int, ...]) -> Found:
    """The lab's gateway and mcp-proxy, each before a process of its own that speaks stdio; handshake era."""
    python = _peer("mcp-proxy")
    if python is None:
        return {}
    ours = stack.enter_context(_serving("gateway_ours.py", f"{folder}/stdio", "stdio"))[0]
    theirs = stack.enter_context(_serving("gateway_proxy.py", sys.executable, python=python))[0]
    found: Found = {}
    for block in range(blocks):
        for flight in flights:
            sides = [(OURS, ours, "b0.echo"), (PROXY, theirs, "echo")]
            for name, url, tool in sides if block % 2 else reversed(sides):
                done = asyncio.run(load(url, HANDSHAKE, tool, flight, calls))
                found.setdefault((name, HANDSHAKE, flight), []).append(done)
    return found


def _against_proxy(found: Found) -> list[Row]:
    rows: list[Row] = []
    for (name, _, flight), theirs in found.items():
        if name == PROXY:
            pairs = list(zip(found[OURS, HANDSHAKE, flight], theirs, strict=True))
            times = median(a.rate / b.rate if b.rate else float("inf") for a, b in pairs)
            lab, bare = median(1e3 / a.rate for a, _ in pairs), median(b.rate for _, b in pairs)
            case = f"handshake era over stdio, {flight} in flight: time a call, against {PROXY}"
            note = f"{times:.1f} times as many calls"
            rows.append(Row("gateway", case, lab, 1e3 / bare if bare else None, 1 / times, "x", 1 / TIMES_REUSE, note))
    return rows


async def _lists(url: str, times: int) -> float:
    took: list[float] = []
    for _ in range(times):
        began = asyncio.get_running_loop().time()
        cursor: dict[str, str] = {}
        count = 0
        while True:
            page = await ask(url, MODERN, "tools/list", cursor)
            count += len(page["tools"])
            if "nextCursor" not in page:
                break
            cursor = {"cursor": page["nextCursor"]}
        assert count == 150, count
        took.append((asyncio.get_running_loop().time() - began) * 1e3)
    return median(took)


def _rows(found: Found, era: str, flight: int) -> list[Row]:
    direct, ours = found[DIRECT, era, flight], found[OURS, era, flight]
    failed = sum(each.failed for each in ours)
    note = f"{failed} calls failed" if failed else ""
    case = f"{ERAS[era]} era, {flight} in flight"
    pairs = list(zip(ours, direct, strict=True))
    left = median(a.rate / b.rate for a, b in pairs)
    rates = f"{median(a.rate for a, _ in pairs):,.0f} of {median(b.rate for _, b in pairs):,.0f} calls a second"
    share = SHARE.get((era, flight))
    # The bar is on what is left, and a bar is met by what is at most as large: so it is told as what a call takes.
    rows = [
        Row(
            "gateway",
            f"{case}: time a call, full policy",
            median(1e3 / a.rate for a, _ in pairs) if not failed else float("inf"),
            median(1e3 / b.rate for _, b in pairs),
            1 / left,
            "x",
            None if share is None else 1 / share,
            "; ".join(filter(None, [rates, f"{left:.2f} of direct", note])),
        )
    ]
    for name, of in (("p50", lambda each: each.p50), ("p99", lambda each: each.p99)):
        added = median(of(a) - of(b) for a, b in pairs)
        bar = ADDED if (era, flight, name) == (MODERN, 1, "p50") else None
        lab, bare = median(of(a) for a, _ in pairs), median(of(b) for _, b in pairs)
        rows.append(Row("gateway", f"{case}: added at {name}", lab, bare, added, "ms", bar))
    return rows


def _against(found: Found, version: str) -> list[Row]:
    rows: list[Row] = []
    for (name, era, flight), loads in found.items():
        if name not in PEERS:
            continue
        ours = median(each.rate for each in found[OURS, era, flight])
        theirs = median(each.rate for each in loads)
        case = (
            f"{ERAS[era]} era, {flight} in flight: time a call, against {name.replace('fastmcp', 'fastmcp ' + version)}"
        )
        if not theirs:
            rows.append(Row("gateway", case, 1e3 / ours, None, 0.0, "x", None, "all of its calls failed"))
            continue
        bar = 1 / (TIMES_REUSE if PEERS[name] else TIMES_PROXY)
        rows.append(
            Row("gateway", case, 1e3 / ours, 1e3 / theirs, theirs / ours, "x", bar, f"{ours / theirs:.0f} times")
        )
    return rows


@contextmanager
def _serving(script: str, *arguments: str, python: str = sys.executable) -> Iterator[tuple[str, psutil.Process]]:
    """A side that serves until its stdin closes, and says its URL first."""
    command = [python, str(SIDES / script), *arguments]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise RuntimeError(f"{script} ended with exit code {child.wait()}; its stderr says why")
        yield json.loads(line)["url"], psutil.Process(child.pid)
    finally:
        try:
            child.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()


def _peer(name: str) -> str | None:
    try:
        return peers.install(name)
    except (SubprocessError, OSError) as error:
        print(f"gateway: {name} cannot be installed ({error})", file=sys.stderr)
        return None
