"""The HTTP side of an entry point in this process, and what it reads from its environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.server import MCPServer

from labkit.catalog import LAB_ROOT
from labkit.deploy import DeployError
from labkit.deploy.app import Drain, server_app
from labkit.deploy.run import bind, main
from labkit.deploy.settings import Settings, take_secrets
from labkit.errors import CatalogError
from labkit.services.place import free_port

MODERN = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def echo() -> MCPServer[Any]:
    server = MCPServer("echo", version="1", log_level="ERROR")

    @server.tool()
    def say(text: str) -> str:
        """Say it back."""
        return text

    return server


@asynccontextmanager
async def client(app: Drain, server: MCPServer[Any]) -> AsyncGenerator[httpx2.AsyncClient]:
    async with (
        server.session_manager.run(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000") as http,
    ):
        yield http


def call(text: str, number: int = 1) -> dict[str, Any]:
    params = {"name": "say", "arguments": {"text": text}, "_meta": META}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


@pytest.mark.anyio
async def test_a_database_that_is_away_makes_it_unready_and_leaves_it_alive() -> None:
    away = f"postgresql://lab:secret@127.0.0.1:{free_port()}/lab"
    app = server_app(server := echo(), Settings(database_url=away))
    async with client(app, server) as http:
        assert (await http.get("/health")).status_code == 200
        found = await http.get("/ready")
        assert (found.status_code, found.json()["checks"]["database"]["status"]) == (503, "unhealthy")
        assert "secret" not in found.text


@pytest.mark.anyio
async def test_a_redis_that_is_away_degrades_it_and_calls_pass() -> None:
    away = f"redis://127.0.0.1:{free_port()}"
    app = server_app(server := echo(), Settings(rate="2/minute", redis_url=away))
    async with client(app, server) as http:
        found = await http.get("/ready")
        assert (found.status_code, found.json()["status"]) == (200, "degraded")
        headers = MODERN | {"mcp-method": "tools/call", "mcp-name": "say"}
        for number in range(3):
            answer = await http.post("/mcp", json=call("x", number), headers=headers)
            assert "isError" not in answer.text or '"isError":false' in answer.text, answer.text


@pytest.mark.anyio
async def test_a_limit_holds_and_what_it_refuses_is_counted() -> None:
    app = server_app(server := echo(), Settings(rate="1/minute"), json_response=True)
    async with client(app, server) as http:
        headers = MODERN | {"mcp-method": "tools/call", "mcp-name": "say"}
        texts = [(await http.post("/mcp", json=call("x", number), headers=headers)).json() for number in range(2)]
        assert [bool(each["result"].get("isError")) for each in texts] == [False, True]
        counted = (await http.get("/metrics")).text
        assert 'mcp_tool_calls_total{outcome="refused",tool="say"} 1.0' in counted


@pytest.mark.anyio
async def test_draining_says_no_to_readiness_and_to_nothing_else() -> None:
    app = server_app(server := echo(), Settings())
    async with client(app, server) as http:
        assert (await http.get("/ready")).status_code == 200
        app.begin()
        assert (await http.get("/ready")).json() == {"ready": False, "why": "draining"}
        assert (await http.get("/health")).status_code == 200
        headers = MODERN | {"mcp-method": "tools/call", "mcp-name": "say"}
        assert "still here" in (await http.post("/mcp", json=call("still here"), headers=headers)).text


@pytest.mark.anyio
async def test_only_names_that_are_allowed_are_answered() -> None:
    app = server_app(server := echo(), Settings(allowed_hosts=("hr:8000", "mcp.example.com"), stateless=True))
    async with client(app, server) as http:
        hosts = {"hr:8000": True, "mcp.example.com": True, "mcp.example.com:443": True, "hr:9": False, "evil": False}
        for host, wanted in hosts.items():
            got = await http.post("/mcp", json=call("x"), headers=MODERN | {"host": host})
            assert (got.status_code != 421) == wanted, host


@pytest.mark.anyio
async def test_without_sessions_the_handshake_era_gets_none() -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    headers = {"accept": "application/json, text/event-stream"}
    for stateless in (False, True):
        app = server_app(server := echo(), Settings(stateless=stateless), json_response=True)
        async with client(app, server) as http:
            answer = await http.post("/mcp", json=body, headers=headers)
            assert ("mcp-session-id" in answer.headers) is not stateless


@pytest.mark.anyio
async def test_the_serverless_application_answers_in_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("MCP_SERVER", raising=False)
    spec = importlib.util.spec_from_file_location("serverless_app", LAB_ROOT / "deploy" / "serverless" / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    async with client(module.app, module.server) as http:
        headers = MODERN | {"mcp-method": "tools/call", "mcp-name": "add"}
        body = call("x") | {"params": {"name": "add", "arguments": {"a": 2, "b": 3}, "_meta": META}}
        answer = await http.post("/mcp", json=body, headers=headers)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["result"]["structuredContent"]["result"] == 5


def test_settings_are_read_and_mistakes_are_named() -> None:
    read = Settings.read({"PORT": "9", "MCP_ALLOWED_HOSTS": "a:1, b", "MCP_STATELESS": "1", "DRAIN_SECONDS": "0.5"})
    assert (read.port, read.allowed_hosts, read.stateless, read.drain, read.host) == (
        9,
        ("a:1", "b"),
        True,
        0.5,
        "127.0.0.1",
    )
    for name, value in (("PORT", "http"), ("PORT", "70000"), ("GRACE_SECONDS", "-1"), ("DRAIN_SECONDS", "nan")):
        with pytest.raises(DeployError, match=f"{name} is '{value}'"):
            Settings.read({name: value})


def test_secrets_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://h\n", encoding="utf-8")
    environ = {"REDIS_URL_FILE": str(file), "PATH_FILE": str(file)}
    take_secrets(environ)
    assert environ["REDIS_URL"] == "redis://h" and "PATH" not in environ
    with pytest.raises(DeployError, match="both set"):
        take_secrets(environ)
    with pytest.raises(DeployError, match=r"REDIS_URL_FILE: cannot read .*absent"):
        take_secrets({"REDIS_URL_FILE": str(tmp_path / "absent")})


def test_it_says_in_a_sentence_why_it_does_not_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main(["server"]) == 2
    monkeypatch.setenv("PORT", "x")
    assert main(["server", "any.py"]) == 1
    assert "PORT is 'x'" in capsys.readouterr().err
    monkeypatch.setenv("PORT", "0")
    (tmp_path / "gateway.json").write_text(json.dumps({"mcpServers": {"a": {}}}), encoding="utf-8")
    assert main(["gateway", str(tmp_path / "gateway.json")]) == 1
    with bind(Settings(port=0)) as taken:
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("HOST", "127.0.0.1")
        (tmp_path / "one.py").write_text(
            "from mcp.server import MCPServer\nserver = MCPServer('x')\n", encoding="utf-8"
        )
        assert main(["server", str(tmp_path / "one.py")]) == 1
    assert "Cannot listen on 127.0.0.1" in capsys.readouterr().err
    assert issubclass(CatalogError, Exception) and "MCP_SERVER" not in os.environ
