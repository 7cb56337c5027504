"""Employees, benefits and payroll: tables, plain functions that work on them, and the tools made of these."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal, get_args

from mcp.server import MCPServer
from pydantic import BaseModel, Field

from servers.company.parts import (
    ADD,
    CHANGE,
    MOST_CENTS,
    READ,
    Department,
    EmployeeId,
    Limit,
    Refusal,
    next_number,
    number_of,
    refusals,
)
from servers.databases import Database, Row, Run

NAME = "hr"
SCHEMA = [
    "CREATE TABLE IF NOT EXISTS hr_numbers (last INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS hr_employees (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL, department TEXT NOT NULL, job_title TEXT NOT NULL,
        monthly_cents BIGINT NOT NULL CHECK (monthly_cents > 0), first_day TEXT NOT NULL, last_day TEXT,
        withdrawn INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS hr_benefits (
        employee INTEGER NOT NULL REFERENCES hr_employees (number), benefit TEXT NOT NULL,
        PRIMARY KEY (employee, benefit))""",
    "INSERT INTO hr_numbers SELECT 12 WHERE NOT EXISTS (SELECT 1 FROM hr_numbers)",
    """INSERT INTO hr_employees (number, name, department, job_title, monthly_cents, first_day, last_day) VALUES
        (1, 'Amira Haddad', 'engineering', 'Head of engineering', 920000, '2019-03-01', NULL),
        (2, 'Bruno Costa', 'sales', 'Account manager', 480000, '2021-06-15', NULL),
        (3, 'Chen Wei', 'engineering', 'Developer', 610000, '2022-01-10', NULL),
        (4, 'Dora Lindqvist', 'finance', 'Controller', 640000, '2018-09-01', NULL),
        (5, 'Emeka Obi', 'operations', 'Head of operations', 780000, '2017-05-02', NULL),
        (6, 'Farah Nasser', 'sales', 'Head of sales', 810000, '2020-02-01', NULL),
        (7, 'Goran Petrov', 'operations', 'Technician', 390000, '2023-08-01', NULL),
        (8, 'Hana Sato', 'engineering', 'Developer', 590000, '2024-04-01', NULL),
        (9, 'Iván Torres', 'sales', 'Account manager', 470000, '2019-11-01', '2025-06-30'),
        (10, 'Jana Müller', 'operations', 'Planner', 430000, '2022-10-01', NULL),
        (11, 'Kofi Mensah', 'engineering', 'Developer', 600000, '2023-02-01', NULL),
        (12, 'Lea Dubois', 'operations', 'Technician', 385000, '2024-09-01', NULL) ON CONFLICT DO NOTHING""",
    """INSERT INTO hr_benefits VALUES (1, 'pension'), (1, 'health'), (3, 'health'), (4, 'pension'), (5, 'bicycle')
        ON CONFLICT DO NOTHING""",
]
SMALLEST_GROUP = 4
"""A sum for fewer people would tell what one of them earns to who knows the others."""

Benefit = Literal["bicycle", "health", "pension"]


class Employee(BaseModel):
    """Somebody who works here, or did."""

    employee_id: str
    name: str
    department: Department
    job_title: str
    first_day: str = Field(description="YYYY-MM-DD.")
    last_day: str | None = Field(description="YYYY-MM-DD; null for who stays.")


class Employees(BaseModel):
    """Employees, by id."""

    total: int = Field(description="How many fit; the list may hold fewer.")
    employees: list[Employee]


class EmployeeDetails(Employee):
    """An employee, and what they have chosen."""

    benefits: list[Benefit]


class DepartmentPayroll(BaseModel):
    """What a department is paid in a month."""

    department: Department
    people: int
    cents: int | None = Field(description="Null for so few people that it would tell what one of them earns.")


class Payroll(BaseModel):
    """What everybody is paid in a month. There is no total: with it, what is left out could be computed."""

    month: str
    people: int
    departments: list[DepartmentPayroll]


async def find(run: Run, employee_id: str) -> Row:
    """The row of an employee. Raises Refusal when there is none."""
    found = await run(
        "SELECT * FROM hr_employees WHERE number = $1 AND withdrawn = 0", number_of(employee_id, "E", "an employee")
    )
    if not found:
        raise Refusal(f"there is no employee {employee_id!r}: list_employees shows who there is")
    return found[0]


async def list_all(run: Run, department: str, include_left: bool, limit: int) -> Employees:
    """Those of a department, or of all for ''."""
    rows = await run(
        "SELECT * FROM hr_employees WHERE withdrawn = 0 AND ($1 = '' OR department = $1) "
        "AND ($2 = 1 OR last_day IS NULL) ORDER BY number",
        department, int(include_left),
    )  # fmt: skip
    return Employees(total=len(rows), employees=[shown(row) for row in rows[:limit]])


async def details(run: Run, employee_id: str) -> EmployeeDetails:
    """An employee with benefits."""
    row = await find(run, employee_id)
    chosen = await run("SELECT benefit FROM hr_benefits WHERE employee = $1 ORDER BY benefit", row["number"])
    return EmployeeDetails(**shown(row).model_dump(), benefits=[each["benefit"] for each in chosen])


async def create(run: Run, name: str, department: str, job_title: str, first_day: str, monthly_cents: int) -> Employee:
    """A new employee, with the next number."""
    day(first_day)
    rows = await run(
        "INSERT INTO hr_employees (number, name, department, job_title, monthly_cents, first_day) "
        "VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
        await next_number(run, "hr"), name, department, job_title, monthly_cents, first_day,
    )  # fmt: skip
    return shown(rows[0])


