"""The guards of SQL under attack: the parser, names, and the engine, each by itself, with the same corpus."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.defences.sql import Dialect, StatementError, check, identifier, ordering, quoted
from labkit.defences.sql_engine import Budget, EngineRefused, ask, only_reading, open_read_only, stop_when

CORPUS = Path(__file__).with_name("corpus")
TABLES = ["customers", "orders", "order_items"]
COLUMNS = ["id", "customer_id", "status", "updated"]
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")
CANARY = "canary-52ab"
BUDGET = 200_000
"""Instructions that one statement of these tests may take."""
SCHEMA = f"""
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, created_at TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, status TEXT, updated TEXT);
    CREATE TABLE order_items (order_id INTEGER, product TEXT, quantity INTEGER, cents INTEGER);
    CREATE TABLE staff (name TEXT, access_key TEXT);
    INSERT INTO customers VALUES (1, 'Ada', 'Ulm', '2026-11-01'), (2, 'O''Brien', NULL, '2026-11-02');
    INSERT INTO orders VALUES (1, 1, 'open', '2026-11-03'), (2, 1, 'paid', '2026-11-04'), (3, 2, 'open', NULL);
    INSERT INTO order_items VALUES (1, 'tea', 2, 300), (2, 'jam', 1, 150);
    INSERT INTO staff VALUES ('root', '{CANARY}');
"""
quick = settings(max_examples=120, derandomize=True, deadline=None)


class Place:
    """A database in a folder, and another one beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "shop.db"
        for name, schema in (("shop.db", SCHEMA), ("other.db", f"CREATE TABLE wages AS SELECT '{CANARY}' AS owner")):
            with closing(sqlite3.connect(folder / name)) as db:
                db.executescript(schema)
        self.before = self.state()

    def state(self) -> dict[str, str]:
        """All files of the folder, by what is in them."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.folder.iterdir()}

    def spelled(self, sql: str) -> str:
        return sql.replace("{folder}", self.folder.as_posix())

    def harmed(self, sql: str) -> bool:
        """Whether the engine alone lets a statement change something, or read the other file."""
        found: list[object] = []
        with suppress(EngineRefused):
            found = list(ask(self.file, sql, budget=BUDGET))
        return self.state() != self.before or ("wages" in sql and CANARY in repr(found))


def table(kind: str) -> dict[str, list[str]]:
    return tomllib.loads((CORPUS / f"sql_{kind}.toml").read_text(encoding="utf-8"))


def statements(kind: str) -> Iterator[tuple[Dialect, str]]:
    """Statements of the corpus, each with a database that it is meant for."""
    groups = table(kind)
    for dialect in DIALECTS:
        for sql in groups["both"] + groups[dialect] + groups.get("parameters", []):
            yield dialect, sql


def let_through(dialect: Dialect, sql: str) -> bool:
    with suppress(StatementError):
        check(sql, dialect, TABLES, "shop" if dialect == "postgres" else "")
        return True
    return False


def named(group: str, text: str) -> bool:
    """Whether a name, or an order, is accepted."""
    with suppress(StatementError):
        identifier(text, TABLES) if group == "identifiers" else ordering(text, COLUMNS)
        return True
    return False


def passed(kind: str) -> list[tuple[str, str, bool]]:
    """Of each of the corpus: the guard that it is for, the text, whether the guard lets it through."""
    found = [(dialect, sql, let_through(dialect, sql)) for dialect, sql in statements(kind)]
    names = table(kind)
    return found + [(group, text, named(group, text)) for group in ("identifiers", "orders") for text in names[group]]


def numbers() -> tuple[int, int, int, int]:
    """Attacks, how many of them got through; legitimate ones, how many of them were refused. By parser and lists."""
    attacks, legitimate = passed("attacks"), passed("legitimate")
    return len(attacks), sum(ok for *_, ok in attacks), len(legitimate), sum(not ok for *_, ok in legitimate)


def engine_numbers() -> tuple[int, int, int, int]:
    """The same for SQLite's own guard alone, without a parser before it."""
    with tempfile.TemporaryDirectory(prefix="labkit-sql-") as folder:
        place = Place(Path(folder))
        harm = [place.harmed(place.spelled(sql)) for dialect, sql in statements("attacks") if dialect == "sqlite"]
        refused = [sql for dialect, sql in statements("legitimate") if dialect == "sqlite" and not runs(place, sql)]
        used = [sql for dialect, sql in statements("legitimate") if dialect == "sqlite"]
    return len(harm), sum(harm), len(used), len(refused)


