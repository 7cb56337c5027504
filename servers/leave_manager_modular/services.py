"""What the leave manager does. Knows the database, and nothing of MCP: it can be tested and used without a server."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import date
from typing import Any

from servers.databases import Database, Run
from servers.leave_manager_modular.models import Balance, History, Leave, LeaveError, Receipt, UnknownEmployee, plural
from servers.leave_manager_modular.workdays import working_days


class LeaveService:
    """Every method is one transaction, and raises LeaveError when it refuses."""

    def __init__(self, database: Database, today: Callable[[], date] = date.today) -> None:
        self._database, self.today = database, today

    async def employees(self) -> list[dict[str, Any]]:
        """Ids and names."""
        async with self._database.transaction() as run:
            return await run("SELECT id, name FROM leave_employees ORDER BY id")

    async def balance(self, employee_id: str) -> Balance:
        async with self._database.transaction() as run:
            person = await _find(run, employee_id)
            booked = await run("SELECT count(*) AS days FROM leave_days WHERE employee_id = $1", employee_id)
        return Balance(
            employee_id=employee_id, name=person["name"], days_left=person["days_left"], days_booked=booked[0]["days"]
        )

    async def history(self, employee_id: str, limit: int) -> History:
        async with self._database.transaction() as run:
            person = await _find(run, employee_id)
            rows = await run(
                "SELECT * FROM leave_applications WHERE employee_id = $1 ORDER BY start_date DESC, id", employee_id
            )
        leaves = [Leave.from_row(row) for row in rows[:limit]]
        return History(employee_id=employee_id, name=person["name"], total=len(rows), applications=leaves)

    async def apply(self, employee_id: str, start_date: str, end_date: str, reason: str = "") -> Receipt:
        """Book all working days from the first to the last day, or none."""
        days = working_days(start_date, end_date, self.today())
        leave = Leave(
            application_id=f"L-{secrets.token_hex(4)}", start_date=start_date, end_date=end_date, days=len(days),
            reason=reason, status="booked",
        )  # fmt: skip
        async with self._database.transaction(write=True) as run:
            person = await _find(run, employee_id)
            await run(
                "INSERT INTO leave_applications VALUES ($1, $2, $3, $4, $5, $6, $7)",
                leave.application_id, employee_id, start_date, end_date, leave.days, reason, leave.status,
            )  # fmt: skip
            await _book(run, employee_id, leave.application_id, days)
            days_left = await _take(run, employee_id, leave.days)
            if days_left is None:
                person = await _find(run, employee_id)
                raise LeaveError(
                    f"{start_date} to {end_date} takes {plural(leave.days)}, and {person['name']} ({employee_id}) "
                    f"has {plural(person['days_left'])} left: apply for less"
                )
        return Receipt(employee_id=employee_id, days_left=days_left, application=leave)

    async def cancel(self, employee_id: str, application_id: str) -> Receipt:
        """Cancel leave that lies ahead, and give its days back."""
        async with self._database.transaction(write=True) as run:
            await _find(run, employee_id)
            # Checks and changes in one step: of two who cancel at once, one finds nothing to change.
            cancelled = await run(
                "UPDATE leave_applications SET status = 'cancelled' "
                "WHERE id = $1 AND employee_id = $2 AND status = 'booked' AND start_date > $3 RETURNING *",
                application_id, employee_id, self.today().isoformat(),
            )  # fmt: skip
            if not cancelled:
                raise LeaveError(await _why_not_cancelled(run, employee_id, application_id))
            leave = Leave.from_row(cancelled[0])
            await run("DELETE FROM leave_days WHERE application_id = $1", application_id)
            days_left = await _take(run, employee_id, -leave.days)
            assert days_left is not None  # giving back never fails
        return Receipt(employee_id=employee_id, days_left=days_left, application=leave)


async def _find(run: Run, employee_id: str) -> dict[str, Any]:
    if not re.fullmatch(r"E[0-9]{3}", employee_id):
        raise LeaveError(f"{employee_id!r} is not an employee id: write E and three digits, such as E001")
    found = await run("SELECT * FROM leave_employees WHERE id = $1", employee_id)
    if not found:
        raise UnknownEmployee(f"there is no employee {employee_id!r}: leave://employees lists who there is")
    return found[0]


async def _book(run: Run, employee_id: str, application_id: str, days: list[str]) -> None:
    taken: list[str] = []
    # In the order of the calendar: callers who want the same days never wait for each other in a circle.
    for day in days:
        if not await run(
            "INSERT INTO leave_days VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING day",
            employee_id, day, application_id,
        ):  # fmt: skip
            taken.append(day)
    if taken:
        some = ", ".join(taken[:5]) + (f" and {len(taken) - 5} more" if len(taken) > 5 else "")
        raise LeaveError(
            f"{employee_id} has leave already on {some}: leave these days out, or cancel that application first"
        )


async def _take(run: Run, employee_id: str, days: int) -> int | None:
    """Take days from the balance; what is left, or None if there are not enough. One statement checks and changes."""
    left = await run(
        "UPDATE leave_employees SET days_left = days_left - $1 WHERE id = $2 AND days_left >= $1 RETURNING days_left",
        days, employee_id,
    )  # fmt: skip
    return left[0]["days_left"] if left else None


async def _why_not_cancelled(run: Run, employee_id: str, application_id: str) -> str:
    # The applications of others are not even told to exist.
    found = await run(
        "SELECT * FROM leave_applications WHERE id = $1 AND employee_id = $2", application_id, employee_id
    )
    if not found:
        return f"{employee_id} has no application {application_id!r}: get_history lists what there is"
    if found[0]["status"] == "cancelled":
        return f"{application_id} is cancelled already: there is nothing left to do"
    return f"{application_id} has begun on {found[0]['start_date']}: only leave that lies ahead can be cancelled"
