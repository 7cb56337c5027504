"""Analytics: questions about the shop, answered by `database` and `filesystem` below. The upper one of two layers.

Run it by itself (it speaks MCP on stdin and stdout): python servers/analytics/server.py

ANALYTICS_DATABASE, ANALYTICS_FILESYSTEM
              where a server below is, such as http://127.0.0.1:8001/mcp; without it, one in this process
              (../layers.py), which reads the settings of its own: DATABASE_URL, FILES_ROOTS and so on

Worth noticing:
- the layer below can answer any question, and the one above only knows some, by name. A model that is given this server
  writes no SQL, and cannot write it wrongly;
- values go down as parameters, and what stands in a statement is chosen from a list, never taken from a caller;
- only two tools of the servers below are used (`tools=`), both of which read: nothing here can change anything;
- how the data gets here is decided below: SQLite or PostgreSQL, which folders, which limits.
"""

import csv
import io
import re
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.company.parts import READ, Refusal
from servers.layers import Layer, LayerError, layers

# What is sold: orders that were cancelled or sent back do not count. Both databases understand it.
SOLD = """FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id
    JOIN customers c ON c.id = o.customer_id
    WHERE o.status IN ('paid', 'shipped') AND CAST(o.ordered_on AS TEXT) BETWEEN :first AND :last"""
CENTS = "CAST(SUM(i.quantity * i.unit_price_cents) AS BIGINT) AS cents"
GROUPS = {
    "month": "SUBSTR(CAST(o.ordered_on AS TEXT), 1, 7)",
    "category": "p.category",
    "country": "c.country",
    "city": "c.city",
}


@asynccontextmanager
async def lifespan(server: MCPServer[dict[str, Layer]]) -> AsyncGenerator[dict[str, Layer]]:
    async with layers("database", "filesystem", settings="ANALYTICS", tools={"query", "read_file"}) as below:
        yield below


server = MCPServer(
    "analytics",
    title="Analytics",
    version="1.0.0",
    instructions="Sales of a shop, and sums over CSV files. Nothing here can change the data. Amounts are in cents.",
    log_level="WARNING",
    lifespan=lifespan,
)


class RevenueLine(BaseModel):
    """What was sold in a group."""

    name: str
    orders: int
    cents: int


class Revenue(BaseModel):
    """What was sold. Months in order; other groups with the largest first."""

    first_day: str
    last_day: str
    total_cents: int = Field(description="Of all groups, also of those that are left out.")
    groups: int = Field(description="How many there are; the list may hold fewer.")
    lines: list[RevenueLine]


class Seller(BaseModel):
    """A product, and how it sells."""

    name: str
    category: str
    units: int
    cents: int


class Sellers(BaseModel):
    """Products, the one with the most units first."""

    first_day: str
    last_day: str
    products: list[Seller]


class StatusLine(BaseModel):
    """Orders of one status."""

    status: str
    orders: int
    percent: float


class Statuses(BaseModel):
    """How orders ended, the most frequent first."""

    orders: int
    lines: list[StatusLine]


class FileLine(BaseModel):
    """Rows of a file that have the same value in one column."""

    name: str
    rows: int
    total: float = Field(description="Sum of the numbers.")
    mean: float | None = Field(description="Null when there was no number.")
    skipped: int = Field(description="Rows without a number: they are in `rows`, not in the sum.")


class FileSummary(BaseModel):
    """Sums over a CSV file, the largest first."""

    path: str
    rows: int
    groups: int = Field(description="How many there are; the list may hold fewer.")
    lines: list[FileLine]


Day = Annotated[str, Field(description="YYYY-MM-DD.", json_schema_extra={"format": "date"})]
Column = Annotated[str, Field(description="Name of a column, as in the first line.", min_length=1, max_length=100)]
FIRST, LAST = "2024-01-01", "2025-12-31"