def runs(place: Place, sql: str) -> bool:
    with suppress(EngineRefused):
        ask(place.file, sql, dict.fromkeys(("status", "low", "high", "text"), 1), budget=BUDGET)
        return True
    return False


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("sql"))


def test_no_known_attack_passes_the_parser_and_no_legitimate_question_is_refused() -> None:
    assert [(guard, text) for guard, text, ok in passed("attacks") if ok] == []
    assert [(guard, text) for guard, text, ok in passed("legitimate") if not ok] == []


def test_no_known_attack_harms_the_engine_alone_and_what_is_let_through_runs(place: Place) -> None:
    mine = [place.spelled(sql) for dialect, sql in statements("attacks") if dialect == "sqlite"]
    assert [sql for sql in mine if place.harmed(sql)] == []
    for dialect, sql in statements("legitimate"):
        if dialect == "sqlite":
            assert runs(place, sql) and runs(place, check(sql, dialect, TABLES).sql()), sql


def test_the_corpus_is_large_enough_and_its_numbers_are_told() -> None:
    for tried, through, used, refused in (numbers(), engine_numbers()):
        assert tried >= 60 and used >= 60 and (through, refused) == (0, 0)


def test_the_blacklist_that_tutorials_have_falls_to_the_corpus() -> None:
    """The corpus has teeth: words are looked for, many attacks pass, and questions are refused."""
    words = ("INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "CREATE")

    def old_way(sql: str) -> bool:
        return sql.lstrip().upper().startswith(("SELECT", "WITH")) and not any(word in sql.upper() for word in words)

    assert sum(old_way(sql) for dialect, sql in statements("attacks") if dialect == "sqlite") >= 30
    assert sum(not old_way(sql) for dialect, sql in statements("legitimate") if dialect == "sqlite") >= 8


BLANKS = [" ", "\n", "\t", "  "]
COMMENTS = ["/**/", "/* x */", " -- y\n"]


@st.composite
def respelled(draw: st.DrawFn, kind: str, between: list[str]) -> tuple[Dialect, str]:
    """A statement of the corpus in other cases, with other things between its words. (A comment within ORDER BY is more than sqlglot reads.)"""
    plain = [(d, sql) for d, sql in statements(kind) if not set("'\"`[-/$") & set(sql) and sql.strip()]
    dialect, sql = draw(st.sampled_from(plain))
    case = draw(st.sampled_from([str.upper, str.lower, str.swapcase]))
    return dialect, "".join(word + draw(st.sampled_from(between)) for word in case(sql).split())


@quick
@given(tried=respelled("attacks", BLANKS + COMMENTS))
def test_attacks_spelled_otherwise_pass_neither(tried: tuple[Dialect, str]) -> None:
    assert not let_through(*tried)


@quick
@given(asked=respelled("legitimate", BLANKS))
def test_questions_spelled_otherwise_are_answered(asked: tuple[Dialect, str]) -> None:
    assert let_through(*asked)


WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "WITH",
        "RECURSIVE",
        "AS",
        "UNION",
        "ALL",
        "DELETE",
        "INSERT",
        "INTO",
        "REPLACE",
        "UPDATE",
        "SET",
        "VALUES",
        "RETURNING",
        "ATTACH",
        "DETACH",
        "PRAGMA",
        "VACUUM",
        "DROP",
        "TABLE",
        "CREATE",
        "TEMP",
        "BEGIN",
        "COMMIT",
        "orders",
        "customers",
        "staff",
        "sqlite_master",
        "id",
        "status",
        "x",
        "1",
        "'a'",
        "(",
        ")",
        ",",
        ";",
        "*",
        "=",
        "pragma_table_info('staff')",
        "query_only",
        "OFF",
        "user_version",
        "--",
        "/*",
        "*/",
        "ORDER",
        "BY",
        "LIMIT",
        "JOIN",
        "ON",
        "NOT",
        "EXISTS",
        ":p",
    ]
)


@quick
@given(
    words=st.lists(WORDS, max_size=14), start=st.sampled_from(["", "SELECT ", "WITH x AS (SELECT 1) ", "SELECT 1; "])
)
def test_no_random_statement_harms_and_what_passes_reads_only_what_is_shown(
    place: Place, words: list[str], start: str
) -> None:
    sql = start + " ".join(words)
    assert not place.harmed(sql)
    with suppress(StatementError, EngineRefused):
        written = check(sql, "sqlite", TABLES).sql()
        assert CANARY not in repr(ask(place.file, written, {"p": 1}, budget=BUDGET))


