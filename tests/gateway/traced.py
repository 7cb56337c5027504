"""Two of the processes of test_traces.py: `python -m tests.gateway.traced gateway`, and `... client`, which starts it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import labkit as lab
from labkit.patterns import tracing
from servers.upstreams.process import WeatherUpstream

SERVER = Path(__file__).parents[1] / "patterns" / "traced_server.py"


async def gateway() -> None:
    """Serve until stdin closes."""
    tracing.record("gateway")
    env = {name: os.environ[name] for name in ("WEATHER_API", "LAB_TRACES", "PYTHONPATH")}
    table = {"command": sys.executable, "args": [str(SERVER)], "env": env}
    made = lab.Gateway.of({"weather": table}, {"log": "stderr"})
    print(await made.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await made.close()


async def client() -> None:
    """Prints what it saw."""
    tracing.record("client")
    with WeatherUpstream() as upstream:
        env = {**os.environ, "WEATHER_API": upstream.url(), "PYTHONPATH": str(Path.cwd())}
        child = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "tests.gateway.traced", "gateway"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert child.stdout is not None
        async with await lab.connect(child.stdout.readline().strip()) as conn:
            with tracing.span("errand"):
                trace = tracing.trace_id()
                await conn.call("weather.alerts", area="CA")
        _, told = child.communicate(timeout=60)
    log = [line for line in told.splitlines() if '"tool call"' in line]
    print(json.dumps({"trace": trace, "log": log}))


asyncio.run({"gateway": gateway, "client": client}[sys.argv[1]]())
