"""Every example server is tested the same way: in this process and as a process of its own, in both protocol eras."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
import threading
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp import Client, StdioServerParameters

from labkit.session.connection import Connection

SNAPSHOTS = Path(__file__).with_name("snapshots")
SERVERS = Path(__file__).resolve().parents[2] / "servers"
sys.path.append(str(SERVERS.parent))  # for tests of single modules: `from servers.NAME import MODULE`
CATALOG: dict[str, dict[str, Any]] = tomllib.loads((SERVERS / "catalog.toml").read_text(encoding="utf-8"))

LISTS = {
    "tools": ("tools/list", "tools"),
    "resources": ("resources/list", "resources"),
    "templates": ("resources/templates/list", "resourceTemplates"),
    "prompts": ("prompts/list", "prompts"),
}
MODES = {"modern": "auto", "handshake": "legacy"}
EACH = [(via, era) for via in ("memory", "stdio", "http") for era in MODES]
WAYS = EACH if os.environ.get("LAB_WHOLE") else [*EACH[:2], ("stdio", "handshake"), ("http", "modern")]
"""Each transport and each era in every run. `LAB_WHOLE=1` takes each with each."""

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: "-".join(way))
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """(transport, era); module scope, so that one server process serves the tests of a module."""
    return request.param


@pytest.fixture(scope="module", params=[way for way in WAYS if way[0] != "http"], ids=lambda way: "-".join(way))
def near(request: pytest.FixtureRequest) -> tuple[str, str]:
    """As `way`, without HTTP: for servers that do nothing which depends on it."""
    return request.param


@pytest.fixture(scope="session")
def connect() -> Connect:
    """`async with connect(NAME, (transport, era), env={...}, **client_options) as client`."""

    @asynccontextmanager
    async def connected(
        name: str, way: tuple[str, str], env: dict[str, str] | None = None, **options: Any
    ) -> AsyncIterator[Client]:
        via, era = way
        # A server in this process reads our environment, so it has to be set for as long as the server lives.
        with ExitStack() as stack:
            if via == "stdio":
                server = process(name, env)
            else:
                stack.enter_context(environment(env or {}))
                server = fresh(name)
            if via == "http":
                server = stack.enter_context(served(server.streamable_http_app()))
            async with Client(server, mode=MODES[era], read_timeout_seconds=30, **options) as client:
                yield client

    return connected


@pytest.fixture(scope="session")
def serve() -> Callable[..., StdioServerParameters]:
    """`serve(NAME, env)`: the command line of a server, for what needs the process itself."""
    return process


@pytest.fixture(scope="session")
def contract() -> Callable[[Client, str], Awaitable[None]]:
    """`await contract(client or connection, NAME)`: names, schemas and annotations are those of snapshots/NAME.json.

    LAB_UPDATE_SNAPSHOTS=1 writes the file anew; look at the difference before you commit it.
    """

    async def compare(client: Client | Connection, name: str) -> None:
        if isinstance(client, Connection):
            seen: dict[str, Any] = {key: (await client.send(list))[member] for key, (list, member) in LISTS.items()}
        else:
            lists: dict[str, Any] = {
                "tools": (await client.list_tools()).tools,
                "resources": (await client.list_resources()).resources,
                "templates": (await client.list_resource_templates()).resource_templates,
                "prompts": (await client.list_prompts()).prompts,
            }
            seen = {
                key: [item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in items]
                for key, items in lists.items()
            }
        file = SNAPSHOTS / f"{name}.json"
        if os.environ.get("LAB_UPDATE_SNAPSHOTS"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        assert seen == json.loads(file.read_text(encoding="utf-8")), f"{name} is not what {file.name} says it was"

    return compare


@pytest.fixture(scope="session")
def load() -> Callable[[str], Any]:
    """`load(NAME)`: a new server object."""
    return fresh


def fresh(name: str) -> Any:
    """A new instance of a catalog server: its file is executed again, as the lab does."""
    path = SERVERS / CATALOG[name]["path"]
    spec = importlib.util.spec_from_file_location(f"lab_server_{name}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, CATALOG[name].get("object", "server"))


def process(name: str, env: dict[str, str] | None = None) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=[str(SERVERS / CATALOG[name]["path"])], env=env)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextmanager
def served(app: Any) -> Iterator[str]:
    # Named as TCP, or asyncio leaves Nagle's delay on.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, http="h11", log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        # Connections wait in the backlog until uvicorn has started.
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured result of a tool that is expected to work."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """What a tool says when it is expected to refuse."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return result.content[0].text.removeprefix(f"Error executing tool {tool}: ")  # type: ignore[union-attr]
