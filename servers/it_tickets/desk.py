"""Tickets, devices and access: tables, plain functions that work on them, and the tools made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from pydantic import BaseModel, Field

from servers.company.parts import (
    ADD,
    CHANGE,
    READ,
    EmployeeId,
    Limit,
    Refusal,
    next_number,
    number_of,
    refusals,
)
from servers.databases import Database, Row, Run

NAME = "it_tickets"
SCHEMA = [
    "CREATE TABLE IF NOT EXISTS it_numbers (last INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS it_tickets (
        number INTEGER PRIMARY KEY, title TEXT NOT NULL, requester INTEGER NOT NULL, priority TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('open', 'closed')), resolution TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS it_devices (
        tag TEXT PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL, holder INTEGER)""",
    """CREATE TABLE IF NOT EXISTS it_access (
        employee INTEGER NOT NULL, system TEXT NOT NULL, PRIMARY KEY (employee, system))""",
    "INSERT INTO it_numbers SELECT 5 WHERE NOT EXISTS (SELECT 1 FROM it_numbers)",
    """INSERT INTO it_tickets VALUES
        (1, 'The projector stays dark', 6, 'normal', 'closed', 'New lamp'),
        (2, 'VPN drops every hour', 3, 'high', 'open', ''),
        (3, 'A second screen', 8, 'low', 'open', ''),
        (4, 'Cannot print invoices', 4, 'high', 'closed', 'Driver updated'),
        (5, 'The scanner at gate 2 is offline', 7, 'urgent', 'open', '') ON CONFLICT DO NOTHING""",
    """INSERT INTO it_devices VALUES
        ('L-101', 'laptop', 'Fjell 14', 1), ('L-102', 'laptop', 'Fjell 14', 3), ('L-103', 'laptop', 'Fjell 14', NULL),
        ('L-104', 'laptop', 'Fjell 16', NULL), ('L-105', 'laptop', 'Fjell 16', NULL),
        ('P-201', 'phone', 'Ro 5', 2), ('P-202', 'phone', 'Ro 5', NULL), ('P-203', 'phone', 'Ro 6', NULL),
        ('S-301', 'screen', 'Vidde 27', NULL), ('S-302', 'screen', 'Vidde 27', 8) ON CONFLICT DO NOTHING""",
    """INSERT INTO it_access VALUES (1, 'repository'), (3, 'repository'), (4, 'ledger'), (6, 'crm')
        ON CONFLICT DO NOTHING""",
]

Kind = Literal["laptop", "phone", "screen"]
Priority = Literal["low", "normal", "high", "urgent"]
System = Literal["crm", "ledger", "repository", "vpn"]


class Ticket(BaseModel):
    """Something that IT is asked to do."""

    ticket_id: str
    title: str
    requester: str = Field(description="Id of an employee.")
    priority: Priority
    status: Literal["open", "closed"]
    resolution: str = Field(description="How it ended; empty while it is open.")


class Tickets(BaseModel):
    """Tickets: the most urgent first, and of these the oldest first."""

    total: int = Field(description="How many fit; the list may hold fewer.")
    tickets: list[Ticket]


class Device(BaseModel):
    """A device, and who has it."""

    tag: str
    kind: Kind
    model: str
    holder: str | None = Field(description="Id of an employee; null when it is in the store.")


class Devices(BaseModel):
    """Devices, by tag."""

    total: int = Field(description="How many fit; the list may hold fewer.")
    devices: list[Device]


class Access(BaseModel):
    """Which systems an employee may use."""

    employee_id: str
    systems: list[System]


async def tickets(run: Run, status: str, limit: int) -> Tickets:
    """Those that are open or closed, or all for ''."""
    rows = await run(
        "SELECT * FROM it_tickets WHERE $1 = '' OR status = $1 ORDER BY CASE priority WHEN 'urgent' THEN 0 "
        "WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END, number",
        status,
    )
    return Tickets(total=len(rows), tickets=[ticket_of(row) for row in rows[:limit]])


async def open_new(run: Run, title: str, requester: str, priority: str) -> Ticket:
    """A new ticket, with the next number."""
    rows = await run(
        "INSERT INTO it_tickets VALUES ($1, $2, $3, $4, 'open', '') RETURNING *",
        await next_number(run, "it"), title, number_of(requester, "E", "an employee"), priority,
    )  # fmt: skip
    return ticket_of(rows[0])


async def close(run: Run, ticket_id: str, resolution: str) -> Ticket:
    """End a ticket. One that is closed stays as it is."""
    number = number_of(ticket_id, "T", "a ticket")
    rows = await run(
        "UPDATE it_tickets SET status = 'closed', resolution = $1 WHERE number = $2 AND status = 'open' RETURNING *",
        resolution, number,
    ) or await run("SELECT * FROM it_tickets WHERE number = $1", number)  # fmt: skip
    if not rows:
        raise Refusal(f"there is no ticket {ticket_id!r}: list_tickets shows what there is")
    return ticket_of(rows[0])


async def devices(run: Run, kind: str, free_only: bool, limit: int) -> Devices:
    """Those of a kind, or all for ''."""
    rows = await run(
        "SELECT * FROM it_devices WHERE ($1 = '' OR kind = $1) AND ($2 = 0 OR holder IS NULL) ORDER BY tag",
        kind, int(free_only),
    )  # fmt: skip
    return Devices(total=len(rows), devices=[device_of(row) for row in rows[:limit]])


