"""The part of the leave manager that is worth a module: what may be booked, and how two callers at once lose nothing.

Knows the database, and nothing of MCP. Two coroutines, `book` and `cancel`, each to be run inside a transaction.
"""

from __future__ import annotations

import re
import secrets
from datetime import date, timedelta
from typing import Any

from servers.databases import Run

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


class LeaveError(Exception):
    """The request cannot be met; the message says why and what to do."""


class UnknownEmployee(LeaveError):
    """There is no employee of that id."""


async def find(run: Run, employee_id: str) -> dict[str, Any]:
    """The row of an employee."""
    if not re.fullmatch(r"E[0-9]{3}", employee_id):
        raise LeaveError(f"{employee_id!r} is not an employee id: write E and three digits, such as E001")
    found = await run("SELECT * FROM leave_employees WHERE id = $1", employee_id)
    if not found:
        raise UnknownEmployee(f"there is no employee {employee_id!r}: leave://employees lists who there is")
    return found[0]


async def book(
    run: Run, employee_id: str, days: list[str], start_date: str, end_date: str, reason: str
) -> tuple[dict[str, Any], int]:
    """Book these days. Returns the row of the application, and how many days are left."""
    person = await find(run, employee_id)
    application = await run(
        "INSERT INTO leave_applications VALUES ($1, $2, $3, $4, $5, $6, 'booked') RETURNING *",
        f"L-{secrets.token_hex(4)}", employee_id, start_date, end_date, len(days), reason,
    )  # fmt: skip
    taken: list[str] = []
    # In the order of the calendar: callers who want the same days never wait for each other in a circle.
    for day in days:
        if not await run(
            "INSERT INTO leave_days VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING day",
            employee_id, day, application[0]["id"],
        ):  # fmt: skip
            taken.append(day)
    if taken:
        some = ", ".join(taken[:5]) + (f" and {len(taken) - 5} more" if len(taken) > 5 else "")
        raise LeaveError(
            f"{employee_id} has leave already on {some}: leave these days out, or cancel that application first"
        )
    # One statement checks and changes: nobody can come in between.
    left = await run(
        "UPDATE leave_employees SET days_left = days_left - $1 WHERE id = $2 AND days_left >= $1 RETURNING days_left",
        len(days), employee_id,
    )  # fmt: skip
    if not left:
        person = await find(run, employee_id)
        raise LeaveError(
            f"{start_date} to {end_date} takes {plural(len(days))}, and {person['name']} ({employee_id}) "
            f"has {plural(person['days_left'])} left: apply for less"
        )
    return application[0], left[0]["days_left"]


async def cancel(run: Run, employee_id: str, application_id: str, today: date) -> tuple[dict[str, Any], int]:
    """Cancel leave that lies ahead. Returns the row of the application, and how many days are left."""
    await find(run, employee_id)
    # Checks and changes in one step: of two who cancel at once, one finds nothing to change.
    cancelled = await run(
        "UPDATE leave_applications SET status = 'cancelled' "
        "WHERE id = $1 AND employee_id = $2 AND status = 'booked' AND start_date > $3 RETURNING *",
        application_id, employee_id, today.isoformat(),
    )  # fmt: skip
    if not cancelled:
        raise LeaveError(await why_not_cancelled(run, employee_id, application_id))
    await run("DELETE FROM leave_days WHERE application_id = $1", application_id)
    left = await run(
        "UPDATE leave_employees SET days_left = days_left + $1 WHERE id = $2 RETURNING days_left",
        cancelled[0]["days"], employee_id,
    )  # fmt: skip
    return cancelled[0], left[0]["days_left"]


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


def working_days(start: str, end: str, today: date) -> list[str]:
    """The working days from `start` to `end`, both included. Raises LeaveError for dates that cannot be applied for."""
    first, last = day_of(start), day_of(end)
    if last < first:
        raise LeaveError(f"the leave ends on {end}, before it starts on {start}: swap the dates")
    if first < today:
        raise LeaveError(f"{start} is in the past, today is {today}: leave starts today or later")
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


def plural(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
