"""hr, finance and it_tickets in three packagings that must behave the same; the layers above them; two versions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from labkit.session.packaging import load_packagings
from labkit.session.serving import ThreadServer
from servers.analytics.server import summarised
from servers.company.parts import Refusal
from servers.finance import budgets
from servers.hr import staff
from servers.it_tickets import desk
from servers.layers import LayerLost, LayerRefused, layers
from servers.versioned import rooms
from servers.workflow.processes import ProcessError, read_processes

from .conftest import CATALOG, call, refusal

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

MEMORY = ("memory", "modern")
PACKINGS = [
    ("monolith", ("memory", "modern")),
    ("hybrid", ("memory", "handshake")),
    ("microservices", ("memory", "modern")),
    ("monolith", ("stdio", "handshake")),
    ("microservices", ("stdio", "modern")),
]
SINGLE = ["hr", "finance", "it_tickets", "workflow", "analytics", "rooms_v1", "rooms_v2"]


@dataclass
class Company:
    """The clients of one packaging; `at(tool)` is the one that has the tool."""

    clients: dict[str, Client]
    owners: dict[str, str]
    file: Path

    def at(self, tool: str) -> Client:
        return self.clients[self.owners[tool]]

    async def call(self, tool: str, **arguments: Any) -> Any:
        return await call(self.at(tool), tool, **arguments)

    async def refusal(self, tool: str, **arguments: Any) -> str:
        return await refusal(self.at(tool), tool, **arguments)


@pytest.fixture(scope="module", params=PACKINGS, ids=lambda each: f"{each[0]}-{'-'.join(each[1])}")
async def running(connect: Any, request: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    name, way = request.param
    file = tmp_path_factory.mktemp("company") / "below" / "company.db"
    async with AsyncExitStack() as stack:
        clients: dict[str, Client] = {}
        for server in load_packagings()[name].servers:
            clients[server] = await stack.enter_async_context(
                connect(server, way, {"DATABASE_URL": f"sqlite:///{file.as_posix()}"})
            )
        owners = {t.name: s for s, client in clients.items() for t in (await client.list_tools()).tools}
        yield Company(clients, owners, file)


@pytest.fixture
async def company(running: Company) -> Company:
    """The packaging, with the data it begins with."""
    for tool in ("list_employees", "list_expenses", "list_tickets"):
        await running.call(tool)  # the tables are made on first use
    seed(running.file)
    return running


def seed(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        db.execute("PRAGMA foreign_keys = OFF")
        for table in tables:
            db.execute(f"DELETE FROM {table}")
        for statement in (*staff.SCHEMA, *budgets.SCHEMA, *desk.SCHEMA):
            db.execute(statement)


# packagings ------------------------------------------------------------------------------------


async def test_each_packaging_has_the_same_tools(load: Callable[[str], Any]) -> None:
    seen: dict[str, Any] = {}
    for name, packaging in load_packagings().items():
        servers = [load(server) for server in packaging.servers]
        tools = [tool for server in servers for tool in await server.list_tools()]
        assert len({tool.name for tool in tools}) == len(tools) == 22 and packaging.why, name
        seen[name] = {tool.name: tool.model_dump() for tool in tools}
    assert seen["monolith"] == seen["hybrid"] == seen["microservices"]


def test_no_domain_reaches_into_another_one() -> None:
    domains = {"hr": staff, "finance": budgets, "it_tickets": desk}
    for name, domain in domains.items():
        source = Path(domain.__file__ or "").read_text(encoding="utf-8")
        others = [other for other in domains if other != name]
        assert not [other for other in others if f"servers.{other}" in source or f" {other.split('_')[0]}_" in source]


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("era", ["modern", "handshake"])
async def test_the_contract(connect: Any, contract: Any, name: str, era: str, tmp_path: Path) -> None:
    async with connect(name, ("memory", era), {"DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}) as client:
        await contract(client, name)


# hr --------------------------------------------------------------------------------------------

NEW = {"name": "Nils Berg", "department": "sales", "job_title": "Clerk", "first_day": "2027-01-04", "monthly_cents": 1}


async def test_employees_are_listed_by_department_and_those_who_left_on_request(company: Company) -> None:
    sales = await company.call("list_employees", department="sales")
    assert [each["employee_id"] for each in sales["employees"]] == ["E002", "E006"]
    assert (await company.call("list_employees", department="sales", include_left=True))["total"] == 3
    some = await company.call("list_employees", limit=2)
    assert (some["total"], len(some["employees"])) == (11, 2)
    assert set(some["employees"][0]) == {"employee_id", "name", "department", "job_title", "first_day", "last_day"}


async def test_an_employee_is_created_and_withdrawn_and_the_number_is_not_given_again(company: Company) -> None:
    created = await company.call("create_employee", **NEW)
    assert created == {
        "employee_id": "E013", "name": "Nils Berg", "department": "sales", "job_title": "Clerk",
        "first_day": "2027-01-04", "last_day": None,
    }  # fmt: skip
    assert await company.call("get_employee", employee_id="E013") == created | {"benefits": []}
    assert await company.call("withdraw_employee", employee_id="E013") == created
    assert "no employee 'E013'" in await company.refusal("get_employee", employee_id="E013")
    assert (await company.call("create_employee", **NEW))["employee_id"] == "E014"


async def test_who_leaves_stays_on_record_and_gets_no_more_benefits(company: Company) -> None:
    chosen = await company.call("choose_benefit", employee_id="E003", benefit="bicycle")
    assert chosen["benefits"] == ["bicycle", "health"]
    assert await company.call("choose_benefit", employee_id="E003", benefit="bicycle") == chosen
    left = await company.call("end_employment", employee_id="E003", last_day="2026-12-31")
    assert left["last_day"] == "2026-12-31"
    assert await company.refusal("choose_benefit", employee_id="E003", benefit="pension") == (
        "E003 leaves on 2026-12-31: benefits are for those who stay"
    )


async def test_the_payroll_counts_a_month_and_hides_what_one_person_earns(company: Company) -> None:
    by = {each["department"]: each for each in (await company.call("get_payroll", month="2025-06"))["departments"]}
    assert by["engineering"] == {"department": "engineering", "people": 4, "cents": 2_720_000}
    assert by["finance"] == {"department": "finance", "people": 1, "cents": None}
    assert by["sales"] == {"department": "sales", "people": 3, "cents": None}  # one of them is in the last month
    later = await company.call("get_payroll", month="2025-07")
    assert later["people"] == 11 and later["departments"][3]["people"] == 2


# finance ---------------------------------------------------------------------------------------


async def test_an_amount_is_held_released_and_held_again_to_the_last_cent(company: Company) -> None:
    assert (await company.call("get_budget", department="sales"))["free_cents"] == 79_000
    held = await company.call("reserve_budget", department="sales", cents=79_000, purpose="Fair")
    assert held == {
        "reservation_id": "B009", "department": "sales", "cents": 79_000, "purpose": "Fair", "status": "held",
        "free_cents": 0,
    }  # fmt: skip
    assert await company.refusal("record_expense", department="sales", cents=1, category="travel") == (
        "1 cents are more than the 0 that the budget of sales has left: ask for less"
    )
    released = await company.call("release_budget", reservation_id="B009")
    assert (released["status"], released["free_cents"]) == ("released", 79_000)
    assert await company.call("release_budget", reservation_id="B009") == released
    assert (await company.call("get_budget", department="sales"))["held_cents"] == 0


async def test_what_was_held_is_spent_once(company: Company) -> None:
    expense = await company.call("spend_reservation", reservation_id="B001", category="equipment")
    assert expense == {
        "expense_id": "X009", "department": "operations", "cents": 150_000, "category": "equipment",
        "note": "Spare parts",
    }  # fmt: skip
    budget = await company.call("get_budget", department="operations")
    assert (budget["held_cents"], budget["spent_cents"], budget["free_cents"]) == (0, 891_500, 2_108_500)
    assert "B001 is spent already" in await company.refusal(
        "spend_reservation", reservation_id="B001", category="travel"
    )
    assert "B001 is spent already" in await company.refusal("release_budget", reservation_id="B001")


async def test_expenses_and_the_report_add_up(company: Company) -> None:
    await company.call("record_expense", department="sales", cents=1_000, category="travel", note="Bus – hin & zurück")
    listed = await company.call("list_expenses", department="sales", limit=2)
    assert listed["total"] == 4 and listed["expenses"][0]["note"] == "Bus – hin & zurück"
    report = await company.call("get_spending_report")
    assert {"department": "sales", "category": "travel", "expenses": 3, "cents": 872_000} in report["lines"]
    for budget in report["budgets"]:
        paid = sum(line["cents"] for line in report["lines"] if line["department"] == budget["department"])
        assert paid == budget["spent_cents"], budget


async def test_of_many_who_want_the_last_money_one_gets_it(company: Company) -> None:
    client = company.at("reserve_budget")
    asked = {"department": "sales", "cents": 79_000, "purpose": "Fair"}
    results = await asyncio.gather(*(client.call_tool("reserve_budget", asked) for _ in range(5)))
    assert sorted(result.is_error for result in results) == [False, True, True, True, True]


# it --------------------------------------------------------------------------------------------


async def test_tickets_are_listed_by_urgency_and_closed_once(company: Company) -> None:
    opened = await company.call("open_ticket", title="A chair", requester="E001")
    assert opened == {
        "ticket_id": "T006", "title": "A chair", "requester": "E001", "priority": "normal", "status": "open",
        "resolution": "",
    }  # fmt: skip
    listed = await company.call("list_tickets", status="open")
    assert [each["ticket_id"] for each in listed["tickets"]] == ["T005", "T002", "T006", "T003"]
    closed = await company.call("close_ticket", ticket_id="T006", resolution="Delivered")
    assert (closed["status"], closed["resolution"]) == ("closed", "Delivered")
    assert await company.call("close_ticket", ticket_id="T006", resolution="Again") == closed
    assert (await company.call("list_tickets", limit=1))["total"] == 6


async def test_devices_are_given_out_until_there_is_none(company: Company) -> None:
    client = company.at("assign_device")
    given = [await client.call_tool("assign_device", {"kind": "laptop", "employee_id": f"E{n:03d}"}) for n in range(4)]
    assert [r.structured_content["tag"] for r in given if not r.is_error] == ["L-103", "L-104", "L-105"]  # type: ignore[index]
    assert await company.refusal("assign_device", kind="laptop", employee_id="E009") == (
        "no laptop is free: list_devices shows who has one, and return_device takes one back"
    )
    back = await company.call("return_device", tag="L-101")
    assert back == {"tag": "L-101", "kind": "laptop", "model": "Fjell 14", "holder": None}
    free = await company.call("list_devices", kind="laptop", free_only=True)
    assert [device["tag"] for device in free["devices"]] == ["L-101"]


async def test_access_is_granted_and_taken_away(company: Company) -> None:
    asked = {"employee_id": "E001", "system": "vpn"}
    assert (await company.call("set_access", **asked, granted=True))["systems"] == ["repository", "vpn"]
    assert (await company.call("set_access", **asked, granted=False))["systems"] == ["repository"]
    assert await company.call("get_access", employee_id="E1") == {"employee_id": "E001", "systems": ["repository"]}


async def test_on_postgresql_nothing_is_given_out_twice_either(connect: Any, postgres: str) -> None:
    async with connect("company", MEMORY, {"DATABASE_URL": postgres}) as client:
        free = [d["tag"] for d in (await call(client, "list_devices", kind="phone", free_only=True))["devices"]]
        asked = {"kind": "phone", "employee_id": "E001"}
        given = await asyncio.gather(*(client.call_tool("assign_device", asked) for _ in range(len(free) + 3)))
        tags = [result.structured_content["tag"] for result in given if not result.is_error]  # type: ignore[index]
        assert len(free) >= 2 and sorted(tags) == free
        assert {r.content[0].text for r in given if r.is_error} == {  # type: ignore[union-attr]
            "Error executing tool assign_device: no phone is free: list_devices shows who has one, and return_device takes"
            " one back"
        }
        new = await asyncio.gather(*(client.call_tool("create_employee", NEW) for _ in range(5)))
        assert len({result.structured_content["employee_id"] for result in new}) == 5  # type: ignore[index]
        for tag in free:
            await call(client, "return_device", tag=tag)


# bad input -------------------------------------------------------------------------------------

NO_ID = "{0!r} is not the id of an employee: write E and a number, such as E001"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("get_employee", {"employee_id": "e001"}, NO_ID.format("e001")),
    ("get_employee", {"employee_id": "E"}, NO_ID.format("E")),
    ("get_employee", {"employee_id": "E٠٠١"}, NO_ID.format("E٠٠١")),
    ("get_employee", {"employee_id": "E1' OR '1'='1"}, NO_ID.format("E1' OR '1'='1")),
    ("get_employee", {"employee_id": "E9999999999"}, NO_ID.format("E9999999999")),
    ("get_employee", {"employee_id": "E999"}, "there is no employee 'E999': list_employees shows who there is"),
    ("withdraw_employee", {"employee_id": "E001"}, "E001 has benefits or has left: only a record that was not used yet can be withdrawn"),
    ("withdraw_employee", {"employee_id": "E009"}, "E009 has benefits or has left: only a record that was not used yet can be withdrawn"),
    ("create_employee", {**NEW, "first_day": "20270104"}, "'20270104' is not a date: write year-month-day, such as 2026-12-24"),
    ("end_employment", {"employee_id": "E001", "last_day": "2026-02-30"}, "'2026-02-30' is not a date: write year-month-day, such as 2026-12-24"),
    ("end_employment", {"employee_id": "E001", "last_day": "2019-02-28"}, "E001 begins on 2019-03-01, after 2019-02-28: give a later last day"),
    ("get_payroll", {"month": "2026-13"}, "'2026-13' is not a month: write year-month, such as 2026-11"),
    ("reserve_budget", {"department": "sales", "cents": 79_001, "purpose": "x"}, "79001 cents are more than the 79000 that the budget of sales has left: ask for less"),
    ("release_budget", {"reservation_id": "B999"}, "there is no reservation 'B999': reserve_budget tells the id of a new one"),
    ("release_budget", {"reservation_id": "1"}, "'1' is not the id of a reservation: write B and a number, such as B001"),
    ("spend_reservation", {"reservation_id": "B999", "category": "travel"}, "there is no reservation 'B999': reserve_budget tells the id of a new one"),
    ("open_ticket", {"title": "x", "requester": "Amira"}, NO_ID.format("Amira")),
    ("close_ticket", {"ticket_id": "T999", "resolution": "x"}, "there is no ticket 'T999': list_tickets shows what there is"),
    ("close_ticket", {"ticket_id": "999", "resolution": "x"}, "'999' is not the id of a ticket: write T and a number, such as T001"),
    ("return_device", {"tag": "L-999"}, "there is no device 'L-999': list_devices shows what there is"),
    ("assign_device", {"kind": "phone", "employee_id": "1"}, NO_ID.format("1")),
    ("set_access", {"employee_id": "", "system": "vpn", "granted": True}, NO_ID.format("")),
]  # fmt: skip


async def test_bad_input_gets_its_message(company: Company) -> None:
    said = [await company.refusal(tool, **arguments) for tool, arguments, _ in BAD]
    assert said == [message for _, _, message in BAD]


FORBIDDEN: list[tuple[str, dict[str, Any], str]] = [
    ("create_employee", {**NEW, "name": ""}, "name\n  String should have at least 1 character"),
    ("create_employee", {**NEW, "department": "Sales"}, "department\n  Input should be 'engineering'"),
    ("create_employee", {**NEW, "monthly_cents": 0}, "monthly_cents\n  Input should be greater than or equal to 1"),
    ("list_employees", {"limit": 101}, "limit\n  Input should be less than or equal to 100"),
    ("reserve_budget", {"department": "sales", "cents": -1, "purpose": "x"}, "cents\n  Input should be greater than or equal to 1"),
    ("reserve_budget", {"department": "sales", "cents": 10**18, "purpose": "x"}, "cents\n  Input should be less than or equal to 10000000000"),
    ("record_expense", {"department": "sales", "cents": 1, "category": "fun"}, "category\n  Input should be 'equipment'"),
    ("open_ticket", {"title": "x" * 121, "requester": "E001"}, "title\n  String should have at most 120 characters"),
    ("close_ticket", {"ticket_id": "T001"}, "resolution\n  Field required"),
    ("set_access", {"employee_id": "E001", "system": "root", "granted": True}, "system\n  Input should be 'crm'"),
]  # fmt: skip


async def test_what_the_schema_forbids_is_named(company: Company) -> None:
    for tool, arguments, expected in FORBIDDEN:
        assert expected in await company.refusal(tool, **arguments)


# workflow --------------------------------------------------------------------------------------

HIRE: dict[str, Any] = {
    "name": "Nils Berg", "department": "engineering", "job_title": "Developer", "first_day": "2027-01-04",
    "monthly_cents": 500_000, "equipment_cents": 100_000,
}  # fmt: skip


@pytest.fixture(
    scope="module", params=[("memory", "modern"), ("memory", "handshake"), ("stdio", "modern")], ids="-".join
)
async def flow(connect: Any, request: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    """The workflow server, with the three below it in its own process and hr, finance, it_tickets beside it."""
    file = tmp_path_factory.mktemp("workflow") / "company.db"
    env = {"DATABASE_URL": f"sqlite:///{file.as_posix()}"}
    async with connect("workflow", request.param, env) as client, connect("company", MEMORY, env) as beside:
        tools = (await beside.list_tools()).tools
        owners = {tool.name: "company" for tool in tools} | {t.name: "flow" for t in (await client.list_tools()).tools}
        running = Company({"flow": client, "company": beside}, owners, file)
        for tool in ("list_employees", "list_expenses", "list_tickets", "list_runs"):
            await running.call(tool)
        yield running


@pytest.fixture
async def workflow(flow: Company) -> Company:
    seed(flow.file)
    with closing(sqlite3.connect(flow.file)) as db, db:
        db.execute("INSERT INTO workflow_numbers VALUES (0)")
    return flow


async def test_the_processes_say_what_they_need_and_do(workflow: Company) -> None:
    onboarding = (await workflow.call("list_processes"))["processes"][0]
    assert (onboarding["name"], list(onboarding["inputs"])) == ("onboarding", list(HIRE))
    assert onboarding["steps"] == [
        "hr.create_employee", "it_tickets.open_ticket", "it_tickets.assign_device", "finance.reserve_budget",
    ]  # fmt: skip


async def test_a_process_runs_to_its_end_on_all_servers(workflow: Company) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    client = workflow.at("run_process")
    result = await client.call_tool(
        "run_process", {"process": "onboarding", "inputs": HIRE}, progress_callback=on_progress
    )
    run = result.structured_content
    assert run is not None and (run["run_id"], run["status"]) == ("R001", "done")
    assert [step["outcome"] for step in run["steps"]] == ["done"] * 4
    assert heard[0] == (0, 4, "step 1 of 4: hr.create_employee") and heard[-1] == (4, 4, "done")
    assert (await workflow.call("get_employee", employee_id="E013"))["name"] == "Nils Berg"
    assert (await workflow.call("list_tickets", status="open"))["tickets"][1]["requester"] in ("E003", "E013")
    assert (await workflow.call("list_devices", kind="laptop"))["devices"][2]["holder"] == "E013"
    assert (await workflow.call("get_budget", department="engineering"))["held_cents"] == 100_000
    assert await workflow.call("get_run", run_id="R001") == run


async def test_a_refused_step_takes_back_those_before_it_and_the_trace_tells(workflow: Company) -> None:
    before = {tool: await workflow.call(tool) for tool in ("list_employees", "list_devices", "get_spending_report")}
    asked = {"process": "onboarding", "inputs": HIRE | {"department": "sales"}}
    assert await workflow.refusal("run_process", **asked) == (
        "onboarding (R001) has failed at step 4 of 4, finance.reserve_budget: 100000 cents are more than the 79000 that "
        "the budget of sales has left: ask for less. Taken back: it_tickets.assign_device, it_tickets.open_ticket, "
        "hr.create_employee"
    )
    assert before == {tool: await workflow.call(tool) for tool in before}
    run = (await workflow.call("list_runs"))["runs"][0]
    assert run["status"] == "failed"
    assert [step["outcome"] for step in run["steps"]] == ["undone", "undone", "undone", "refused"]


async def test_a_purchase_spends_what_it_held_and_lets_go_of_it_when_no_device_is_free(workflow: Company) -> None:
    buy = {"employee_id": "E004", "department": "finance", "kind": "screen", "cents": 30_000}
    assert (await workflow.call("run_process", process="purchase", inputs=buy))["status"] == "done"
    said = await workflow.refusal("run_process", process="purchase", inputs=buy)
    assert "no screen is free" in said and said.endswith("Taken back: finance.reserve_budget")
    budget = await workflow.call("get_budget", department="finance")
    assert (budget["held_cents"], budget["spent_cents"]) == (0, 126_000)


async def test_what_cannot_be_taken_back_is_named_and_the_run_is_stuck(workflow: Company) -> None:
    buy = {"employee_id": "E004", "department": "finance", "kind": "phone", "cents": 30_000}
    with closing(sqlite3.connect(workflow.file)) as db, db:  # somebody else ends the reservation in between
        db.execute(
            "CREATE TRIGGER meddle AFTER INSERT ON finance_reservations BEGIN "
            "UPDATE finance_reservations SET status = 'spent' WHERE number = new.number; END"
        )
    try:
        said = await workflow.refusal("run_process", process="purchase", inputs=buy)
    finally:
        with closing(sqlite3.connect(workflow.file)) as db, db:
            db.execute("DROP TRIGGER meddle")
    assert "Taken back: it_tickets.assign_device. Left behind: finance.reserve_budget (B009 is spent already" in said
    assert (await workflow.call("get_run", run_id="R001"))["status"] == "stuck"


FLOW_BAD: list[tuple[str, dict[str, Any], str]] = [
    ("run_process", {"process": "firing", "inputs": {}}, "there is no process 'firing': there are onboarding, purchase, offboarding"),
    ("run_process", {"process": "offboarding", "inputs": {"employee": "E1"}}, "offboarding needs 'employee_id' (Who leaves.), needs 'last_day' (YYYY-MM-DD.), takes no 'employee': its inputs are employee_id, last_day"),
    ("run_process", {"process": "offboarding", "inputs": {"employee_id": "E999", "last_day": "2026-12-31"}}, "offboarding (R001) has failed at step 2 of 2, hr.end_employment: there is no employee 'E999': list_employees shows who there is. Taken back: it_tickets.open_ticket"),
    ("get_run", {"run_id": "R999"}, "there is no run 'R999': list_runs shows what there is"),
    ("get_run", {"run_id": "x"}, "there is no run 'x': list_runs shows what there is"),
]  # fmt: skip


async def test_bad_processes_get_their_message(workflow: Company) -> None:
    said = [await workflow.refusal(tool, **arguments) for tool, arguments, _ in FLOW_BAD]
    assert said == [message for _, _, message in FLOW_BAD]


async def test_a_caller_who_leaves_is_heard_between_steps_and_the_run_is_taken_back(
    connect: Any, tmp_path: Path
) -> None:
    env = {"DATABASE_URL": f"sqlite:///{(tmp_path / 'x.db').as_posix()}"}
    async with connect("workflow", MEMORY, env) as client:
        with anyio.CancelScope() as caller:

            async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                if progress == 2:
                    caller.cancel()

            await client.call_tool(
                "run_process", {"process": "onboarding", "inputs": HIRE}, progress_callback=on_progress
            )
        assert caller.cancelled_caught
        run = await call(client, "get_run", run_id="R001")
    assert run["status"] == "failed"
    assert {step["outcome"] for step in run["steps"][:2]} == {"undone"} and run["steps"][3]["outcome"] == "waiting"


async def test_a_server_below_that_is_gone_is_named_and_what_it_may_have_done_is_not_guessed(
    connect: Any, tmp_path: Path
) -> None:
    url = "http://127.0.0.1:9/mcp"  # the port is one that nobody listens on
    env = {"DATABASE_URL": f"sqlite:///{(tmp_path / 'x.db').as_posix()}", "WORKFLOW_FINANCE": url}
    async with connect("workflow", MEMORY, env) as client:
        said = await refusal(client, "run_process", process="onboarding", inputs=HIRE)
        run = await call(client, "get_run", run_id="R001")
    assert "finance gave no answer to reserve_budget" in said and f"WORKFLOW_FINANCE={url}?" in said
    assert "Taken back: it_tickets.assign_device, it_tickets.open_ticket, hr.create_employee" in said
    assert said.endswith("Whether finance.reserve_budget has happened is not known: look there before you try again")
    assert (run["status"], run["steps"][3]["outcome"]) == ("stuck", "unknown")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "cannot read .*processes.toml"),
        ('[a]\nsummary = "x"\ninputs = {}\nsteps = []', r"\[a\]: steps: List should have at least 1 item"),
        ('[a]\nsummary = "x"\ninputs = {}\n[[a.steps]]\ncall = "sales.sell"\nwith = {}\nsave_as = "b"', "steps.0.call: String should match"),
        ('[a]\nsummary = "x"\ninputs = {}\n[[a.steps]]\ncall = "hr.get"\nwith = { id = "$input.id" }\nsave_as = "b"', r"hr.get: \$input.id is not known there: there are \$input"),
        ('[a]\nsummary = "x"\ninputs = {}\n[[a.steps]]\ncall = "hr.get"\nwith = {}\nsave_as = "input"', "'input' is taken: save it by another name"),
        ('[a]\nsummary = "x"\ninputs = {}\n[[a.steps]]\ncall = "hr.add"\nwith = {}\nsave_as = "b"\n[[a.steps]]\ncall = "hr.get"\nwith = {}\nsave_as = "c"', "hr.add: it needs an undo, or reads = true"),
    ],
)  # fmt: skip
def test_a_process_file_that_is_wrong_is_refused_when_it_is_read(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "processes.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ProcessError, match=message):
        read_processes(file)


# analytics -------------------------------------------------------------------------------------

CSV = "city,units\nOslo,3\nLyon,10\nOslo,1.5\nOslo,none\nLyon,-2\n"


@pytest.fixture(
    scope="module", params=[("memory", "modern"), ("memory", "handshake"), ("stdio", "modern")], ids="-".join
)
async def analytics(connect: Any, request: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder = tmp_path_factory.mktemp("analytics")
    (folder / "files").mkdir()
    (folder / "files" / "sales.csv").write_text(CSV, encoding="utf-8")
    env = {"DATABASE_URL": f"sqlite:///{(folder / 'shop.db').as_posix()}", "FILES_ROOTS": str(folder / "files")}
    async with connect("analytics", request.param, env) as client:
        yield client


async def test_revenue_is_grouped_limited_and_adds_up(analytics: Client) -> None:
    by = {group: await call(analytics, "get_revenue", by=group) for group in ("month", "category", "country", "city")}
    assert {each["total_cents"] for each in by.values()} == {141_242_506}
    assert (by["month"]["groups"], by["month"]["lines"][0]["name"]) == (24, "2024-01")
    largest = await call(analytics, "get_revenue", by="country", first_day="2025-12-01", last_day="2025-12-31", limit=1)
    assert [line["name"] for line in largest["lines"]] == ["Germany"] and largest["groups"] > 5
    assert largest["total_cents"] == by["month"]["lines"][-1]["cents"]


async def test_top_sellers_and_statuses(analytics: Client) -> None:
    top = await call(analytics, "get_top_sellers", limit=3)
    assert top["products"][0]["name"] == "Small Pan" and len(top["products"]) == 3
    statuses = await call(analytics, "get_order_statuses")
    assert statuses["orders"] == 5_000 == sum(line["orders"] for line in statuses["lines"])
    assert statuses["lines"][0]["status"] == "shipped"


async def test_a_file_is_summed_up_by_the_server_that_may_read_it(analytics: Client) -> None:
    assert await call(analytics, "summarise_file", path="files/sales.csv", group_by="city", column="units") == {
        "path": "files/sales.csv", "rows": 5, "groups": 2,
        "lines": [
            {"name": "Lyon", "rows": 2, "total": 8.0, "mean": 4.0, "skipped": 0},
            {"name": "Oslo", "rows": 3, "total": 4.5, "mean": 2.25, "skipped": 1},
        ],
    }  # fmt: skip


ANALYTICS_BAD: list[tuple[str, dict[str, Any], str]] = [
    ("get_revenue", {"by": "month", "first_day": "2025"}, "'2025' is not a date: write year-month-day, such as 2025-12-24"),
    ("get_revenue", {"by": "city", "last_day": "' OR 1=1 --"}, "\"' OR 1=1 --\" is not a date: write year-month-day, such as 2025-12-24"),
    ("get_top_sellers", {"first_day": "2025-02-01", "last_day": "2025-01-01"}, "the last day 2025-01-01 is before the first 2025-02-01: swap them"),
    ("summarise_file", {"path": "files/../shop.db", "group_by": "a", "column": "b"}, "'files/../shop.db' "),
    ("summarise_file", {"path": "files/sales.csv", "group_by": "town", "column": "units"}, "files/sales.csv has no column 'town': it has city, units"),
]  # fmt: skip


async def test_bad_questions_get_their_message(analytics: Client) -> None:
    for tool, arguments, message in ANALYTICS_BAD:
        assert (await refusal(analytics, tool, **arguments)).startswith(message), message


def test_only_plain_numbers_count() -> None:
    rows, lines = summarised("x.csv", "a,b\nx,nan\nx,1e999\nx,٣\nx, 2 \nx\n", "a", "b")
    assert (rows, lines[0].total, lines[0].skipped) == (5, 2.0, 4)
    with pytest.raises(Refusal, match="x.csv has no column 'a' and no column 'b': it has none"):
        summarised("x.csv", "", "a", "b")


# layers ----------------------------------------------------------------------------------------


async def test_a_layer_uses_only_the_tools_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{(tmp_path / 'x.db').as_posix()}")
    async with layers("hr", settings="TEST", tools={"get_employee"}) as below:
        assert (await below["hr"].call("get_employee", {"employee_id": "E001"}))["name"] == "Amira Haddad"
        with pytest.raises(LayerRefused, match=r"hr.end_employment is not among the tools that are used here"):
            await below["hr"].call("end_employment", {"employee_id": "E001", "last_day": "2026-12-31"})
        with pytest.raises(LayerRefused, match="^there is no employee 'E999'"):
            await below["hr"].call("get_employee", {"employee_id": "E999"})


async def test_a_layer_behind_a_url_may_come_and_go(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadServer("rooms", load("rooms_v2"))
    await server.start()
    again = ThreadServer("rooms", load("rooms_v2"), port=int(server.url.split(":")[2].split("/")[0]))
    try:
        monkeypatch.setenv("TEST_ROOMS", server.url)
        async with layers("rooms", settings="TEST") as below:
            assert (await below["rooms"].call("get_room", {"number": "1.02"}))["name"] == "Bergen"
            await server.stop()
            with pytest.raises(LayerLost, match=r"rooms gave no answer to get_room .*is it running at TEST_ROOMS=http"):
                await below["rooms"].call("get_room", {"number": "1.02"})
            await again.start()
            assert (await below["rooms"].call("get_room", {"number": "1.02"}))["name"] == "Bergen"
    finally:
        await server.stop()
        await again.stop()


# versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [("memory", "modern"), ("memory", "handshake")], ids="-".join)
async def test_two_versions_stand_side_by_side(connect: Any, way: tuple[str, str]) -> None:
    async with connect("rooms_v1", way) as old, connect("rooms_v2", way) as new:
        assert (old.server_info.name, old.server_info.version) == ("rooms", "1.4.0")
        assert (new.server_info.name, new.server_info.version) == ("rooms", "2.0.0")
        first, second = (await call(old, "find_rooms", size=9)), (await call(new, "find_rooms", seats=9))
        assert first["rooms"][0] == {"number": "1.04", "name": "Dakar", "size": 12}
        assert second["rooms"][0] == {"number": "1.04", "name": "Dakar", "seats": 12, "floor": 1}
        assert [len(r["rooms"]) for r in (await call(old, "find_rooms", size=1), await call(new, "find_rooms", seats=1))] == [16, 10]  # fmt: skip
        assert "size\n  Field required" in await refusal(old, "find_rooms", seats=9)
        assert "seats\n  Field required" in await refusal(new, "find_rooms", size=9)
        assert (
            await refusal(new, "get_room", number="9.99") == "there is no room '9.99': find_rooms shows what there is"
        )
        assert (await call(new, "get_room", number="1.02"))["screen"] is False


async def test_the_old_version_says_that_it_is_deprecated_to_models_and_to_programs(connect: Any) -> None:
    async with connect("rooms_v1", MEMORY) as old:
        (tool,) = (await old.list_tools()).tools
        assert (old.instructions or "").startswith("Deprecated") and "Deprecated" in (tool.description or "")
        meta = (tool.meta or {})["mcp-lab/deprecation"]
    assert meta["use"] in CATALOG and meta["since"] < meta["until"]


def test_there_is_a_room_of_each_kind() -> None:
    assert len({room.number for room in rooms.ROOMS}) == len(rooms.ROOMS) == 16
    assert rooms.with_seats(1000) == [] and rooms.by_number("0.00") is None
