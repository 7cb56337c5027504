"""Leave manager, shape 1 of 3: everything in one file, from the tables to the tools.

Run it by itself (it speaks MCP on stdin and stdout): python servers/leave_manager/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/leave.db below the lab
LEAVE_TODAY   what day it is, such as 2026-11-23; without it, today

Worth noticing:
- the same behaviour in other shapes: ../leave_manager_modular and ../leave_manager_hybrid. This one is read from top to
  bottom, and is right for a server of a few tools that one person looks after;
- two callers at once lose nothing, because the database decides: a day is booked once as it is a primary key, and days
  are taken from the balance by one statement that also checks that there are enough;
- an application is all or nothing: it is one transaction.
"""

import os
import re
import secrets
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import UserMessage
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.databases import Database, DatabaseError, Run

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 366
"""Days that one application may span."""

SCHEMA = [
    """CREATE TABLE IF NOT EXISTS leave_employees (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, days_left INTEGER NOT NULL CHECK (days_left >= 0))""",
    """CREATE TABLE IF NOT EXISTS leave_applications (
        id TEXT PRIMARY KEY, employee_id TEXT NOT NULL REFERENCES leave_employees (id),
        start_date TEXT NOT NULL, end_date TEXT NOT NULL, days INTEGER NOT NULL CHECK (days > 0),
        reason TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('booked', 'cancelled')))""",
    """CREATE TABLE IF NOT EXISTS leave_days (
        employee_id TEXT NOT NULL, day TEXT NOT NULL, application_id TEXT NOT NULL REFERENCES leave_applications (id),
        PRIMARY KEY (employee_id, day))""",
    """INSERT INTO leave_employees VALUES ('E001', 'Amira Haddad', 20), ('E002', 'Bruno Costa', 5),
        ('E003', 'Chen Wei', 0), ('E004', 'Dora Lindqvist', 12), ('E005', 'Emeka Obi', 30) ON CONFLICT DO NOTHING""",
]
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


class LeaveError(Exception):
    """The request cannot be met; the message says why and what to do."""


class UnknownEmployee(LeaveError):
    """There is no employee of that id."""


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
        days = working_days(start_date, end_date)
        leave = Leave(
            application_id=f"L-{secrets.token_hex(4)}", start_date=start_date, end_date=end_date, days=len(days),
            reason=reason, status="booked",
        )  # fmt: skip
        async with database.transaction(write=True) as run:
            employee = await find(run, employee_id)
            await run(
                "INSERT INTO leave_applications VALUES ($1, $2, $3, $4, $5, $6, $7)",
                leave.application_id, employee_id, start_date, end_date, leave.days, reason, leave.status,
            )  # fmt: skip
            taken: list[str] = []
            # In the order of the calendar: callers who want the same days never wait for each other in a circle.
            for day in days:
                if not await run(
                    "INSERT INTO leave_days VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING day",
                    employee_id, day, leave.application_id,
                ):  # fmt: skip
                    taken.append(day)
            if taken:
                raise LeaveError(
                    f"{employee_id} has leave already on {some(taken)}: "
                    "leave these days out, or cancel that application first"
                )
            left = await run(
                "UPDATE leave_employees SET days_left = days_left - $1 WHERE id = $2 AND days_left >= $1 "
                "RETURNING days_left",
                leave.days, employee_id,
            )  # fmt: skip
            if not left:
                days_left = (await find(run, employee_id))["days_left"]
                raise LeaveError(
                    f"{start_date} to {end_date} takes {plural(leave.days)}, and {employee['name']} ({employee_id}) "
                    f"has {plural(days_left)} left: apply for less"
                )
            return Receipt(employee_id=employee_id, days_left=left[0]["days_left"], application=leave)


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
            await find(run, employee_id)
            # Checks and changes in one step: of two who cancel at once, one finds nothing to change.
            cancelled = await run(
                "UPDATE leave_applications SET status = 'cancelled' "
                "WHERE id = $1 AND employee_id = $2 AND status = 'booked' AND start_date > $3 RETURNING *",
                application_id, employee_id, today().isoformat(),
            )  # fmt: skip
            if not cancelled:
                raise LeaveError(await why_not_cancelled(run, employee_id, application_id))
            await run("DELETE FROM leave_days WHERE application_id = $1", application_id)
            left = await run(
                "UPDATE leave_employees SET days_left = days_left + $1 WHERE id = $2 RETURNING days_left",
                cancelled[0]["days"], employee_id,
            )  # fmt: skip
            return Receipt(employee_id=employee_id, days_left=left[0]["days_left"], application=leave_of(cancelled[0]))


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


async def find(run: Run, employee_id: str) -> dict[str, Any]:
    if not re.fullmatch(r"E[0-9]{3}", employee_id):
        raise LeaveError(f"{employee_id!r} is not an employee id: write E and three digits, such as E001")
    found = await run("SELECT * FROM leave_employees WHERE id = $1", employee_id)
    if not found:
        raise UnknownEmployee(f"there is no employee {employee_id!r}: leave://employees lists who there is")
    return found[0]


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


async def why_not_cancelled(run: Run, employee_id: str, application_id: str) -> str:
    # The applications of others are not even told to exist.
    found = await run(
        "SELECT * FROM leave_applications WHERE id = $1 AND employee_id = $2", application_id, employee_id
    )
    if not found:
        return f"{employee_id} has no application {application_id!r}: get_history lists what there is"
    if found[0]["status"] == "cancelled":
        return f"{application_id} is cancelled already: there is nothing left to do"
    return f"{application_id} has begun on {found[0]['start_date']}: only leave that lies ahead can be cancelled"


def leave_of(row: dict[str, Any]) -> Leave:
    return Leave(application_id=row["id"], **{key: row[key] for key in Leave.model_fields if key in row})


def working_days(start: str, end: str) -> list[str]:
    first, last = day_of(start), day_of(end)
    if last < first:
        raise LeaveError(f"the leave ends on {end}, before it starts on {start}: swap the dates")
    if first < today():
        raise LeaveError(f"{start} is in the past, today is {today()}: leave starts today or later")
    span = (last - first).days + 1
    if span > LONGEST:
        raise LeaveError(f"{start} to {end} spans {plural(span)}: apply for at most {LONGEST} at a time")
    every = [first + timedelta(days=n) for n in range(span)]
    working = [day.isoformat() for day in every if day.weekday() < 5]
    if not working:
        raise LeaveError(f"there is no working day from {start} to {end}: weekends are free without an application")
    return working


def day_of(text: str) -> date:
    try:
        # fromisoformat alone would also take 20261224 and 2026-W52-4.
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise LeaveError(f"{text!r} is not a date: write year-month-day, such as 2026-12-24")


def today() -> date:
    return date.fromisoformat(os.environ.get("LEAVE_TODAY") or date.today().isoformat())


def plural(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"


def some(days: list[str]) -> str:
    return ", ".join(days[:5]) + (f" and {len(days) - 5} more" if len(days) > 5 else "")


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
