"""Run an upstream (a weather service, a bank, an issuer of tokens) as a child process, for as long as it is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
STOP_SECONDS = 3


class UpstreamError(Exception):
    """The service could not be started; the message says why."""


class Upstream:
    """A service on a free port. Use it as a context manager, or call `stop` yourself.

    The child ends when its standard input does, so it cannot outlive this process, not even after kill -9.
    """

    script: str
    """Its file, beside this one."""

    def __init__(self, *options: str) -> None:
        # A group of its own: interrupting a notebook cell signals the kernel's whole group.
        apart: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        self._child = subprocess.Popen(
            [sys.executable, str(HERE / self.script), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **apart
        )
        self._url: str | None = None

    @property
    def pid(self) -> int:
        return self._child.pid

    def url(self) -> str:
        """Its address. The first call waits until the service is up. Raises UpstreamError when it never will be."""
        if self._url is None:
            assert self._child.stdout is not None
            line = self._child.stdout.readline()
            if not line:
                raise UpstreamError(
                    f"the local {self.script} ended with exit code {self._child.wait()} before it was ready: "
                    f"run `python {self.script}` in {HERE} to see why"
                )
            self._url = str(json.loads(line)["url"])
        return self._url

    def stop(self) -> None:
        """End it and wait until it is gone. Stopping twice is fine."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class WeatherUpstream(Upstream):
    """See weather_api.py."""

    script = "weather_api.py"

    def control(self, mode: str, **settings: float) -> dict[str, Any]:
        """Make it "ok", "slow" (delay=seconds), "flaky" (failures=count) or "down"; see weather_api.py."""
        return self._control(json.dumps({"mode": mode, **settings}).encode())

    def requests(self) -> int:
        """How many requests there were since the last change of mode."""
        return self._control()["requests"]

    def _control(self, body: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(self.url() + "/_control", body, timeout=10) as response:
            return json.load(response)


class BankUpstream(Upstream):
    """See bank_api.py."""

    script = "bank_api.py"


class AuthorizationUpstream(Upstream):
    """See authorization_server.py, which has the options: `AuthorizationUpstream("--resource", "URL=notes:read")`."""

    script = "authorization_server.py"
