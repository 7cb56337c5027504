"""Leave manager, shape 3 of 3: a hybrid. What is simple stands here; what is not, in booking.py.

Run it by itself (it speaks MCP on stdin and stdout): python servers/leave_manager_hybrid/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/leave.db below the lab
LEAVE_TODAY   what day it is, such as 2026-11-23; without it, today

Worth noticing:
- get_balance and get_history are a query and an answer: taking them apart would only hide that;
- apply_leave and cancel_leave have rules worth reading and testing by themselves, so their work is done elsewhere;
- this is what most servers grow into. When a second module wants the same helper as this file, it is time for the
  modular shape.
"""

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import UserMessage
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.databases import Database, DatabaseError
from servers.leave_manager_hybrid import booking
from servers.leave_manager_hybrid.booking import LONGEST, SCHEMA, LeaveError, UnknownEmployee, find, plural

ROOT = Path(__file__).resolve().parents[2]
POLICY = f"""# Leave

- Leave is taken in whole working days, Monday to Friday. Weekends inside a leave cost nothing.
- It starts today or later, and one application spans at most {LONGEST} days.
- Nobody takes more days than are left, and no day is booked twice.
- Leave that has not begun can be cancelled; its days come back.
"""

database = Database(os.environ.get("DATABASE_URL") or f"sqlite:///{(ROOT / 'work' / 'leave.db').as_posix()}", SCHEMA)


@asynccontextmanager
async def lifespan(server: MCPServer[None]) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await database.close()


server = MCPServer(
    "leave_manager",
    title="Leave manager",
    version="1.0.0",
    instructions="Leave of employees. Read leave://policy first, then look at the balance before you apply.",
    log_level="WARNING",
    lifespan=lifespan,
)


class Leave(BaseModel):
    """One application for leave."""

    application_id: str
    start_date: str = Field(description="First day, YYYY-MM-DD.")
    end_date: str = Field(description="Last day, included.")
    days: int = Field(description="Working days that it takes.")
    reason: str
    status: Literal["booked", "cancelled"]


class Balance(BaseModel):
    """What an employee has left."""

    employee_id: str
    name: str
    days_left: int = Field(description="Working days that can still be booked.")
    days_booked: int = Field(description="Working days that are booked.")


class History(BaseModel):
    """The applications of an employee, latest leave first."""

    employee_id: str
    name: str
    total: int = Field(description="How many there are; the list may hold fewer.")
    applications: list[Leave]


class Receipt(BaseModel):
    """What an application or a cancellation has done."""

    employee_id: str
    days_left: int = Field(description="Working days left afterwards.")
    application: Leave


EmployeeId = Annotated[str, Field(description="E and three digits, such as E001.")]
ISO = {"format": "date"}
READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


@server.tool(title="Leave balance", annotations=READ)
async def get_balance(employee_id: EmployeeId) -> Balance:
    """Tell how many days of leave an employee has left, and how many are booked."""
    with refusals():
        return await balance_of(employee_id)


@server.tool(title="Apply for leave", annotations=types.ToolAnnotations(destructive_hint=False, open_world_hint=False))
async def apply_leave(
    employee_id: EmployeeId,
    start_date: Annotated[str, Field(description="First day, YYYY-MM-DD.", json_schema_extra=ISO)],
    end_date: Annotated[str, Field(description="Last day, included, YYYY-MM-DD.", json_schema_extra=ISO)],
    reason: Annotated[str, Field(description="Why, if the employee says so.", max_length=200)] = "",
) -> Receipt:
    """Book leave from the first to the last day. Only working days count. All of it is booked, or nothing."""
    with refusals():
        days = booking.working_days(start_date, end_date, today())
        async with database.transaction(write=True) as run:
            row, days_left = await booking.book(run, employee_id, days, start_date, end_date, reason)
    return Receipt(employee_id=employee_id, days_left=days_left, application=leave_of(row))


@server.tool(title="Leave history", annotations=READ)
async def get_history(
    employee_id: EmployeeId,
    limit: Annotated[int, Field(description="Most applications to return.", ge=1, le=100)] = 20,
) -> History:
    """List the applications of an employee, cancelled ones included, latest leave first."""
    with refusals():
        return await history_of(employee_id, limit)


