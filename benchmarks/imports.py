"""What it takes to get going: imports, a first call in a fresh process and in a kernel, a stdio server's start."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel
from mcp import Client, StdioServerParameters

import labkit as lab
from benchmarks.rows import Row, beyond_row, ratio_row, time_row
from labkit.catalog import LAB_ROOT

SERVER = Path(__file__).with_name("echo_server.py")

# Prints milliseconds as a JSON list: up to `between`, and in all. Timed within one process: what comes on top of
# `import mcp` is a few per cent of it, less than two processes differ by.
IMPORT = """
import json, sys, time
began = time.perf_counter()
{first}
between = time.perf_counter()
{then}
print(json.dumps([1e3 * (between - began), 1e3 * (time.perf_counter() - began)]))
"""
FIRST_CALL = {
    "lab": """
import asyncio, json, time
began = time.perf_counter()
import labkit as lab
async def main():
    async with await lab.connect("calculator") as connection:
        await connection.call("add", a=2, b=3)
        print(json.dumps([1e3 * (time.perf_counter() - began)]))
asyncio.run(main())
""",
    "bare": """
import asyncio, json, time
began = time.perf_counter()
from mcp import Client
from servers.calculator.server import server
async def main():
    async with Client(server) as client:
        await client.call_tool("add", {"a": 2, "b": 3})
        print(json.dumps([1e3 * (time.perf_counter() - began)]))
asyncio.run(main())
""",
}
KERNEL_WARM = "import labkit as lab; lab.connect"
KERNEL_CALL = """
import json, time
began = time.perf_counter()
connection = await lab.connect("calculator")
await connection.call("add", a=2, b=3)
print(json.dumps([1e3 * (time.perf_counter() - began)]))
"""


def run(quick: bool = False) -> list[Row]:
    """Imports, first calls, and a server's start."""
    return [
        *_imports(1 if quick else 11),
        *_first_calls(1 if quick else 5),
        *_kernel(1 if quick else 3, 1 if quick else 5),
        asyncio.run(_stdio_start(1 if quick else 15)),
    ]


def _imports(rounds: int) -> list[Row]:
    lean = "import mcp; sys.modules['rfc3987_syntax'] = None; import jsonschema"
    steps = [
        ("import labkit, beyond import mcp", "import mcp", "import labkit", 50),
        ("labkit.connect, beyond import mcp", "import mcp", "import labkit; labkit.connect", None),
        ("labkit.connect, beyond import mcp, jsonschema", lean, "import labkit; labkit.connect", 50),
    ]
    series: list[tuple[list[float], list[float]]] = [([], []) for _ in steps]
    for _ in range(rounds):
        for (_, first, then, _), (before, total) in zip(steps, series, strict=True):
            figures = _fresh(IMPORT.format(first=first, then=then))
            before.append(figures[0])
            total.append(figures[1])
    return [
        beyond_row("imports", case, total, before, bar)
        for (case, _, _, bar), (before, total) in zip(steps, series, strict=True)
    ]


def _first_calls(rounds: int) -> list[Row]:
    took: dict[str, list[float]] = {side: [] for side in FIRST_CALL}
    for _ in range(rounds):
        for side, script in FIRST_CALL.items():
            took[side] += _fresh(script)
    return [ratio_row("imports", "fresh process to first answer, memory", took["lab"], took["bare"], None)]


def _fresh(script: str) -> list[float]:
    """Run the script in a new process of this Python and read the figures that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=LAB_ROOT, check=True, capture_output=True, encoding="utf-8", timeout=120
    )
    return json.loads(done.stdout)


def _kernel(kernels: int, again: int) -> list[Row]:
    first: list[float] = []
    later: list[float] = []
    for _ in range(kernels):
        manager, client = start_new_kernel(kernel_name="python3", cwd=str(LAB_ROOT))
        try:
            _cell(client, KERNEL_WARM)
            first += json.loads(_cell(client, KERNEL_CALL))
            for _ in range(again):
                later += json.loads(_cell(client, "await connection.close()\n" + KERNEL_CALL))
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return [
        time_row("imports", "in a kernel: first connect and call ever, memory", first, 100),
        time_row("imports", "in a kernel: any later connect and call, memory", later, 100),
    ]


def _cell(client, code: str) -> str:
    """Run a cell; what it printed. Raises RuntimeError with the cell's error."""
    out: list[str] = []

    def hook(message: dict) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            out.append(message["content"]["text"])

    reply = client.execute_interactive(code, output_hook=hook, timeout=60)["content"]
    if reply["status"] != "ok":
        raise RuntimeError(f"a cell of the kernel failed: {reply.get('ename')}: {reply.get('evalue')}")
    return "".join(out)


async def _stdio_start(rounds: int) -> Row:
    """Connect and one call: the lab starting the file through its launcher, the bare client starting `python FILE`."""
    child = StdioServerParameters(command=sys.executable, args=[str(SERVER)])
    ours: list[float] = []
    theirs: list[float] = []

    async def with_lab() -> None:
        began = time.perf_counter()
        async with await lab.connect(SERVER, via="stdio") as connection:
            await connection.call("echo", text="hello")
            ours.append((time.perf_counter() - began) * 1e3)

    async def with_sdk() -> None:
        began = time.perf_counter()
        async with Client(child) as client:
            await client.call_tool("echo", {"text": "hello"})
            theirs.append((time.perf_counter() - began) * 1e3)

    await with_lab(), await with_sdk()
    ours.clear(), theirs.clear()  # the first of each paid for imports in this process
    for number in range(rounds):
        for side in (with_lab, with_sdk) if number % 2 == 0 else (with_sdk, with_lab):
            await side()
    return ratio_row("imports", "start of a stdio server, to the first answer", ours, theirs, 1.10)
