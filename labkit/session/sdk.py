"""The SDK's private names that the lab needs, in one place. Pinned to mcp 2.3.*: check here when it moves."""

from __future__ import annotations

from typing import Any

from mcp.client import client as _client
from mcp.client import stdio as _stdio
from mcp.client._input_required import InputRequiredRoundsExceededError
from mcp.client._memory import InMemoryTransport
from mcp.client._probe import negotiate_auto
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.os.win32.utilities import ServerProcess
from mcp.server.mcpserver import server as _mcpserver
from mcp.shared._httpx_utils import MCP_DEFAULT_SSE_READ_TIMEOUT, MCP_DEFAULT_TIMEOUT
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage

mcpserver: Any = _mcpserver
"""The module of `MCPServer`, for its global `configure_logging`."""

connect_direct: Any = _client._connect_inproc  # pyright: ignore[reportPrivateUsage]
spawn_process = _stdio._create_platform_compatible_process  # pyright: ignore[reportPrivateUsage]
find_executable = _stdio._get_executable_command  # pyright: ignore[reportPrivateUsage]
stop_process = _stdio._stop_server_process  # pyright: ignore[reportPrivateUsage]

__all__ = [
    "MCP_DEFAULT_SSE_READ_TIMEOUT",
    "MCP_DEFAULT_TIMEOUT",
    "InMemoryTransport",
    "InputRequiredRoundsExceededError",
    "JSONRPCDispatcher",
    "ServerProcess",
    "SessionMessage",
    "TransportStreams",
    "connect_direct",
    "find_executable",
    "get_default_environment",
    "mcpserver",
    "negotiate_auto",
    "spawn_process",
    "stop_process",
]
