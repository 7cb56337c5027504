"""A papermill engine whose kernels run this interpreter, can be ended from outside, and leave nothing behind."""

# papermill, nbclient and nbformat carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.client import KernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from traitlets import Type

from labkit.course.nursery import NURSERY, kernel_environment

ENGINE = "labkit"
GRACE = 5.0
LOOK = 1.0
"""Seconds between two looks at a channel."""


class PatientChannel(AsyncZMQSocketChannel):
    """A channel that is looked at each second while a reply is waited for.

    A message that arrives while another is sent on the same socket may wake nobody (ZMQ_FD of zmq_getsockopt(3): it is
    edge-triggered), as happens when a widget is told something while its cell ends. The reply was then found when the
    time of the cell was over, after two minutes.
    """

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """The next message. Raises queue.Empty after so many seconds without one."""
        until = inf if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return await super().get_msg(timeout=max(0.0, min(LOOK, until - time.monotonic())))
            except Empty:
                if time.monotonic() >= until:
                    raise


class PatientClient(AsyncKernelClient):
    """The client of such a channel."""

    shell_channel_class = Type(PatientChannel)  # type: ignore[assignment]


class ThisPythonKernelManager(AsyncKernelManager):
    """Starts kernels with this interpreter: the kernel spec named `python3` of a machine may be any other Python."""

    client_factory = Type(klass=KernelClient, default_value=PatientClient)

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3 (the lab's)", language="python")

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        """Fork it from the template of this process where that is possible (nursery.py); start it otherwise."""
        provisioner: Any = self.provisioner
        fork = NURSERY.take if set(kw) <= {"env", "cwd", "stdout", "stderr"} else None
        process = fork(kernel_cmd, **kw) if fork else None
        if process is None:
            await super()._async_launch_kernel(kernel_cmd, **kw)
            return
        provisioner.process, provisioner.pid = process, process.pid
        provisioner.pgid = process.pid  # it leads a session of its own, as every kernel does
        provisioner.cwd = kw["cwd"]
        self._reconcile_connection_info(provisioner.connection_info)


@dataclass
class Run:
    """One notebook run, as seen from outside: where it is, why it was ended, what it left running."""

    folder: Path
    name: str
    cell_timeout: float
    scratch: Path
    stopping: threading.Event
    nb: Any = None
    cell: int | None = None
    pid: int | None = None
    ended_for: str = ""
    left_behind: list[str] = field(default_factory=list[str])
    children: list[psutil.Process] = field(default_factory=list[psutil.Process])

    @property
    def log(self) -> Path:
        """What the kernel wrote past Jupyter, such as the last words of a crash."""
        return self.scratch / f"{self.name}.log"

    def end(self, reason: str) -> None:
        """Kill the kernel; from any thread. The run then fails, with this reason."""
        self.ended_for = self.ended_for or reason
        if self.pid is not None:
            try:
                kernel = psutil.Process(self.pid)
                self.children = kernel.children(recursive=True)
                kernel.kill()
            except psutil.Error:
                pass

    def sweep(self) -> None:
        """Give what the kernel had started a moment to follow it, then end the rest and remember their names."""
        _, alive = psutil.wait_procs(self.children, timeout=GRACE)
        for process in alive:
            try:
                self.left_behind.append(" ".join(process.cmdline())[:200])
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(alive, timeout=GRACE)


class _Client(PapermillNotebookClient):
    """papermill's client; it notes the cell being run and the processes that have to end with the kernel."""

    run_: Run

    def execute_cell(self, cell: Any, cell_index: int, *args: Any, **kwargs: Any) -> Any:
        run = self.run_
        if run.pid is None and self.km is not None and self.km.provisioner is not None:
            run.pid = getattr(self.km.provisioner, "pid", None)
        if run.stopping.is_set():
            run.end("stopped")
        if run.ended_for:
            raise DeadKernelError(run.ended_for)
        if cell.cell_type == "code":
            run.cell = cell_index
        return super().execute_cell(cell, cell_index, *args, **kwargs)

    def papermill_execute_cells(self) -> None:
        try:
            super().papermill_execute_cells()
        finally:
            if self.run_.pid is not None and not self.run_.children and psutil.pid_exists(self.run_.pid):
                self.run_.children = psutil.Process(self.run_.pid).children(recursive=True)


class LabEngine(Engine):
    """`papermill.execute_notebook(..., engine_name="labkit", run=Run(...))`.

    papermill's own engine changes the folder of the whole process, so two notebooks could not run in two threads.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, run: Run, start_timeout: float = 60, **_: Any):
        run.nb = nb_man.nb
        client = _Client(
            nb_man,
            kernel_manager_class=ThisPythonKernelManager,
            kernel_name="",
            timeout=run.cell_timeout,
            startup_timeout=start_timeout,
            shutdown_kernel="immediate",
            coalesce_streams=True,
        )
        client.run_ = run
        with run.log.open("wb") as log:
            try:
                client.execute(cwd=str(run.folder), env=kernel_environment(run.scratch), stdout=log, stderr=log)
            finally:
                run.sweep()
                ensure_event_loop().close()  # nbclient made it for this thread and would leave it open


papermill_engines.register(ENGINE, LabEngine)
