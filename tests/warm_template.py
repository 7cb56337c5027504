"""The process from which warm.py has servers forked: it has imported what they import, and waits at a socket.

Run as a script, on Linux only. A child is forked twice, so that who asked for it adopts it (warm.py), and then puts on
all that a process started anew would have of its own.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import io
import os
import runpy
import signal
import socket
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODULES = """
    anyio._backends._asyncio h11 httpx2 jsonschema mcp mcp.client.stdio mcp.client.streamable_http mcp.server
    mcp.server.stdio mcp.server.streamable_http starlette.applications uvicorn uvicorn.lifespan.on uvicorn.loops.asyncio
    uvicorn.protocols.http.h11_impl
""".split()  # noqa: SIM905


def main(control: int) -> None:
    """Import, report in one byte, fork for each job; in a child, return when its program has come to its end."""
    from labkit._lean import hide_grammar

    own = {str(ROOT), str(ROOT / "tests")}
    hide_grammar()  # as the launcher of servers and `python -m labkit` do
    for name in MODULES:
        importlib.import_module(name)
    sys.path[:] = [folder for folder in sys.path if folder not in own]
    gc.collect()
    gc.freeze()  # or the first collection in a child would copy every page
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks, whose end is seen at the socket
    asker = socket.socket(fileno=control)
    job, fds = _wait_for_job(asker)
    asker.detach()
    _become(job, fds)


def _wait_for_job(asker: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for each job that comes; return only in a child."""
    from labkit.course.template import receive

    try:
        asker.sendall(b"r")
        while True:
            job, fds = receive(asker)
            started = _fork(job["session"])
            if started is None:
                return job, fds
            for fd in fds:
                os.close(fd)
            asker.sendall(f"{started}\n".encode())
    except ConnectionError:  # who asks has ended, with something on its way
        os._exit(0)


def _fork(session: bool) -> int | None:
    """The pid of a grandchild whose parent has ended, 0 when there could be none; None in that grandchild."""
    told, tells = os.pipe()
    waits, goes = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            os._exit(1)
        if session:
            os.setsid()
        os.write(tells, str(os.getpid()).encode())
        os.close(goes)
        os.read(waits, 1)  # until this one has its new parent
        return None
    os.close(tells)
    os.close(waits)
    os.waitpid(between, 0)
    pid = int(os.read(told, 20) or b"0")
    os.close(goes)
    os.close(told)
    return pid


def _become(job: dict[str, Any], fds: list[int]) -> None:
    """Be the process that `subprocess.Popen(job["cmd"], ...)` would have started, and run its program."""
    from labkit.course.template import put_on

    # What Python sets in a bare locale (PEP 538).
    own = {} if {"LC_ALL", "LC_CTYPE", "LANG"} & set(job["env"]) else {"LC_CTYPE": "C.UTF-8"}
    put_on(job, fds, {**job["env"], **own})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command: list[str] = job["cmd"]
    sys.dont_write_bytecode = bool(job["env"].get("PYTHONDONTWRITEBYTECODE"))
    _open_streams(bool(job["env"].get("PYTHONUNBUFFERED")))
    if job["env"].get("PYTHONFAULTHANDLER"):
        faulthandler.enable()
    added = [str(Path(each).absolute()) for each in job["env"].get("PYTHONPATH", "").split(os.pathsep) if each]
    if command[1] == "-m":
        sys.argv[:] = command[2:]
        sys.path[:0] = [str(Path.cwd()), *added]
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = command[1:]
        sys.path[:0] = [str(Path(command[1]).resolve().parent), *added]
        runpy.run_path(command[1], run_name="__main__")


def _open_streams(unbuffered: bool) -> None:
    """Streams as Python opens them for stdin, stdout and stderr; the template's remember whether theirs could seek."""
    for fd, (name, errors) in enumerate(
        [("stdin", "surrogateescape"), ("stdout", "surrogateescape"), ("stderr", "backslashreplace")]
    ):
        plain = unbuffered and fd > 0
        buffer: Any = open(fd, "wb" if fd else "rb", buffering=0 if plain else -1, closefd=False)  # noqa: SIM115
        (buffer if plain else buffer.raw).name = f"<{name}>"
        line = not plain and (fd == 2 or (fd == 1 and os.isatty(fd)))
        newline = "\n" if fd else None
        stream = io.TextIOWrapper(buffer, "utf-8", errors, newline, line_buffering=line, write_through=unbuffered)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    main(int(sys.argv[1]))
