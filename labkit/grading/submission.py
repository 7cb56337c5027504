"""One answer, as checks see it: its source, its functions, its server - in memory and as a process, in both eras.

Everything that runs learner code is in another process; what arrives here is JSON, and is treated as a claim.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.grading.checks import CheckFailed, Crashed
from labkit.grading.nursery import Subjects
from labkit.grading.pipes import ServerProcess, Shim
from labkit.grading.sandbox import DELETION, Subject, Watcher
from labkit.grading.spec import Limits
from labkit.grading.talk import HANDSHAKE, MODERN, Frame, Session

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate

PATHS = (("memory", HANDSHAKE), ("memory", MODERN), ("process", HANDSHAKE), ("process", MODERN))
_TRACEBACK = re.compile(r"^[^\n]*\n?Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*[^\n]*\n?", re.MULTILINE)
RESTARTS = 3
"""How many processes one run may lose before the rest of the checks is not run any more."""


@dataclass(frozen=True)
class Value:
    """What a learner's function returned: the JSON value, the Python type's name, whether JSON has a form for it."""

    value: Any
    type: str
    portable: bool = True


@dataclass(frozen=True)
class HttpAnswer:
    """What an application answered. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def frames(self) -> list[Frame]:
        """The JSON-RPC messages of the body, be it JSON or an event stream."""
        texts = [line[5:] for line in self.body.splitlines() if line.startswith("data:")] or [self.body]
        found: list[Frame] = []
        for text in texts:
            with contextlib.suppress(ValueError, TypeError):
                found.append(dict(json.loads(text)))
        return found


