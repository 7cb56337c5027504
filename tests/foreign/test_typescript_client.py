"""The official client in TypeScript calls servers of the lab: over both transports, in the eras that it chooses itself."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import npm_packages
import pytest

import labkit as lab
from labkit.catalog import SERVERS
from labkit.session.serving import launch_environment

CLIENT = SERVERS / "weather_typescript" / "client.ts"

pytestmark = [pytest.mark.anyio, pytest.mark.network, pytest.mark.timeout(npm_packages.INSTALL_SECONDS + 120)]


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    async with await lab.serve("calculator") as running:
        yield running.url


async def call(mode: str, tool: str, arguments: dict[str, Any], *target: str) -> dict[str, Any]:
    command = npm_packages.command(CLIENT, mode, tool, json.dumps(arguments), *target)
    client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=launch_environment())
    said, _ = await client.communicate()
    return json.loads(said)


def methods(said: dict[str, Any]) -> list[str]:
    return [frame["method"] for direction, frame in said["frames"] if direction == "sent" and "method" in frame]


async def test_left_to_itself_it_shakes_hands_over_stdio() -> None:
    said = await call("default", "add", {"a": 2, "b": 3}, sys.executable, str(SERVERS / "calculator" / "server.py"))
    assert said["era"] == "2025-11-25" and said["result"]["structuredContent"] == {"result": 5}
    assert methods(said) == ["initialize", "notifications/initialized", "tools/call"]


async def test_told_to_it_asks_first_and_then_needs_no_handshake(url: str) -> None:
    said = await call("auto", "divide", {"a": 1, "b": 0}, url)
    assert said["era"] == "2026-07-28" and said["result"]["isError"] and "zero" in said["result"]["content"][0]["text"]
    assert methods(said) == ["server/discover", "tools/call"]


async def test_over_http_too_the_handshake_is_what_it_begins_with(url: str) -> None:
    said = await call("default", "add", {"a": 2, "b": 3}, url)
    assert said["era"] == "2025-11-25" and said["result"]["structuredContent"] == {"result": 5}


async def test_what_fails_is_said_with_the_frames_so_far(url: str) -> None:
    said = await call("2030-01-01", "add", {"a": 2, "b": 3}, url)
    assert "result" not in said and said["error"] and "tools/call" not in methods(said)
