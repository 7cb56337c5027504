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
    GenerateSeries ExplodingGenerateSeries JSONExtract JSONExtractScalar Collate Typeof
"""
_FUNCTIONS = frozenset(_KNOWN.split())
_OTHER_FUNCTIONS = {
    "total",
    "datetime",
    "time",
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
_SESSION = {"user", "current_role", "system_user"}
"""What PostgreSQL reads as a function where it stands without quotes, and the parser as a column."""
_WIDEST = 10_000
"""Greatest length of a type: CHAR(n) and BIT(n) fill a value up to it."""
_SMALL = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
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
    _check_tables(tree, dialect, tables, schema)
    _check_functions(tree)
    _check_types(tree)
    if dialect == "postgres":
        _check_calls_without_parentheses(tree)
    statement = Statement(tree, _parameters(tree), dialect)
    statement.sql()
    return statement


def _check_tables(tree: exp.Expr, dialect: Dialect, tables: Collection[str], schema: str) -> None:
    known = {_ascii_lower(name) if dialect == "sqlite" else name for name in tables}
    for each in tree.find_all(exp.In):
        # `x IN staff` reads the table staff in SQLite; the parser takes it for a column.
        if each.args.get("field") is not None:
            raise StatementError("after IN, write values or a SELECT in parentheses")
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue  # a function that gives rows: judged as a function
        place = ".".join(_folded(part, dialect) for part in table.parts[:-1])
        if place and (not schema or place != (_ascii_lower(schema) if dialect == "sqlite" else schema)):
            raise StatementError(f"{place}.{table.name} is outside of what can be read: name tables alone")
        if _folded(table.this, dialect) not in known and (place or not _names_a_with(table, dialect)):
            raise StatementError(f"there is no table {table.name!r}. {near(table.name, tables)}")


def _folded(name: exp.Expr, dialect: Dialect) -> str:
    """A name as the database compares it. PostgreSQL keeps the letters of a quoted one: "PG_USER" is not pg_user, and
    neither folds letters beyond ASCII, as Python does with the sign for Kelvin."""
    return name.name if dialect == "postgres" and name.args.get("quoted") else _ascii_lower(name.name)


def _ascii_lower(name: str) -> str:
    return name.translate(_SMALL)


def _names_a_with(table: exp.Table, dialect: Dialect) -> bool:
    """Whether a WITH that holds where the table stands defines its name. Elsewhere the same name is another table's:
    `WITH pg_authid AS (SELECT * FROM pg_authid) ...` reads the real one."""
    name, child, node = _folded(table.this, dialect), cast("exp.Expr", table), table.parent
    while node is not None:
        if isinstance(node, exp.With):
            place = next(number for number, cte in enumerate(node.expressions) if cte is child)
            visible = node.expressions if node.recursive else node.expressions[:place]
        else:
            held = node.args.get("with_")
            visible = cast("list[exp.CTE]", held.expressions) if held is not None and held is not child else []
        if any(_folded(cte.args["alias"].this, dialect) == name for cte in visible):
            return True
        child, node = node, node.parent
    return False


def _check_types(tree: exp.Expr) -> None:
    for node in tree.find_all(exp.DataType, exp.PseudoType):
        # 10::regrole is the name of a role, 16384::regclass that of a table, shown or not.
        if isinstance(node, exp.ObjectIdentifier | exp.PseudoType) or node.sql().lower().lstrip('"').startswith("reg"):
            raise StatementError(f"the type {node.sql()} is not allowed here: use text, numbers and dates")
        for size in node.find_all(exp.Literal):
            if size.is_string or len(size.name) > 9 or int(size.name) > _WIDEST:
                raise StatementError(f"a type may have a length of {_WIDEST:,}, not {size.name[:20]}: use text")


def _check_calls_without_parentheses(tree: exp.Expr) -> None:
    """PostgreSQL calls functions without them, too: `user`, and `(60).pg_sleep` or `f.pg_sleep` of a value f."""
    values: dict[str, set[str]] = {}
    for table in tree.find_all(exp.Table, exp.Lateral):
        if isinstance(table.this, exp.Func):
            name = (table.alias or table.this.sql("postgres").partition("(")[0]).lower()
            values[name] = {name, "ordinality", *(each.name.lower() for each in table.find_all(exp.Identifier))}
    for node in tree.walk():
        if isinstance(node, exp.Dot):
            raise StatementError(f"{node.sql()[:60]} is not allowed here: write a column as table.column")
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            continue
        name = node.name.lower()
        if not node.table and name in _SESSION and not node.this.quoted:
            raise StatementError(f'the function {name} is not allowed here: a column of that name is "{name}"')
        if node.table and node.table.lower() in values and name not in values[node.table.lower()]:
            raise StatementError(f"{node.table} has no column {node.name!r}: name its columns, as in AS g(n)")


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
