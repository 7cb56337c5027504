"""Which days a leave takes. Pure functions: dates in, days out."""

from __future__ import annotations

import re
from datetime import date, timedelta

from servers.leave_manager_modular.models import LONGEST, LeaveError, plural


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
    """The date that YYYY-MM-DD stands for."""
    try:
        # fromisoformat alone would also take 20261224 and 2026-W52-4.
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise LeaveError(f"{text!r} is not a date: write year-month-day, such as 2026-12-24")
