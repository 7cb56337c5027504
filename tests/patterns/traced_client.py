"""The beginning of the errand of test_tracing.py: python -m tests.patterns.traced_client. Prints what it saw."""

import asyncio
import json
import os
from pathlib import Path

import labkit as lab
from labkit.patterns import tracing
from servers.upstreams.process import WeatherUpstream


async def main() -> None:
    recorder = tracing.record("client")
    assert tracing.record("client") is recorder
    with WeatherUpstream() as upstream:
        env = {"WEATHER_API": upstream.url(), "LAB_TRACES": os.environ["LAB_TRACES"]}
        program = Path(__file__).with_name("traced_server.py")
        async with await lab.connect(program, via="stdio", env=env) as conn:
            with tracing.span("errand", day="today"):
                trace = tracing.trace_id()
                await conn.call("alerts", area="CA")
                await conn.call("alerts", area="ZZ", check=False)
                await conn.call("alerts", area="nowhere", check=False)
            calls = conn.tape.filter("tools/call", kind="request")
            sent = [frame.message["params"].get("_meta", {}).get("traceparent", "") for frame in calls]
        log = [line for line in conn.stderr.lines if '"tool call"' in line]  # all of it: the process has ended
    print(json.dumps({"trace": trace, "sent": sent, "log": log, "mine": [span.name for span in recorder.spans]}))


asyncio.run(main())
