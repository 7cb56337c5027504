"""Many callers at once, through three processes (one of each shape) on one database: nothing is lost, nothing too much."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from servers.databases import Database, DatabaseError
from servers.leave_manager_modular.models import SCHEMA, LeaveError
from servers.leave_manager_modular.services import LeaveService

SHAPES = ["leave_manager", "leave_manager_modular", "leave_manager_hybrid"]
DAYS = [
    day.isoformat() for day in (date(2027, 3, 1) + timedelta(days=n) for n in range(70)) if day.weekday() < 5
]  # fifty working days

pytestmark = [pytest.mark.anyio]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('leave') / 'leave.db'}"
    pytest.importorskip("asyncpg")
    return request.getfixturevalue("postgres")


@pytest.fixture(scope="module")
async def processes(connect: Any, url: str) -> AsyncIterator[list[Client]]:
    env = {"DATABASE_URL": url, "LEAVE_TODAY": "2026-11-23"}
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connect(shape, ("stdio", "modern"), env)) for shape in SHAPES]


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The tables, as new."""
    database = Database(url, SCHEMA)
    async with database.transaction(write=True) as run:
        for table in ("leave_days", "leave_applications", "leave_employees"):
            await run(f"DELETE FROM {table}")
        await run(SCHEMA[-1])
    yield database
    await database.close()


async def apply(client: Client, employee: str, day: str) -> bool:
    """Whether it was booked. Every refusal has to be one of the leave manager, not of the database."""
    arguments = {"employee_id": employee, "start_date": day, "end_date": day}
    result = await client.call_tool("apply_leave", arguments)
    said = result.content[0].text  # type: ignore[union-attr]
    assert not result.is_error or "apply for less" in said or "has leave already" in said, said
    return not result.is_error


async def state(database: Database, employee: str) -> tuple[int, int, int]:
    """Days left, days booked, applications."""
    service = LeaveService(database)
    balance, history = await service.balance(employee), await service.history(employee, 100)
    assert balance.days_left >= 0
    return balance.days_left, balance.days_booked, history.total


async def test_fifty_applications_never_take_more_than_there_is(processes: list[Client], database: Database) -> None:
    assert len(DAYS) == 50
    booked = await asyncio.gather(*[apply(processes[n % 3], "E001", day) for n, day in enumerate(DAYS)])
    assert sum(booked) == 20
    assert await state(database, "E001") == (0, 20, 20)


async def test_fifty_applications_that_fit_are_all_there(processes: list[Client], database: Database) -> None:
    wanted = [(employee, day) for employee, days in (("E005", 30), ("E001", 20)) for day in DAYS[:days]]
    booked = await asyncio.gather(*[apply(processes[n % 3], *one) for n, one in enumerate(wanted)])
    assert all(booked) and len(booked) == 50
    assert await state(database, "E005") == (0, 30, 30)
    assert await state(database, "E001") == (0, 20, 20)


async def test_one_day_wanted_fifty_times_is_booked_once(processes: list[Client], database: Database) -> None:
    booked = await asyncio.gather(*[apply(processes[n % 3], "E001", DAYS[0]) for n in range(50)])
    assert sum(booked) == 1
    assert await state(database, "E001") == (19, 1, 1)


async def test_days_come_back_once_however_many_cancel(processes: list[Client], database: Database) -> None:
    receipt = await LeaveService(database, lambda: date(2026, 11, 23)).apply("E001", DAYS[0], DAYS[3])
    cancel = {"employee_id": "E001", "application_id": receipt.application.application_id}
    answers = await asyncio.gather(*[processes[n % 3].call_tool("cancel_leave", cancel) for n in range(15)])
    assert sum(not answer.is_error for answer in answers) == 1
    assert await state(database, "E001") == (20, 0, 1)


async def test_long_leaves_in_each_others_way_are_refused_and_not_deadlocked(
    processes: list[Client], database: Database
) -> None:
    spans = [(DAYS[n], DAYS[n + 9]) for n in range(0, 30)]  # each overlaps with the next nine
    answers = await asyncio.gather(*[
        processes[n % 3].call_tool("apply_leave", {"employee_id": "E005", "start_date": start, "end_date": end})
        for n, (start, end) in enumerate(spans)
    ])  # fmt: skip
    for answer in answers:
        assert not answer.is_error or "has leave already" in answer.content[0].text, answer.content  # type: ignore[union-attr]
    booked = sum(not answer.is_error for answer in answers)
    assert booked >= 1 and await state(database, "E005") == (30 - 10 * booked, 10 * booked, booked)


async def test_servers_recover_from_lost_connections(processes: list[Client], database: Database, url: str) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("SQLite has no connections to lose")
    for client in processes:
        assert await apply(client, "E001", DAYS[processes.index(client)])
    async with database.transaction(write=True) as run:
        lost = await run(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'"
        )
    assert len(lost) >= 3
    for client in processes:
        # The connection is found dead by whoever uses it next; that caller is told, and nobody after him.
        balance = {"employee_id": "E001"}
        first = await client.call_tool("get_balance", balance)
        assert not first.is_error or "cannot use the database" in first.content[0].text  # type: ignore[union-attr]
        assert (await client.call_tool("get_balance", balance)).structured_content["days_left"] == 17  # type: ignore[index]


async def test_what_raises_inside_a_transaction_is_undone(database: Database) -> None:
    with pytest.raises(LeaveError, match="stop"):
        async with database.transaction(write=True) as run:
            await run("UPDATE leave_employees SET days_left = 0 WHERE id = $1", "E001")
            raise LeaveError("stop")
    assert (await LeaveService(database).balance("E001")).days_left == 20


async def test_what_is_cancelled_inside_a_transaction_is_undone_and_locks_nobody_out(database: Database) -> None:
    inside = asyncio.Event()

    async def never_ends() -> None:
        async with database.transaction(write=True) as run:
            await run("UPDATE leave_employees SET days_left = 0 WHERE id = $1", "E001")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(never_ends())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction(write=True) as run:
        assert await run(
            "UPDATE leave_employees SET days_left = days_left - 1 WHERE id = 'E001' RETURNING days_left"
        ) == [{"days_left": 19}]


async def test_the_database_itself_refuses_a_negative_balance(database: Database) -> None:
    with pytest.raises(DatabaseError, match="CHECK|check"):
        async with database.transaction(write=True) as run:
            await run("UPDATE leave_employees SET days_left = -1 WHERE id = 'E001'")


async def test_a_database_works_again_after_it_was_closed(database: Database) -> None:
    await database.close()
    assert (await LeaveService(database).balance("E001")).days_left == 20


MAKER = """
import asyncio, sys
from servers.databases import Database
from servers.leave_manager_modular.models import SCHEMA
async def main():
    database = Database(sys.argv[1], SCHEMA)
    async with database.transaction(write=True) as run:
        await run("UPDATE leave_employees SET days_left = days_left + 1 WHERE id = 'E001'")
    await database.close()
asyncio.run(main())
"""


async def test_processes_that_find_no_tables_make_them_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'leave.db'}"
    root = Path(__file__).resolve().parents[2]
    makers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MAKER, url, cwd=root, env=dict(os.environ), stderr=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    assert [(await maker.communicate())[1] for maker in makers] == [b""] * 4
    assert (await LeaveService(Database(url, SCHEMA)).balance("E001")).days_left == 24


def test_a_url_of_something_else_is_refused_without_showing_its_password() -> None:
    with pytest.raises(DatabaseError, match="begins with 'mysql': write sqlite:///") as raised:
        Database("mysql://root:secret@host/x")
    assert "secret" not in str(raised.value)