@quick
@given(name=st.text(), allowed=st.lists(st.text(min_size=1), max_size=3))
def test_a_quoted_name_is_a_name_whatever_is_in_it(name: str, allowed: list[str]) -> None:
    if name in allowed:
        assert identifier(name, allowed) == quoted(name)
    else:
        with pytest.raises(StatementError):
            identifier(name, allowed)
    with closing(sqlite3.connect(":memory:")) as db, suppress(UnicodeEncodeError, sqlite3.DataError):
        if "\x00" not in name:
            assert db.execute(f"SELECT 1 AS {quoted(name)}").description[0][0] == name


def test_an_order_is_written_anew() -> None:
    assert ordering("status desc , id", COLUMNS) == '"status" DESC, "id"'
    with pytest.raises(StatementError, match="'id; drop' here|no order: write a column, and asc or desc after it"):
        ordering("id; drop", COLUMNS)
    with pytest.raises(StatementError, match="there is no 'statsu' here. Did you mean 'status'?"):
        ordering("statsu", COLUMNS)


def test_an_endless_statement_ends_with_its_budget(place: Place) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"
    with pytest.raises(EngineRefused, match="it takes more than 50,000 steps"):
        ask(place.file, endless.format("count(*)"), budget=50_000)
    assert ask(place.file, endless.format("i"), max_rows=3, budget=50_000) == [(1,), (2,), (3,)]


def test_trimming_takes_time_that_grows_with_the_lengths_only(place: Place) -> None:
    """SQLite's own compares each character with each: this took forty seconds, in one step that nobody can end."""
    long, others = "hex(zeroblob(99000))", "replace(hex(zeroblob(49000)), '00', 'ab') || '0'"
    assert ask(place.file, f"SELECT length(trim({long}, {others}))") == [(0,)]
    asked = "SELECT trim('xaxbx', 'x'), ltrim('xax', 'x'), rtrim('xax', 'x'), trim(NULL, 'x'), trim('a', NULL), trim(7, 'x')"
    assert ask(place.file, asked) == [("axb", "ax", "xa", None, None, "7")]
    assert ask(place.file, "SELECT trim(x'616261', 'a'), trim('  a ')") == [("b", "a")]


def test_views_may_trim(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.execute("CREATE VIEW v AS SELECT trim('xax', 'x') AS a")
    assert ask(tmp_path / "a.db", "SELECT a FROM v") == [("a",)]


def test_an_answer_has_a_greatest_size(place: Place) -> None:
    wide = "SELECT {} FROM (SELECT hex(zeroblob(90000)) AS x), orders"
    with pytest.raises(EngineRefused, match="the answer has more than 20,000,000 bytes"):
        ask(place.file, wide.format(", ".join(["x"] * 150)))
    with pytest.raises(EngineRefused, match="too many columns"):
        ask(place.file, wide.format(", ".join(["x"] * 501)))


def test_each_wall_holds_without_the_others(place: Place) -> None:
    with closing(open_read_only(place.file)) as db:  # no authorizer
        for sql in ("DELETE FROM orders", f"ATTACH '{place.folder.as_posix()}/other.db' AS o", "CREATE TABLE x (a)"):
            with pytest.raises(sqlite3.Error):
                db.execute(sql)
    with closing(sqlite3.connect(place.file)) as db:  # a connection that may write
        only_reading(db)
        for sql in ("DELETE FROM orders", "ATTACH ':memory:' AS o", "PRAGMA user_version = 3", "CREATE TABLE x (a)"):
            with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
                db.execute(sql)
        stop_when(db, Budget(10_000))
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            db.execute(
                "SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e, orders f, orders g, orders"
            )
    assert place.state() == place.before


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT format('%.*c', 1000000000, 'x')", "not authorized to use function: format"),
        ("SELECT printf('%1000000000d', 1)", "not authorized to use function: printf"),
        ("SELECT hex(zeroblob(150000))", "string or blob too big"),
        (f"SELECT 'x' LIKE '{'%x' * 600}'", "LIKE or GLOB pattern too complex"),
    ],
)
def test_what_one_call_of_a_function_may_cost_is_limited(place: Place, sql: str, said: str) -> None:
    """Nobody looks at the budget while a function runs: the first of these took four seconds."""
    with pytest.raises(EngineRefused, match=said):
        ask(place.file, sql)
