"""Checks of 13_bounded_query."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Reply, Session

TEA = 'Ada\'s "best" tea; --'
ALL = 41


def rows(first: int, last: int) -> list[list[Any]]:
    return [[n, f"product {n}"] for n in range(first, last + 1)]


def refused(session: Session, sql: str, **more: Any) -> str:
    """The error of a statement that has to be one."""
    reply = session.call("query", sql=sql, **more)
    expect_true(reply.is_error, f"{sql!r} is answered: {reply.text!r} ({session})")
    return reply.text


def answer(reply: Reply, columns: list[str], wanted: list[list[Any]], truncated: bool, what: str) -> None:
    expect(reply.data, {"columns": columns, "rows": wanted, "truncated": truncated}, what)


@check(
    "a value is a value, whatever is in it",
    points=3,
    reason="Text that is pasted into a statement becomes a part of it: a quote ends the value, and the rest is SQL.",
    about="query",
)
def test_values(submission: Submission, rng: random.Random) -> None:
    by_name = "SELECT id FROM products WHERE name = :name ORDER BY id"
    for session in submission.everywhere():
        number = rng.randint(1, 40)
        for name, found in (
            (f"product {number}", [[number]]),
            (TEA, [[41]]),
            ("x' OR '1'='1", []),
            ("x' UNION SELECT cents FROM products --", []),
        ):
            reply = session.call("query", sql=by_name, parameters={"name": name})
            answer(reply, ["id"], found, False, f"the product named {name!r} ({session})")
        many = {"low": number, "lower": 3, "none": None}
        reply = session.call("query", sql="SELECT :low AS a, :lower AS b, :none AS c, ':low' AS d", parameters=many)
        answer(reply, ["a", "b", "c", "d"], [[number, 3, None, ":low"]], False, f"four values ({session})")


@check(
    "truncated is true when there is more, and only then",
    points=3,
    reason="A model counts what it was given. Exactly as many as the limit may be all of them.",
    about="query",
)
def test_flag(submission: Submission, rng: random.Random) -> None:
    some = "SELECT id, name FROM products WHERE id <= :last ORDER BY id"
    for session in submission.everywhere():
        last = rng.randint(12, 40)
        for limit, shown in ((last - 1, last - 1), (last, last), (last + 1, last), (1, 1), (100, last)):
            reply = session.call("query", sql=some, parameters={"last": last}, max_rows=limit)
            answer(reply, ["id", "name"], rows(1, shown), shown < last, f"{limit} of {last} rows ({session})")
        for there in (9, 10, 11):
            reply = session.call("query", sql=some, parameters={"last": there})
            answer(reply, ["id", "name"], rows(1, min(there, 10)), there > 10, f"{there} rows, no limit given")
        empty = session.call("query", sql="WITH x AS (SELECT 1 AS one) SELECT one FROM x WHERE one > 1")
        answer(empty, ["one"], [], False, f"no row at all ({session})")


@check(
    "the schema has the bounds of max_rows",
    points=1,
    reason="A limit that the caller sets freely is none; in the schema, a model sees how far it may go.",
    about="query",
)
def test_bounds(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        properties = session.tools()["query"]["inputSchema"]["properties"]
        found = {key: properties["max_rows"].get(key) for key in ("minimum", "maximum", "default")}
        expect(found, {"minimum": 1, "maximum": 100, "default": 10}, f"max_rows in the schema ({session})")
        for wrong in (0, -1, 101):
            refused(session, "SELECT 1", max_rows=wrong)


@check(
    "rows without end are answered",
    points=2,
    reason="What nobody reads should not be computed: the limit is for the database, not for the list afterwards.",
    about="query",
)
def test_endless(submission: Submission, rng: random.Random) -> None:
    limit = rng.randint(3, 9)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    reply = submission.fresh("process").call("query", sql=endless, max_rows=limit)
    answer(reply, ["i"], [[n] for n in range(1, limit + 1)], True, f"{limit} rows of a query without end")


@check(
    "nothing can be changed",
    points=4,
    reason="A list of forbidden words always misses one. A database that is open for reading refuses by itself.",
    about="query",
)
def test_readonly(submission: Submission, rng: random.Random) -> None:
    session = submission.fresh("process")
    for before in ([], ["PRAGMA query_only = OFF"], ["PRAGMA writable_schema = ON"], ["COMMIT"], ["BEGIN"]):
        for sql in before:
            session.call("query", sql=sql)  # answered or not: it must not open anything
        for sql in (
            "DELETE FROM products",
            f"UPDATE products SET cents = {rng.randint(1, 9)}",
            "REPLACE INTO products VALUES (1, 'x', 1)",
            "WITH x AS (SELECT 1) DELETE FROM products",
            "/* SELECT */ DELETE FROM products RETURNING id",
            "INSERT INTO products SELECT id + 100, name, cents FROM products RETURNING id",
            "DROP TABLE products",
            "CREATE TABLE more (x)",
            "SELECT 1; DELETE FROM products",
        ):
            refused(session, sql)
    session.call("query", sql="ATTACH 'other.db' AS other")
    refused(session, "CREATE TABLE other.copied AS SELECT * FROM products")
    looked = "SELECT count(*), sum(cents), max(name) FROM products"
    reply = session.call("query", sql=looked)
    expect(reply.data and reply.data["rows"], [[ALL, 21_499, "product 9"]], "what is in the table afterwards")
    # As it is when a server is started again beside the file of the last one.
    session = submission.fresh("memory")
    submission.call("prepare")
    reply = session.call("query", sql=looked)
    expect(reply.data and reply.data["rows"], [[ALL, 21_499, "product 9"]], "what is in the table after `prepare`")


@check(
    "a mistake is told in the words of the database",
    points=1,
    reason="A model corrects itself by what it reads: which table, which column, which parameter.",
    about="query",
)
def test_told(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        for sql, words in (
            ("SELECT * FROM nope", "no such table: nope"),
            ("SELECT price FROM products", "no such column: price"),
            ("SELECT * FORM products", "syntax error"),
            ("SELECT id FROM products WHERE id = :number", "number"),
            ("PRAGMA foreign_keys = ON", "SELECT"),
        ):
            said = refused(session, sql)
            expect_true(words in said, f"the error of {sql!r} lacks {words!r}: {said!r} ({session})")
