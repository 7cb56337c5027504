"""User data: each of the four ways to data works, and in none of them does anybody reach what is somebody else's."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from servers.databases import Database
from servers.upstreams.process import BankUpstream
from servers.user_data.bank import BankApi, BankError
from servers.user_data.expenses import BUDGET_CENTS, SCHEMA, ExpenseError, ExpenseService
from servers.user_data.files import UserFiles
from servers.user_data.identity import Development, NotSignedIn, current_user

from .conftest import call, refusal

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

Place = SimpleNamespace


@pytest.fixture(scope="module")
def bank() -> Iterator[str]:
    with BankUpstream() as upstream:
        yield upstream.url()


@pytest.fixture(scope="module")
def place(near: tuple[str, str], bank: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("user_data")
    env = {"DATABASE_URL": f"sqlite:///{folder / 'data.db'}", "USER_DATA_FILES": str(folder / "files")}
    return Place(folder=folder / "files", env=env | {"USER_DATA_BANK": bank, "USER_DATA_DEV": "1"})


@pytest.fixture(scope="module")
async def ada(connect: Any, near: tuple[str, str], place: Place) -> AsyncIterator[Client]:
    async with connect("user_data", near, place.env | {"USER_DATA_USER": "ada"}) as client:
        await call(client, "add_expense", category="travel", cents=1200, note="Zug nach Köln")
        await call(client, "add_expense", category="food", cents=300)
        await call(client, "write_file", name="diary.txt", text="ada's secret")
        yield client


@pytest.fixture(scope="module")
async def ben(connect: Any, near: tuple[str, str], place: Place, ada: Client) -> AsyncIterator[Client]:
    async with connect("user_data", near, place.env | {"USER_DATA_USER": "ben"}) as client:
        yield client


def folder_of(user: str) -> str:
    return hashlib.sha256(user.encode()).hexdigest()[:40]


async def all_of(client: Client) -> list[Any]:
    """Everything that a user can see."""
    seen = [await call(client, tool) for tool in ("whoami", "list_expenses", "list_accounts", "list_files")]
    return [*seen, *[await call(client, "read_file", name=file["name"]) for file in seen[-1]["files"]]]


async def test_the_contract(ada: Client, contract: Any) -> None:
    await contract(ada, "user_data")


async def test_no_tool_asks_who_is_calling(ada: Client) -> None:
    asked = {name for tool in (await ada.list_tools()).tools for name in tool.input_schema.get("properties", {})}
    assert asked == {"category", "limit", "cents", "note", "number", "account_id", "name", "text"}


async def test_everybody_sees_their_own_in_each_of_the_four_ways(ada: Client, ben: Client) -> None:
    assert await all_of(ada) == [
        {"user": "ada", "source": "development"},
        {"total": 2, "expenses": [
            {"number": 2, "category": "food", "cents": 300, "note": ""},
            {"number": 1, "category": "travel", "cents": 1200, "note": "Zug nach Köln"},
        ]},
        {"accounts": [
            {"id": "A-100", "name": "Current", "cents": 125050},
            {"id": "A-101", "name": "Savings", "cents": 900000},
        ]},
        {"files": [{"name": "diary.txt", "bytes": 12}]},
        {"name": "diary.txt", "text": "ada's secret"},
    ]  # fmt: skip
    assert await all_of(ben) == [
        {"user": "ben", "source": "development"},
        {"total": 0, "expenses": []},
        {"accounts": [{"id": "B-200", "name": "Current", "cents": 4210}]},
        {"files": []},
    ]


CROSSINGS: list[tuple[str, dict[str, Any], str]] = [
    ("remove_expense", {"number": 1}, "you have no expense 1: list_expenses shows what there is"),
    ("get_account", {"account_id": "A-100"}, "you have no account A-100: list_accounts shows what there is"),
    ("get_account", {"account_id": "B-200/../A-100"}, "'B-200/../A-100' is not an account: write it as list_accounts does, such as A-100"),
    ("get_account", {"account_id": "?user=ada"}, "'?user=ada' is not an account: write it as list_accounts does, such as A-100"),
    ("read_file", {"name": "diary.txt"}, "you have no file 'diary.txt': list_files shows what there is"),
    ("read_file", {"name": f"../{folder_of('ada')}/diary.txt"}, f"'../{folder_of('ada')}/diary.txt' is not a file name here: use up to 40 of a-z, 0-9, - and _, and an ending such as .txt"),
    ("read_file", {"name": ".."}, "'..' is not a file name here: use up to 40 of a-z, 0-9, - and _, and an ending such as .txt"),
    ("write_file", {"name": "..\\x.txt", "text": ""}, "'..\\\\x.txt' is not a file name here: use up to 40 of a-z, 0-9, - and _, and an ending such as .txt"),
    ("write_file", {"name": "/etc/passwd", "text": ""}, "'/etc/passwd' is not a file name here: use up to 40 of a-z, 0-9, - and _, and an ending such as .txt"),
]  # fmt: skip


async def test_nobody_crosses(ada: Client, ben: Client) -> None:
    before = await all_of(ada)
    said = [await refusal(ben, tool, **arguments) for tool, arguments, _ in CROSSINGS]
    assert said == [message for _, _, message in CROSSINGS]
    assert await all_of(ada) == before


async def test_naming_another_user_in_the_arguments_changes_nothing(ada: Client, ben: Client) -> None:
    """Arguments that no tool declares are ignored, as the SDK does."""
    for name in ("user", "user_id", "ctx", "X-Dev-User"):
        assert (await call(ben, "list_expenses", **{name: "ada"}))["total"] == 0
    assert (await call(ben, "list_expenses", category="' OR user_id = 'ada' --"))["total"] == 0


async def test_what_is_somebody_elses_is_told_from_nothing_by_no_word(ada: Client, ben: Client) -> None:
    pairs = [
        ("remove_expense", "number", 2, 9),
        ("get_account", "account_id", "A-101", "A-999"),
        ("read_file", "name", "diary.txt", "nosuch.txt"),
    ]
    for tool, key, theirs, nobodys in pairs:
        first, second = [await refusal(ben, tool, **{key: value}) for value in (theirs, nobodys)]
        assert first.replace(str(theirs), str(nobodys)) == second


async def test_the_same_name_is_another_file_for_everybody(ada: Client, ben: Client, place: Place) -> None:
    await call(ben, "write_file", name="diary.txt", text="ben's own")
    try:
        assert (await call(ada, "read_file", name="diary.txt"))["text"] == "ada's secret"
        assert (await ben.read_resource("user://me/files/diary.txt")).contents[0].text == "ben's own"  # type: ignore[union-attr]
        assert (await ada.read_resource("user://me/files/diary.txt")).contents[0].text == "ada's secret"  # type: ignore[union-attr]
    finally:
        (place.folder / folder_of("ben") / "diary.txt").unlink()


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights on Windows")
async def test_a_link_to_somebody_elses_file_is_not_followed(ada: Client, ben: Client, place: Place) -> None:
    own = place.folder / folder_of("ben")
    own.mkdir(exist_ok=True)
    (own / "link.txt").symlink_to(place.folder / folder_of("ada") / "diary.txt")
    try:
        assert await refusal(ben, "read_file", name="link.txt") == "'link.txt' is not a plain file: it is not read"
        await refusal(ben, "write_file", name="link.txt", text="overwritten")
        assert (await call(ada, "read_file", name="diary.txt"))["text"] == "ada's secret"
    finally:
        (own / "link.txt").unlink()


async def test_expenses_are_filtered_limited_and_taken_back(ada: Client) -> None:
    assert [e["number"] for e in (await call(ada, "list_expenses", category="travel"))["expenses"]] == [1]
    assert await call(ada, "list_expenses", limit=1) == {
        "total": 2, "expenses": [{"number": 2, "category": "food", "cents": 300, "note": ""}],
    }  # fmt: skip
    added = await call(ada, "add_expense", category="food", cents=500, note="lunch")
    assert added == {
        "expense": {"number": 3, "category": "food", "cents": 500, "note": "lunch"}, "cents_left": BUDGET_CENTS - 2000,
    }  # fmt: skip
    assert await call(ada, "remove_expense", number=3) == added | {"cents_left": BUDGET_CENTS - 1500}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("add_expense", {"category": "car", "cents": 98_501}, "98501 cents are more than the 98500 that are left: spend less"),
    ("add_expense", {"category": "car", "cents": 0}, "cents\n  Input should be greater than or equal to 1"),
    ("add_expense", {"category": "", "cents": 1}, "category\n  String should have at least 1 character"),
    ("add_expense", {"cents": 1}, "category\n  Field required"),
    ("list_expenses", {"limit": 0}, "limit\n  Input should be greater than or equal to 1"),
    ("remove_expense", {"number": 7}, "you have no expense 7: list_expenses shows what there is"),
    ("remove_expense", {"number": 2**40}, "number\n  Input should be less than or equal to"),
    ("get_account", {"account_id": "a-1"}, "'a-1' is not an account: write it as list_accounts does, such as A-100"),
    ("read_file", {"name": "con.txt"}, "'con.txt' is not a file name here"),
    ("read_file", {"name": "Diary.txt"}, "'Diary.txt' is not a file name here"),
    ("write_file", {"name": "a.txt", "text": "ä" * 50_001}, "the text has 100002 bytes, at most 100000 are allowed: write less"),
    ("write_file", {"name": ".hidden", "text": ""}, "'.hidden' is not a file name here"),
]  # fmt: skip


async def test_bad_input_gets_its_message(ada: Client) -> None:
    before = await all_of(ada)
    for tool, arguments, message in BAD:
        assert message in await refusal(ada, tool, **arguments)
    assert await all_of(ada) == before


async def test_a_file_that_is_not_there_is_an_error_of_the_resource(ada: Client) -> None:
    with pytest.raises(MCPError, match=r"you have no file 'none\.txt'"):
        await ada.read_resource("user://me/files/none.txt")


async def test_who_has_no_credentials_gets_none_of_others(connect: Any, tmp_path: Path) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'data.db'}", "USER_DATA_DEV": "1", "USER_DATA_USER": "carol"}
    async with connect("user_data", ("memory", "modern"), env) as carol:
        assert await refusal(carol, "list_accounts") == (
            "you have no bank linked: ask whoever runs this server to link one"
        )


@pytest.mark.parametrize("flag", ["", "0", "true", "yes"])
async def test_without_the_flag_nobody_is_signed_in(connect: Any, tmp_path: Path, flag: str) -> None:
    env = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'data.db'}", "USER_DATA_FILES": str(tmp_path / "files"),
        "USER_DATA_DEV": flag, "USER_DATA_USER": "ada",
    }  # fmt: skip
    arguments: dict[str, dict[str, Any]] = {
        "add_expense": {"category": "x", "cents": 1}, "remove_expense": {"number": 1},
        "get_account": {"account_id": "A-100"}, "read_file": {"name": "a"}, "write_file": {"name": "a", "text": ""},
    }  # fmt: skip
    async with connect("user_data", ("memory", "modern"), env) as client:
        for tool in (await client.list_tools()).tools:
            said = await refusal(client, tool.name, **arguments.get(tool.name, {}))
            assert said.startswith("nobody is signed in: start the server with USER_DATA_DEV=1"), tool.name
        with pytest.raises(MCPError, match="nobody is signed in"):
            await client.read_resource("user://me/files/diary.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def served(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bank: str
) -> Callable[..., Any]:
    """`async with served(era, client address, headers) as client`: one HTTP server, any number of callers."""
    for key, value in {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'data.db'}", "USER_DATA_FILES": str(tmp_path / "files"),
        "USER_DATA_BANK": bank, "USER_DATA_DEV": "1", "USER_DATA_USER": "ada",
    }.items():  # fmt: skip
        monkeypatch.setenv(key, value)
    app = load("user_data").streamable_http_app(json_response=True)

    @asynccontextmanager
    async def running() -> AsyncIterator[Callable[..., Any]]:
        @asynccontextmanager
        async def caller(address: str = "127.0.0.1", **headers: str) -> AsyncIterator[Client]:
            transport = httpx2.ASGITransport(app=app, client=(address, 50000))
            given = {key.replace("_", "-"): value for key, value in headers.items()}
            async with httpx2.AsyncClient(transport=transport, headers=given) as http:
                async with Client(streamable_http_client("http://127.0.0.1:8000/mcp", http_client=http)) as client:
                    yield client

        async with app.router.lifespan_context(app):
            yield caller

    return running


async def test_one_server_keeps_its_callers_apart(served: Any) -> None:
    async with served() as caller, caller(X_Dev_User="ada") as ada, caller(X_Dev_User="ben") as ben:
        answers = await asyncio.gather(*[call(client, "list_accounts") for client in (ada, ben) * 10])
        assert [answer["accounts"][0]["id"] for answer in answers] == ["A-100", "B-200"] * 10
        await asyncio.gather(
            *[call(who, "write_file", name="a.txt", text=text) for who, text in ((ada, "A"), (ben, "B"))]
        )
        assert [(await call(who, "read_file", name="a.txt"))["text"] for who in (ada, ben)] == ["A", "B"]
        await call(ada, "add_expense", category="x", cents=1)
        assert [(await call(who, "list_expenses"))["total"] for who in (ada, ben)] == [1, 0]


@pytest.mark.parametrize(
    ("address", "headers", "message"),
    [
        ("192.0.2.7", {"X_Dev_User": "ada"}, "works from this machine only, not from 192.0.2.7"),
        ("::ffff:192.0.2.7", {"X_Dev_User": "ada"}, "works from this machine only"),
        ("testclient", {"X_Dev_User": "ada"}, "works from this machine only"),
        ("127.0.0.1", {"X_Dev_User": "ada", "X_Forwarded_For": "127.0.0.1"}, "does not work through a proxy (there is x-forwarded-for)"),
        ("127.0.0.1", {"X_Dev_User": "ada", "Forwarded": "for=127.0.0.1"}, "does not work through a proxy (there is forwarded)"),
        ("127.0.0.1", {}, "the header X-Dev-User is '': name a user"),
        ("127.0.0.1", {"X_Dev_User": "Ada"}, "the header X-Dev-User is 'Ada': name a user"),
        ("127.0.0.1", {"X_Dev_User": "../ada"}, "the header X-Dev-User is '../ada': name a user"),
    ],
)  # fmt: skip
async def test_the_development_identity_stays_on_this_machine(
    served: Any, address: str, headers: dict[str, str], message: str
) -> None:
    async with served() as caller, caller(address, **headers) as client:
        assert message in await refusal(client, "whoami")


async def test_the_launchers_user_is_not_that_of_http_callers(served: Any) -> None:
    """USER_DATA_USER=ada is for stdio; over HTTP it would make everybody ada."""
    async with served() as caller, caller() as client:
        assert "name a user" in await refusal(client, "list_files")


@pytest.mark.parametrize("subject", ["auth0|4711", "Ada", None])
async def test_a_verified_token_decides_before_any_header(subject: str | None) -> None:
    token = AccessToken(token="t", client_id="app", scopes=[], subject=subject)
    request = SimpleNamespace(headers={"x-dev-user": "ben"}, client=SimpleNamespace(host="127.0.0.1"))
    reset = auth_context_var.set(AuthenticatedUser(token))
    try:
        if subject is None:
            with pytest.raises(NotSignedIn, match="names no subject"):
                current_user(request, Development(True, "ben"))
        else:
            user = current_user(request, Development(True, "ben"))
            assert (user.id, user.source) == (subject, "access token")
    finally:
        auth_context_var.reset(reset)


@pytest.mark.parametrize("users", [("Ada", "ada"), ("a/b", "a"), ("..", "."), ("auth0|1", "auth0|2")])
async def test_users_with_odd_names_have_folders_of_their_own(tmp_path: Path, users: tuple[str, str]) -> None:
    files = UserFiles(tmp_path / "files")
    for user in users:
        files.write(user, "a.txt", user)
    assert [files.read(user, "a.txt") for user in users] == list(users)
    assert {path.name for path in tmp_path.iterdir()} == {"files"} and len(list((tmp_path / "files").iterdir())) == 2


async def test_the_bank_would_mix_up_users_of_a_client_that_keeps_cookies(bank: str) -> None:
    """What the server has to be careful about is real."""
    async with httpx2.AsyncClient(base_url=bank) as careless:
        for token in ("demo-token-of-ada", "demo-token-of-ben"):
            answer = await careless.get("/accounts", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["accounts"][0]["id"] == "A-100"


async def test_one_client_for_all_users_keeps_nothing_of_them(bank: str) -> None:
    api = BankApi(bank)
    try:
        for token, account in (("demo-token-of-ada", "A-100"), ("demo-token-of-ben", "B-200")) * 2:
            assert (await api.accounts(token))[0]["id"] == account
        with pytest.raises(BankError, match="does not know you any more"):
            await api.accounts("of nobody")
    finally:
        await api.close()


async def test_a_bank_out_of_reach_is_a_sentence() -> None:
    api = BankApi("http://127.0.0.1:1")
    try:
        with pytest.raises(BankError, match="the bank does not answer"):
            await api.accounts("demo-token-of-ada")
    finally:
        await api.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ExpenseService]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'data.db'}"
    else:
        pytest.importorskip("asyncpg")
        url = request.getfixturevalue("postgres")
    database = Database(url, SCHEMA)
    async with database.transaction(write=True) as run:
        for table in ("user_data_expenses", "user_data_budgets"):
            await run(f"DELETE FROM {table}")
    yield ExpenseService(database)
    await database.close()


async def test_a_budget_holds_for_thirty_callers_at_once(service: ExpenseService) -> None:
    async def spend(user: str) -> int | None:
        try:
            return (await service.add(user, "x", BUDGET_CENTS // 10, ""))[0]["number"]
        except ExpenseError as error:
            assert str(error) == f"{BUDGET_CENTS // 10} cents are more than the 0 that are left: spend less"
            return None

    numbers = await asyncio.gather(*[spend("ada") for _ in range(30)], spend("ben"))
    assert numbers.pop() == 1  # of ben, whom the others do not concern
    assert sorted(number for number in numbers if number) == list(range(1, 11))


async def test_an_expense_goes_once_and_only_for_its_owner(service: ExpenseService) -> None:
    await service.add("ada", "x", 500, "")
    gone = await asyncio.gather(
        *[service.remove(user, 1) for user in ("ben", "ada", "ada", "ben", "ada")], return_exceptions=True
    )
    assert sum(not isinstance(answer, BaseException) for answer in gone) == 1
    assert (await service.add("ada", "x", BUDGET_CENTS, ""))[1] == 0
