"""A server process and its two pipes, for writing frames by hand: nothing between you and the wire.

server = BareServer(path)          # python PATH, stdin and stdout are ours
server.send({"jsonrpc": "2.0", ...})
server.receive()                   # the next message, or None when none came in time
server.tape                        # everything that crossed, as in `conn.tape`
server.stop()
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from labkit import Tape

Message = dict[str, Any]


class BareServer:
    """A stdio server without a client: one JSON message a line goes in, one a line comes out."""

    def __init__(self, path: Path, title: str = "") -> None:
        self.tape = Tape(title or path.parent.name, transport="stdio")
        self.process = subprocess.Popen(
            [sys.executable, str(path)],  # this Python, not whichever "python" the PATH finds
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        # A pipe has no portable "read with a timeout": a thread reads, and we wait for the thread.
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\r\n"))

    def send(self, message: Message | list[Message] | str) -> None:
        """Write one line: a message as JSON, or any text as it is."""
        line = message if isinstance(message, str) else json.dumps(message)
        assert self.process.stdin
        self.tape.record("sent", line)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()  # without it the line may wait in our own buffer

    def receive(self, timeout: float = 30.0) -> Message | None:
        """The next line as a message, or None when nothing comes within `timeout` seconds."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return None
        self.tape.record("received", line)
        return json.loads(line)

    def ask(self, message: Message) -> Message | None:
        """Send, then receive."""
        self.send(message)
        return self.receive()

    def stop(self) -> int:
        """Close stdin, which is how a stdio server is told to end; returns its exit code."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        return code
