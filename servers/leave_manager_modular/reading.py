"""Resources, the prompt, and completion."""

from __future__ import annotations

from typing import Annotated, Any

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import UserMessage
from mcp.server.mcpserver.exceptions import ResourceError
from pydantic import Field

from servers.leave_manager_modular.models import POLICY, EmployeeId, plural
from servers.leave_manager_modular.refusals import bad_request, refusals
from servers.leave_manager_modular.services import LeaveService


def register(server: MCPServer[Any], service: LeaveService) -> None:
    @server.resource("leave://policy", name="policy", title="Leave policy", mime_type="text/markdown")
    def policy() -> str:
        """The rules for leave."""
        return POLICY

    @server.resource("leave://employees", name="employees", title="Employees", mime_type="application/json")
    async def employees() -> dict[str, Any]:
        """Who there is: ids and names."""
        with refusals(ResourceError):
            return {"employees": await service.employees()}

    @server.resource("leave://employees/{employee_id}", name="employee", title="Employee", mime_type="application/json")
    async def employee(employee_id: str) -> dict[str, Any]:
        """Balance and applications of one employee."""
        with refusals(ResourceError):
            balance, history = await service.balance(employee_id), await service.history(employee_id, 100)
        return balance.model_dump() | {"applications": [leave.model_dump() for leave in history.applications]}

    @server.prompt(title="Plan leave")
    async def plan_leave(
        employee_id: EmployeeId,
        wish: Annotated[str, Field(description="What the employee would like.")] = "one week off soon",
    ) -> list[UserMessage]:
        """Plan leave for an employee, with policy and balance at hand."""
        with refusals(bad_request):
            balance = await service.balance(employee_id)
        rules = types.TextResourceContents(uri="leave://policy", mime_type="text/markdown", text=POLICY)
        return [
            UserMessage(types.EmbeddedResource(resource=rules)),
            UserMessage(
                f"{balance.name} ({employee_id}) has {plural(balance.days_left)} of leave left and would like: {wish}. "
                f"Today is {service.today()}. Suggest dates that fit the rules, ask me which to take, "
                "then call apply_leave."
            ),
        ]

    @server.completion()
    async def complete(
        ref: types.PromptReference | types.ResourceTemplateReference,
        argument: types.CompletionArgument,
        context: types.CompletionContext | None,
    ) -> types.Completion | None:
        """Ids of employees, by the beginning of the id or of the name."""
        if argument.name != "employee_id":
            return None
        typed = argument.value.casefold()
        with refusals(bad_request):
            people = await service.employees()
        ids = [p["id"] for p in people if any(p[key].casefold().startswith(typed) for key in ("id", "name"))]
        return types.Completion(values=ids[:100], total=len(ids), has_more=len(ids) > 100)