@server.tool(
    title="Cancel leave",
    annotations=types.ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False),
)
async def cancel_leave(
    employee_id: EmployeeId,
    application_id: Annotated[str, Field(description="As apply_leave and get_history tell it, such as L-1a2b3c4d.")],
) -> Receipt:
    """Cancel leave that has not begun. Its days come back to the balance."""
    with refusals():
        async with database.transaction(write=True) as run:
            row, days_left = await booking.cancel(run, employee_id, application_id, today())
    return Receipt(employee_id=employee_id, days_left=days_left, application=leave_of(row))


@server.resource("leave://policy", name="policy", title="Leave policy", mime_type="text/markdown")
def policy() -> str:
    """The rules for leave."""
    return POLICY


@server.resource("leave://employees", name="employees", title="Employees", mime_type="application/json")
async def employees() -> dict[str, Any]:
    """Who there is: ids and names."""
    with refusals(ResourceError):
        return {"employees": await everybody()}


@server.resource("leave://employees/{employee_id}", name="employee", title="Employee", mime_type="application/json")
async def employee(employee_id: str) -> dict[str, Any]:
    """Balance and applications of one employee."""
    with refusals(ResourceError):
        balance, history = await balance_of(employee_id), await history_of(employee_id, 100)
    return balance.model_dump() | {"applications": [leave.model_dump() for leave in history.applications]}


@server.prompt(title="Plan leave")
async def plan_leave(
    employee_id: EmployeeId,
    wish: Annotated[str, Field(description="What the employee would like.")] = "one week off soon",
) -> list[UserMessage]:
    """Plan leave for an employee, with policy and balance at hand."""
    with refusals(bad_request):
        balance = await balance_of(employee_id)
    rules = types.TextResourceContents(uri="leave://policy", mime_type="text/markdown", text=POLICY)
    return [
        UserMessage(types.EmbeddedResource(resource=rules)),
        UserMessage(
            f"{balance.name} ({employee_id}) has {plural(balance.days_left)} of leave left and would like: {wish}. "
            f"Today is {today()}. Suggest dates that fit the rules, ask me which to take, then call apply_leave."
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
        people = await everybody()
    ids = [p["id"] for p in people if any(p[key].casefold().startswith(typed) for key in ("id", "name"))]
    return types.Completion(values=ids[:100], total=len(ids), has_more=len(ids) > 100)


async def everybody() -> list[dict[str, Any]]:
    async with database.transaction() as run:
        return await run("SELECT id, name FROM leave_employees ORDER BY id")


async def balance_of(employee_id: str) -> Balance:
    async with database.transaction() as run:
        person = await find(run, employee_id)
        booked = await run("SELECT count(*) AS days FROM leave_days WHERE employee_id = $1", employee_id)
    return Balance(
        employee_id=employee_id, name=person["name"], days_left=person["days_left"], days_booked=booked[0]["days"]
    )


async def history_of(employee_id: str, limit: int) -> History:
    async with database.transaction() as run:
        person = await find(run, employee_id)
        rows = await run(
            "SELECT * FROM leave_applications WHERE employee_id = $1 ORDER BY start_date DESC, id", employee_id
        )
    leaves = [leave_of(row) for row in rows[:limit]]
    return History(employee_id=employee_id, name=person["name"], total=len(rows), applications=leaves)


def leave_of(row: dict[str, Any]) -> Leave:
    return Leave(application_id=row["id"], **{key: row[key] for key in Leave.model_fields if key in row})


def today() -> date:
    return date.fromisoformat(os.environ.get("LEAVE_TODAY") or date.today().isoformat())


def bad_request(message: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, message)


@contextmanager
def refusals(error_type: Any = ToolError) -> Generator[None]:
    """Turn a refusal into the kind of error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except (LeaveError, DatabaseError) as error:
        if error_type is ResourceError and isinstance(error, UnknownEmployee):
            error_type = ResourceNotFoundError
        raise error_type(str(error)) from error


if __name__ == "__main__":
    server.run()
