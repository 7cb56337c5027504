"""One leave manager in three shapes: one set of tests for all, in both eras, in memory and as a process; and on
PostgreSQL, in memory."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, MCPError

from servers.databases import Database
from servers.leave_manager_modular.models import SCHEMA

from .conftest import WAYS, call, refusal

SHAPES = ["leave_manager", "leave_manager_modular", "leave_manager_hybrid"]
MONDAY = "2026-11-23"

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]


@dataclass(frozen=True)
class Place:
    """Which server, how it is reached, and where it keeps its data."""

    shape: str
    way: tuple[str, str]
    kind: str = "sqlite"

    def __str__(self) -> str:
        return "-".join([self.shape, *self.way, self.kind])


PLACES = [Place(shape, way) for shape in SHAPES for way in WAYS if way[0] != "http"]
# What differs with the database is its statements, which all shapes and ways share.
PLACES.append(Place("leave_manager", ("memory", "modern"), "postgresql"))


@pytest.fixture(scope="module", params=PLACES, ids=str)
def place(request: pytest.FixtureRequest) -> Place:
    return request.param


@pytest.fixture(scope="module")
def url(place: Place, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if place.kind == "postgresql":
        pytest.importorskip("asyncpg")
        return request.getfixturevalue("postgres")
    return f"sqlite:///{(tmp_path_factory.mktemp('leave') / 'below' / 'leave.db').as_posix()}"


@pytest.fixture(scope="module")
async def running(connect: Any, place: Place, url: str) -> AsyncIterator[Client]:
    async with connect(place.shape, place.way, {"DATABASE_URL": url, "LEAVE_TODAY": MONDAY}) as client:
        yield client


@pytest.fixture
async def leave(running: Client, url: str) -> Client:
    """The server, with nothing booked."""
    database = Database(url, SCHEMA)
    async with database.transaction(write=True) as run:
        for table in ("leave_days", "leave_applications", "leave_employees"):
            await run(f"DELETE FROM {table}")
        await run(SCHEMA[-1])
    await database.close()
    return running


async def apply(client: Client, start: str, end: str, employee: str = "E001", **more: Any) -> Any:
    return await call(client, "apply_leave", employee_id=employee, start_date=start, end_date=end, **more)


async def test_all_shapes_keep_one_contract(running: Client, contract: Any) -> None:
    await contract(running, "leave_manager")


async def test_a_balance_tells_what_is_left_and_booked(leave: Client) -> None:
    await apply(leave, "2026-12-01", "2026-12-02")
    assert await call(leave, "get_balance", employee_id="E001") == {
        "employee_id": "E001", "name": "Amira Haddad", "days_left": 18, "days_booked": 2,
    }  # fmt: skip


async def test_weekends_cost_nothing(leave: Client) -> None:
    receipt = await apply(leave, "2026-12-04", "2026-12-07", reason="Schöne Tage")  # Friday to Monday
    assert receipt["application"].pop("application_id").startswith("L-")
    assert receipt == {
        "employee_id": "E001",
        "days_left": 18,
        "application": {
            "start_date": "2026-12-04", "end_date": "2026-12-07", "days": 2, "reason": "Schöne Tage",
            "status": "booked",
        },
    }  # fmt: skip


async def test_all_that_is_left_may_be_taken_and_not_a_day_more(leave: Client) -> None:
    assert (await apply(leave, "2026-12-07", "2026-12-11", "E002"))["days_left"] == 0
    message = await refusal(leave, "apply_leave", employee_id="E002", start_date="2026-12-14", end_date="2026-12-14")
    assert message == ("2026-12-14 to 2026-12-14 takes 1 day, and Bruno Costa (E002) has 0 days left: apply for less")


async def test_leave_may_start_today(leave: Client) -> None:
    assert (await apply(leave, MONDAY, MONDAY))["days_left"] == 19


async def test_a_refused_application_leaves_nothing_behind(leave: Client) -> None:
    before = await apply(leave, "2026-12-03", "2026-12-03")
    # The first days are free, the third is not; then there are not enough days.
    for end in ("2026-12-04", "2027-03-31"):
        await refusal(leave, "apply_leave", employee_id="E001", start_date="2026-12-01", end_date=end)
    history = await call(leave, "get_history", employee_id="E001")
    assert history["applications"] == [before["application"]]
    assert (await call(leave, "get_balance", employee_id="E001"))["days_booked"] == 1
    assert (await apply(leave, "2026-12-01", "2026-12-02"))["days_left"] == 17


async def test_others_may_take_the_same_days(leave: Client) -> None:
    for employee in ("E001", "E002", "E004"):
        await apply(leave, "2026-12-01", "2026-12-01", employee)


async def test_history_shows_the_latest_leave_first_and_says_what_it_leaves_out(leave: Client) -> None:
    for day in ("2026-12-02", "2026-12-08", "2026-12-01"):
        await apply(leave, day, day)
    history = await call(leave, "get_history", employee_id="E001", limit=2)
    assert [a["start_date"] for a in history["applications"]] == ["2026-12-08", "2026-12-02"]
    assert (history["total"], history["name"]) == (3, "Amira Haddad")


async def test_cancelled_days_come_back_and_can_be_booked_again(leave: Client) -> None:
    booked = await apply(leave, "2026-12-01", "2026-12-04")
    mine = {"employee_id": "E001", "application_id": booked["application"]["application_id"]}
    assert await call(leave, "cancel_leave", **mine) == {
        "employee_id": "E001", "days_left": 20, "application": booked["application"] | {"status": "cancelled"},
    }  # fmt: skip
    assert "is cancelled already" in await refusal(leave, "cancel_leave", **mine)
    assert (await call(leave, "get_balance", employee_id="E001"))["days_left"] == 20
    assert (await apply(leave, "2026-12-01", "2026-12-04"))["days_left"] == 16


async def test_the_leave_of_others_cannot_be_cancelled_nor_told_from_none(leave: Client) -> None:
    booked = await apply(leave, "2026-12-01", "2026-12-01")
    theirs = booked["application"]["application_id"]
    said = [
        await refusal(leave, "cancel_leave", employee_id="E002", application_id=name) for name in (theirs, "L-00000000")
    ]
    assert said[0].replace(theirs, "L-00000000") == said[1]
    assert said[1] == "E002 has no application 'L-00000000': get_history lists what there is"


async def test_leave_that_has_begun_stays(leave: Client) -> None:
    begun = (await apply(leave, MONDAY, "2026-11-25"))["application"]["application_id"]
    assert await refusal(leave, "cancel_leave", employee_id="E001", application_id=begun) == (
        f"{begun} has begun on 2026-11-23: only leave that lies ahead can be cancelled"
    )


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("get_balance", {"employee_id": "e001"}, "'e001' is not an employee id: write E and three digits, such as E001"),
    ("get_balance", {"employee_id": ""}, "'' is not an employee id: write E and three digits, such as E001"),
    ("get_balance", {"employee_id": "E٠٠١"}, "'E٠٠١' is not an employee id: write E and three digits, such as E001"),
    ("get_balance", {"employee_id": "E001' OR '1'='1"}, "\"E001' OR '1'='1\" is not an employee id: write E and three digits, such as E001"),
    ("get_balance", {"employee_id": "E999"}, "there is no employee 'E999': leave://employees lists who there is"),
    ("get_history", {"employee_id": "E999"}, "there is no employee 'E999': leave://employees lists who there is"),
    ("cancel_leave", {"employee_id": "E999", "application_id": "L-1"}, "there is no employee 'E999': leave://employees lists who there is"),
    ("apply_leave", {"employee_id": "E999"}, "there is no employee 'E999': leave://employees lists who there is"),
    ("apply_leave", {"employee_id": "E1\n"}, "'E1\\n' is not an employee id: write E and three digits, such as E001"),
    ("apply_leave", {"start_date": "tomorrow"}, "'tomorrow' is not a date: write year-month-day, such as 2026-12-24"),
    ("apply_leave", {"start_date": "20261201"}, "'20261201' is not a date: write year-month-day, such as 2026-12-24"),
    ("apply_leave", {"end_date": "2027-02-29"}, "'2027-02-29' is not a date: write year-month-day, such as 2026-12-24"),
    ("apply_leave", {"end_date": "2026-12-01T10:00"}, "'2026-12-01T10:00' is not a date: write year-month-day, such as 2026-12-24"),
    ("apply_leave", {"start_date": "2026-11-20"}, "2026-11-20 is in the past, today is 2026-11-23: leave starts today or later"),
    ("apply_leave", {"end_date": "2026-11-30"}, "the leave ends on 2026-11-30, before it starts on 2026-12-01: swap the dates"),
    ("apply_leave", {"end_date": "9999-12-31"}, "2026-12-01 to 9999-12-31 spans 2912109 days: apply for at most 366 at a time"),
    ("apply_leave", {"start_date": "2026-12-05", "end_date": "2026-12-06"}, "there is no working day from 2026-12-05 to 2026-12-06: weekends are free without an application"),
    ("apply_leave", {"employee_id": "E003"}, "2026-12-01 to 2026-12-02 takes 2 days, and Chen Wei (E003) has 0 days left: apply for less"),
    ("apply_leave", {"employee_id": "E004", "start_date": "2026-12-21", "end_date": "2026-12-31"}, "E004 has leave already on 2026-12-21, 2026-12-22, 2026-12-23, 2026-12-24, 2026-12-25 and 3 more: leave these days out, or cancel that application first"),
]  # fmt: skip


async def test_bad_input_gets_its_message(leave: Client) -> None:
    await apply(leave, "2026-12-21", "2026-12-30", "E004")
    good = {"apply_leave": {"employee_id": "E001", "start_date": "2026-12-01", "end_date": "2026-12-02"}}
    said = [await refusal(leave, tool, **(good.get(tool, {}) | wrong)) for tool, wrong, _ in BAD]
    assert said == [message for _, _, message in BAD]


FORBIDDEN: list[tuple[str, dict[str, Any], str]] = [
    ("get_balance", {}, "employee_id\n  Field required"),
    ("get_balance", {"employee_id": 1}, "employee_id\n  Input should be a valid string"),
    ("get_history", {"employee_id": "E001", "limit": 0}, "limit\n  Input should be greater than or equal to 1"),
    ("get_history", {"employee_id": "E001", "limit": 101}, "limit\n  Input should be less than or equal to 100"),
    ("cancel_leave", {"employee_id": "E001"}, "application_id\n  Field required"),
    ("apply_leave", {"employee_id": "E001", "start_date": "2026-12-01"}, "end_date\n  Field required"),
    ("apply_leave", {"employee_id": "E001", "start_date": 20261201, "end_date": "2026-12-01"}, "start_date\n  Input should be a valid string"),
    ("apply_leave", {"employee_id": "E001", "start_date": "2026-12-01", "end_date": "2026-12-01", "reason": "x" * 201}, "reason\n  String should have at most 200 characters"),
]  # fmt: skip


async def test_what_the_schema_forbids_is_named(running: Client) -> None:
    said = [await refusal(running, tool, **arguments) for tool, arguments, _ in FORBIDDEN]
    for message, (_, _, expected) in zip(said, FORBIDDEN, strict=True):
        assert expected in message


async def test_resources_show_policy_people_and_one_person(leave: Client) -> None:
    await apply(leave, "2026-12-01", "2026-12-01", "E004")
    assert "Weekends inside a leave cost nothing" in await text(leave, "leave://policy")
    people = json.loads(await text(leave, "leave://employees"))["employees"]
    assert people[0] == {"id": "E001", "name": "Amira Haddad"} and len(people) == 5
    dora = json.loads(await text(leave, "leave://employees/E004"))
    assert (dora["name"], dora["days_left"], len(dora["applications"])) == ("Dora Lindqvist", 11, 1)


@pytest.mark.parametrize(("uri", "code"), [("leave://employees/E999", -32602), ("leave://employees/x", -32603)])
async def test_a_resource_that_is_not_there_says_so(running: Client, uri: str, code: int) -> None:
    with pytest.raises(MCPError, match=r"no employee 'E999'|'x' is not an employee id") as raised:
        await running.read_resource(uri)
    assert raised.value.code == code


async def test_the_prompt_knows_the_balance(leave: Client) -> None:
    rules, wish = (await leave.get_prompt("plan_leave", {"employee_id": "E002", "wish": "a long weekend"})).messages
    assert isinstance(rules.content, types.EmbeddedResource)
    assert (
        "Bruno Costa (E002) has 5 days of leave left and would like: a long weekend. Today is 2026-11-23"
        in wish.content.text
    )  # type: ignore[union-attr]
    with pytest.raises(MCPError, match="there is no employee 'E999'"):
        await leave.get_prompt("plan_leave", {"employee_id": "E999"})


@pytest.mark.parametrize(
    ("typed", "ids"), [("E00", ["E001", "E002", "E003", "E004", "E005"]), ("chen", ["E003"]), ("x", [])]
)
async def test_completion_knows_ids_and_names(running: Client, typed: str, ids: list[str]) -> None:
    for ref in (
        types.PromptReference(name="plan_leave"),
        types.ResourceTemplateReference(uri="leave://employees/{employee_id}"),
    ):
        assert (await running.complete(ref, {"name": "employee_id", "value": typed})).completion.values == ids


async def text(client: Client, uri: str) -> str:
    return (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///{folder}/file.txt/leave.db", "cannot use the database .*leave.db: .*Is the file writable"),
        ("sqlite:///{folder}/file.txt", "cannot use the database .*file.txt: file is not a database"),
        ("postgresql://lab:secret@127.0.0.1:1/x", "cannot use the database 'x' at 127.0.0.1: .*Is it running"),
    ],
)
async def test_a_database_out_of_reach_is_named_without_its_password(
    connect: Any, tmp_path: Path, shape: str, url: str, message: str
) -> None:
    if url.startswith("postgresql"):
        pytest.importorskip("asyncpg")
    (tmp_path / "file.txt").write_text("this is no database, but longer than a header" * 10, encoding="utf-8")
    async with connect(shape, ("memory", "modern"), {"DATABASE_URL": url.format(folder=tmp_path)}) as client:
        said = await refusal(client, "get_balance", employee_id="E001")
        assert re.search(message, said, re.DOTALL) and "secret" not in said, said


async def test_the_three_shapes_share_one_database(connect: Any, tmp_path: Path) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'leave.db'}", "LEAVE_TODAY": MONDAY}
    for number, shape in enumerate(SHAPES, start=1):
        async with connect(shape, ("memory", "modern"), env) as client:
            assert (await apply(client, f"2026-12-0{number}", f"2026-12-0{number}"))["days_left"] == 20 - number
