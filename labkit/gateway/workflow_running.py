"""Running a workflow: what can begin begins, what fails ends it, and what was done is taken back, the last first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from labkit.errors import ArgumentsError, ConnectError, RpcError, UnknownNameError
from labkit.gateway.capability import hint, may_repeat
from labkit.gateway.workflow import Action, Caller, Step, Workflow
from labkit.gateway.workflow_trace import StepTrace, Trace
from labkit.gateway.workflow_values import Missing, data_of, filled, holds, raw_of, text_of
from labkit.patterns.clock import Clock
from labkit.patterns.failures import BLAMED, is_transient, reason_of, retry_after_of

PAUSE = 0.2
"""Seconds before a call is made again; twice as long each time."""
LONGEST_PAUSE = 30.0
CLEAR = (RpcError, ArgumentsError, UnknownNameError, ConnectError)
"""After these it is known that the tool has not done its work."""


class Failed(Exception):
    """A call did not succeed. `unknown` when it may have been done nevertheless, `again` when it may be tried again."""

    def __init__(self, why: str, *, unknown: bool = False, again: bool = False, wait: float | None = None) -> None:
        super().__init__(why)
        self.unknown, self.again, self.wait = unknown, again, wait


class Run:
    """One run."""

    def __init__(
        self,
        workflow: Workflow,
        over: Caller,
        inputs: dict[str, Any],
        tools: Sequence[Mapping[str, Any]],
        on_change: Callable[[StepTrace], object] | None,
        clock: Clock,
    ) -> None:
        self._workflow, self._over, self._clock, self._on_change = workflow, over, clock, on_change
        self._tools = {str(tool["name"]): tool for tool in tools}
        defaults = {name: each.schema["default"] for name, each in workflow.inputs.items() if "default" in each.schema}
        self._known: dict[str, Any] = {"inputs": {**defaults, **inputs}, "steps": {}}
        self._began = clock.now()
        self._traces = {step.id: StepTrace(step.id, step.tool, step.needs) for step in workflow.steps}
        self._done: list[Step] = []
        self._broken = ""
        self.trace = Trace(workflow.name, self._known["inputs"], list(self._traces.values()))

    async def go(self) -> Trace:
        """From the first step to the last, or back."""
        try:
            async with asyncio.timeout(self._workflow.timeout):
                await self._forward()
        except TimeoutError:
            self._broken = f"it was not done after {self._workflow.timeout:g} s"
        except asyncio.CancelledError:
            self._broken = "it was cancelled"
            await _to_its_end(self._finish())
            raise
        await self._finish()
        return self.trace

    # forward -------------------------------------------------------------------------------------

    async def _forward(self) -> None:
        waiting = {step.id: step for step in self._workflow.steps}
        running: dict[asyncio.Task[None], str] = {}
        settled: set[str] = set()
        try:
            while True:
                for id, step in list(waiting.items()):
                    if self._broken or len(running) >= self._workflow.parallel:
                        break
                    if settled.issuperset(step.needs):
                        del waiting[id]
                        running[asyncio.create_task(self._step(step), name=f"workflow-{id}")] = id
                if not running:
                    return
                over, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in over:
                    settled.add(running.pop(task))
                    task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _step(self, step: Step) -> None:
        trace = self._traces[step.id]
        try:
            if not holds(step.when, self._known):
                self._skip(trace, "its condition does not hold")
                return
            arguments = filled(step.arguments, self._known)
        except Missing as missing:
            if missing.skipped:
                self._skip(trace, str(missing))
            else:
                self._fail(trace, Failed(str(missing)))
            return
        trace.outcome, trace.start = "running", self._now()
        self._tell(trace)
        try:
            result = await self._called(step, arguments, trace)
        except Failed as failed:
            self._fail(trace, failed)
            return
        except asyncio.CancelledError:
            self._fail(trace, Failed("it was given up before it answered", unknown=True))
            raise
        trace.result, trace.outcome, trace.end = result, "done", self._now()
        self._known["steps"][step.id] = {"result": result, "outcome": "done"}
        self._done.append(step)
        self._tell(trace)

    def _skip(self, trace: StepTrace, why: str) -> None:
        trace.outcome, trace.error = "skipped", why
        self._known["steps"][trace.id] = {"outcome": "skipped"}
        self._tell(trace)

    def _fail(self, trace: StepTrace, failed: Failed) -> None:
        # One that only looks has not done anything, whatever became of it.
        looks = hint(self._tools[trace.tool], "readOnlyHint")
        trace.outcome = "unknown" if failed.unknown and not looks else "failed"
        trace.error = str(failed)
        trace.end = None if trace.start is None else self._now()
        self._broken = self._broken or f"{trace.id}: {failed}"
        self._tell(trace)

    async def _called(self, action: Action, arguments: dict[str, Any], trace: StepTrace | None = None) -> Any:
        tool = self._tools[action.tool]
        attempt = 0
        while True:
            attempt += 1
            if trace is not None:
                trace.attempts = attempt
            try:
                return await self._once(action, arguments, tool)
            except Failed as failed:
                if not failed.again or attempt > action.retry or not may_repeat(tool):
                    raise
                pause = max(PAUSE * 2 ** (attempt - 1), failed.wait or 0.0)
            await self._clock.sleep(min(pause, LONGEST_PAUSE))

    async def _once(self, action: Action, arguments: dict[str, Any], tool: Mapping[str, Any]) -> Any:
        limit = asyncio.timeout(action.timeout)
        try:
            async with limit:
                result = await self._over.call(action.tool, arguments)
        except TimeoutError as error:
            why = f"no answer within {action.timeout:g} s" if limit.expired() else f"TimeoutError: {error}"
            raise Failed(why, unknown=True, again=True) from error
        except CLEAR as error:
            raise Failed(str(error), again=isinstance(error, ConnectError)) from error
        except Exception as error:
            raise Failed(str(error) or type(error).__name__, unknown=True, again=True) from error
        raw = raw_of(result)
        if raw.get("isError"):
            lost = reason_of(raw) in BLAMED
            why = text_of(raw) or f"{action.tool} says that it has failed"
            raise Failed(why, unknown=lost, again=is_transient(raw), wait=retry_after_of(raw))
        return data_of(result, tool)

    # and back ------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        trace = self.trace
        for each in trace.steps:
            if each.outcome == "waiting":
                each.outcome = "not run"
        if not self._broken:
            trace.output = self._output()
        if self._broken:
            for step in reversed(self._done):
                if step.compensate is not None:
                    await self._undo(step, step.compensate)
            stuck = any(each.outcome == "unknown" or each.undo == "not undone" for each in trace.steps)
            trace.outcome, trace.error = ("stuck" if stuck else "failed"), self._broken
        else:
            trace.outcome = "done"
        trace.seconds = self._now()

    def _output(self) -> Any:
        if self._workflow.output is None:
            return {step.id: self._traces[step.id].result for step in self._done}
        try:
            return filled(self._workflow.output, self._known)
        except Missing as missing:
            self._broken = f"output: {missing}"
            return None

    async def _undo(self, step: Step, action: Action) -> None:
        trace = self._traces[step.id]
        trace.undo_tool = action.tool
        try:
            await self._called(action, filled(action.arguments, self._known))
        except (Failed, Missing) as error:  # and go on: the others can still be taken back
            trace.undo, trace.undo_error = "not undone", str(error)
        else:
            trace.undo = "undone"
            self.trace.undone.append(step.id)
        self._tell(trace)

    def _now(self) -> float:
        return self._clock.now() - self._began

    def _tell(self, trace: StepTrace) -> None:
        if self._on_change is not None:
            with suppress(Exception):  # who looks on does not decide
                self._on_change(trace)


async def _to_its_end(work: Any) -> None:
    """Wait for it, whoever cancels in the meantime."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
