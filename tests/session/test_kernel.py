"""Life in a real kernel: cells that open, call, interrupt, run twice; kernels that restart and die."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest
from jupyter_client.manager import KernelManager

from .conftest import PROBE

SETUP = f"""
import labkit as lab, time, asyncio, os, signal, threading
PROBE = {str(PROBE)!r}
def interrupt_in(seconds):
    "What the stop button does, while the next statement is under way."
    threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
"""


@dataclass
class Ran:
    """What a cell printed and raised, and how long it took."""

    text: str = ""
    html: list[str] = field(default_factory=list)
    error: str = ""
    traceback: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Kernel:
    """An ipykernel driven over its sockets, as JupyterLab does."""

    def __init__(self) -> None:
        import sys

        self.manager = KernelManager()
        self.manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(60)
        assert self.run(SETUP).error == ""

    def run(self, code: str, *, timeout: float = 40.0) -> Ran:
        """Run a cell to its end."""
        sent, ran, began = self.client.execute(code), Ran(), time.monotonic()
        while time.monotonic() - began < timeout:
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                ran.text += content["text"]
            elif kind in ("execute_result", "display_data", "update_display_data"):
                ran.text += content["data"].get("text/plain", "") + "\n"
                ran.html.append(content["data"].get("text/html", ""))
            elif kind == "error":
                ran.error, ran.traceback = f"{content['ename']}: {content['evalue']}", content["traceback"]
            elif kind == "status" and content["execution_state"] == "idle":
                ran.seconds = time.monotonic() - began
                return ran
        raise AssertionError(f"the cell was still running after {timeout} s:\n{code}\n{ran.text}")

    @property
    def pid(self) -> int:
        return self.manager.provisioner.pid  # type: ignore[union-attr,attr-defined]

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.stop()


def gone(pids: list[int], seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE for p in pids):
            return True
        time.sleep(0.05)
    return False


def one_sentence(ran: Ran) -> str:
    assert len(ran.traceback) == 1, ran.traceback
    return ran.traceback[0]


def test_the_life_of_connections_in_cells(kernel: Kernel) -> None:
    # open, use, close: three cells, hence three tasks
    assert kernel.run("c = await lab.connect(PROBE)").error == ""
    shown = kernel.run("await c.call('add', a=2, b=3)")
    assert "add: ok" in shown.text and "&#10003; ok" in shown.html[0]
    assert "tools/call add" in kernel.run("c.tape").html[0]

    # a tool raises; a wrong name
    assert "tool error" in kernel.run("await c.call('quota')").text
    said = one_sentence(kernel.run("await c.call('ad', a=1, b=2)"))
    assert "UnknownNameError" in said and "Did you mean 'add'" in said

    # interrupt in mid-call: at once, the connection lives
    ran = kernel.run("interrupt_in(0.5); await c.call('slow', seconds=60)")
    assert "CancelledError" in ran.error and ran.seconds < 5
    assert "tools/call slow was interrupted; the connection to 'probe_server' is still open" in one_sentence(ran)
    assert kernel.run("(await c.call('add', a=1, b=1)).data").text.strip() == "2"

    # interrupt while a plain cell sleeps, and while nothing runs
    ran = kernel.run("interrupt_in(0.5); time.sleep(60)")
    assert ran.error.startswith("KeyboardInterrupt") and ran.seconds < 5
    kernel.manager.interrupt_kernel()
    assert kernel.run("(await c.call('add', a=1, b=1)).data").text.strip() == "2"

    # the sync face: an interrupt reaches the cell at once
    kernel.run("s = lab.sync.connect(PROBE)")
    ran = kernel.run("interrupt_in(0.5); s.call('slow', seconds=60)")
    assert ran.error.startswith("KeyboardInterrupt") and ran.seconds < 5
    assert "still open" in one_sentence(ran)
    assert kernel.run("s.call('add', a=1, b=1).data").text.strip() == "2"

    # long work shows a bar that updates itself under its cell
    ran = kernel.run("_ = await c.call('slow', seconds=1.5)")
    assert any("<progress" in page for page in ran.html) and "of 5" in ran.text

    # the connect cell is run again: the first process ends
    first = int(kernel.run("print(c.pid)").text)
    kernel.run("c = await lab.connect(PROBE)")
    assert gone([first])

    # killed with -9 in mid-call
    killing = "asyncio.get_running_loop().call_later(0.3, lambda: __import__('psutil').Process(c.pid).kill())"
    said = one_sentence(kernel.run(f"{killing}; await c.call('slow', seconds=60)"))
    assert "ServerDiedError" in said and "during tools/call slow" in said

    # close in yet another cell; nothing is left
    pids = [p.pid for p in psutil.Process(kernel.pid).children(recursive=True)]
    assert kernel.run("await c.close(); s.close(); print(lab.connections())").text.strip() == "(no open connections)"
    assert gone(pids)


def test_output_of_tasks_lands_in_the_cell_that_called(kernel: Kernel) -> None:
    kernel.run("c = await lab.connect(PROBE, via='memory')")
    kernel.run("'another cell'")
    ran = kernel.run("_ = await c.call('slow', seconds=1.2)")
    assert "of 5" in ran.text, "the progress bar belongs under this cell, not under the one that connected"


def test_asyncio_run_works_after_opting_in(kernel: Kernel) -> None:
    cell = "async def main():\n    async with await lab.connect(PROBE, via='memory') as c:\n        return (await c.call('add', a=1, b=1)).data\n"
    assert "cannot be called from a running event loop" in kernel.run(cell + "asyncio.run(main())").error
    kernel.run("lab.allow_nested_loops()")
    assert kernel.run(cell + "asyncio.run(main())").text.strip() == "2"
    assert kernel.run("c = await lab.connect(PROBE); (await c.call('add', a=2, b=2)).data").text.strip() == "4"


def test_tab_completion_and_documentation(kernel: Kernel) -> None:
    kernel.run("calc = await lab.connect(PROBE, via='memory')")

    def complete(code: str) -> list[str]:
        reply = kernel.client.complete(code, reply=True, timeout=60)
        return reply["content"]["matches"]

    complete("ti")  # the first completion of a kernel loads jedi
    assert complete("await calc.call('ad") == ["add"]
    assert complete('await calc.read("note') == ["note://welcome"]
    assert complete("calc.prompt('re") == ["review"]
    assert "calc.tools.add" in complete("calc.tools.ad") or "add" in complete("calc.tools.ad")
    reply = kernel.client.inspect("calc.tools.add", reply=True, timeout=60)
    assert "Add two integers." in reply["content"]["data"]["text/plain"]


@pytest.mark.parametrize("end", ["shutdown", "restart", "kill"])
def test_no_process_outlives_its_kernel(end: str) -> None:
    kernel = Kernel()
    try:
        kernel.run(
            "c = await lab.connect(PROBE); h = await lab.connect(PROBE, via='http'); s = lab.sync.connect(PROBE)"
        )
        assert kernel.run("await c.call('add', a=1, b=1)").error == ""
        servers = [int(p) for p in kernel.run("print(c.pid, h.pid, s.pid)").text.split()]
        assert all(psutil.pid_exists(p) for p in servers)
        if end == "kill":
            os.kill(kernel.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        elif end == "restart":
            kernel.manager.restart_kernel(now=False)
            kernel.client.wait_for_ready(60)
            assert kernel.run(SETUP + "\nprint(lab.connections())").text.strip() == "(no open connections)"
        else:
            kernel.manager.shutdown_kernel(now=False)
        assert gone(servers), f"servers survived: {end}"
    finally:
        kernel.stop()


def test_scripted_answers_in_ci_and_forms_for_people() -> None:
    os.environ["LABKIT_SCRIPTED"] = "1"
    try:
        kernel = Kernel()
    finally:
        del os.environ["LABKIT_SCRIPTED"]
    try:
        cell = "c = await lab.connect(PROBE, via='memory'); (await c.call('delete', path='/x')).data"
        assert "deleted /x because" in kernel.run(cell).text
    finally:
        kernel.stop()


def test_a_connection_that_a_cell_has_shown_goes_with_its_name(kernel: Kernel) -> None:
    for show in ("conn", "conn.tools", "conn.tools.add"):
        kernel.run(f"conn = await lab.connect(PROBE, via='memory')\n{show}")
    assert kernel.run("print(type(_).__name__)").text.strip() == "Handle", "the last output can still be used"
    kernel.run("conn = await lab.connect(PROBE, via='memory')\nawait asyncio.sleep(0.6)\nconn")
    kernel.run("import gc; gc.collect(); await asyncio.sleep(0.1)")
    assert kernel.run("print(len(lab.connections()))").text.strip() == "1"
    assert kernel.run("conn.closed").text.strip() == "False"


def test_the_mcp_magic_in_a_kernel() -> None:
    kernel = Kernel()
    try:
        assert "No connection yet" in kernel.run("%mcp").text
        pid = int(kernel.run("x = %mcp connect $PROBE as probe\nprint(x.pid)").text)
        assert "add: ok" in kernel.run("%mcp call add a=2 b=3").text
        ran = kernel.run("%mcp call add a=two b=3")
        assert ran.text.startswith("UsageError: a=two: 'a' takes a whole number")
        assert "UnknownNameError" in one_sentence(kernel.run("%mcp call ad a=1 b=2"))

        # a line can be interrupted, in a function too, and whoever opened the connection; a long one shows its progress
        ran = kernel.run("interrupt_in(0.5)\n%mcp call slow seconds=60")
        assert "CancelledError" in ran.error and ran.seconds < 5 and "still open" in one_sentence(ran)
        kernel.run("def wait():\n    %mcp call slow seconds=60")
        ran = kernel.run("interrupt_in(0.5); wait()")
        assert ran.error.startswith("KeyboardInterrupt") and ran.seconds < 5
        assert "of 5" in kernel.run("_ = %mcp call slow seconds=1.5").text
        kernel.run("other = await lab.connect(PROBE)\n%mcp use other")
        ran = kernel.run("interrupt_in(0.5)\n%mcp call slow seconds=60")
        assert "CancelledError" in ran.error and ran.seconds < 5
        assert "add: ok" in kernel.run("%mcp call add a=2 b=3").text

        reply = kernel.client.complete("%mcp call ad", reply=True, timeout=60)
        assert reply["content"]["matches"] == ["add"]
        reply = kernel.client.inspect("%mcp", reply=True, timeout=60)
        assert "%mcp connect calculator" in reply["content"]["data"]["text/plain"]

        kernel.manager.shutdown_kernel(now=False)
        assert gone([pid]), "the server of %mcp connect outlived the kernel"
    finally:
        kernel.stop()
