"""What a caller may ask a database: one SELECT over the tables that are shown, with functions that compute.

    statement = check("SELECT name FROM goods WHERE id = :id", "sqlite", ["goods"])   # StatementError for all else
    match(statement, {"id": 7})
    identifier("goods", tables)                        # '"goods"', or StatementError: names cannot be parameters
    ordering("price desc, name", ["name", "price"])    # '"price" DESC, "name"'

This is the outer of two walls. It parses, and it allows what it knows: a list of what is forbidden always misses
something (REPLACE, ATTACH, COPY ... TO PROGRAM, a DELETE inside of WITH). What is run afterwards is written anew from
the parsed tree, so nothing reaches the database that was read differently here than there. The inner wall is the
database's own: a connection that cannot write, see sql_engine.py for SQLite. Neither is left out because of the other.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.expressions.dml import DML

from labkit.errors import LabError

Dialect = Literal["sqlite", "postgres"]
TITLES: dict[Dialect, str] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
MAX_LENGTH = 10_000

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # what it warns of, we refuse

# Functions that sqlglot knows, by its names for them; what it does not know is below, by the database's names.
_KNOWN = """
    And Or Xor Case If Cast TryCast Coalesce Nullif Exists Any All Between In
    Abs Ceil Floor Round Sign Sqrt Pow Mod Ln Log Exp Greatest Least
    Count CountIf Sum Avg Min Max GroupConcat ArrayAgg Median PercentileCont PercentileDisc Corr
    Stddev StddevPop StddevSamp Variance VariancePop
    RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue LastValue NthValue
    Lower Upper Length Substring Trim Concat ConcatWs DPipe Replace StrPosition Left Right Initcap Reverse Split
    SplitPart RegexpLike RegexpILike StartsWith Ascii Unicode Chr
    Extract Date DateTrunc TimestampTrunc DateAdd DateSub DateDiff TimeToStr StrToTime StrToDate ToChar ToNumber
    TsOrDsToDate TsOrDsToTimestamp TsOrDsToTime TsOrDsAdd CurrentDate CurrentTimestamp Now Timestamp Time Datetime
    Year Month Day Quarter Week DayOfWeek DayOfYear MakeInterval Interval
    GenerateSeries ExplodingGenerateSeries JSONExtract JSONExtractScalar
"""
_FUNCTIONS = frozenset(_KNOWN.split())
_OTHER_FUNCTIONS = {
    "total",
    "julianday",
    "unixepoch",
    "date_part",
    "age",
    "to_date",
    "instr",
    "trunc",
    "bool_and",
    "bool_or",
}
# Subclasses that write or lock, wherever they stand.
_FORBIDDEN = (DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Pragma, exp.Attach, exp.Set, exp.Copy)


class StatementError(LabError):
    """A statement, or a name in one, is refused; the message says why and what is possible."""


@dataclass(frozen=True)
class Statement:
    """A statement that was found harmless: its tree, and the names of its parameters in order of appearance."""

    tree: exp.Query
    parameters: tuple[str, ...]
    dialect: Dialect

    def sql(self) -> str:
        """As it is run: `:name` for SQLite, `$1`, `$2`, ... for PostgreSQL."""
        tree = self.tree.copy()
        if self.dialect == "postgres":
            for place in list(tree.find_all(exp.Placeholder)):
                number = self.parameters.index(place.name) + 1
                place.replace(exp.Parameter(this=exp.Literal.number(number)))
        return _written(tree, self.dialect)


def check(sql: str, dialect: Dialect, tables: Collection[str], schema: str = "") -> Statement:
    """Parse a statement and make sure that it only reads these tables. Raises StatementError."""
    try:
        return _check(sql, dialect, tables, schema)
    except RecursionError:
        raise StatementError("this statement is nested too deeply: write it in simpler steps, using WITH") from None


def match(statement: Statement, values: Mapping[str, Any]) -> None:
    """Make sure that each parameter has a value, and each value a parameter. Raises StatementError."""
    if missing := [name for name in statement.parameters if name not in values]:
        raise StatementError(f"no value for the parameter{_s(missing)} {_list(missing)}: add to `parameters`")
    if extra := [name for name in values if name not in statement.parameters]:
        raise StatementError(
            f"the statement has no :{extra[0]}: use it there, or leave {extra[0]!r} out of `parameters`"
        )


def identifier(name: str, allowed: Collection[str]) -> str:
    """A name as SQL has it, if it is one of these, letter for letter. Raises StatementError.

    Names of tables and columns cannot be parameters. Quoting alone would keep them from being more than a name; the
    list keeps them from being the name of something that is not shown.
    """
    if name not in allowed:
        raise StatementError(f"there is no {name!r} here. {near(name, allowed)}")
    return quoted(name)


def ordering(text: str, columns: Collection[str]) -> str:
    """What stands after ORDER BY, of a list such as "price desc, name". Raises StatementError."""
    parts: list[str] = []
    for part in text.split(","):
        name, _, way = part.strip().partition(" ")
        if (way := way.strip().upper()) not in ("", "ASC", "DESC"):
            raise StatementError(f"{part.strip()!r} is no order: write a column, and asc or desc after it")
        parts.append(f"{identifier(name, columns)} {way}".rstrip())
    return ", ".join(parts)


def quoted(name: str) -> str:
    """A name as SQL has it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _check(sql: str, dialect: Dialect, tables: Collection[str], schema: str) -> Statement:
    if len(sql) > MAX_LENGTH:
        raise StatementError(f"a statement may have {MAX_LENGTH:,} characters, not {len(sql):,}: ask for less at once")
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    except SqlglotError as error:
        raise StatementError(f"this is not {TITLES[dialect]} that can be read: {_first_line(error)}") from None
    if not trees:
        raise StatementError("there is no statement: write one SELECT")
    if len(trees) > 1:
        raise StatementError(f"one statement at a time, not {len(trees)}: send them one by one")
    tree = trees[0]
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            raise StatementError(
                f"only SELECT is allowed here, and this holds {_kind(node)}: the database can be read, not changed"
            )
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise StatementError(f"only SELECT is allowed here (also WITH ... SELECT), not {_kind(tree)}")
    _check_tables(tree, tables, schema)
    _check_functions(tree)
    statement = Statement(tree, _parameters(tree), dialect)
    statement.sql()
    return statement


