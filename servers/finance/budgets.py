"""Budgets and expenses: tables, plain functions that work on them, and the tools made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from pydantic import BaseModel, Field

from servers.company.parts import (
    ADD,
    CHANGE,
    READ,
    Cents,
    Department,
    Limit,
    Refusal,
    next_number,
    number_of,
    refusals,
)
from servers.databases import Database, Row, Run

NAME = "finance"
SCHEMA = [
    "CREATE TABLE IF NOT EXISTS finance_numbers (last INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS finance_budgets (
        department TEXT PRIMARY KEY, granted BIGINT NOT NULL,
        held BIGINT NOT NULL CHECK (held >= 0), spent BIGINT NOT NULL CHECK (spent >= 0),
        CHECK (held + spent <= granted))""",
    """CREATE TABLE IF NOT EXISTS finance_reservations (
        number INTEGER PRIMARY KEY, department TEXT NOT NULL REFERENCES finance_budgets (department),
        cents BIGINT NOT NULL CHECK (cents > 0), purpose TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('held', 'released', 'spent')))""",
    """CREATE TABLE IF NOT EXISTS finance_expenses (
        number INTEGER PRIMARY KEY, department TEXT NOT NULL REFERENCES finance_budgets (department),
        cents BIGINT NOT NULL CHECK (cents > 0), category TEXT NOT NULL, note TEXT NOT NULL)""",
    "INSERT INTO finance_numbers SELECT 8 WHERE NOT EXISTS (SELECT 1 FROM finance_numbers)",
    """INSERT INTO finance_budgets VALUES ('engineering', 5000000, 0, 1249000), ('finance', 800000, 0, 96000),
        ('operations', 3000000, 150000, 741500), ('sales', 1200000, 0, 1121000) ON CONFLICT DO NOTHING""",
    """INSERT INTO finance_reservations VALUES (1, 'operations', 150000, 'Spare parts', 'held')
        ON CONFLICT DO NOTHING""",
    """INSERT INTO finance_expenses VALUES
        (2, 'engineering', 899000, 'equipment', 'Servers'), (3, 'engineering', 350000, 'training', 'Conference'),
        (4, 'finance', 96000, 'software', 'Licences'), (5, 'operations', 741500, 'equipment', 'Forklift'),
        (6, 'sales', 480000, 'travel', 'Fair in Lyon'), (7, 'sales', 391000, 'travel', 'Visits'),
        (8, 'sales', 250000, 'equipment', 'Stand') ON CONFLICT DO NOTHING""",
]

Category = Literal["equipment", "software", "training", "travel"]
Status = Literal["held", "released", "spent"]


class Budget(BaseModel):
    """The budget of a department for this year."""

    department: Department
    granted_cents: int
    spent_cents: int
    held_cents: int = Field(description="Reserved, and not spent yet.")
    free_cents: int = Field(description="What may still be reserved or spent.")


class Reservation(BaseModel):
    """An amount that is held for something."""

    reservation_id: str
    department: Department
    cents: int
    purpose: str
    status: Status
    free_cents: int = Field(description="What is left in the budget now.")


class Expense(BaseModel):
    """Something that was paid."""

    expense_id: str
    department: Department
    cents: int
    category: Category
    note: str


class Expenses(BaseModel):
    """What was paid, latest first."""

    total: int = Field(description="How many fit; the list may hold fewer.")
    expenses: list[Expense]


class SpendingLine(BaseModel):
    """What was paid for one kind of thing by one department."""

    department: Department
    category: Category
    expenses: int
    cents: int


class SpendingReport(BaseModel):
    """What was paid, by department and category, and the budgets beside it."""

    lines: list[SpendingLine]
    budgets: list[Budget]


async def budget(run: Run, department: str) -> Budget:
    """The budget as it is now."""
    rows = await run("SELECT * FROM finance_budgets WHERE department = $1", department)
    return budget_of(rows[0])


