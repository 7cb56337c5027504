"""Client, gateway, server and upstream, each a process of its own: one errand, one trace, and its id in the log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.patterns.tracing import Span, read


def test_one_trace_from_the_client_through_the_gateway_to_the_upstream(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.gateway.traced", "client"],
        cwd=LAB_ROOT,
        env={**os.environ, "LAB_TRACES": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    spans = [span for span in read(tmp_path) if span.trace == told["trace"]]
    by_id = {span.id: span for span in spans}

    def way(span: Span) -> list[tuple[str, str]]:
        return [*(way(by_id[span.parent]) if span.parent else []), (span.service, span.name)]

    (last,) = (span for span in spans if span.service == "weather api")
    assert way(last) == [
        ("client", "errand"),
        ("client", "MCP send tools/call weather.alerts"),
        ("gateway", "tools/call weather.alerts"),
        ("weather", "tools/call alerts"),
        ("weather", "GET /alerts/active"),
        ("weather api", "GET /alerts/active"),
    ]
    (line,) = map(json.loads, told["log"])
    assert (line["correlation"], line["tool"], line["outcome"]) == (told["trace"], "weather.alerts", "ok")
