"""The tools: names, descriptions and schemas for the model, one line of work each."""

from __future__ import annotations

from typing import Annotated, Any

import mcp_types as types
from mcp.server import MCPServer
from pydantic import Field

from servers.leave_manager_modular.models import Balance, EmployeeId, History, Receipt, iso_date
from servers.leave_manager_modular.refusals import refusals
from servers.leave_manager_modular.services import LeaveService

READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


def register(server: MCPServer[Any], service: LeaveService) -> None:
    @server.tool(title="Leave balance", annotations=READ)
    async def get_balance(employee_id: EmployeeId) -> Balance:
        """Tell how many days of leave an employee has left, and how many are booked."""
        with refusals():
            return await service.balance(employee_id)

    @server.tool(
        title="Apply for leave", annotations=types.ToolAnnotations(destructive_hint=False, open_world_hint=False)
    )
    async def apply_leave(
        employee_id: EmployeeId,
        start_date: Annotated[str, iso_date("First day, YYYY-MM-DD.")],
        end_date: Annotated[str, iso_date("Last day, included, YYYY-MM-DD.")],
        reason: Annotated[str, Field(description="Why, if the employee says so.", max_length=200)] = "",
    ) -> Receipt:
        """Book leave from the first to the last day. Only working days count. All of it is booked, or nothing."""
        with refusals():
            return await service.apply(employee_id, start_date, end_date, reason)

    @server.tool(title="Leave history", annotations=READ)
    async def get_history(
        employee_id: EmployeeId,
        limit: Annotated[int, Field(description="Most applications to return.", ge=1, le=100)] = 20,
    ) -> History:
        """List the applications of an employee, cancelled ones included, latest leave first."""
        with refusals():
            return await service.history(employee_id, limit)

    @server.tool(
        title="Cancel leave",
        annotations=types.ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False),
    )
    async def cancel_leave(
        employee_id: EmployeeId,
        application_id: Annotated[
            str, Field(description="As apply_leave and get_history tell it, such as L-1a2b3c4d.")
        ],
    ) -> Receipt:
        """Cancel leave that has not begun. Its days come back to the balance."""
        with refusals():
            return await service.cancel(employee_id, application_id)
