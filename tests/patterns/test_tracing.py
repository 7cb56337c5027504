"""Client, server and upstream, each a process of its own: one errand, one trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import labkit as lab
from labkit.catalog import LAB_ROOT
from labkit.patterns.tracing import Recorder, Span, TracedApp, TracedTransport, Tracing, read, tree

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def errand(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Span]]:
    folder = tmp_path_factory.mktemp("traces")
    command = [sys.executable, "-m", "tests.patterns.traced_client"]
    run = subprocess.run(
        command,
        cwd=LAB_ROOT,
        env={**os.environ, "LAB_TRACES": str(folder)},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    return told, [span for span in read(folder) if span.trace == told["trace"]]


def test_one_trace_from_the_client_to_the_upstream(errand: tuple[dict[str, Any], list[Span]]) -> None:
    told, spans = errand
    by_id = {span.id: span for span in spans}

    def way(span: Span) -> list[tuple[str, str]]:
        return [*(way(by_id[span.parent]) if span.parent else []), (span.service, span.name)]

    ways = [way(span) for span in spans if span.service == "weather api"]
    assert len(ways) == 2 and ways[0] == [
        ("client", "errand"),
        ("client", "MCP send tools/call alerts"),
        ("weather", "tools/call alerts"),
        ("weather", "GET /alerts/active"),
        ("weather api", "GET /alerts/active"),
    ]
    assert all(told["trace"] in header for header in told["sent"]) and len(told["sent"]) == 3
    assert "errand" in told["mine"] and not any("alerts/active" in name for name in told["mine"])


def test_a_child_begins_within_its_parent(errand: tuple[dict[str, Any], list[Span]]) -> None:
    _, spans = errand
    by_id = {span.id: span for span in spans}
    for span in spans:
        if span.parent:
            parent = by_id[span.parent]
            # The clock of one machine: a millisecond for the order in which two processes read it. A server's span may end
            # after its client's, which has the answer by then.
            assert parent.start - 0.001 <= span.start <= parent.start + parent.ms / 1000 + 0.001


def test_what_became_of_each_call_is_in_its_span(errand: tuple[dict[str, Any], list[Span]]) -> None:
    _, spans = errand
    served = [span for span in spans if span.name == "tools/call alerts"]
    assert [span.attributes["labkit.outcome"] for span in served] == ["ok", "refused", "error"]
    assert served[1].attributes["labkit.reason"] == "policy" and served[1].error and not served[0].error
    asked = [span for span in spans if span.name == "GET /alerts/active" and span.service == "weather"]
    assert [span.attributes["http.response.status_code"] for span in asked] == [200, 400]
    assert asked[1].error and "area" not in str(asked[0].attributes)


def test_the_log_lines_carry_the_id_of_the_trace(errand: tuple[dict[str, Any], list[Span]]) -> None:
    told, _ = errand
    assert [json.loads(line)["correlation"] for line in told["log"]] == [told["trace"]] * 3


def span(id: str, parent: str = "", start: float = 0.0, error: str = "") -> Span:
    return Span("s", f"span {id}", "internal", "t", id, parent, start, 1.5, error)


def test_the_tree_shows_who_belongs_to_whom() -> None:
    shown = tree([span("c", "b", 3), span("b", "a", 1, "broken"), span("a"), span("d", "a", 2), span("e", "gone", 4)])
    assert [line.split("  s ")[0].rstrip() for line in shown.splitlines()] == [
        "span a",
        "  span b",
        "    span c",
        "  span d",
        "span e",
    ]
    assert "1.5 ms  broken" in shown.splitlines()[1]


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    good = json.dumps(
        {"service": "s", "name": "n", "kind": "k", "trace": "t", "id": "1", "parent": "", "start": 1, "ms": 1}
    )
    (tmp_path / "s-1.jsonl").write_text(good + "\n" + good[:30], encoding="utf-8")
    assert len(read(tmp_path)) == 1


def test_memory_is_bounded() -> None:
    recorder = Recorder("s", keep=3)
    recorder.spans.extend(span(str(n)) for n in range(10))
    assert [each.id for each in recorder.spans] == ["7", "8", "9"]


async def test_without_a_recorder_nothing_changes() -> None:
    async def hello(request: Any) -> PlainTextResponse:
        return PlainTextResponse("hello")

    app = TracedApp(Starlette(routes=[Route("/", hello)]))
    http = httpx2.AsyncClient(transport=TracedTransport(httpx2.ASGITransport(app)), base_url="http://127.0.0.1")
    server = MCPServer("greeter", middleware=[Tracing()])

    @server.tool()
    async def greet() -> str:
        """Greet."""
        return (await http.get("/")).text

    async with await lab.connect(server) as conn, http:
        assert (await conn.call("greet")).data == "hello"
