"""A service layer: the rules of spending. Every method takes the user, and no statement is without them."""

from __future__ import annotations

from servers.databases import Database, Row, Run

BUDGET_CENTS = 100_000
"""What a new user may spend."""

SCHEMA = [
    """CREATE TABLE IF NOT EXISTS user_data_budgets (
        user_id TEXT PRIMARY KEY, budget INTEGER NOT NULL,
        spent INTEGER NOT NULL CHECK (spent >= 0 AND spent <= budget))""",
    """CREATE TABLE IF NOT EXISTS user_data_expenses (
        user_id TEXT NOT NULL REFERENCES user_data_budgets (user_id), number INTEGER NOT NULL,
        category TEXT NOT NULL, cents INTEGER NOT NULL CHECK (cents > 0), note TEXT NOT NULL,
        PRIMARY KEY (user_id, number))""",
    """CREATE TABLE IF NOT EXISTS user_data_credentials (
        user_id TEXT NOT NULL, service TEXT NOT NULL, token TEXT NOT NULL, PRIMARY KEY (user_id, service))""",
    """INSERT INTO user_data_credentials VALUES
        ('ada', 'bank', 'demo-token-of-ada'), ('ben', 'bank', 'demo-token-of-ben') ON CONFLICT DO NOTHING""",
]


class ExpenseError(Exception):
    """The request cannot be met; the message says why and what to do."""


class ExpenseService:
    """What may be spent, and by whom. Knows the database, and nothing of MCP."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: str, category: str, cents: int, note: str) -> tuple[Row, int]:
        """Record an expense within the budget. Returns it, and how many cents are left."""
        async with self._database.transaction(write=True) as run:
            await run(
                "INSERT INTO user_data_budgets VALUES ($1, $2, 0) ON CONFLICT DO NOTHING RETURNING user_id",
                user, BUDGET_CENTS,
            )  # fmt: skip
            # Checks and changes in one step, and holds the row: expenses of one user are numbered one after the other.
            changed = await run(
                "UPDATE user_data_budgets SET spent = spent + $1 WHERE user_id = $2 AND spent + $1 <= budget "
                "RETURNING budget - spent AS left_over",
                cents, user,
            )  # fmt: skip
            if not changed:
                raise ExpenseError(
                    f"{cents} cents are more than the {await _left(run, user)} that are left: spend less"
                )
            # Numbers count per user: a number common to all would tell how busy the others are.
            added = await run(
                "INSERT INTO user_data_expenses SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4 "
                "FROM user_data_expenses WHERE user_id = $1 RETURNING number, category, cents, note",
                user, category, cents, note,
            )  # fmt: skip
        return added[0], changed[0]["left_over"]

    async def remove(self, user: str, number: int) -> tuple[Row, int]:
        """Take an expense back. Returns it, and how many cents are left."""
        async with self._database.transaction(write=True) as run:
            # The budget first, as in `add`: who locks in the same order never waits for each other in a circle.
            await run("UPDATE user_data_budgets SET spent = spent WHERE user_id = $1", user)
            removed = await run(
                "DELETE FROM user_data_expenses WHERE user_id = $1 AND number = $2 "
                "RETURNING number, category, cents, note",
                user, number,
            )  # fmt: skip
            if not removed:
                raise ExpenseError(f"you have no expense {number}: list_expenses shows what there is")
            await run("UPDATE user_data_budgets SET spent = spent - $1 WHERE user_id = $2", removed[0]["cents"], user)
            return removed[0], await _left(run, user)


async def _left(run: Run, user: str) -> int:
    rows = await run("SELECT budget - spent AS left_over FROM user_data_budgets WHERE user_id = $1", user)
    return rows[0]["left_over"] if rows else BUDGET_CENTS
