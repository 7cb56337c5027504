"""Workflows as data: steps that call tools, with what they need of each other, and what takes them back.

    workflow = Workflow.read("onboarding.toml")
    trace = await workflow.run(conn, {"name": "Ada"})     # conn: a Connection, or whatever has `call(tool, arguments)`
    trace.outcome, trace.table(), trace.mermaid()

    name = "onboarding"
    inputs = { name = "First and last name." }

    [[steps]]
    id = "hire"
    tool = "hr.create_employee"
    arguments = { name = { "$ref" = "inputs.name" } }
    compensate = { tool = "hr.withdraw_employee", arguments = { id = { "$ref" = "steps.hire.result.id" } } }

    [[steps]]
    id = "laptop"
    tool = "it.assign_device"
    arguments = { employee = { "$ref" = "steps.hire.result.id" } }
    when = { "$ref" = "inputs.laptop" }
    timeout = 10

A step waits for those that its references name and those in `needs`; steps that wait for nothing of each other run at
the same time. One that was skipped holds nobody up but those that need its result, which are skipped, too.

When a step fails, no other begins, those on their way come to their end, and then the `compensate` of each
step that was done is called, the last one first. A call is made again only if the tool says that this does no harm.

All mistakes are named before the first call. References and conditions: `workflow_values`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from labkit.errors import WorkflowError
from labkit.gateway.exchange import Json
from labkit.gateway.workflow_trace import StepTrace, Trace
from labkit.gateway.workflow_values import references
from labkit.patterns.clock import SYSTEM, Clock

TIMEOUT = 30.0
"""Seconds that a call may take whose step says nothing else."""
PAGES = 100


class Caller(Protocol):
    """What a workflow runs over."""

    def call(self, tool: str, arguments: dict[str, Any], /) -> Awaitable[Any]:
        """Call a tool. The result is one of the lab's or the SDK's, or a dict as on the wire."""
        ...


@dataclass(frozen=True)
class Action:
    """A call, as it is written: arguments may have references in them."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    timeout: float = TIMEOUT
    retry: int = 0
    """How often it is made again when no answer came; only for tools that may be called twice."""


@dataclass(frozen=True)
class Step(Action):
    """One step. `needs` has the ids of all steps that it waits for, those that its references name among them."""

    id: str = ""
    needs: tuple[str, ...] = ()
    when: Any = True
    """The condition under which it is run, and skipped otherwise."""
    compensate: Action | None = None

    def __post_init__(self) -> None:
        named = [each.step for each in references([self.arguments, self.when]) if each.step]
        object.__setattr__(self, "needs", tuple(dict.fromkeys([*self.needs, *named])))


@dataclass(frozen=True)
class Input:
    """Something that a run is given."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    needed: bool = True


@dataclass(frozen=True)
class Workflow:
    """See the module. Equal ones do the same."""

    name: str
    steps: tuple[Step, ...]
    summary: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict[str, Input])
    output: Any = None
    timeout: float | None = None
    """Seconds for the whole run; after that no step begins, and what was done is taken back."""
    parallel: int = 8
    """Calls at the same time."""

    @classmethod
    def read(cls, path: str | Path) -> Workflow:
        """The workflow in a TOML file. Raises WorkflowError with all that is wrong with it."""
        path = Path(path)
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WorkflowError(f"{path} cannot be read: {error}", [str(error)]) from error
        return cls.of({"name": path.stem, **table})

    @classmethod
    def of(cls, table: Mapping[str, Any], tools: Sequence[Mapping[str, Any]] | None = None) -> Workflow:
        """A workflow from a table, checked against `tools`, as they are listed, if given. Raises WorkflowError."""
        from labkit.gateway.workflow_checks import against, structure
        from labkit.gateway.workflow_reading import read

        workflow, mistakes = read(table)
        mistakes += structure(workflow)
        if tools is not None:
            mistakes += against(workflow, tools)
        _refuse(workflow.name, mistakes)
        return workflow

    def check(self, tools: Sequence[Mapping[str, Any]], inputs: Mapping[str, Any] | None = None) -> list[str]:
        """All mistakes, given the tools as they are listed, and the inputs of a run if there are any yet."""
        from labkit.gateway.workflow_checks import against, inputs_faults, structure

        mistakes = structure(self) + against(self, tools)
        return mistakes if inputs is None else mistakes + inputs_faults(self, inputs)

    async def run(
        self,
        over: Caller,
        inputs: Mapping[str, Any] | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        on_change: Callable[[StepTrace], object] | None = None,
        clock: Clock = SYSTEM,
    ) -> Trace:
        """Run it, and return what became of it: a run that fails is a trace that says so.

        `tools` are the tools of `over` as they are listed; a Connection is asked for them. `on_change` hears of each
        step that begins or ends. When the caller is cancelled, what was done is taken back first.
        Raises WorkflowError, before anything is called, when the workflow or the inputs are not in order.
        """
        from labkit.gateway.workflow_running import Run

        known = list(await listed(over) if tools is None else tools)
        _refuse(self.name, self.check(known, inputs or {}))
        return await Run(self, over, dict(inputs or {}), known, on_change, clock).go()


async def listed(over: Any) -> list[Json]:
    """The tools of a connection, as on the wire. Raises WorkflowError when it cannot be asked."""
    if not hasattr(over, "send"):
        raise WorkflowError(
            f"{type(over).__name__} cannot be asked for its tools: give them, as in run(..., tools=[...])."
        )
    found: list[Json] = []
    params: Json = {}
    for _ in range(PAGES):
        result = cast(Json, await over.send("tools/list", params))
        found += result["tools"]
        if not (cursor := result.get("nextCursor")):
            break
        params = {"cursor": cursor}
    return found


def _refuse(name: str, mistakes: Sequence[str]) -> None:
    if mistakes:
        head = (
            f"The workflow {name!r} has {len(mistakes)} mistakes:" if len(mistakes) > 1 else f"The workflow {name!r}:"
        )
        raise WorkflowError("\n  ".join([head, *mistakes]), mistakes)