def _check_tables(tree: exp.Expr, tables: Collection[str], schema: str) -> None:
    known = {name.lower() for name in tables}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue  # a function that gives rows: judged as a function
        place = ".".join(part.name for part in table.parts[:-1])
        if place and (not schema or place.lower() != schema.lower()):
            raise StatementError(f"{place}.{table.name} is outside of what can be read: name tables alone")
        if table.name.lower() not in known and (place or not _names_a_with(table)):
            raise StatementError(f"there is no table {table.name!r}. {near(table.name, tables)}")


def _names_a_with(table: exp.Table) -> bool:
    """Whether a WITH that holds where the table stands defines its name. Elsewhere the same name is another table's:
    `WITH pg_authid AS (SELECT * FROM pg_authid) ...` reads the real one."""
    name, child, node = table.name.lower(), cast("exp.Expr", table), table.parent
    while node is not None:
        if isinstance(node, exp.With):
            place = next(number for number, cte in enumerate(node.expressions) if cte is child)
            visible = node.expressions if node.recursive else node.expressions[:place]
        else:
            held = node.args.get("with_")
            visible = cast("list[exp.CTE]", held.expressions) if held is not None and held is not child else []
        if any(cte.alias.lower() == name for cte in visible):
            return True
        child, node = node, node.parent
    return False


def _check_functions(tree: exp.Expr) -> None:
    for node in tree.walk():
        if not isinstance(node, exp.Func):
            continue
        if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
            name, allowed = str(node.name), node.name.lower() in _OTHER_FUNCTIONS
        else:
            name, allowed = node.sql_name().lower(), type(node).__name__ in _FUNCTIONS
        if not allowed:
            raise StatementError(
                f"the function {name} is not allowed here: use arithmetic, text, date, aggregate and window functions"
            )


def _parameters(tree: exp.Expr) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for node in tree.walk(bfs=False):
        if isinstance(node, exp.Parameter) or (isinstance(node, exp.Placeholder) and node.name in ("", "?")):
            raise StatementError("write parameters with names, such as :city, and give their values in `parameters`")
        if isinstance(node, exp.Placeholder):
            names[node.name] = None
    return tuple(names)


def _written(tree: exp.Expr, dialect: Dialect) -> str:
    try:
        return tree.sql(dialect=dialect, unsupported_level=ErrorLevel.RAISE, comments=False)
    except SqlglotError as error:
        raise StatementError(f"{TITLES[dialect]} cannot do this: {_first_line(error)}") from None


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return {"Into": "SELECT INTO", "Lock": "FOR UPDATE"}.get(type(node).__name__, node.key.upper())


def near(name: str, known: Collection[str]) -> str:
    """A hint to end a message with: the nearest of the known names, or all of them."""
    near = get_close_matches(name.lower(), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known))}."


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def _list(names: list[str]) -> str:
    return ", ".join(names)


def _s(names: list[str]) -> str:
    return "s" if len(names) > 1 else ""
