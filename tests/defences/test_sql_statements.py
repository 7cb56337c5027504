"""The outer wall: which statements are let through, and what the others are told."""

from __future__ import annotations

import pytest

from labkit.defences.sql import Dialect, StatementError, check, match

TABLES = ["customers", "orders", "order_items"]
DIALECTS: list[Dialect] = ["sqlite", "postgres"]

LET_THROUGH = [
    "SELECT 1",
    "SELECT * FROM customers WHERE city = :city AND name <> 'DELETE FROM x; --' LIMIT 5",
    "SELECT c.city, COUNT(*) AS n FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.city HAVING COUNT(*) > 3",
    "WITH a AS (SELECT id FROM orders), b AS (SELECT id FROM a) SELECT * FROM b UNION ALL SELECT id FROM a",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT SUM(i) FROM n",
    "SELECT *, ROW_NUMBER() OVER (PARTITION BY status ORDER BY id) FROM orders",
    "SELECT COALESCE(MAX(CAST(id AS TEXT)), 'none'), CASE WHEN AVG(id) > 3 THEN 'a' ELSE 'b' END FROM orders",
    "SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders) AND EXISTS (SELECT 1 FROM orders)",
    "SELECT created_at, updated FROM (SELECT id AS created_at, status AS updated FROM orders) AS t",
    "SELECT UPPER(name) || '!', LENGTH(name), SUBSTR(name, 1, 3), REPLACE(name, 'a', 'b') FROM customers;",
    "(SELECT id FROM orders) EXCEPT (SELECT id FROM customers)",
]

NOT_SELECT = [
    ("DELETE FROM orders", "DELETE"),
    ("UPDATE orders SET status = 'paid'", "UPDATE"),
    ("INSERT INTO orders SELECT * FROM orders", "INSERT"),
    ("DROP TABLE orders", "DROP"),
    ("CREATE TABLE x AS SELECT 1", "CREATE"),
    ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "DELETE"),
    ("SELECT * FROM (DELETE FROM orders RETURNING id) AS x", ""),
    ("SELECT * INTO x FROM orders", "SELECT INTO"),
    ("SELECT * FROM orders FOR UPDATE", "FOR UPDATE"),
    ("TRUNCATE orders", ""),
    ("EXPLAIN SELECT 1", "EXPLAIN"),
    ("VALUES (1)", "VALUES"),
    ("BEGIN", ""),
    ("COMMIT", ""),
    ("GRANT ALL ON orders TO PUBLIC", "GRANT"),
    ("orders", ""),
]
PER_DIALECT: list[tuple[Dialect, str]] = [
    ("sqlite", "PRAGMA query_only = OFF"),
    ("sqlite", "ATTACH 'elsewhere.db' AS other"),
    ("sqlite", "VACUUM INTO 'copy.db'"),
    ("sqlite", "REPLACE INTO orders VALUES (1, 2, 3, 4)"),
    ("postgres", "COPY orders TO PROGRAM 'cat'"),
    ("postgres", "SET ROLE postgres"),
    ("postgres", "RESET ROLE"),
    ("postgres", "DO $$ BEGIN DELETE FROM orders; END $$"),
    ("postgres", "CALL something()"),
    ("postgres", "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN DELETE"),
    ("postgres", "LISTEN x"),
]
FUNCTIONS: list[tuple[Dialect, str, str]] = [
    ("sqlite", "SELECT load_extension('x')", "load_extension"),
    ("sqlite", "SELECT zeroblob(1000000000)", "zeroblob"),
    ("sqlite", "SELECT printf('%1000000000d', 1)", "printf"),
    ("sqlite", "SELECT * FROM pragma_table_info('orders')", "pragma_table_info"),
    ("postgres", "SELECT pg_sleep(60)", "pg_sleep"),
    ("postgres", "SELECT pg_catalog.pg_sleep(60)", "pg_sleep"),
    ("postgres", "SELECT set_config('role', 'postgres', false)", "set_config"),
    ("postgres", "SELECT * FROM pg_read_file('/etc/passwd')", "pg_read_file"),
    ("postgres", "SELECT id FROM orders WHERE pg_terminate_backend(1)", "pg_terminate_backend"),
    ("postgres", "SELECT id FROM orders ORDER BY lo_import('/etc/passwd')", "lo_import"),
    ("postgres", "SELECT query_to_xml('DELETE FROM orders', true, true, '')", "query_to_xml"),
    ("postgres", "SELECT REPEAT('x', 1000000000)", "repeat"),
    ("postgres", "SELECT nextval('s')", "nextval"),
]
TABLES_REFUSED = [
    ("SELECT * FROM order", "there is no table 'order'. Did you mean 'orders'?"),
    ("SELECT * FROM secrets", "there is no table 'secrets'. There are: customers, order_items, orders."),
    ("SELECT * FROM sqlite_master", "there is no table 'sqlite_master'"),
    ("SELECT * FROM pg_authid", "there is no table 'pg_authid'"),
    ("SELECT * FROM information_schema.tables", "information_schema.tables is outside of what can be read"),
    ("SELECT * FROM other.orders", "other.orders is outside"),
    ("SELECT 1 WHERE EXISTS (SELECT 1 FROM secrets)", "there is no table 'secrets'"),
    ("SELECT (SELECT MAX(x) FROM secrets) FROM orders", "there is no table 'secrets'"),
    ("SELECT * FROM orders UNION SELECT * FROM secrets", "there is no table 'secrets'"),
    # A name that WITH defines is that only where WITH holds.
    ("WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets", "there is no table 'secrets'"),
    ("SELECT * FROM secrets, (WITH secrets AS (SELECT 1) SELECT * FROM secrets) AS x", "there is no table 'secrets'"),
    ("WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a", "there is no table 'secrets'"),
]
FORM = [
    ("", "there is no statement: write one SELECT"),
    (" ;;  ", "there is no statement"),
    ("-- only a comment", "there is no statement"),
    ("SELECT 1; SELECT 2", "one statement at a time, not 2"),
    ("SELECT 1; DROP TABLE orders --", "one statement at a time, not 2"),
    ("SELECT * FORM orders", "that can be read"),
    ("SELECT 'open", "that can be read"),
    ("SELECT * FROM orders WHERE id = ?", "write parameters with names, such as :city"),
    ("SELECT " + "1 + " * 3_000 + "1", "a statement may have 10,000 characters, not 12,008"),
    ("SELECT " + "(" * 4_000 + "1" + ")" * 4_000, "nested too deeply"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", LET_THROUGH)
def test_questions_are_let_through(dialect: Dialect, sql: str) -> None:
    assert check(sql, dialect, TABLES).sql()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("sql", "kind"), NOT_SELECT)
def test_everything_but_select_is_refused(dialect: Dialect, sql: str, kind: str) -> None:
    with pytest.raises(StatementError, match=f"only SELECT is allowed here.* {kind}|that can be read"):
        check(sql, dialect, TABLES)


@pytest.mark.parametrize(("dialect", "sql"), PER_DIALECT)
def test_what_only_one_of_them_knows_is_refused(dialect: Dialect, sql: str) -> None:
    with pytest.raises(StatementError, match="only SELECT is allowed here|that can be read"):
        check(sql, dialect, TABLES)


@pytest.mark.parametrize(("dialect", "sql", "name"), FUNCTIONS)
def test_functions_that_do_more_than_compute_are_refused(dialect: Dialect, sql: str, name: str) -> None:
    with pytest.raises(StatementError, match=f"(?i)the function {name} is not allowed here: use arithmetic"):
        check(sql, dialect, TABLES)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("sql", "message"), TABLES_REFUSED)