async def reserve(run: Run, department: str, cents: int, purpose: str) -> Reservation:
    """Hold an amount. Raises Refusal when the budget does not have it."""
    # One statement checks and changes: of two who want the last money, one gets it.
    held = await run(
        "UPDATE finance_budgets SET held = held + $1 WHERE department = $2 AND granted - held - spent >= $1 "
        "RETURNING *",
        cents, department,
    )  # fmt: skip
    if not held:
        raise Refusal(await too_much(run, department, cents))
    rows = await run(
        "INSERT INTO finance_reservations VALUES ($1, $2, $3, $4, 'held') RETURNING *",
        await next_number(run, "finance"), department, cents, purpose,
    )  # fmt: skip
    return reservation_of(rows[0], held[0])


async def release(run: Run, reservation_id: str) -> Reservation:
    """Let a held amount go. Twice is fine. Raises Refusal when it is spent."""
    number = number_of(reservation_id, "B", "a reservation")
    rows = await run(
        "UPDATE finance_reservations SET status = 'released' WHERE number = $1 AND status = 'held' RETURNING *", number
    )
    if rows:
        after = await run(
            "UPDATE finance_budgets SET held = held - $1 WHERE department = $2 RETURNING *",
            rows[0]["cents"], rows[0]["department"],
        )  # fmt: skip
        return reservation_of(rows[0], after[0])
    row = await find_reservation(run, reservation_id)
    if row["status"] == "spent":
        raise Refusal(f"{reservation_id} is spent already: only an amount that is held can be released")
    return reservation_of(row, (await run("SELECT * FROM finance_budgets WHERE department = $1", row["department"]))[0])


async def find_reservation(run: Run, reservation_id: str) -> Row:
    """The row of a reservation. Raises Refusal when there is none."""
    rows = await run(
        "SELECT * FROM finance_reservations WHERE number = $1", number_of(reservation_id, "B", "a reservation")
    )
    if not rows:
        raise Refusal(f"there is no reservation {reservation_id!r}: reserve_budget tells the id of a new one")
    return rows[0]


async def record(run: Run, department: str, cents: int, category: str, note: str) -> Expense:
    """Pay something. Raises Refusal when the budget does not have it."""
    if not await run(
        "UPDATE finance_budgets SET spent = spent + $1 WHERE department = $2 AND granted - held - spent >= $1 "
        "RETURNING *",
        cents, department,
    ):  # fmt: skip
        raise Refusal(await too_much(run, department, cents))
    return await paid(run, department, cents, category, note)


async def spend(run: Run, reservation_id: str, category: str, note: str) -> Expense:
    """Pay what was held, all of it. Raises Refusal when it is not held any more."""
    rows = await run(
        "UPDATE finance_reservations SET status = 'spent' WHERE number = $1 AND status = 'held' RETURNING *",
        number_of(reservation_id, "B", "a reservation"),
    )
    if not rows:
        status = (await find_reservation(run, reservation_id))["status"]
        raise Refusal(f"{reservation_id} is {status} already: reserve the amount again, or use record_expense")
    department, cents = rows[0]["department"], rows[0]["cents"]
    await run(
        "UPDATE finance_budgets SET held = held - $1, spent = spent + $1 WHERE department = $2", cents, department
    )
    return await paid(run, department, cents, category, note or rows[0]["purpose"])


async def paid(run: Run, department: str, cents: int, category: str, note: str) -> Expense:
    rows = await run(
        "INSERT INTO finance_expenses VALUES ($1, $2, $3, $4, $5) RETURNING *",
        await next_number(run, "finance"), department, cents, category, note,
    )  # fmt: skip
    return expense_of(rows[0])


async def expenses(run: Run, department: str, limit: int) -> Expenses:
    """Those of a department, or of all for ''."""
    rows = await run("SELECT * FROM finance_expenses WHERE $1 = '' OR department = $1 ORDER BY number DESC", department)
    return Expenses(total=len(rows), expenses=[expense_of(row) for row in rows[:limit]])