@contextmanager
def refusals() -> Generator[None]:
    """Turn a refusal into an error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except (Refusal, LayerError) as error:
        raise ToolError(str(error)) from error


@server.tool(title="Revenue", annotations=READ)
async def get_revenue(
    by: Annotated[Literal["month", "category", "country", "city"], Field(description="How to group.")],
    ctx: Context,
    first_day: Day = FIRST,
    last_day: Day = LAST,
    limit: Annotated[int, Field(description="Most groups to return.", ge=1, le=100)] = 50,
) -> Revenue:
    """Tell what was sold, in groups. Cancelled and returned orders do not count."""
    order = "name" if by == "month" else "cents DESC, name"
    sql = f"SELECT {GROUPS[by]} AS name, COUNT(DISTINCT o.id) AS orders, {CENTS} {SOLD} GROUP BY 1 ORDER BY {order}"
    with refusals():
        lines = [RevenueLine(**row) for row in await ask(ctx, sql, days(first_day, last_day))]
    return Revenue(
        first_day=first_day,
        last_day=last_day,
        total_cents=sum(line.cents for line in lines),
        groups=len(lines),
        lines=lines[:limit],
    )


@server.tool(title="Top sellers", annotations=READ)
async def get_top_sellers(
    ctx: Context,
    first_day: Day = FIRST,
    last_day: Day = LAST,
    limit: Annotated[int, Field(description="Most products to return.", ge=1, le=50)] = 10,
) -> Sellers:
    """Tell which products sell best, by units."""
    sql = (
        f"SELECT p.name AS name, p.category AS category, CAST(SUM(i.quantity) AS BIGINT) AS units, {CENTS} {SOLD} "
        "GROUP BY p.id, p.name, p.category ORDER BY units DESC, name LIMIT :most"
    )
    with refusals():
        rows = await ask(ctx, sql, {**days(first_day, last_day), "most": limit})
    return Sellers(first_day=first_day, last_day=last_day, products=[Seller(**row) for row in rows])


@server.tool(title="Order statuses", annotations=READ)
async def get_order_statuses(ctx: Context) -> Statuses:
    """Tell how orders have ended: paid, shipped, returned, cancelled."""
    with refusals():
        rows = await ask(ctx, "SELECT status, COUNT(*) AS orders FROM orders GROUP BY status ORDER BY 2 DESC, 1", {})
    total = sum(row["orders"] for row in rows)
    return Statuses(
        orders=total,
        lines=[StatusLine(**row, percent=round(100 * row["orders"] / total, 1)) for row in rows],
    )


@server.tool(title="Summarise file", annotations=READ)
async def summarise_file(
    path: Annotated[str, Field(description="Of a CSV file, as the server filesystem names it: files/sales.csv")],
    group_by: Column,
    column: Column,
    ctx: Context,
    limit: Annotated[int, Field(description="Most groups to return.", ge=1, le=100)] = 20,
) -> FileSummary:
    """Sum up a column of numbers in a CSV file, by the values of another column."""
    with refusals():
        text = (await layer(ctx, "filesystem").call("read_file", {"path": path}))["text"]
        rows, lines = summarised(path, text, group_by, column)
    return FileSummary(path=path, rows=rows, groups=len(lines), lines=lines[:limit])


def layer(ctx: Context, name: str) -> Layer:
    """A server below."""
    below: dict[str, Layer] = ctx.request_context.lifespan_context
    return below[name]


async def ask(ctx: Context, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that the database server answers, by name of the column."""
    asked = {"sql": sql, "parameters": values, "max_rows": 1_000, "max_seconds": 20}
    answer = await layer(ctx, "database").call("query", asked)
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]


def days(first: str, last: str) -> dict[str, str]:
    """The two days as parameters, once they are days."""
    for day in (first, last):
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", day):
            raise Refusal(f"{day!r} is not a date: write year-month-day, such as 2025-12-24")
    if last < first:
        raise Refusal(f"the last day {last} is before the first {first}: swap them")
    return {"first": first, "last": last}


def summarised(path: str, text: str, group_by: str, column: str) -> tuple[int, list[FileLine]]:
    """Number of rows, and a line for each value of `group_by`."""
    table = csv.DictReader(io.StringIO(text))
    names = list(table.fieldnames or ())
    if missing := [name for name in (group_by, column) if name not in names]:
        has = ", ".join(names)[:300] or "none"
        raise Refusal(f"{path} has no column {' and no column '.join(map(repr, missing))}: it has {has}")
    groups: dict[str, list[float | None]] = {}
    for row in table:
        groups.setdefault(row[group_by] or "", []).append(number(row[column] or ""))
    lines: list[FileLine] = []
    for name, values in groups.items():
        numbers = [value for value in values if value is not None]
        mean = sum(numbers) / len(numbers) if numbers else None
        lines.append(
            FileLine(name=name, rows=len(values), total=sum(numbers), mean=mean, skipped=len(values) - len(numbers))
        )
    lines.sort(key=lambda line: (-line.total, line.name))
    return sum(line.rows for line in lines), lines


def number(text: str) -> float | None:
    """A plain decimal number; None for anything else, such as nan or 1e999."""
    return float(text) if re.fullmatch(r"\s*[-+]?[0-9]{1,15}(\.[0-9]{1,15})?\s*", text) else None


if __name__ == "__main__":
    server.run()
