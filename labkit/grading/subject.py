"""What runs in the child process: one learner's file, and nothing that could decide its own marks.

Started as a plain script (`python -I subject.py`), so the child needs no labkit. It imports the SDK, then waits for one
line with a job; that wait is what "warm" means. After the job it is never used again. Two ways to run a job:

    serve   become the learner's program: its `if __name__ == "__main__":` runs, stdin and stdout are the MCP pipe
    shim    load the file as a module and answer requests about it: call a function, read a name, open an in-memory
            connection to a server object and relay its frames

With `--nursery FD` (Linux) the process becomes a parent that forks a child per job: 5 ms instead of a second.
The parent has one thread and never runs a learner's line.

What the learner's code may use and touch here is in guard.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import importlib.util
import inspect
import io
import json
import logging
import os
import runpy
import socket
import sys
import threading
import traceback
import types
import warnings
from typing import Any

# Jupyter's jsonschema extra brings a URI grammar that takes 1.5 s to compile at import; no check here needs it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
_PACKAGE = os.path.dirname(_HERE)  # noqa: PTH120


def main() -> None:
    """Warm up, then serve one job (or, as a nursery, one job per forked child); with `--job FILE`, that one at once."""
    _die_with_parent()
    if "--job" in sys.argv:
        with open(sys.argv[sys.argv.index("--job") + 1], encoding="utf-8") as file:  # noqa: PTH123
            job = json.load(file)
        run_job(job)
    _warm_up()
    if "--nursery" in sys.argv:
        _nursery(int(sys.argv[sys.argv.index("--nursery") + 1]))
    run_job(json.loads(_read_line(0)))


def run_job(job: dict[str, Any]) -> None:
    """Do one job in this process and do not come back."""
    os.chdir(job["folder"])
    os.environ.update({"HOME": job["folder"], "TMPDIR": job["folder"], "TEMP": job["folder"], "TMP": job["folder"]})
    sys.path.insert(0, job["folder"])
    sys.argv = [job["file"]]
    _guard.set_limits(job["limits"])
    _landlock.close_files(job["folder"], _PACKAGE, tuple(job["forbidden"]))
    _guard.refuse(tuple(job["forbidden"]))
    sys.addaudithook(_no_links)
    if job["mode"] == "serve":
        _run_as_program(job["file"])
    else:
        _Shim(job["file"]).run()


def _no_links(event: str, _: tuple[Any, ...]) -> None:
    """The judge puts files into the folder of an answer, and would follow a link that leads out of it."""
    if event == "os.symlink":
        raise PermissionError("labkit: an answer may not make links")


def _run_as_program(file: str) -> None:
    """Run the file as `python FILE` would, and leave without taking the interpreter apart: that takes 0.3 s."""
    code: object = 0
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as leaving:
        code = leaving.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BrokenPipeError:
        code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0)


def _load(name: str, path: str) -> types.ModuleType:
    # Not from sys.path: with our folders on it, a learner's `import report` would find ours.
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_guard = _load("labkit_guard", os.path.join(_HERE, "guard.py"))  # noqa: PTH118
_landlock = _load("labkit_landlock", os.path.join(_HERE, "landlock.py"))  # noqa: PTH118
_asgi = _load("labkit_asgi", os.path.join(_HERE, "asgi.py"))  # noqa: PTH118


def _warm_up() -> None:
    import mcp.server.mcpserver.exceptions  # pyright: ignore[reportUnusedImport]
    import mcp.server.stdio  # noqa: F401  # pyright: ignore[reportUnusedImport]
    from mcp import Client, MCPDeprecationWarning
    from mcp.client._memory import InMemoryTransport
    from mcp.server import MCPServer

    # A handler of our own keeps the SDK from installing one that draws boxes around tracebacks; the judge reads them.
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    server = MCPServer("warm")

    async def ping(n: int) -> int:
        return n

    server.add_tool(ping, name="ping")

    async def once() -> None:
        for transport in (server, InMemoryTransport(server)):
            async with Client(transport) as client:
                await client.call_tool("ping", {"n": 1})

    asyncio.run(once())


def _read_line(fd: int) -> bytes:
    """One line, byte by byte: a buffered read would swallow the first frames meant for the learner's server."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte:
            os._exit(0)
        line += byte
    return bytes(line)


# -- the nursery: fork a child per job ---------------------------------------------------------------------------------


def _nursery(fd: int) -> None:
    """Fork a child for each set of three descriptors that arrives; return only in a child."""
    # Out of the collector's sight, so that a child does not copy every page when it first collects.
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=fd)
    control.send(b'{"ready": true}\n')
    while True:
        word, fds, _, _ = socket.recv_fds(control, 1, 3)
        if not word:
            os._exit(0)
        if word == b"w":
            _report_ended(control)
            continue
        pid = os.fork()
        if pid == 0:
            control.close()
            _die_with_parent()
            os.setsid()
            for target, source in enumerate(fds):
                os.dup2(source, target)
            os.closerange(3, 64)
            return
        for source in fds:
            os.close(source)
        control.send(json.dumps({"born": pid}).encode() + b"\n")