def test_only_the_tables_that_are_shown_can_be_named(dialect: Dialect, sql: str, message: str) -> None:
    with pytest.raises(StatementError) as refused:
        check(sql.replace("FROM order", 'FROM "order"') if sql.endswith("order") else sql, dialect, TABLES)
    assert message in str(refused.value)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("sql", "message"), FORM, ids=lambda value: value[:30])
def test_what_cannot_be_read_is_refused(dialect: Dialect, sql: str, message: str) -> None:
    with pytest.raises(StatementError) as refused:
        check(sql, dialect, TABLES)
    assert message in str(refused.value)


def test_the_schema_may_be_named() -> None:
    assert check("SELECT id FROM shop.orders", "postgres", TABLES, "shop")
    with pytest.raises(StatementError):
        check("SELECT id FROM elsewhere.shop.orders", "postgres", TABLES, "shop")


def test_what_runs_is_written_from_the_tree_without_comments() -> None:
    statement = check("select /* hi */ id from orders where id=:b or id=:a or id=:b -- bye", "postgres", TABLES)
    assert statement.sql() == "SELECT id FROM orders WHERE id = $1 OR id = $2 OR id = $1"
    assert statement.parameters == ("b", "a")
    assert check("SELECT :x", "sqlite", TABLES).sql() == "SELECT :x"


def test_values_and_parameters_have_to_match() -> None:
    statement = check("SELECT :a, :b", "sqlite", TABLES)
    match(statement, {"b": 1, "a": 2})
    with pytest.raises(StatementError, match="no value for the parameters a, b: add to `parameters`"):
        match(statement, {})
    with pytest.raises(StatementError, match="the statement has no :c: use it there, or leave 'c' out"):
        match(statement, {"a": 1, "b": 2, "c": 3})
