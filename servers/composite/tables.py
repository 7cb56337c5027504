"""Tables, as lists of rows that JSON can carry. The work is done by pandas, which is loaded when first needed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # half a second that a server which only parses would pay for nothing
    import pandas as pd

MAX_ROWS = 20_000
MAX_COLUMNS = 200

Rows = list[dict[str, Any]]
Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "contains", "in", "missing", "present"]
Function = Literal["sum", "mean", "median", "min", "max", "count", "distinct"]

_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


class RowsError(Exception):
    """The work cannot be done on these rows; the message says why and what to do."""


def from_csv(text: str, *, header: bool, delimiter: str, numbers: bool) -> Rows:
    """Rows of a CSV text. Empty fields become None; columns in which every value looks like a number become numbers."""
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if line]
    except csv.Error as error:
        raise RowsError(f"this is no CSV: {error}. Fields that hold quotes must double them") from error
    if not lines:
        return []
    names = [name.strip() for name in lines[0]] if header else [f"column{n}" for n in range(1, len(lines[0]) + 1)]
    if "" in names or len(set(names)) < len(names):
        raise RowsError(f"the first line names columns twice or not at all: {', '.join(names)}. Pass header=false?")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(names):
            raise RowsError(f"row {number} has {len(line)} fields, the first has {len(names)}: is the delimiter right?")
    rows: Rows = [dict(zip(names, (v or None for v in line), strict=True)) for line in lines[1 if header else 0 :]]
    _check(rows)
    for name in names if numbers else []:
        values = [row[name] for row in rows if row[name] is not None]
        # 007 and +49 151 are no numbers, although they consist of digits.
        if values and all(_NUMBER.fullmatch(value) for value in values):
            for row in rows:
                row[name] = None if row[name] is None else json.loads(row[name].lstrip("+"))
    return rows


def filtered(rows: Rows, column: str, operator: Operator, value: Any) -> Rows:
    """The rows whose column compares so with the value. Missing values fit "missing" only."""
    series = _column(_frame(rows), column)
    if operator in ("missing", "present"):
        wanted_missing = operator == "missing"
        return [row for row, missing in zip(rows, series.isna(), strict=True) if missing == wanted_missing]
    if operator == "in":
        if not isinstance(value, list):
            raise RowsError(f"in needs a list of values, not {value!r}")
        return [row for row in rows if row.get(column) is not None and row[column] in value]
    if operator == "contains":
        return [row for row in rows if row.get(column) is not None and str(value) in str(row[column])]
    there = series.dropna()
    try:
        fits = getattr(there, {"gte": "ge", "lte": "le"}.get(operator, operator))(value)
    except (TypeError, ValueError) as error:
        kinds = " and ".join(sorted({_kind(row[column]) for row in rows if row.get(column) is not None}))
        raise RowsError(f"column {column!r} holds {kinds}, which {value!r} cannot be compared with") from error
    wanted = set(there.index[fits.astype(bool)])
    return [row for number, row in enumerate(rows) if number in wanted]


def mapped(rows: Rows, rename: dict[str, str], keep: Sequence[str]) -> Rows:
    """Columns under other names, then only those to keep, in that order."""
    frame = _frame(rows)
    for column in rename:
        _column(frame, column)
    names = [rename.get(column, column) for column in frame.columns]
    if len(set(names)) < len(names):
        raise RowsError(f"two columns would have the same name: {', '.join(names)}")
    for column in keep:
        if column not in names:
            raise RowsError(f"there is no column {column!r} to keep: there are {', '.join(names)}")
    renamed = [{rename.get(key, key): value for key, value in row.items()} for row in rows]
    return [{key: row.get(key) for key in keep} for row in renamed] if keep else renamed


def aggregated(rows: Rows, by: Sequence[str], measures: Sequence[tuple[str, Function]]) -> Rows:
    """One row for each group, in the order of the groups, with columns such as units_sum."""
    frame = _frame(rows)
    if not rows:
        return []
    for column in [*by, *(column for column, _ in measures)]:
        _column(frame, column)
    for column, function in measures:
        if function in ("sum", "mean", "median"):
            _numeric(frame, column, function)
    named = {f"{column}_{function}": (column, _PANDAS.get(function, function)) for column, function in measures}
    try:
        if by:
            return _rows(frame.groupby(list(by), dropna=False, sort=True).agg(**named).reset_index())
        return _rows(type(frame)({name: [frame[column].agg(f)] for name, (column, f) in named.items()}))
    except (TypeError, ValueError) as error:
        raise RowsError(f"these columns cannot be aggregated so: {error}") from error


def analysed(rows: Rows) -> list[dict[str, Any]]:
    """What each column holds."""
    frame = _frame(rows)
    columns: list[dict[str, Any]] = []
    for name in frame.columns:
        values = [row[name] for row in rows if row.get(name) is not None]
        kinds = sorted({_kind(value) for value in values})
        shown = list(dict.fromkeys(json.dumps(value, ensure_ascii=False, sort_keys=True) for value in values))
        columns.append(
            {
                "column": name,
                "kinds": kinds,
                "missing": len(rows) - len(values),
                "distinct": len(shown),
                "examples": [value[:80] for value in shown[:3]],
            }
        )
    return columns


def summarised(rows: Rows, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Statistics of numeric columns; of all of them if none is named."""
    frame = _frame(rows)
    import pandas as pd

    for column in columns:
        _numeric(frame, column, "a summary")
    wanted = columns or [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    result: list[dict[str, Any]] = []
    for name in wanted:
        values = frame[name].astype(float)
        result.append(
            {
                "column": name,
                "count": int(values.count()),
                "mean": _number(values.mean()),
                "std": _number(values.std()),
                "min": _number(values.min()),
                "q1": _number(values.quantile(0.25)),
                "median": _number(values.median()),
                "q3": _number(values.quantile(0.75)),
                "max": _number(values.max()),
            }
        )
    return result


_PANDAS = {"distinct": "nunique"}


def _check(rows: Rows) -> None:
    if len(rows) > MAX_ROWS:
        raise RowsError(f"there are {len(rows)} rows, more than {MAX_ROWS}: take fewer from where they come from")
    if rows and len(rows[0]) > MAX_COLUMNS:
        raise RowsError(f"there are {len(rows[0])} columns, more than {MAX_COLUMNS}: keep those that matter")


def _frame(rows: Rows) -> pd.DataFrame:
    import pandas as pd

    _check(rows)
    return pd.DataFrame(rows)


def _column(frame: pd.DataFrame, column: str) -> pd.Series[Any]:
    if column not in frame.columns:
        there = ", ".join(map(str, frame.columns)) or "none, as there are no rows"
        raise RowsError(f"there is no column {column!r}: there are {there}")
    return frame[column]


def _numeric(frame: pd.DataFrame, column: str, purpose: str) -> None:
    import pandas as pd

    series = _column(frame, column)
    if not pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series):
        raise RowsError(f"column {column!r} does not hold numbers only, which {purpose} needs: filter or map it first")


def _rows(frame: pd.DataFrame) -> Rows:
    # By way of JSON: pandas has its own kinds of numbers, and NaN for what is missing.
    return json.loads(frame.to_json(orient="records", double_precision=15, date_format="iso"))


def _number(value: Any) -> float | None:
    return None if value != value else float(value)


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {
        bool: "boolean",
        int: "number",
        float: "number",
        str: "text",
        list: "list",
        dict: "object",
    }
    return kinds.get(type(value), "other")
