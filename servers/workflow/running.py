"""Running a process over several servers, so that all of it happens or what has happened is taken back.

No transaction reaches over servers. In its place each step has a second call that takes it back (a saga): when a step
fails, those of the steps before it are made, last first. What happens is written down before and after each call, so
that a process that was cut off can be told from one that has ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

import anyio
import anyio.lowlevel
from pydantic import BaseModel, Field

from servers.databases import Database, DatabaseError, Row
from servers.layers import Layer, LayerError, LayerLost
from servers.workflow.processes import Process, ProcessError, Step, check_inputs, filled

SCHEMA = [
    "CREATE TABLE IF NOT EXISTS workflow_numbers (last INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS workflow_runs (
        number INTEGER PRIMARY KEY, process TEXT NOT NULL, status TEXT NOT NULL, record TEXT NOT NULL)""",
    "INSERT INTO workflow_numbers SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM workflow_numbers)",
]

Status = Literal["running", "done", "failed", "stuck"]
Answer = Mapping[str, Any]
Report = Callable[[float, float, str], Awaitable[None]]


class RunFailed(Exception):
    """A process did not come to its end; the message says where, why, and what was taken back."""


class StepTrace(BaseModel):
    """What became of a step."""

    call: str = Field(description="Server and tool.")
    outcome: Literal["waiting", "called", "done", "refused", "unknown", "undone", "not undone"] = Field(
        default="waiting",
        description="called: no answer yet; unknown: there was none, it may have happened; not undone: see `said`.",
    )
    answer: dict[str, Any] = {}
    said: str = Field(default="", description="Why it did not work, or could not be undone.")
    milliseconds: float = 0


class Run(BaseModel):
    """One run of a process."""

    run_id: str
    process: str
    status: Status = Field(description="failed: all that was done is undone; stuck: not all, somebody has to look.")
    inputs: dict[str, Any]
    steps: list[StepTrace]


