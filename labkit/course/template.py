"""What runs in a template: a process that has imported what notebooks import, and is forked into their kernels.

Started as a plain script by nursery.py, on Linux only. It imports `MODULES` and nothing else, then waits at a socket:
no loop, no thread, no ZeroMQ context, no line of a notebook or of labkit. For each job it forks a child, which puts on
everything that a process started anew would have of its own and then runs `ipykernel_launcher` as `python -m` does.

Only modules that leave nothing behind when they are imported are in the list. Not in it: labkit and ipywidgets, which
make themselves known to the running shell; pyplot, which hooks into it; rich, which remembers the folder. What the
others would see of a kernel while they are imported, they see here (`_as_in_a_kernel`). tests/course/test_nursery.py
compares. What a notebook could still find out: that the modules are loaded, that the collector has frozen objects, and
that two kernels of one template hash texts alike (the seed is drawn when the template starts, as it is for any Python).
"""

from __future__ import annotations

import sys

if sys.path[0] == __file__.rpartition("/")[0]:
    del sys.path[0]  # no module of this folder may stand in for one that a notebook imports

import builtins
import contextlib
import gc
import importlib
import json
import logging
import os
import runpy
import select
import signal
import socket
import threading
import time
from collections.abc import Generator
from types import ModuleType, SimpleNamespace
from typing import Any

MODULES = """
    ipykernel.kernelapp ipykernel.ipkernel ipykernel.zmqshell jsonschema mcp mcp.server mcp.client.stdio
    mcp.client.streamable_http httpx2 anyio._backends._asyncio psutil pandas matplotlib matplotlib.figure
    matplotlib.axes matplotlib.image matplotlib.widgets matplotlib.style matplotlib.backends.backend_agg
""".split()  # noqa: SIM905
GRAMMAR = "rfc3987_syntax"
"""See labkit/_lean.py: labkit hides it from jsonschema, and every notebook imports labkit."""
LOOK = 2000
"""Milliseconds between two looks at whether the parent still lives, should its end of the socket live on elsewhere."""


def main(control: int) -> None:
    """Import, report in one byte, fork for each job; in a child, return when the kernel has come to its end."""
    parent = os.getppid()
    # ipykernel reads it when it is imported; a kernel ends when its parent, which will be this process, has ended.
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    with _as_in_a_kernel():
        for name in MODULES:
            importlib.import_module(name)
    clean = threading.active_count() == 1 and signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
    open_ = {fd for fd in _descriptors() if fd > 2}
    if not clean or open_ != {control}:
        os._exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()  # or the first collection in a child would copy every page
    job = _wait_for_job(socket.socket(fileno=control), parent)
    _become(*job)


@contextlib.contextmanager
def _as_in_a_kernel() -> Generator[None]:
    """For the time of the imports: pandas asks whether it is in a notebook, matplotlib which backend to begin with."""
    shell = SimpleNamespace(kernel=True)
    backend = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = backend or "module://matplotlib_inline.backend_inline"  # what ipykernel will set
    builtins.__dict__["get_ipython"] = lambda: shell
    sys.modules[GRAMMAR] = None  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        del sys.modules[GRAMMAR], builtins.__dict__["get_ipython"]
        if backend is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = backend


def _descriptors() -> list[int]:
    found: list[int] = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with contextlib.suppress(OSError):  # the one that the listing itself had open
            os.fstat(int(name))
            found.append(int(name))
    return found


def _wait_for_job(control: socket.socket, parent: int) -> tuple[dict[str, Any], list[int]]:
    """Fork for each job that comes, and tell how each child ended; return only in a child."""
    born: dict[int, tuple[int, int]] = {}
    watched = select.poll()
    watched.register(control, select.POLLIN)
    control.send(b"r")
    while True:
        for fd, _ in watched.poll(LOOK):
            if fd in born:
                pid, status = born.pop(fd)
                watched.unregister(fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError):  # nobody may want to know any more
                    os.write(status, f"{code}\n".encode())
                os.close(status)
                os.close(fd)
                continue
            job, fds = receive(control)
            status = fds[3]
            try:
                pid = os.fork()
            except OSError:
                pid = None
            if pid == 0:
                control.detach()
                return job, fds[:3]
            for each in fds[:3]:
                os.close(each)
            if pid is None:
                os.close(status)
                continue
            ended = os.pidfd_open(pid)  # still there: only this process asks for its end
            with socket.socket(fileno=os.dup(status)) as line, contextlib.suppress(OSError):
                socket.send_fds(line, [f"{pid}\n".encode()], [ended])
            born[ended] = pid, status
            watched.register(ended, select.POLLIN)
        if os.getppid() != parent:
            os._exit(0)


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One job and its descriptors: stdin, stdout, stderr, and a socket to tell of its end. Ends with the other side."""
    head, fds, _, _ = socket.recv_fds(control, 8, 4)
    if not head:
        os._exit(0)
    size = int.from_bytes(head, "big")
    text = bytearray()
    while len(text) < size:
        more = control.recv(size - len(text))
        if not more:
            os._exit(0)
        text += more
    return json.loads(text), fds


def _become(job: dict[str, Any], fds: list[int]) -> None:
    """In the child: be the process that `subprocess.Popen(job["cmd"], ...)` would have started, and run the kernel."""
    os.setsid()
    own = {"LC_CTYPE": os.environ["LC_CTYPE"]} if "LC_CTYPE" in os.environ else {}  # Python sets it in a bare locale
    put_on(job, fds, {**own, **job["env"], "JPY_PARENT_PID": str(os.getppid())})
    # `random` seeds itself anew after a fork, and the system's randomness needs nothing.
    importlib.import_module("numpy").random.seed()
    if "multiprocessing.process" in sys.modules:
        process: Any = sys.modules["multiprocessing.process"]
        process.current_process().authkey = os.urandom(32)
        process.ORIGINAL_DIR = job["cwd"]
        # multiprocessing has noted this script as the main module; what its workers send back belongs to the notebook.
        sys.modules["__mp_main__"] = main_module = ModuleType("__main__")
        main_module.__getattr__ = lambda name: getattr(sys.modules["__main__"], name)
    cmd: list[str] = job["cmd"]
    sys.argv[:] = cmd[2:]
    runpy.run_module(cmd[2], run_name="__main__", alter_sys=True)


def put_on(job: dict[str, Any], fds: list[int], env: dict[str, str]) -> None:
    """In a child: have the files, the umask, the folder, the environment, the age and the name of a process of its own.

    `fds` become stdin, stdout and stderr; all other files are closed.
    """
    for target, source in enumerate(fds):
        os.dup2(source, target)
    for fd in _descriptors():
        if fd > 2:
            os.close(fd)
    os.umask(job["umask"])
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(env)
    logging._startTime = time.time() if sys.version_info < (3, 13) else time.time_ns()  # type: ignore[attr-defined]
    _rename(job["cmd"])
    sys.orig_argv[:] = job["cmd"]


def _rename(cmd: list[str]) -> None:
    """Show `cmd` as this process's command line, where there is room: the length of the one it was started with."""
    import ctypes
    from pathlib import Path

    new = b"".join(os.fsencode(word) + b"\0" for word in cmd)
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if start and end - start > len(new):  # the rest is not shown when no zero ends it: proc(5), of setproctitle
        new = new[:-1].replace(b"\0", b" ") + b"\0"
        ctypes.memmove(end - 1, b"-", 1)
    if start and end - start >= len(new):
        ctypes.memmove(start, new, len(new))


if __name__ == "__main__":
    main(int(sys.argv[1]))
