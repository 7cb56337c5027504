"""Is a server alive, is it ready, has it started? Checks with time limits, over HTTP and as a tool.

    health = Health(starting=True)

    @health.check("database", timeout=0.5)
    async def database():
        await pool.fetchval("select 1")

    health.check("memory", critical=False)(memory())        # of memory_check.py
    health.install(server)           # /livez, /readyz, /startupz, and the tool health_check
    health.started()                 # when all is loaded

Questions of whoever runs the server, with different consequences:

- alive? If not, it is killed and started again. Never ask others here: their outage would restart everyone.
- ready? If not, it gets no work for now. Here the checks run. Until it has *started*, neither is asked.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.patterns.calls import Call, CallMiddleware, Proceed, Result, answer, refusal
from labkit.patterns.clock import SYSTEM, Clock

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

TOOL = "health_check"
Probe = Callable[[], Any]
"""A check: a function, async or not. It returns a remark or nothing, or raises."""

_log = logging.getLogger(__name__)


class Status(StrEnum):
    """How something is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It works, and somebody should look at it."""
    UNHEALTHY = "unhealthy"


class Degraded(LabError):
    """Raised by a check: it works, but. The text is shown to whoever asks."""


class Unhealthy(LabError):
    """Raised by a check: it does not work. The text is shown to whoever asks; that of other exceptions is not."""


@dataclass(frozen=True)
class Outcome:
    """What one check found. `latency_ms` is how long that took."""

    status: Status
    message: str
    latency_ms: float
    critical: bool


@dataclass(frozen=True)
class Report:
    """What all checks found, and what follows."""

    status: Status
    checks: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    def as_dict(self, *, messages: bool = True) -> dict[str, Any]:
        """As JSON."""
        checks: dict[str, Any] = {}
        for name, each in self.checks.items():
            checks[name] = {"status": each.status.value, "latency_ms": each.latency_ms, "critical": each.critical}
            if messages:
                checks[name]["message"] = each.message
        return {"status": self.status.value, "checks": checks}


@dataclass
class _Check:
    probe: Probe
    critical: bool
    timeout: float
    running: asyncio.Task[Any] | None = None


class Health(CallMiddleware):
    """`starting`: it is not ready before `started` is called. `timeout` is seconds for a check that names none.

    What the checks found is kept for `fresh` seconds, however many ask. As middleware it refuses calls before `started`
    and after `drain`, counts those at work, and answers its own tool: no limit further in may keep a monitor from it.
    """

    def __init__(
        self, *, starting: bool = False, timeout: float = 2.0, fresh: float = 1.0, clock: Clock = SYSTEM
    ) -> None:
        self._timeout, self._fresh, self._clock = timeout, fresh, clock
        self._checks: dict[str, _Check] = {}
        self._report: Report | None = None
        self._taken = 0.0
        self._asking: asyncio.Task[Report] | None = None
        self._started, self._draining = not starting, False
        self._has_tool = False
        self._at_work = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def check(self, name: str, *, critical: bool = True, timeout: float | None = None) -> Callable[[Probe], Probe]:
        """Register a check. One that is not critical makes the server degraded, never unhealthy, when it fails."""
        if name in self._checks:
            raise LabError(f"There is a check {name!r} already: give this one another name.")

        def register(probe: Probe) -> Probe:
            self._checks[name] = _Check(probe, critical, self._timeout if timeout is None else timeout)
            return probe

        return register

    def started(self) -> None:
        """From now on the server can be asked for work."""
        self._started = True

    def drain(self) -> None:
        """From now on it wants no new work: it is going to stop. `quiet` waits for what is at work."""
        self._draining = True

    async def quiet(self, timeout: float = 30.0) -> bool:
        """Wait until no call is at work; False when that takes too long."""
        waiting = asyncio.create_task(self._quiet.wait())
        return await self._in_time(waiting, timeout)

    @property
    def accepting(self) -> bool:
        """Whether it has started and is not about to stop."""
        return self._started and not self._draining

    async def report(self) -> Report:
        """Run all checks side by side, or tell what they found a moment ago. Who asks meanwhile gets the same."""
        if self._report is not None and self._clock.now() - self._taken < self._fresh:
            return self._report
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Whoever gives up asking must not take the answer from the others.
        return await asyncio.shield(self._asking)

    async def ready(self) -> bool:
        """Whether it can do work now."""
        return self.accepting and (await self.report()).status is not Status.UNHEALTHY

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Let the call pass if the server accepts work, and count it while it lasts."""
        if call.tool == TOOL and self._has_tool:
            found = (await self.report()).as_dict()
            text = json.dumps(found, indent=2, ensure_ascii=False)
            return answer(call, {"content": [{"type": "text", "text": text}], "structuredContent": found})
        if not self.accepting:
            why = "is about to stop" if self._draining else "has not started yet"
            return refusal(call, f"This server {why}. Try again in a moment.", reason="not-ready", retry_after=1.0)
        self._at_work += 1
        self._quiet.clear()
        try:
            return await proceed()
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._quiet.set()

    def routes(self, *, messages: bool = False) -> list[Route]:
        """The probes for any Starlette application: 200 for yes, 503 for no. `messages` shows the checks' texts too."""
        from starlette.routing import Route

        return [Route(path, endpoint) for path, endpoint in self._endpoints(messages).items()]

    def install(self, server: MCPServer[Any], *, messages: bool = False, tool: bool = True) -> None:
        """The probes as routes of the server's own HTTP port, the middleware, and the tool `health_check`.

        Name it in `stack(...)`, too, where limits stand before the tools: what is installed only is next to the tool.
        """
        if self not in server.middleware:
            server.middleware.append(self)
        for path, endpoint in self._endpoints(messages).items():
            server.custom_route(path, methods=["GET"], include_in_schema=False)(endpoint)
        if tool:
            self._has_tool = True

            @server.tool(name=TOOL, title="Health")
            async def health_check() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
                """Tell whether this server and what it depends on are healthy, degraded or unhealthy."""
                return (await self.report()).as_dict()

    def _endpoints(self, messages: bool) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        from starlette.responses import JSONResponse

        def respond(fine: bool, body: Mapping[str, Any]) -> Response:
            return JSONResponse(body, 200 if fine else 503, headers={"cache-control": "no-store"})

        async def alive(request: Request) -> Response:
            return respond(True, {"alive": True})  # a loop that is stuck does not get here, and that is the check

        async def ready(request: Request) -> Response:
            if not self.accepting:
                return respond(False, {"ready": False, "why": "draining" if self._draining else "starting"})
            report = await self.report()
            fine = report.status is not Status.UNHEALTHY
            return respond(fine, {"ready": fine, **report.as_dict(messages=messages)})

        async def started(request: Request) -> Response:
            return respond(self._started, {"started": self._started})

        return {"/livez": alive, "/readyz": ready, "/startupz": started}

    async def _ask(self) -> Report:
        names = list(self._checks)
        found = await asyncio.gather(*(self._run(name, self._checks[name]) for name in names))
        checks = dict(zip(names, found, strict=True))
        worst = Status.HEALTHY
        for each in found:
            if each.status is Status.UNHEALTHY and each.critical:
                worst = Status.UNHEALTHY
            elif each.status is not Status.HEALTHY and worst is Status.HEALTHY:
                worst = Status.DEGRADED
        self._report, self._taken = Report(worst, checks), self._clock.now()
        return self._report

    async def _run(self, name: str, check: _Check) -> Outcome:
        began = self._clock.now()
        if check.running is not None and not check.running.done():
            # Not a second one beside it: checks that hang would pile up, one with each probe.
            status, message = Status.UNHEALTHY, "still busy with the check before"
        else:
            task = check.running = asyncio.create_task(_called(check.probe))
            if await self._in_time(task, check.timeout):
                status, message = _verdict(name, task)
            else:
                status, message = Status.UNHEALTHY, f"no answer within {check.timeout:g} s"
                task.add_done_callback(_let_go)
                if inspect.iscoroutinefunction(check.probe):
                    task.cancel()  # a thread cannot be: it stays busy until it ends
        return Outcome(status, message, round((self._clock.now() - began) * 1000, 3), check.critical)

    async def _in_time(self, task: asyncio.Task[Any], seconds: float) -> bool:
        timer = asyncio.create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            return task.done()
        finally:
            timer.cancel()


