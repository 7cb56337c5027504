"""Composite: small tools for data, pipelines made of them, and a research tool that is made of tools.

Run it by itself (it speaks MCP on stdin and stdout): python servers/composite/server.py

COMPOSITE_ORIGINS  addresses on this machine that fetch_json may also use, separated by commas: http://127.0.0.1:8001

Worth noticing:
- a pipeline saves the model from copying data: the rows stay here, only the last answer travels;
- it is checked as a whole before its first step runs, with everything that is wrong in one message (pipeline.py);
- its steps go through the server's own call_tool, so arguments are validated as if they had come from outside;
- fetch_json goes to places that were allowed before, not to addresses that a model writes (fetching.py);
- pandas does the work on rows, in threads, and is loaded when it is first needed (tables.py).
"""

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.composite import library, pipeline, tables
from servers.composite.fetching import Fetcher, FetchError
from servers.composite.models import (
    ArticleText,
    Checked,
    Columns,
    Excerpt,
    Fetched,
    Found,
    Measure,
    Outcome,
    Research,
    StepReport,
    Table,
)
from servers.composite.pipeline import Ingredient, PipelineError, Step
from servers.composite.tables import Operator, Rows, RowsError
from servers.upstreams.process import UpstreamError, WeatherUpstream


class Upstream:
    """The lab's weather service, started when somebody wants to fetch from it."""

    def __init__(self) -> None:
        self._service: WeatherUpstream | None = None

    def url(self) -> str:
        if self._service is None:
            self._service = WeatherUpstream()
        try:
            return self._service.url()
        except UpstreamError as error:
            raise FetchError(str(error)) from error

    def stop(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            service.stop()


upstream = Upstream()
origins = [origin.strip() for origin in os.environ.get("COMPOSITE_ORIGINS", "").split(",") if origin.strip()]
fetcher = Fetcher(upstream.url, origins)


@asynccontextmanager
async def lifespan(server: MCPServer[None]) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(upstream.stop)


server = MCPServer(
    "composite",
    title="Composite tools",
    version="1.0.0",
    instructions="Fetch, parse, filter, aggregate. For more than one step use run_pipeline: the data stays here.",
    log_level="WARNING",
    lifespan=lifespan,
)


PURE = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
OUTSIDE = types.ToolAnnotations(read_only_hint=True, open_world_hint=True)
RowsIn = Annotated[
    Rows, Field(description="Rows, as parse_csv and the other tools answer them.", max_length=tables.MAX_ROWS)
]
Steps = Annotated[list[Step], Field(description='Calls in order; "$name.rows" in args stands for an earlier answer.')]


@contextmanager
def refusals() -> Generator[None]:
    """Turn a refusal into an error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except (RowsError, FetchError, PipelineError) as error:
        raise ToolError(str(error)) from error


@server.tool(title="Fetch JSON", annotations=OUTSIDE)
async def fetch_json(
    url: Annotated[str, Field(description="upstream:/alerts/active?area=CA, or an address that was allowed.")],
) -> Fetched:
    """Fetch JSON from the lab's weather service, or from an address on this machine that the operator has allowed."""
    with refusals():
        return Fetched(url=url, data=await fetcher.get(url))


@server.tool(title="Parse CSV", annotations=PURE)
def parse_csv(
    text: Annotated[str, Field(description="The CSV.", max_length=2_000_000)],
    header: Annotated[bool, Field(description="Whether the first line names the columns.")] = True,
    delimiter: Annotated[str, Field(description="Between fields.", min_length=1, max_length=1)] = ",",
    numbers: Annotated[bool, Field(description="Whether columns of numbers become numbers.")] = True,
) -> Table:
    """Turn CSV into rows. Empty fields become null; 007 stays text."""
    with refusals():
        return table(tables.from_csv(text, header=header, delimiter=delimiter, numbers=numbers))


@server.tool(title="Filter rows", annotations=PURE)
def filter_rows(
    rows: RowsIn,
    column: Annotated[str, Field(description="Column to look at.")],
    operator: Annotated[Operator, Field(description="How to compare.")],
    value: Annotated[Any, Field(description="To compare with; a list for in; none for missing and present.")] = None,
) -> Table:
    """Keep the rows whose column compares so with the value."""
    with refusals():
        return table(tables.filtered(rows, column, operator, value))


@server.tool(title="Map rows", annotations=PURE)
def map_rows(
    rows: RowsIn,
    rename: Annotated[dict[str, str], Field(description="Old name of a column -> new name.")] = {},  # noqa: B006 - only read
    keep: Annotated[list[str], Field(description="Columns to keep, in this order; all if empty.")] = [],  # noqa: B006
) -> Table:
    """Rename, choose and order columns."""
    with refusals():
        return table(tables.mapped(rows, rename, keep))


@server.tool(title="Aggregate rows", annotations=PURE)
def aggregate(
    rows: RowsIn,
    by: Annotated[list[str], Field(description="Columns that make the groups; none for one group of all.")],
    measures: Annotated[list[Measure], Field(description="What to compute.", min_length=1, max_length=20)],
) -> Table:
    """Group rows and compute sums, means and the like. Columns are named like units_sum."""
    with refusals():
        return table(tables.aggregated(rows, by, [(measure.column, measure.function) for measure in measures]))


@server.tool(title="Analyse rows", annotations=PURE)
def analyse(rows: RowsIn) -> Columns:
    """Tell what each column holds: kinds, missing values, distinct values, examples."""
    with refusals():
        return Columns(columns=tables.analysed(rows), count=len(rows))


@server.tool(title="Summarise rows", annotations=PURE)
def summarise(
    rows: RowsIn,
    columns: Annotated[list[str], Field(description="Numeric columns; all of them if empty.")] = [],  # noqa: B006
) -> Columns:
    """Statistics of numeric columns: count, mean, std, min, quartiles, max."""
    with refusals():
        return Columns(columns=tables.summarised(rows, columns), count=len(rows))


@server.tool(title="Search articles", annotations=PURE)
def search_articles(
    query: Annotated[str, Field(description="Words to look for.", min_length=1, max_length=200)],
    limit: Annotated[int, Field(description="Most articles to return.", ge=1, le=20)] = 5,
) -> Found:
    """Find articles in the small library of this server."""
    found = library.search(query, limit)
    return Found(names=[name for name, _ in found], scores=[score for _, score in found])


@server.tool(title="Read article", annotations=PURE)
def read_article(name: Annotated[str, Field(description="As search_articles tells it.")]) -> ArticleText:
    """Read one article of the library."""
    if name not in library.ARTICLES:
        raise ToolError(f"there is no article {name!r}: there are {', '.join(library.ARTICLES)}")
    article = library.ARTICLES[name]
    return ArticleText(name=name, title=article.title, text=article.text)


@server.tool(title="Summarise text", annotations=PURE)
def summarise_text(
    text: Annotated[str, Field(description="The text.", max_length=100_000)],
    sentences: Annotated[int, Field(description="How many to keep.", ge=1, le=20)] = 3,
    about: Annotated[str, Field(description="Words that make a sentence matter more.", max_length=200)] = "",
) -> Excerpt:
    """Choose the sentences that hold most of what a text is about."""
    return Excerpt(sentences=library.summary(text, sentences, about))


# What pipelines may use: everything above, and no pipelines, so that none can call itself.
INGREDIENTS = {
    function.__name__: Ingredient(function, frozenset(function.__annotations__["return"].model_fields))
    for function in (
        fetch_json, parse_csv, filter_rows, map_rows, aggregate, analyse, summarise,
        search_articles, read_article, summarise_text,
    )
}  # fmt: skip


@server.tool(title="Check a pipeline", annotations=PURE)
def check_pipeline(steps: Steps) -> Checked:
    """Check a pipeline without running it. A refusal names all that is wrong."""
    with refusals():
        return Checked(steps=len(steps), saved_as=pipeline.check(steps, INGREDIENTS))


@server.tool(title="Run a pipeline", annotations=OUTSIDE)
async def run_pipeline(steps: Steps, ctx: Context) -> Outcome:
    """Run tools one after the other, each with what earlier ones have answered. Checked as a whole before it starts."""
    saved: dict[str, Any] = {}
    reports: list[StepReport] = []
    with refusals():
        names = pipeline.check(steps, INGREDIENTS)
        for number, (step, name) in enumerate(zip(steps, names, strict=True), start=1):
            await ctx.report_progress(number - 1, len(steps), f"step {number} of {len(steps)}: {step.tool}")
            try:
                saved[name] = await use(ctx, step.tool, pipeline.resolved(step.args, saved))
            except (ToolError, PipelineError) as error:
                raise PipelineError(f"step {number} ({step.tool}) has stopped: {str(error)[:500]}") from error
            answered = saved[name].get("rows")
            count = len(answered) if isinstance(answered, list) else None
            reports.append(StepReport(step=number, tool=step.tool, saved_as=name, rows=count))
        await ctx.report_progress(len(steps), len(steps), "done")
    return Outcome(steps=reports, result=saved[names[-1]])


@server.tool(title="Research a topic", annotations=PURE)
async def research_topic(
    topic: Annotated[str, Field(description="What to find out about.", min_length=1, max_length=200)],
    ctx: Context,
    articles: Annotated[int, Field(description="Most articles to read.", ge=1, le=8)] = 3,
) -> Research:
    """Search the library, read what is found, condense it. Made of search_articles, read_article, summarise_text."""
    found: list[str] = (await use(ctx, "search_articles", {"query": topic, "limit": articles}))["names"]
    if not found:
        raise ToolError(f"the library has nothing on {topic!r}: it has articles on {', '.join(library.ARTICLES)}")
    read: dict[str, dict[str, Any]] = {}
    points: dict[str, list[str]] = {}

    async def study(name: str) -> None:
        read[name] = await use(ctx, "read_article", {"name": name})
        text = {"text": read[name]["text"], "sentences": 2, "about": topic}
        points[name] = (await use(ctx, "summarise_text", text))["sentences"]
        await ctx.report_progress(len(points), len(found), f"read {name!r}")

    async with anyio.create_task_group() as tasks:
        for name in found:
            tasks.start_soon(study, name)
    key_points = [point for name in found for point in points[name]]
    report = [f"# {topic}", "", *(f"- {point}" for point in key_points), "", "Sources:", ""]
    report += [f"- {read[name]['title']} ({name})" for name in found]
    return Research(topic=topic, key_points=key_points, sources=found, report="\n".join(report))


@server.prompt(title="Plan a pipeline")
def plan_pipeline(
    source: Annotated[str, Field(description="Where the data comes from.")],
    goal: Annotated[str, Field(description="What to find out.")],
) -> str:
    """Plan a pipeline for a goal."""
    known = "\n".join(f"- {name}: answers {', '.join(sorted(i.answers))}" for name, i in INGREDIENTS.items())
    return (
        f"Data: {source}\nGoal: {goal}\n\nWrite a pipeline of these tools:\n{known}\n\n"
        'A step is {"tool": ..., "args": {...}, "save_as": "name"}; in args, "$name.rows" is an earlier answer. '
        "Let check_pipeline look at it, repair what it finds, then call run_pipeline and explain the result."
    )


async def use(ctx: Context, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool of this server, validated as a call from outside. Its answer as JSON would carry it."""
    try:
        result = await server.call_tool(tool, arguments, ctx)
    except ToolError as error:
        raise ToolError(str(error).removeprefix(f"Error executing tool {tool}: ")) from error
    assert isinstance(result, types.CallToolResult) and result.structured_content is not None
    return result.structured_content


def table(found: Rows) -> Table:
    return Table(rows=found, count=len(found))


if __name__ == "__main__":
    server.run()