async def assign(run: Run, kind: str, employee_id: str) -> Device:
    """Give an employee the first free device of a kind. Raises Refusal when there is none."""
    holder = number_of(employee_id, "E", "an employee")
    free = "FROM it_devices WHERE kind = $1 AND holder IS NULL"
    while await run(f"SELECT tag {free} LIMIT 1", kind):
        # PostgreSQL looks at the outer WHERE again after it has waited: a device just taken is not given twice.
        taken = f"UPDATE it_devices SET holder = $2 WHERE holder IS NULL AND tag = (SELECT min(tag) {free}) RETURNING *"
        if rows := await run(taken, kind, holder):
            return device_of(rows[0])
    raise Refusal(f"no {kind} is free: list_devices shows who has one, and return_device takes one back")


async def give_back(run: Run, tag: str) -> Device:
    """Take a device back into the store. Twice is fine."""
    rows = await run("UPDATE it_devices SET holder = NULL WHERE tag = $1 RETURNING *", tag)
    if not rows:
        raise Refusal(f"there is no device {tag!r}: list_devices shows what there is")
    return device_of(rows[0])


async def allow(run: Run, employee_id: str, system: str, granted: bool) -> Access:
    """Grant access to a system, or take it away. Twice is fine."""
    number = number_of(employee_id, "E", "an employee")
    if granted:
        await run("INSERT INTO it_access VALUES ($1, $2) ON CONFLICT DO NOTHING", number, system)
    else:
        await run("DELETE FROM it_access WHERE employee = $1 AND system = $2", number, system)
    return await access(run, employee_id)


async def access(run: Run, employee_id: str) -> Access:
    """What an employee may use."""
    number = number_of(employee_id, "E", "an employee")
    rows = await run("SELECT system FROM it_access WHERE employee = $1 ORDER BY system", number)
    return Access(employee_id=f"E{number:03d}", systems=[row["system"] for row in rows])


def ticket_of(row: Row) -> Ticket:
    given = {key: row[key] for key in ("title", "priority", "status", "resolution")}
    return Ticket(ticket_id=f"T{row['number']:03d}", requester=f"E{row['requester']:03d}", **given)


def device_of(row: Row) -> Device:
    holder = None if row["holder"] is None else f"E{row['holder']:03d}"
    return Device(tag=row["tag"], kind=row["kind"], model=row["model"], holder=holder)


def register(server: MCPServer[Any], database: Database) -> None:
    """Add the tools of IT."""

    @server.tool(title="List tickets", annotations=READ)
    async def list_tickets(
        status: Annotated[Literal["open", "closed"] | None, Field(description="Both kinds if left out.")] = None,
        limit: Limit = 20,
    ) -> Tickets:
        """List tickets, the most urgent first."""
        with refusals():
            async with database.transaction() as run:
                return await tickets(run, status or "", limit)

    @server.tool(title="Open ticket", annotations=ADD)
    async def open_ticket(
        title: Annotated[str, Field(description="What is wanted, in one line.", min_length=1, max_length=120)],
        requester: EmployeeId,
        priority: Annotated[Priority, Field(description="How soon.")] = "normal",
    ) -> Ticket:
        """Ask IT for something."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await open_new(run, title, requester, priority)

    @server.tool(title="Close ticket", annotations=CHANGE)
    async def close_ticket(
        ticket_id: Annotated[str, Field(description="Such as T001.", max_length=20)],
        resolution: Annotated[str, Field(description="How it ended.", min_length=1, max_length=200)],
    ) -> Ticket:
        """Close a ticket. One that is closed already stays as it is."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await close(run, ticket_id, resolution)

    @server.tool(title="List devices", annotations=READ)
    async def list_devices(
        kind: Annotated[Kind | None, Field(description="Only these; all if left out.")] = None,
        free_only: Annotated[bool, Field(description="Only those that nobody has.")] = False,
        limit: Limit = 50,
    ) -> Devices:
        """List devices, and who has them."""
        with refusals():
            async with database.transaction() as run:
                return await devices(run, kind or "", free_only, limit)

    @server.tool(title="Assign device", annotations=ADD)
    async def assign_device(
        kind: Annotated[Kind, Field(description="What kind of device.")], employee_id: EmployeeId
    ) -> Device:
        """Give an employee a free device of a kind."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await assign(run, kind, employee_id)

    @server.tool(title="Return device", annotations=CHANGE)
    async def return_device(
        tag: Annotated[str, Field(description="As it is written on the device, such as L-101.", max_length=20)],
    ) -> Device:
        """Take a device back into the store."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await give_back(run, tag)

    @server.tool(title="Access", annotations=READ)
    async def get_access(employee_id: EmployeeId) -> Access:
        """Tell which systems an employee may use."""
        with refusals():
            async with database.transaction() as run:
                return await access(run, employee_id)

    @server.tool(title="Set access", annotations=CHANGE)
    async def set_access(
        employee_id: EmployeeId,
        system: Annotated[System, Field(description="Which system.")],
        granted: Annotated[bool, Field(description="True to grant, false to take away.")],
    ) -> Access:
        """Grant an employee access to a system, or take it away."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await allow(run, employee_id, system, granted)
