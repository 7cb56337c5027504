"""Where errors of the service become errors of the protocol: the only module that knows both."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError

from servers.databases import DatabaseError
from servers.leave_manager_modular.models import LeaveError, UnknownEmployee


@contextmanager
def refusals(error_type: Any = ToolError) -> Generator[None]:
    """Turn a refusal into the kind of error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except (LeaveError, DatabaseError) as error:
        if error_type is ResourceError and isinstance(error, UnknownEmployee):
            error_type = ResourceNotFoundError
        raise error_type(str(error)) from error


def bad_request(message: str) -> MCPError:
    """For prompts and completion, which have no error of their own."""
    return MCPError(types.INVALID_PARAMS, message)
