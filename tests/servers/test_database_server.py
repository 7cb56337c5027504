"""The database server on SQLite and on PostgreSQL: one set of tests, in memory and as a process, in both eras."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError

from servers.database.postgres import Postgres
from servers.database.reading import DatabaseError
from servers.database.shop import shop
from servers.database.sqlite import Sqlite

from .conftest import call

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def url(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if kind == "sqlite":
        return f"sqlite:///{(tmp_path_factory.mktemp('shop') / 'below' / 'shop.db').as_posix()}"
    return request.getfixturevalue("postgres")


@pytest.fixture(scope="module")
async def client(connect: Any, near: tuple[str, str], url: str) -> AsyncIterator[Client]:
    async with connect("database", near, {"DATABASE_URL": url, "DATABASE_POOL_WAIT": "10"}) as client:
        yield client


async def ask(client: Client, sql: str, **parameters: Any) -> list[list[Any]]:
    return (await call(client, "query", sql=sql, parameters=parameters, max_rows=1000))["rows"]


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return result.content[0].text  # type: ignore[union-attr]


async def test_contract(client: Client, contract: Any) -> None:
    await contract(client, "database")


async def test_list_tables_tells_what_there_is(client: Client, kind: str) -> None:
    listed = await call(client, "list_tables")
    assert listed["database"] == KINDS[kind]
    rows = {name: len(rows) for name, rows in shop().rows.items()}
    assert {t["name"]: t["rows"] for t in listed["tables"]} == {**rows, "order_totals": rows["orders"]}
    assert {t["name"]: t["kind"] for t in listed["tables"]}["order_totals"] == "view"
    assert listed["tables"][0]["columns"] == ["id", "name", "email", "city", "country", "joined", "phone"]


async def test_query_answers_as_counting_by_hand_does(client: Client) -> None:
    data = shop().rows
    cities = Counter(customer[3] for customer in data["customers"] if customer[4] == "Germany")
    sql = "SELECT city, COUNT(*) AS n FROM customers WHERE country = :country GROUP BY city ORDER BY n DESC"
    answer = await call(client, "query", sql=sql, parameters={"country": "Germany"})
    assert answer["columns"] == ["city", "n"]
    assert answer["rows"] == [list(pair) for pair in cities.most_common()]
    assert (answer["row_count"], answer["truncated"], answer["cut_cells"]) == (len(cities), False, 0)

    day = date(2025, 12, 1)
    late = [order[0] for order in data["orders"] if order[2] >= day]
    cents = sum(item[3] * item[4] for item in data["order_items"] if item[0] in set(late))
    sql = "SELECT COUNT(*), SUM(total_cents) FROM order_totals WHERE ordered_on >= :day"
    assert await ask(client, sql, day="2025-12-01") == [[len(late), cents]]

    silent = {c[0] for c in data["customers"]} - {o[1] for o in data["orders"]}
    sql = "SELECT id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY id"
    assert await ask(client, sql) == [[number] for number in sorted(silent)]


async def test_values_come_back_as_json_has_them(client: Client) -> None:
    sql = "SELECT joined, phone, name, id * 0.5 FROM customers WHERE id IN (:a, :b) ORDER BY id"
    first, second = (shop().rows["customers"][n] for n in (0, 1))
    expected = [[c[5].isoformat(), c[6], c[1], c[0] * 0.5] for c in (first, second)]
    assert await ask(client, sql, a=1, b=2) == expected
    sql = "SELECT COUNT(*) FROM products WHERE discontinued = :gone"
    gone = sum(product[4] for product in shop().rows["products"])
    assert await ask(client, sql, gone=True) == [[gone]]
    assert await ask(client, "SELECT COUNT(*) FROM customers WHERE phone IS NULL OR phone = :p", p=None) != [[0]]


async def test_limits_are_kept_and_told(client: Client) -> None:
    answer = await call(client, "query", sql="SELECT id FROM orders", max_rows=7)
    assert (answer["row_count"], answer["truncated"]) == (7, True)
    answer = await call(client, "query", sql="SELECT id FROM orders ORDER BY id LIMIT 7", max_rows=7)
    assert (answer["rows"][-1], answer["truncated"]) == ([7], False)

    joined = {"sqlite": "GROUP_CONCAT(email)", "postgresql": "STRING_AGG(email, ',')"}
    database = (await call(client, "pool_statistics"))["database"]
    sql = f"SELECT {joined['sqlite' if database == 'SQLite' else 'postgresql']} FROM customers"
    answer = await call(client, "query", sql=sql)
    assert answer["cut_cells"] == 1
    assert len(answer["rows"][0][0]) == 2_001 and answer["rows"][0][0].endswith("…")

    slow = "SELECT COUNT(*) FROM order_items a, order_items b, order_items c WHERE a.line + b.line > c.line"
    with anyio.fail_after(10):
        said = await refusal(client, "query", sql=slow, max_seconds=0.2)
    assert "took longer than 0.2 seconds and was stopped: ask for less" in said


async def test_an_answer_is_never_enormous(client: Client) -> None:
    sql = "SELECT a.email || b.email || c.email FROM customers a, customers b, customers c WHERE a.id < 3 AND b.id < 30 AND c.id < 30"
    wide = sql.replace(
        "SELECT ", "SELECT " + "a.email || b.email || c.email || a.name || b.name || c.name AS x, " * 10, 1
    )
    answer = await call(client, "query", sql=wide.replace(" AS x,", ","), max_rows=1000)
    assert answer["truncated"] and answer["row_count"] < 500


async def test_sample_is_spread_and_the_same_each_time(client: Client) -> None:
    answer = await call(client, "sample", table="orders", rows=4)
    assert [row[0] for row in answer["rows"]] == [1, 1251, 2501, 3751]
    assert (await call(client, "sample", table="orders", rows=4))["rows"] == answer["rows"]
    assert len((await call(client, "sample", table="order_totals"))["rows"]) == 5
    assert (await call(client, "sample", table="products", rows=100))["row_count"] == 100


async def test_analyse_knows_each_column_and_index(client: Client) -> None:
    found = await call(client, "analyse", table="customers")
    assert (found["rows"], found["kind"]) == (1_000, "table")
    columns = {column["name"]: column for column in found["columns"]}
    customers = shop().rows["customers"]
    assert columns["phone"]["nulls"] == sum(c[6] is None for c in customers)
    assert columns["city"]["distinct"] == len({c[3] for c in customers})
    assert columns["joined"]["minimum"] == min(c[5] for c in customers).isoformat()
    assert (columns["id"]["primary_key"], columns["id"]["nullable"], columns["phone"]["nullable"]) == (
        True,
        False,
        True,
    )
    assert {"columns": ["country", "city"], "unique": False} in [
        {key: index[key] for key in ("columns", "unique")} for index in found["indexes"]
    ]
    assert any(index["columns"] == ["email"] and index["unique"] for index in found["indexes"])
    items = await call(client, "analyse", table="order_items")
    assert {c["name"]: c["references"] for c in items["columns"]}["product_id"] == "products.id"
    assert {c["name"] for c in items["columns"] if c["primary_key"]} == {"order_id", "line"}
    assert (await call(client, "analyse", table="order_totals"))["indexes"] == []
    assert (await call(client, "analyse", table="products"))["columns"][-1]["distinct"] == 2  # booleans have no MIN


async def test_schemas_can_be_read_and_their_names_completed(client: Client) -> None:
    every = json.loads((await client.read_resource("schema://tables")).contents[0].text)  # type: ignore[union-attr]
    one = json.loads((await client.read_resource("schema://tables/orders")).contents[0].text)  # type: ignore[union-attr]
    assert one in every and one["name"] == "orders"
    assert [c["references"] for c in one["columns"]] == [None, "customers.id", None, None]
    reference = types.ResourceTemplateReference(uri="schema://tables/{table}")
    completed = await client.complete(reference, {"name": "table", "value": "order"})
    assert completed.completion.values == ["order_items", "order_totals", "orders"]
    with pytest.raises(MCPError, match="there is no table 'order'. Did you mean 'orders'"):
        await client.read_resource("schema://tables/order")


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("query", {"sql": "DROP TABLE orders"}, "only SELECT is allowed here (also WITH ... SELECT), not DROP"),
    ("query", {"sql": "SELECT 1; DROP TABLE orders"}, "one statement at a time, not 2: send them one by one"),
    ("query", {"sql": "SELECT * FROM order_item"}, "there is no table 'order_item'. Did you mean 'order_items'?"),
    ("query", {"sql": "SELECT nmae FROM customers"}, "nmae"),
    ("query", {"sql": "SELECT 1 FROM"}, "that can be read"),
    ("query", {"sql": "SELECT * FROM orders WHERE id = :id"}, "no value for the parameter id: add to `parameters`"),
    ("query", {"sql": "SELECT 1", "parameters": {"id": 1}}, "the statement has no :id"),
    ("query", {"sql": "SELECT 1", "parameters": {"id": [1]}}, "validation error"),
    ("query", {"sql": "SELECT 1", "max_rows": 0}, "greater than or equal to 1"),
    ("query", {"sql": "SELECT 1", "max_rows": 1001}, "less than or equal to 1000"),
    ("query", {"sql": "SELECT 1", "max_rows": "5"}, "valid integer"),
    ("query", {"sql": "SELECT 1", "max_seconds": 31}, "less than or equal to 30"),
    ("query", {"sql": "SELECT 1", "max_seconds": 0}, "greater than 0"),
    ("query", {"sql": "SELECT '" + "x" * 10_000 + "'"}, "at most 10000 characters"),
    ("query", {}, "Field required"),
    ("sample", {"table": "orders", "rows": 101}, "less than or equal to 100"),
    ("sample", {"table": "Orders; DROP TABLE orders"}, "there is no table 'Orders; DROP TABLE orders'"),
    ("sample", {"table": 'orders" UNION SELECT * FROM customers --'}, "there is no table"),
    ("sample", {"table": "sqlite_master"}, "there is no table 'sqlite_master'"),
    ("analyse", {"table": "pg_authid"}, "there is no table 'pg_authid'"),
    ("analyse", {"table": ""}, "there is no table ''"),
]


@pytest.mark.parametrize(("tool", "arguments", "message"), BAD, ids=[f"{t}-{n}" for n, (t, *_) in enumerate(BAD)])
async def test_bad_input(client: Client, tool: str, arguments: dict[str, Any], message: str) -> None:
    assert message in await refusal(client, tool, **arguments)


async def test_a_value_of_the_wrong_type_is_told_as_the_database_sees_it(client: Client, kind: str) -> None:
    arguments = {"sql": "SELECT id FROM orders WHERE ordered_on = :day", "parameters": {"day": "soon"}}
    if kind == "sqlite":  # which compares it as text
        assert (await call(client, "query", **arguments))["rows"] == []
    else:
        said = await refusal(client, "query", **arguments)
        assert "the parameter 'day' has to be of type date, such as 2025-01-31, not 'soon'" in said


@pytest.mark.parametrize("text", ["' OR '1'='1", "'; DELETE FROM customers; --", 'Oslo" OR 1=1', "\\", "%", "Łódź"])
async def test_what_is_in_a_parameter_stays_text(client: Client, text: str) -> None:
    expected = sum(customer[3] == text for customer in shop().rows["customers"])
    assert await ask(client, "SELECT COUNT(*) FROM customers WHERE city = :city", city=text) == [[expected]]
    assert await ask(client, "SELECT COUNT(*) FROM customers") == [[1_000]]


async def test_many_callers_share_the_pool(client: Client) -> None:
    answers: list[int] = []

    async def one(number: int) -> None:
        answers.append((await ask(client, "SELECT COUNT(*) + :n FROM orders", n=number))[0][0])

    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(one, number)
    assert sorted(answers) == [5_000 + number for number in range(30)]
    pool = await call(client, "pool_statistics")
    assert (pool["limit"], pool["in_use"], pool["timed_out"]) == (5, 0, 0)
    assert pool["size"] <= 5


RAW = {
    "sqlite": [
        "DELETE FROM orders",
        "DROP TABLE orders",
        "REPLACE INTO orders VALUES (1, 1, '', 'paid')",
        "CREATE TEMP TABLE x (y)",
        "ATTACH 'file:other.db?mode=rwc' AS other",
        "VACUUM INTO 'copy.db'",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "SELECT load_extension('x')",
        "SELECT sql FROM sqlite_master",
        "SELECT 1; DELETE FROM orders",
        "COMMIT",
        "SELECT zeroblob(10000000)",
    ],
    "postgresql": [
        "DELETE FROM orders",
        "DROP TABLE orders",
        "TRUNCATE orders CASCADE",
        "WITH gone AS (DELETE FROM orders RETURNING 1) SELECT * FROM gone",
        "CREATE TABLE x (y int)",
        "CREATE TEMP TABLE x (y int)",
        "SELECT * INTO x FROM orders",
        "SELECT * FROM orders FOR UPDATE",
        "COPY orders TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SELECT set_config('role', 'lab', false)",
        "SET ROLE lab",
        "SET SESSION AUTHORIZATION lab",
        "SET transaction_read_only = off",
        "DO $$ BEGIN DELETE FROM orders; END $$",
        "SELECT 1; DELETE FROM orders",
        "ALTER ROLE current_user SUPERUSER",
    ],
}


async def test_the_inner_wall_holds_without_the_outer_one(kind: str, url: str) -> None:
    """As if the parser let everything through: the database itself refuses."""
    database = (
        Sqlite(Path(url.removeprefix("sqlite:///")), pool_size=2, pool_wait=5)
        if kind == "sqlite"
        else Postgres(url, schema="shop", pool_size=2, pool_wait=5)
    )
    try:
        for sql in RAW[kind]:
            with pytest.raises(DatabaseError) as refused:
                await database.run(sql, {}, max_rows=10, seconds=2)
                pytest.fail(f"not refused: {sql}")
            assert "took longer" not in str(refused.value), sql
        for table, rows in shop().rows.items():
            answer = await database.run(f"SELECT COUNT(*) FROM {table}", {}, max_rows=1, seconds=5)
            assert answer.rows == [[len(rows)]]
    finally:
        await database.close()


def test_the_shop_is_the_same_everywhere() -> None:
    text = json.dumps(shop().rows, default=str, ensure_ascii=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "dbdf9a614a0896e3"
    assert {name: len(rows) for name, rows in shop().rows.items()} == {
        "customers": 1_000,
        "products": 200,
        "orders": 5_000,
        "order_items": 12_480,
    }