def _report_ended(control: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(ended[1])
            control.send(json.dumps({"ended": ended[0], "code": code}).encode() + b"\n")
    control.send(b'{"all": true}\n')


def _die_with_parent() -> None:
    """On Linux, be killed when the parent ends, however it ends."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)


# -- the shim ----------------------------------------------------------------------------------------------------------


class _Shim:
    """Answers requests about the learner's module, one JSON object per line."""

    def __init__(self, file: str) -> None:
        self._file = file
        # The pipes move out of the way: what the learner prints goes to stderr, and input() sees the end of the file.
        self._in, self._out = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        # What was printed has to be on its way before the answer is, to be shown with it.
        sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
        self._module = types.ModuleType("answer")
        self._channels: dict[str, Any] = {}
        self._made: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        asyncio.run(self._serve())
        os._exit(0)

    async def _serve(self) -> None:
        loop, inbox = asyncio.get_running_loop(), asyncio.Queue[Any]()

        def pump() -> None:
            with os.fdopen(self._in, "rb") as lines:
                for line in lines:
                    loop.call_soon_threadsafe(inbox.put_nowait, json.loads(line))
            os._exit(0)

        threading.Thread(target=pump, daemon=True).start()
        while True:
            request = await inbox.get()
            if request["op"] == "frame":
                await self._channels[request["channel"]](request["frame"])
            elif request["op"] == "open":
                self._spawn(self._relay(request))
            else:
                self._spawn(self._answer(request))

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._out, data) :]

    async def _answer(self, request: dict[str, Any]) -> None:
        try:
            value = await getattr(self, "_do_" + request["op"])(request)
            reply = {"id": request["id"], "ok": True, **_portable(value)}
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            reply = {"id": request["id"], "ok": False, "error": self._describe(error)}
        self._send(reply)

    async def _do_load(self, request: dict[str, Any]) -> list[str]:
        with io.open_code(self._file) as file:  # noqa: ASYNC230 - nothing else runs yet
            code = compile(file.read(), self._file, "exec", dont_inherit=True)
        sys.modules["answer"] = self._module
        self._module.__file__ = self._file
        exec(code, self._module.__dict__)
        return [name for name in vars(self._module) if not name.startswith("__")]

    async def _do_get(self, request: dict[str, Any]) -> Any:
        return getattr(self._module, request["name"])

    async def _do_call(self, request: dict[str, Any]) -> Any:
        value = getattr(self._module, request["name"])(*request["args"], **request["kwargs"])
        return await value if inspect.isawaitable(value) else value

    async def _do_drive(self, request: dict[str, Any]) -> Any:
        """Give the learner's function a lab connection to a server that the check wrote; return what it returns."""
        _load("labkit", os.path.join(_PACKAGE, "__init__.py"))  # noqa: PTH118
        from labkit.session.connection import connect

        space: dict[str, Any] = {"__name__": "given_server"}
        exec(compile(request["server"], "<given server>", "exec", dont_inherit=True), space)
        conn = await connect(space["server"], era=request["era"])
        try:
            return await getattr(self._module, request["name"])(conn, *request["args"])
        finally:
            await conn.close()

    async def _do_http(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one HTTP request to the application that the learner's `app(env)` makes."""
        app = self._make("app", request["env"], _asgi.Application)
        return await app.ask(request["method"], request["path"], request["headers"], request["body"])

    def _make(self, name: str, env: dict[str, str], wrap: Any = None) -> Any:
        """What the learner's function of that name makes of settings; the same as long as they are the same."""
        key = json.dumps([name, env], sort_keys=True)
        if key not in self._made:
            made = getattr(self._module, name)(env)
            self._made[key] = wrap(made) if wrap else made
        return self._made[key]

    async def _relay(self, request: dict[str, Any]) -> None:
        import mcp_types as T
        from mcp.client._memory import InMemoryTransport
        from mcp.shared.message import SessionMessage

        channel = request["channel"]
        try:
            made = request.get("env")
            name = request["object"]
            server = getattr(self._module, name) if made is None else self._make(name, made)
            async with InMemoryTransport(server) as (read, write):

                async def forward(frame: dict[str, Any]) -> None:
                    await write.send(SessionMessage(T.jsonrpc_message_adapter.validate_python(frame)))

                self._channels[channel] = forward
                self._send({"id": request["id"], "ok": True, "value": None, "type": "NoneType"})
                async for item in read:
                    if isinstance(item, SessionMessage):
                        frame = item.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
                        self._send({"channel": channel, "frame": frame})
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            self._send({"id": request["id"], "ok": False, "error": self._describe(error)})

    def _describe(self, error: BaseException) -> dict[str, Any]:
        frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == self._file]
        line = frames[-1] if frames else None
        if isinstance(error, SyntaxError) and error.filename == self._file:
            line = error.lineno
        return {"type": type(error).__name__, "message": str(error)[:2000], "line": line}


def _portable(value: Any) -> dict[str, Any]:
    """A value as JSON, with its type; what JSON has no form for travels as its repr."""
    kind = type(value).__name__
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return {"value": repr(value)[:2000], "type": kind, "json": False}
    return {"value": json.loads(text), "type": kind}


if __name__ == "__main__":
    main()