async def report(run: Run) -> SpendingReport:
    """All that was paid, in groups."""
    lines = await run(
        "SELECT department, category, count(*) AS expenses, CAST(sum(cents) AS BIGINT) AS cents FROM finance_expenses "
        "GROUP BY department, category ORDER BY department, category"
    )
    budgets = await run("SELECT * FROM finance_budgets ORDER BY department")
    return SpendingReport(lines=[SpendingLine(**line) for line in lines], budgets=[budget_of(row) for row in budgets])


async def too_much(run: Run, department: str, cents: int) -> str:
    free = (await budget(run, department)).free_cents
    return f"{cents} cents are more than the {free} that the budget of {department} has left: ask for less"


def budget_of(row: Row) -> Budget:
    return Budget(
        department=row["department"], granted_cents=row["granted"], spent_cents=row["spent"], held_cents=row["held"],
        free_cents=row["granted"] - row["held"] - row["spent"],
    )  # fmt: skip


def reservation_of(row: Row, budget: Row) -> Reservation:
    given = {key: row[key] for key in ("department", "cents", "purpose", "status")}
    return Reservation(
        reservation_id=f"B{row['number']:03d}", free_cents=budget["granted"] - budget["held"] - budget["spent"], **given
    )


def expense_of(row: Row) -> Expense:
    given = {key: row[key] for key in ("department", "cents", "category", "note")}
    return Expense(expense_id=f"X{row['number']:03d}", **given)


ReservationId = Annotated[str, Field(description="As reserve_budget tells it, such as B001.", max_length=20)]
Note = Annotated[str, Field(description="What it was.", max_length=200)]


def register(server: MCPServer[Any], database: Database) -> None:
    """Add the tools of finance."""

    @server.tool(title="Budget", annotations=READ)
    async def get_budget(department: Annotated[Department, Field(description="Whose.")]) -> Budget:
        """Tell what a department may spend this year, what it has spent, and what is held."""
        with refusals():
            async with database.transaction() as run:
                return await budget(run, department)

    @server.tool(title="Reserve budget", annotations=ADD)
    async def reserve_budget(
        department: Annotated[Department, Field(description="Whose budget.")],
        cents: Cents,
        purpose: Annotated[str, Field(description="What it is held for.", min_length=1, max_length=200)],
    ) -> Reservation:
        """Hold an amount of a budget, so that nobody else spends it."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await reserve(run, department, cents, purpose)

    @server.tool(title="Release budget", annotations=CHANGE)
    async def release_budget(reservation_id: ReservationId) -> Reservation:
        """Let a held amount go. To do so twice changes nothing."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await release(run, reservation_id)

    @server.tool(title="Record expense", annotations=ADD)
    async def record_expense(
        department: Annotated[Department, Field(description="Who pays.")],
        cents: Cents,
        category: Annotated[Category, Field(description="What kind of thing.")],
        note: Note = "",
    ) -> Expense:
        """Pay something that was not reserved. It is refused when it does not fit into the budget."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await record(run, department, cents, category, note)

    @server.tool(title="Spend reservation", annotations=ADD)
    async def spend_reservation(
        reservation_id: ReservationId,
        category: Annotated[Category, Field(description="What kind of thing.")],
        note: Note = "",
    ) -> Expense:
        """Pay what was reserved, all of it. Without a note, the purpose of the reservation is the note."""
        with refusals():
            async with database.transaction(write=True) as run:
                return await spend(run, reservation_id, category, note)

    @server.tool(title="List expenses", annotations=READ)
    async def list_expenses(
        department: Annotated[Department | None, Field(description="Only this one; all if left out.")] = None,
        limit: Limit = 20,
    ) -> Expenses:
        """List what was paid, latest first."""
        with refusals():
            async with database.transaction() as run:
                return await expenses(run, department or "", limit)

    @server.tool(title="Spending report", annotations=READ)
    async def get_spending_report() -> SpendingReport:
        """Sum up what was paid by department and category, with all budgets."""
        with refusals():
            async with database.transaction() as run:
                return await report(run)