def _verdict(name: str, task: asyncio.Task[Any]) -> tuple[Status, str]:
    if task.cancelled():
        return Status.UNHEALTHY, "cancelled"
    error = task.exception()
    if isinstance(error, Degraded):
        return Status.DEGRADED, str(error)
    if isinstance(error, Unhealthy):
        return Status.UNHEALTHY, str(error)
    if error is not None:
        # Its text may hold an address with its password: that is for the log, not for whoever asks.
        _log.warning("the health check %s failed", name, exc_info=error)
        return Status.UNHEALTHY, type(error).__name__
    found = task.result()
    if found is False:
        return Status.UNHEALTHY, "the check says no"
    return Status.HEALTHY, found if isinstance(found, str) else ""


def _let_go(task: asyncio.Task[Any]) -> None:
    # Asked for, or asyncio complains that nobody did.
    if not task.cancelled():
        task.exception()


async def _called(probe: Probe) -> Any:
    if inspect.iscoroutinefunction(probe):
        return await probe()
    # Not asyncio.to_thread: the process would wait for a check that hangs before it could end.
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def put(value: Any, error: Exception | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error else answer.set_result(value)

    def work() -> None:
        try:
            found = (probe(), None)
        except Exception as error:
            found = (None, error)
        with suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(put, *found)

    threading.Thread(target=work, daemon=True, name="health check").start()
    found = await answer  # of `lambda: pool.ping()`, something to wait for
    return await found if inspect.isawaitable(found) else found
