"""Packagings: calls find their server, one that dies takes only its own tools along, closing leaves nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

import labkit as lab
from labkit.session import packaging
from labkit.session.packaging import PackagingEntry, load_packagings, start_packaging

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of the servers, for processes as `env=`, and for those in this kernel as they are."""
    env = {"DATABASE_URL": f"sqlite:///{(tmp_path / 'company.db').as_posix()}"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return env


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def until(condition: Any, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("name", "servers"), [("monolith", 1), ("hybrid", 2), ("microservices", 3)])
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_call_finds_its_server_in_each_packaging(name: str, servers: int, era: str) -> None:
    async with await start_packaging(name, via="memory", era=era) as company:
        assert (
            list(company.connections) == list(load_packagings()[name].servers) and len(company.connections) == servers
        )
        assert {connection.era for connection in company.connections.values()} == {era}
        assert company.processes == {} and company.alive == list(company.connections)
        assert (await company.call("get_employee", employee_id="E001")).data["name"] == "Amira Haddad"
        assert (await company.call("get_budget", {"department": "sales"})).data["free_cents"] == 79_000
        assert (await company.call("list_tickets", limit=1)).data["total"] == 5
        assert f"{servers} servers, 22 tools" in repr(company) and "in this kernel" in company._repr_html_()
    assert list(lab.connections()) == []


@pytest.mark.parametrize("via", ["stdio", "http"])
async def test_one_that_is_killed_takes_only_its_own_tools_along(database: dict[str, str], via: str) -> None:
    async with await start_packaging("microservices", via=via, env=database) as company:
        pids = company.processes
        assert set(pids) == {"hr", "finance", "it_tickets"} and len(set(pids.values())) == 3
        company.kill("finance")
        for _ in range(2):  # the second call to a server that is known to be dead says the same
            with pytest.raises(lab.ServerDiedError, match=r"'finance' \(pid \d+\)") as caught:
                await company.call("get_budget", department="sales")
            assert caught.value.__notes__ == [
                "Lost with finance: get_budget, reserve_budget, release_budget, record_expense, spend_reservation,"
                " list_expenses, get_spending_report. Not concerned: hr and it_tickets."
            ]
        assert (await company.call("get_employee", employee_id="E001")).data["name"] == "Amira Haddad"
        assert (await company.call("list_tickets")).data["total"] == 5
        assert company.alive == ["hr", "it_tickets"] == list(company.processes)
        assert "finance  ended" in repr(company)
        with pytest.raises(lab.LabError, match="'finance' has ended already"):
            company.kill("finance")
    assert list(lab.connections()) == []
    await until(lambda: all(gone(pid) for pid in pids.values()))


async def test_a_monolith_takes_all_along_and_closing_twice_is_fine(database: dict[str, str]) -> None:
    company = await start_packaging("monolith", env=database)
    (pid,) = company.processes.values()
    company.kill("company")
    with pytest.raises(lab.ServerDiedError) as caught:
        await company.call("list_tickets")
    assert caught.value.__notes__[0].endswith("There is no other server.")
    await company.close()
    await company.close()
    assert gone(pid) and company.alive == [] and company.processes == {}
    with pytest.raises(lab.ConnectionClosedError):
        await company.call("list_employees")


async def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(lab.CatalogError, match="no packaging 'microservice'. Did you mean 'microservices'"):
        await start_packaging("microservice")
    async with await start_packaging("hybrid", via="memory") as company:
        with pytest.raises(lab.UnknownNameError, match="'hybrid' has no tool 'get_budgets'. Did you mean 'get_budget'"):
            await company.call("get_budgets")
        with pytest.raises(lab.UnknownNameError, match="'hybrid' has no server 'hr'"):
            company.kill("hr")
        with pytest.raises(lab.LabError, match="no process that the lab started"):
            company.kill("back_office")
        with pytest.raises(lab.ArgumentsError, match="needs 'department'"):
            await company.call("get_budget")


async def test_when_one_does_not_start_the_others_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = PackagingEntry("odd", ("hr", "finance", "no_such_server"), "to fail")
    monkeypatch.setattr(packaging, "load_packagings", lambda: {"odd": entry})
    with pytest.raises(lab.CatalogError, match="no_such_server"):
        await start_packaging("odd")
    assert list(lab.connections()) == []
    children = [child.cmdline() for child in psutil.Process(os.getpid()).children(recursive=True)]
    assert not [line for line in children if any("finance" in word or "hr/server" in word for word in line)]


async def test_two_tools_of_one_name_are_refused_with_both_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = PackagingEntry("odd", ("hr", "back_office"), "to collide")
    monkeypatch.setattr(packaging, "load_packagings", lambda: {"odd": entry})
    with pytest.raises(lab.ConnectError, match="two tools 'list_employees': of hr and of back_office"):
        await start_packaging("odd", via="memory")
    assert list(lab.connections()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "Cannot read the packagings"),
        ("a = 1", r"\[a\] needs a list 'servers'"),
        ('[a]\nservers = []\nwhy = "x"', r"\[a\] needs a list 'servers' with at least one name"),
        ('[a]\nservers = ["hr"]', "and a string 'why'"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "packagings.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(lab.CatalogError, match=message):
        load_packagings(file)
