"""fails: values, data, whole
why: References are replaced in the text of the arguments, as in a shell: lists become texts, and every $ counts.
"""

import inspect
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


def references(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [name for inner in value for name in references(inner)]
    if isinstance(value, str) and value.startswith("$") and not value.startswith("$$"):
        return [value[1:]]
    return []


def filled(value, saved):
    if isinstance(value, dict):
        return {key: filled(inner, saved) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, saved) for inner in value]
    if isinstance(value, str):
        for name, answer in saved.items():
            value = value.replace(f"${name}", str(answer))
    return value


def problems(steps):
    saved = set()
    for number, step in enumerate(steps, start=1):
        if step.tool in TOOLS:
            known = inspect.signature(TOOLS[step.tool]).parameters
            needed = {name for name, parameter in known.items() if parameter.default is parameter.empty}
            for name in step.args.keys() - known.keys():
                yield f"step {number}: there is no argument {name!r}"
            for name in needed - step.args.keys():
                yield f"step {number}: the argument {name!r} is missing"
        else:
            yield f"step {number}: there is no tool {step.tool!r}"
        for name in references(step.args):
            if name not in saved:
                yield f"step {number}: no earlier step is saved as {name!r}"
        if step.save:
            if step.save in saved:
                yield f"step {number}: an earlier step is saved as {step.save!r}"
            saved.add(step.save)


@server.tool()
def run_pipeline(steps: list[Step]) -> dict[str, Any]:
    """Run tools one after the other, each with what earlier ones have answered."""
    if not steps:
        raise ToolError("there are no steps")
    if wrong := list(problems(steps)):
        raise ToolError("; ".join(wrong))
    before = dict(NOTES)
    saved = {}
    for number, step in enumerate(steps, start=1):
        try:
            answer = TOOLS[step.tool](**filled(step.args, saved))
        except Exception as error:
            NOTES.clear()
            NOTES.update(before)
            raise ToolError(f"step {number} has stopped: {error}") from error
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