async def withdraw(run: Run, employee_id: str) -> Employee:
    """Take back a record, whose number stays taken. Raises Refusal when somebody has worked with it."""
    row = await find(run, employee_id)
    if row["last_day"] or await run("SELECT 1 AS one FROM hr_benefits WHERE employee = $1", row["number"]):
        raise Refusal(f"{employee_id} has benefits or has left: only a record that was not used yet can be withdrawn")
    await run("UPDATE hr_employees SET withdrawn = 1 WHERE number = $1", row["number"])
    return shown(row)


async def end(run: Run, employee_id: str, last_day: str) -> Employee:
    """Note somebody's last day."""
    row = await find(run, employee_id)
    if day(last_day) < day(row["first_day"]):
        raise Refusal(f"{employee_id} begins on {row['first_day']}, after {last_day}: give a later last day")
    rows = await run("UPDATE hr_employees SET last_day = $1 WHERE number = $2 RETURNING *", last_day, row["number"])
    return shown(rows[0])


async def choose(run: Run, employee_id: str, benefit: str) -> EmployeeDetails:
    """Give an employee a benefit. Twice is fine."""
    row = await find(run, employee_id)
    if row["last_day"]:
        raise Refusal(f"{employee_id} leaves on {row['last_day']}: benefits are for those who stay")
    await run("INSERT INTO hr_benefits VALUES ($1, $2) ON CONFLICT DO NOTHING", row["number"], benefit)
    return await details(run, employee_id)


async def payroll(run: Run, month: str) -> Payroll:
    """Sums for everybody who is employed on some day of the month."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        raise Refusal(f"{month!r} is not a month: write year-month, such as 2026-11")
    rows = await run(
        "SELECT department, monthly_cents FROM hr_employees WHERE withdrawn = 0 "
        "AND substr(first_day, 1, 7) <= $1 AND (last_day IS NULL OR substr(last_day, 1, 7) >= $1)",
        month,
    )
    groups: dict[str, list[int]] = {department: [] for department in get_args(Department)}
    for row in rows:
        groups[row["department"]].append(row["monthly_cents"])
    return Payroll(
        month=month,
        people=len(rows),
        departments=[
            DepartmentPayroll.model_validate(
                {
                    "department": department,
                    "people": len(paid),
                    "cents": sum(paid) if len(paid) >= SMALLEST_GROUP else None,
                }
            )
            for department, paid in groups.items()
        ],
    )


def shown(row: Row) -> Employee:
    """What may be told of an employee: not what they earn."""
    return Employee(
        employee_id=f"E{row['number']:03d}", **{key: row[key] for key in Employee.model_fields if key in row}
    )


def day(text: str) -> date:
    """The day that YYYY-MM-DD stands for."""
    try:
        # fromisoformat alone would also take 20261224 and 2026-W52-4.
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Refusal(f"{text!r} is not a date: write year-month-day, such as 2026-12-24")


ISO: dict[str, Any] = {"json_schema_extra": {"format": "date"}}


def register(server: MCPServer[Any], database: Database) -> None:
    """Add the tools of HR."""

    @server.tool(title="List employees", annotations=READ)
    async def list_employees(
        department: Annotated[Department | None, Field(description="Only this one; all if left out.")] = None,
        include_left: Annotated[bool, Field(description="Also those who have a last day.")] = False,
        limit: Limit = 50,
    ) -> Employees:
        """List employees, by department if you like."""
        with refusals():
            async with database.transaction() as run:
                return await list_all(run, department or "", include_left, limit)

    @server.tool(title="Employee", annotations=READ)
    async def get_employee(employee_id: EmployeeId) -> EmployeeDetails:
        """Show one employee, and the benefits they have chosen."""
        with refusals():
            async with database.transaction() as run:
                return await details(run, employee_id)

    @server.tool(title="Create employee", annotations=ADD)
    async def create_employee(
        name: Annotated[str, Field(description="First and last name.", min_length=1, max_length=80)],
        department: Annotated[Department, Field(description="Where they work.")],
        job_title: Annotated[str, Field(description="What they do.", min_length=1, max_length=80)],
        first_day: Annotated[str, Field(description="First day of work, YYYY-MM-DD.", **ISO)],
        monthly_cents: Annotated[int, Field(description="Pay for a month, in cents.", ge=1, le=MOST_CENTS)],
    ) -> Employee:
        """Record a new employee, who gets the next free id."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await create(run, name, department, job_title, first_day, monthly_cents)

    @server.tool(title="Withdraw employee", annotations=CHANGE)
    async def withdraw_employee(employee_id: EmployeeId) -> Employee:
        """Take back a record that was made by mistake and has not been used. Who leaves is for end_employment."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await withdraw(run, employee_id)

    @server.tool(title="End employment", annotations=CHANGE)
    async def end_employment(
        employee_id: EmployeeId, last_day: Annotated[str, Field(description="Last day of work, YYYY-MM-DD.", **ISO)]
    ) -> Employee:
        """Note the last day of somebody who leaves."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await end(run, employee_id, last_day)

    @server.tool(title="Choose benefit", annotations=CHANGE)
    async def choose_benefit(
        employee_id: EmployeeId, benefit: Annotated[Benefit, Field(description="What they choose.")]
    ) -> EmployeeDetails:
        """Give an employee a benefit they have chosen."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await choose(run, employee_id, benefit)

    @server.tool(title="Payroll", annotations=READ)
    async def get_payroll(
        month: Annotated[str, Field(description="YYYY-MM, such as 2026-11.", max_length=20)],
    ) -> Payroll:
        """Tell what the departments are paid in a month. What one person earns is not told."""
        with refusals():
            async with database.transaction() as run:
                return await payroll(run, month)
