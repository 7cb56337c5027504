"""What the tools give and take, the tables, and the ways to refuse. No behaviour: all other modules import this one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

LONGEST = 366
"""Days that one application may span."""

POLICY = f"""# Leave

- Leave is taken in whole working days, Monday to Friday. Weekends inside a leave cost nothing.
- It starts today or later, and one application spans at most {LONGEST} days.
- Nobody takes more days than are left, and no day is booked twice.
- Leave that has not begun can be cancelled; its days come back.
"""

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

EmployeeId = Annotated[str, Field(description="E and three digits, such as E001.")]


def iso_date(description: str) -> Any:
    """A parameter that is a date, and stays text: the service says in one sentence what is wrong with it."""
    return Field(description=description, json_schema_extra={"format": "date"})


class Leave(BaseModel):
    """One application for leave."""

    application_id: str
    start_date: str = Field(description="First day, YYYY-MM-DD.")
    end_date: str = Field(description="Last day, included.")
    days: int = Field(description="Working days that it takes.")
    reason: str
    status: Literal["booked", "cancelled"]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Leave:
        return cls(application_id=row["id"], **{key: row[key] for key in cls.model_fields if key in row})


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


def plural(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
