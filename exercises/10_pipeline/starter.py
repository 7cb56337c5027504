from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

RAN = []
NOTES = {}

server = MCPServer("assembly", log_level="ERROR")


def split(text, by=","):
    RAN.append("split")
    return text.split(by)


def pick(items, index):
    RAN.append("pick")
    if index >= len(items):
        raise ToolError(f"there is no item {index}: there are {len(items)}")
    return items[index]


def bundle(parts):
    RAN.append("bundle")
    return parts


def note(key, value):
    RAN.append("note")
    NOTES[key] = value
    return value


TOOLS = {"split": split, "pick": pick, "bundle": bundle, "note": note}


class Step(BaseModel):
    tool: str
    args: dict[str, Any] = {}
    save: str = ""


@server.tool()
def run_pipeline(steps: list[Step]) -> dict[str, Any]:
    """Run tools one after the other, each with what earlier ones have answered."""
    saved = {}
    answer = None
    for step in steps:
        args = {name: saved[value[1:]] if str(value).startswith("$") else value for name, value in step.args.items()}
        answer = TOOLS[step.tool](**args)
        saved[step.save] = answer
    return {"ran": len(steps), "result": answer}


@server.tool()
def notes() -> dict[str, Any]:
    """All notes."""
    return NOTES


@server.tool()
def ran() -> list[str]:
    """The tools that have run, in order."""
    return RAN


if __name__ == "__main__":
    server.run()