class Runner:
    """Runs processes, and keeps what became of them."""

    def __init__(self, database: Database, processes: Mapping[str, Process]) -> None:
        self._database, self.processes = database, processes

    async def run(self, name: str, inputs: dict[str, Any], below: Mapping[str, Layer], report: Report) -> Run:
        """Run a process to its end. Raises ProcessError when it cannot begin, RunFailed when it was taken back."""
        process = self._find(name)
        check_inputs(name, process, inputs)
        run = await self._begin(name, process, inputs)
        answers: dict[str, Answer] = {"input": inputs}
        number, undone = 0, list[str]()
        try:
            for number, (step, trace) in enumerate(zip(process.steps, run.steps, strict=True), start=1):
                await report(number - 1, len(process.steps), f"step {number} of {len(process.steps)}: {step.call}")
                await anyio.lowlevel.checkpoint()
                with anyio.CancelScope(shield=True):  # a caller who leaves is heard between steps: none is cut in half
                    answers[step.save_as] = await self._call(run, step, trace, answers, below)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                undone = await self._take_back(run, process, answers, below)
            if isinstance(error, LayerError | ProcessError | DatabaseError):
                raise RunFailed(_farewell(run, number, str(error), undone)) from error
            raise
        run.status = "done"
        with anyio.CancelScope(shield=True):
            await self._note(run)
        await report(len(process.steps), len(process.steps), "done")
        return run

    async def get(self, run_id: str) -> Run:
        """An earlier run. Raises ProcessError when there is none."""
        digits = run_id.removeprefix("R")
        known = run_id.startswith("R") and digits.isascii() and digits.isdecimal() and len(digits) <= 9
        async with self._database.transaction() as execute:
            rows = await execute("SELECT * FROM workflow_runs WHERE number = $1", int(digits)) if known else []
        if not rows:
            raise ProcessError(f"there is no run {run_id!r}: list_runs shows what there is")
        return _run_of(rows[0])

    async def latest(self, limit: int) -> tuple[int, list[Run]]:
        """How many runs there are, and the latest ones first."""
        async with self._database.transaction() as execute:
            total = (await execute("SELECT count(*) AS runs FROM workflow_runs"))[0]["runs"]
            rows = await execute("SELECT * FROM workflow_runs ORDER BY number DESC LIMIT $1", limit)
        return total, [_run_of(row) for row in rows]

    def _find(self, name: str) -> Process:
        if name not in self.processes:
            raise ProcessError(f"there is no process {name!r}: there are {', '.join(self.processes)}")
        return self.processes[name]

    async def _begin(self, name: str, process: Process, inputs: dict[str, Any]) -> Run:
        steps = [StepTrace(call=step.call) for step in process.steps]
        async with self._database.transaction(write=True) as execute:
            number = (await execute("UPDATE workflow_numbers SET last = last + 1 RETURNING last"))[0]["last"]
            run = Run(run_id=f"R{number:03d}", process=name, status="running", inputs=inputs, steps=steps)
            await execute("INSERT INTO workflow_runs VALUES ($1, $2, $3, $4)", number, name, run.status, _text(run))
        return run

    async def _call(
        self,
        run: Run,
        step: Step,
        trace: StepTrace,
        answers: Mapping[str, Answer],
        below: Mapping[str, Layer],
    ) -> dict[str, Any]:
        arguments = filled(step.arguments, answers)
        trace.outcome = "called"  # before the call, and not made when it cannot be written down
        try:
            await self._save(run)
        except DatabaseError:
            trace.outcome = "waiting"
            raise
        began = time.perf_counter()
        try:
            trace.answer = await _at(below, step.call, arguments)
        except LayerError as error:
            trace.outcome, trace.said = ("unknown" if isinstance(error, LayerLost) else "refused"), str(error)
            raise
        finally:
            trace.milliseconds = round((time.perf_counter() - began) * 1000, 1)
        trace.outcome = "done"
        await self._note(run)
        return trace.answer

    async def _take_back(
        self, run: Run, process: Process, answers: Mapping[str, Answer], below: Mapping[str, Layer]
    ) -> list[str]:
        """Undo what was done, the last step first. Returns the calls that were undone, in that order."""
        undone: list[str] = []
        for step, trace in reversed(list(zip(process.steps, run.steps, strict=True))):
            if trace.outcome != "done" or not step.undo:  # one that only looks has nothing to take back
                continue
            try:
                await _at(below, step.undo, filled(step.undo_with, {**answers, step.save_as: trace.answer}))
                trace.outcome = "undone"
                undone.append(step.call)
            except (LayerError, ProcessError) as error:
                trace.outcome, trace.said = "not undone", str(error)  # and go on: the others can still be taken back
        run.status = "stuck" if any(trace.outcome in ("unknown", "not undone") for trace in run.steps) else "failed"
        await self._note(run)
        return undone

    async def _note(self, run: Run) -> None:
        """As `_save`, for what has happened already: that it cannot be written down does not change it."""
        with suppress(DatabaseError):
            await self._save(run)

    async def _save(self, run: Run) -> None:
        async with self._database.transaction(write=True) as execute:
            await execute(
                "UPDATE workflow_runs SET status = $1, record = $2 WHERE number = $3",
                run.status, _text(run), int(run.run_id[1:]),
            )  # fmt: skip


async def _at(below: Mapping[str, Layer], call: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    server, tool = call.split(".")
    return await below[server].call(tool, arguments)


def _text(run: Run) -> str:
    return json.dumps(run.model_dump(mode="json"), ensure_ascii=False)


def _run_of(row: Row) -> Run:
    return Run.model_validate_json(row["record"])


def _farewell(run: Run, number: int, why: str, undone: list[str]) -> str:
    left = [f"{trace.call} ({trace.said})" for trace in run.steps if trace.outcome == "not undone"]
    unknown = [trace.call for trace in run.steps if trace.outcome == "unknown"]
    step = f"step {number} of {len(run.steps)}, {run.steps[number - 1].call}"
    parts = [f"{run.process} ({run.run_id}) has failed at {step}: {why}"]
    parts.append(f"Taken back: {', '.join(undone)}" if undone else "There was nothing to take back")
    if left:
        parts.append(f"Left behind: {', '.join(left)}")
    if unknown:
        parts.append(f"Whether {', '.join(unknown)} has happened is not known: look there before you try again")
    return ". ".join(parts)
