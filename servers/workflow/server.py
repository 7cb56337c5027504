"""Workflow: named processes over hr, finance and it_tickets, all of it or nothing. The upper one of two layers.

Run it by itself (it speaks MCP on stdin and stdout): python servers/workflow/server.py

WORKFLOW_HR, WORKFLOW_FINANCE, WORKFLOW_IT_TICKETS
              where a server below is, such as http://127.0.0.1:8001/mcp; without it, one in this process (../layers.py)
DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/workflow.db below the lab

processes.toml   which processes there are, as data
processes.py     reading them                         pure functions
running.py       running them, and taking them back   knows the layers below, and nothing of tools

Worth noticing:
- this server is a client as well: it knows of the servers below what any client knows, their tools;
- no transaction reaches over servers, so each step has a call that takes it back, and the order is chosen so that what
  cannot be taken back comes last;
- a step without an answer may have happened. That is said, not guessed;
- a run is written down step by step: after a crash, get_run shows how far it came.
"""

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.company.parts import READ, database_url
from servers.databases import Database, DatabaseError
from servers.layers import Layer, layers
from servers.workflow.processes import SERVERS, ProcessError, read_processes
from servers.workflow.running import SCHEMA, Run, RunFailed, Runner

database = Database(database_url("workflow"), SCHEMA)
runner = Runner(database, read_processes(Path(__file__).with_name("processes.toml")))


@asynccontextmanager
async def lifespan(server: MCPServer[dict[str, Layer]]) -> AsyncGenerator[dict[str, Layer]]:
    async with layers(*SERVERS, settings="WORKFLOW") as below:
        try:
            yield below
        finally:
            await database.close()


server = MCPServer(
    "workflow",
    title="Workflow",
    version="1.0.0",
    instructions="Processes over several servers. list_processes tells what there is and what it needs; run_process "
    "runs one, and takes back what was done when it fails. Amounts are in cents.",
    log_level="WARNING",
    lifespan=lifespan,
)


class ProcessInfo(BaseModel):
    """A process that can be run."""

    name: str
    summary: str
    inputs: dict[str, str] = Field(description="What it needs, and what that is.")
    steps: list[str] = Field(description="The calls that it makes, in order.")


class Processes(BaseModel):
    """All processes."""

    processes: list[ProcessInfo]


class Runs(BaseModel):
    """Runs, latest first."""

    total: int = Field(description="How many there are; the list may hold fewer.")
    runs: list[Run]


@contextmanager
def refusals() -> Generator[None]:
    """Turn a refusal into an error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except (ProcessError, RunFailed, DatabaseError) as error:
        raise ToolError(str(error)) from error


@server.tool(title="List processes", annotations=READ)
def list_processes() -> Processes:
    """List the processes: what they are for, what they need, and the calls they make."""
    return Processes(
        processes=[
            ProcessInfo(
                name=name,
                summary=process.summary,
                inputs=process.inputs,
                steps=[step.call for step in process.steps],
            )
            for name, process in runner.processes.items()
        ]
    )


@server.tool(title="Run a process", annotations=types.ToolAnnotations(destructive_hint=True, open_world_hint=False))
async def run_process(
    process: Annotated[str, Field(description="As list_processes tells it, such as onboarding.", max_length=100)],
    inputs: Annotated[dict[str, Any], Field(description="What the process needs, by name.")],
    ctx: Context,
) -> Run:
    """Run a process to its end. When a step fails, the steps before it are taken back, and the error says so."""
    with refusals():
        return await runner.run(process, inputs, ctx.request_context.lifespan_context, ctx.report_progress)


@server.tool(title="Get a run", annotations=READ)
async def get_run(run_id: Annotated[str, Field(description="Such as R001.", max_length=20)]) -> Run:
    """Show what became of a run, step by step."""
    with refusals():
        return await runner.get(run_id)


@server.tool(title="List runs", annotations=READ)
async def list_runs(limit: Annotated[int, Field(description="Most to return.", ge=1, le=100)] = 10) -> Runs:
    """List runs, latest first."""
    with refusals():
        total, runs = await runner.latest(limit)
    return Runs(total=total, runs=runs)


if __name__ == "__main__":
    server.run()
