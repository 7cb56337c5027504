"""The pipes between the judge and one learner's process: frames of a stdio server, or requests to the shim."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import shutil
import time
from collections import deque
from pathlib import Path
from typing import Protocol

from labkit.grading.checks import CheckFailed, Crashed, show
from labkit.grading.sandbox import Subject
from labkit.grading.talk import Frame, parse


class Owner(Protocol):
    """The run that a process belongs to."""

    def patience(self) -> float:
        """Seconds that one answer may take now. Raises Crashed when the run has had its time."""
        ...

    def lost(self, process: ServerProcess, crash: Crashed) -> None:
        """A process ended or hangs."""
        ...

    def unwatch(self, subject: Subject) -> None:
        """A process is closed."""
        ...

    def deleted(self) -> None:
        """A process has deleted its own file or folder."""
        ...


class ServerProcess:
    """A process of the learner's, as a pipe of frames."""

    def __init__(self, owner: Owner, subject: Subject, file: Path) -> None:
        self.subject, self._owner, self._file = subject, owner, file
        self._closed = False

    @property
    def folder(self) -> Path:
        """The folder that it runs in, and may write to."""
        return self._file.parent

    @property
    def file_is_there(self) -> bool:
        """Whether the file that it runs is still in its folder."""
        return self._closed or self._file.exists()

    def send(self, frame: Frame) -> None:
        """Send one frame."""
        self.subject.send(json.dumps(frame).encode() + b"\n")

    def receive(self, timeout: float) -> Frame:
        """The next frame; a line that is none fails the check."""
        return parse(self.next_line(timeout))

    def next_line(self, timeout: float) -> bytes:
        """The next line. Raises Crashed when the process ended or does not answer."""
        timeout = min(timeout, self._owner.patience())
        try:
            line = self.subject.line(timeout)
        except TimeoutError:
            self.subject.stop(f"No answer within {timeout:.0f} s; the process was stopped.")
            line = None
        if line is None:
            crash = Crashed(self.subject.obituary(), (self.traceback(0.0) or (None, ""))[0])
            self._owner.lost(self, crash)
            raise crash
        return line

    def traceback(self, timeout: float) -> tuple[int, str] | None:
        """The learner's last line in the last traceback on stderr, and the error's own line."""
        place = re.compile(rf'File "[^"\n]*{re.escape(self._file.name)}", line (\d+)')
        text = self.subject.stderr_when(lambda seen: place.search(seen) is not None, timeout)
        found = list(place.finditer(text))
        if not found:
            return None
        after = re.search(r"^([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$", text[found[-1].end() :], re.M)
        return int(found[-1][1]), after[1][:300] if after else ""

    def close(self) -> None:
        """End the process and remove its folder; a second time does nothing."""
        if self._closed:
            return
        self._owner.unwatch(self.subject)
        self.subject.close()
        if not self.file_is_there:
            self._owner.deleted()
        self._closed = True
        shutil.rmtree(self._file.parent, ignore_errors=True)


class Shim(ServerProcess):
    """The learner's file as a module in its process; replies and frames of in-memory channels share the pipe."""

    def __init__(self, owner: Owner, subject: Subject, file: Path) -> None:
        super().__init__(owner, subject, file)
        self._ids = itertools.count(1)
        self._replies: dict[int, Frame] = {}
        self._inbox: dict[str, deque[Frame]] = {}

    def ask(self, request: Frame, name: str = "") -> Frame:
        """Send a request and wait for its reply. Raises Crashed with the learner's line when its code raised."""
        number = next(self._ids)
        self.send({**request, "id": number})
        end = time.monotonic() + self._owner.patience()
        while number not in self._replies:
            self.pump(max(0.0, end - time.monotonic()))
        reply = self._replies.pop(number)
        if reply.get("ok") is True:
            return reply
        error: Frame = reply.get("error") or {}
        kind, message, line = str(error.get("type")), str(error.get("message", "")), error.get("line")
        if kind == "AttributeError" and line is None and "'answer' has no attribute" in message:
            raise CheckFailed(f"the file does not define {name}")
        if kind == "SystemExit":
            raise Crashed("The code ends the process (SystemExit) instead of answering.", line)
        raise Crashed(f"{kind}: {message}", line if isinstance(line, int) else None)

    def channel(self, object: str, env: dict[str, str] | None = None) -> Channel:
        """Open an in-memory connection to a server object of the answer, or to what a function makes of `env`."""
        channel = f"c{next(self._ids)}"
        self._inbox[channel] = deque()
        self.ask({"op": "open", "channel": channel, "object": object, "env": env}, object)
        return Channel(self, channel)

    def pump(self, timeout: float) -> None:
        """Take one line from the pipe and put it where it belongs."""
        line = self.next_line(timeout)
        message: Frame = {}
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            message = dict(json.loads(line))
        if isinstance(message.get("frame"), dict) and message.get("channel") in self._inbox:
            self._inbox[message["channel"]].append(message["frame"])
        elif isinstance(message.get("id"), int):
            self._replies[message["id"]] = message
        else:
            raise CheckFailed(f"the process wrote into the channel of the checks: {show(line, 120)}")

    def next_frame(self, channel: str, timeout: float) -> Frame:
        """The next frame of one channel."""
        end = time.monotonic() + timeout
        while not self._inbox[channel]:
            self.pump(max(0.0, end - time.monotonic()))
        return self._inbox[channel].popleft()


class Channel:
    """One in-memory connection inside the shim."""

    def __init__(self, shim: Shim, name: str) -> None:
        self._shim, self._name = shim, name

    def send(self, frame: Frame) -> None:
        """Send one frame."""
        self._shim.send({"op": "frame", "channel": self._name, "frame": frame})

    def receive(self, timeout: float) -> Frame:
        """The next frame."""
        return self._shim.next_frame(self._name, timeout)
