"""Leave manager, shape 2 of 3: a package of layers. This file only puts the parts together.

Run it by itself (it speaks MCP on stdin and stdout): python servers/leave_manager_modular/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/leave.db below the lab
LEAVE_TODAY   what day it is, such as 2026-11-23; without it, today

models.py     what goes in and out, tables, errors      imports nothing of the others
workdays.py   which days a leave takes                  pure functions
services.py   what the leave manager does               database, no MCP
refusals.py   errors of the service -> of the protocol
tools.py      what the model may call                   MCP, one line of work each
reading.py    resources, prompt, completion

Worth noticing:
- imports point downwards only, so the service is tested without a server, and could stand behind a web page as well;
- the price: to follow one call you open five files. Worth it when the server grows, or when several people work on it;
- modules are shared by all connections in a notebook, so they keep no state: `register` gets what it works with.
"""

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from mcp.server import MCPServer

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.databases import Database
from servers.leave_manager_modular import reading, tools
from servers.leave_manager_modular.models import SCHEMA
from servers.leave_manager_modular.services import LeaveService

ROOT = Path(__file__).resolve().parents[2]

database = Database(os.environ.get("DATABASE_URL") or f"sqlite:///{(ROOT / 'work' / 'leave.db').as_posix()}", SCHEMA)


def today() -> date:
    return date.fromisoformat(os.environ.get("LEAVE_TODAY") or date.today().isoformat())


@asynccontextmanager
async def lifespan(server: MCPServer[None]) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await database.close()


server = MCPServer(
    "leave_manager",
    title="Leave manager",
    version="1.0.0",
    instructions="Leave of employees. Read leave://policy first, then look at the balance before you apply.",
    log_level="WARNING",
    lifespan=lifespan,
)
service = LeaveService(database, today)
tools.register(server, service)
reading.register(server, service)


if __name__ == "__main__":
    server.run()
