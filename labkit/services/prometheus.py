"""A Prometheus that scrapes servers of a notebook or a test, and is gone with them.

    with Prometheus({"weather": f"{url}/metrics"}) as prometheus:
        await asyncio.to_thread(prometheus.wait, 'up{job="weather"} == 1')
        prometheus.query("sum by (tool) (rate(mcp_tool_calls_total[30s]))")

Unlike the other services it keeps nothing: what it watches ends with whoever started it, and so does it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlsplit

from labkit.services import place, programs
from labkit.services.service import ServiceError
from labkit.services.supervised import Supervised

START_SECONDS = 30.0


class Prometheus:
    """`targets` are jobs and the addresses of their metrics; `every` is seconds between two looks at each."""

    def __init__(self, targets: Mapping[str, str], *, every: float = 1.0) -> None:
        program = programs.prometheus_program()
        self.folder = Path(tempfile.mkdtemp(prefix="lab-prometheus-")).resolve()
        # JSON is YAML, and needs no library to write.
        config = {"scrape_configs": [_job(name, url, every) for name, url in targets.items()]}
        (self.folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
        self._program: Supervised | None = None
        try:
            for attempt in range(3):  # somebody may take the port between our looking and its listening
                if self._start(program):
                    return
                if attempt == 2 or "address already in use" not in self._last_words():
                    raise ServiceError(f"Prometheus did not become ready. {self._last_words()}")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The supervisor; Prometheus is its child."""
        assert self._program
        return self._program.pid

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression of PromQL is now: labels and value of each series."""
        found = self._get("query", query=expression)["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def query_range(
        self, expression: str, *, seconds: float, step: float = 1.0
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """What it was over the last `seconds`: labels, and (time, value) pairs, of each series."""
        end = time.time()
        found = self._get("query_range", query=expression, start=end - seconds, end=end, step=step)["result"]
        return [(each["metric"], [(float(at), float(value)) for at, value in each["values"]]) for each in found]

    def wait(self, expression: str, seconds: float = 30.0) -> list[tuple[dict[str, str], float]]:
        """Wait until the expression has a value: `up == 1`, `mcp_tool_calls_total > 99`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := self.query(expression):
                return found
            time.sleep(0.1)
        raise ServiceError(f"Prometheus found nothing for {expression!r} in {seconds:g} s. Look at {self.url}/targets.")

    def close(self) -> None:
        """End it and delete what it has stored. Closing twice is fine."""
        self._stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _start(self, program: Path) -> bool:
        self._stop()
        port = place.free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            str(program),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        self._program = Supervised(command, self.folder / "log")
        return self._program.becomes(self._ready, START_SECONDS, every=0.05)

    def _ready(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=1):
            return True
        return False

    def _stop(self) -> None:
        if self._program is not None:
            self._program.end()
            self._program = None

    def _get(self, what: str, **parameters: Any) -> dict[str, Any]:
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=10) as response:
                return cast("dict[str, Any]", json.load(response)["data"])
        except urllib.error.HTTPError as error:
            told = error.read().decode("utf-8", "replace")
            raise ServiceError(f"Prometheus does not answer {parameters.get('query')!r}: {told}") from error
        except OSError as error:
            raise ServiceError(f"Prometheus is gone from {self.url}: {error}. {self._last_words()}") from error

    def _last_words(self) -> str:
        try:
            lines = (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "The end of its log:\n" + "\n".join(lines[-6:])


def _job(name: str, url: str, every: float) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "job_name": name,
        "scrape_interval": f"{round(every * 1000)}ms",
        "scrape_timeout": f"{round(every * 1000)}ms",
        "metrics_path": parts.path or "/metrics",
        "static_configs": [{"targets": [parts.netloc]}],
    }