class Submission:
    """The answer under check."""

    def __init__(
        self, name: str, source: str, subjects: Subjects, watcher: Watcher, limits: Limits, forbidden: list[str]
    ) -> None:
        self.source = source
        self._name, self._subjects, self._watcher = name, subjects, watcher
        self._limits, self._forbidden = limits, forbidden
        self._end = time.monotonic() + limits.wall
        self._losses: list[str] = []
        self._shim: Shim | None = None
        self._broken: Crashed | None = None
        self._deleted = False
        self._sessions: dict[tuple[str, str, str], tuple[Session, ServerProcess | None]] = {}
        self._certificates: dict[tuple[str, ...], Certificate | Crashed] = {}

    # -- what checks use --------------------------------------------------------------------------------------------

    @property
    def tree(self) -> ast.Module:
        """The answer, parsed."""
        return ast.parse(self.source)

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function of the answer (awaited if it is async); the JSON form of what it returns."""
        return self.call_typed(name, *args, **kwargs).value

    def call_typed(self, name: str, /, *args: Any, **kwargs: Any) -> Value:
        """The same, with the type that Python saw."""
        return self._ask({"op": "call", "name": name, "args": args, "kwargs": kwargs}, name)

    def value(self, name: str) -> Any:
        """A module-level value of the answer, such as `ANSWER = ...`."""
        return self._ask({"op": "get", "name": name}, name).value

    def drive(self, name: str, /, server: str, *args: Any, era: str = "auto") -> Any:
        """Run the answer's `async def name(conn, *args)` with a lab connection to a server.

        `server` is the source of that server, with a module-level `server`; it should differ from run to run.
        """
        return self._ask({"op": "drive", "name": name, "server": server, "era": era, "args": args}, name).value

    def session(self, via: str = "memory", era: str = MODERN, *, object: str = "server") -> Session:
        """An open conversation with the learner's server; the same one for all checks of a run."""
        key = (via, era, object)
        if key not in self._sessions:
            self._sessions[key] = self._open(*key)
        return self._sessions[key][0]

    def made(self, env: dict[str, str], era: str = MODERN, *, client: str = "", by: str = "make") -> Session:
        """A conversation, in memory, with the server that the answer's `make(env)` returns.

        The server is made once for each `env`; every `client` has a conversation of its own with it.
        """
        key = (f"{by} {json.dumps(env, sort_keys=True)} {client}", era, by)
        if key not in self._sessions:
            channel = self._loaded().channel(by, env)
            self._sessions[key] = Session(channel, era, "memory", self._limits.request).open(), None
        return self._sessions[key][0]

    def http(
        self,
        env: dict[str, str],
        method: str = "POST",
        path: str = "/mcp",
        *,
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        body: str | Frame = "",
    ) -> HttpAnswer:
        """What the ASGI application of the answer's `app(env)` answers to one request; it is made once for each `env`.

        Nothing is added to the headers but, for a body that is an object, its content type.
        """
        pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
        if not isinstance(body, str):
            body = json.dumps(body)
            if not any(name.lower() == "content-type" for name, _ in pairs):
                pairs.append(("content-type", "application/json"))
        request = {"op": "http", "env": env, "method": method, "path": path, "headers": pairs, "body": body}
        answer: Frame = self._ask(request, "app").value
        try:
            return HttpAnswer(
                int(answer["status"]), {str(n): str(v) for n, v in answer["headers"]}, str(answer["body"])
            )
        except (KeyError, TypeError, ValueError):
            raise CheckFailed(f"the application gave no answer to {method} {path}") from None

    @property
    def folder(self) -> Path:
        """The folder of the process that has loaded the answer: what a check puts there, the answer can read."""
        return self._loaded().folder

    def everywhere(self, *, object: str = "server") -> Iterator[Session]:
        """The server over every path: in memory and as a process, in both eras."""
        for via, era in PATHS:
            yield self.session(via, era, object=object)

    def fresh(self, via: str = "process", era: str = MODERN, *, object: str = "server") -> Session:
        """A conversation with a server that nobody has talked to yet."""
        old = self._sessions.pop((via, era, object), None)
        if old and old[1]:
            old[1].close()
        if via == "memory" and self._shim:
            self._drop_shim()
        return self.session(via, era, object=object)

    def words_on_stderr(self, via: str = "process", era: str = MODERN, *, until: str) -> str:
        """What a fresh server process says on stderr until it has answered, and said `until` if it ever does."""
        process = ServerProcess(self, *self._start("serve"))
        try:
            with contextlib.suppress(CheckFailed):
                Session(process, era, via, self._limits.request).open()
            return process.subject.stderr_when(lambda seen: until in seen, 0.5)
        finally:
            process.close()

    def certify(self, *only: str) -> Certificate:
        """What `labkit certify` says about the learner's server; `only` are checks or sections. Made once a run."""
        from labkit.grading.proof import certify

        if only not in self._certificates:
            self.patience()
            left = self._end - time.monotonic()
            given = (self._name, self.source, self._limits, self._forbidden, self._watcher, only, left)
            try:
                self._certificates[only] = certify(*given)
            except Crashed as crash:
                self._certificates[only] = crash
        found = self._certificates[only]
        if isinstance(found, Crashed):
            raise found
        return found

    # -- what the run uses ------------------------------------------------------------------------------------------

    def begin_check(self) -> None:
        """Forget what earlier checks made the processes say."""
        for process in self._processes():
            process.subject.clear_stderr()
        for session, _ in self._sessions.values():
            session.trouble = False

    def after_failure(self) -> tuple[int | None, str]:
        """The learner's line and the error of the last traceback that a process wrote since `begin_check`."""
        patience = 0.1 if any(session.trouble for session, _ in self._sessions.values()) else 0.0
        for process in self._processes():
            found = process.traceback(patience)
            if found:
                return found
        return None, ""

    def printed(self) -> str:
        """What the answer printed since `begin_check`, without tracebacks; the last lines of it."""
        texts = [process.subject.stderr_when(bool, 0.02) for process in self._processes()]
        text = "\n".join(text.strip() for text in texts)
        return _TRACEBACK.sub("", text).strip()[-600:]

    @property
    def deletion(self) -> str:
        """One sentence once a process has deleted its own file or folder; empty while none has."""
        self._deleted |= not all(process.file_is_there for process in self._processes())
        return DELETION if self._deleted else ""

    def deleted(self) -> None:
        """A process has deleted its own file or folder."""
        self._deleted = True

    def lost(self, process: ServerProcess, crash: Crashed) -> None:
        """A process ended or hangs: forget what ran in it, so that the next check gets a new one."""
        self._losses.append(str(crash))
        process.close()
        if self._shim is process:
            self._drop_shim()
        self._sessions = {key: value for key, value in self._sessions.items() if value[1] is not process}

    def unwatch(self, subject: Subject) -> None:
        """A process is closed."""
        self._watcher.remove(subject)

    def close(self) -> None:
        """End all processes."""
        for process in self._processes():
            process.close()
        self._sessions.clear()
        self._shim = None

    def patience(self) -> float:
        """Seconds that one answer may take now. Raises Crashed when the run has had its time."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Crashed(f"The checks were stopped after {self._limits.wall:g} s.")
        return min(self._limits.request, left)

    def _processes(self) -> list[ServerProcess]:
        started = [self._shim] if self._shim else []
        return started + [process for _, process in self._sessions.values() if process]

    def _drop_shim(self) -> None:
        if self._shim:
            self._shim.close()
        self._shim = None
        # What was in memory went with it: those have no process of their own.
        self._sessions = {key: value for key, value in self._sessions.items() if value[1] is not None}

    def _start(self, mode: str) -> tuple[Subject, Path]:
        if len(self._losses) >= RESTARTS:
            raise Crashed(f"Not run: the code has already failed {RESTARTS} times. {self._losses[0]}")
        self.patience()
        folder = Path(tempfile.mkdtemp(prefix="labkit-"))
        file = folder / f"{self._name}.py"
        file.write_text(self.source, encoding="utf-8", newline="\n")
        subject = self._subjects.take()
        subject.begin(mode, file, self._limits, self._forbidden)
        self._watcher.add(subject)
        return subject, file

    def _loaded(self) -> Shim:
        if self._broken:
            raise self._broken
        if self._shim is None:
            shim = Shim(self, *self._start("shim"))
            try:
                shim.ask({"op": "load"})
            except Crashed as crash:
                shim.close()
                self._broken = Crashed(f"The file cannot be loaded: {crash}", crash.line)
                raise self._broken from None
            self._shim = shim
        return self._shim

    def _ask(self, request: Frame, name: str) -> Value:
        answer = self._loaded().ask(request, name)
        return Value(answer.get("value"), answer["type"], answer.get("json", True))

    def _open(self, via: str, era: str, object: str) -> tuple[Session, ServerProcess | None]:
        if via == "memory":
            return Session(self._loaded().channel(object), era, via, self._limits.request).open(), None
        process = ServerProcess(self, *self._start("serve"))
        session = Session(process, era, via, self._limits.request)
        try:
            return session.open(), process
        except Exception:
            process.close()
            raise
