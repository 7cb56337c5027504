"""A real nginx as the load balancer: without root, in a folder of its own, and gone with whoever started it.

What it does is in its configuration, `Nginx.config`: read it, it is the one of production in small.

- `sticky` is `ip_hash`: all clients of one address (of IPv4, of one /24) share a replica. The nginx that is free of
  charge cannot learn a session from an answer, as `sticky` of the embedded balancer or of HAProxy does.
- `hash` is `hash $http_mcp_session_id consistent`: it does not hold for sessions, since `initialize` has no id yet.
- A replica that cannot be reached gets nothing for ten seconds. A POST that was sent goes to no other replica, unless
  `resend` is on (non_idempotent); one that could not be sent does.
- A change of replicas is a reload: new workers take over, old ones finish what they have, at most DRAIN seconds, and
  close the connections that clients keep. A request that is on its way on one of these just then is never read: clients
  that send it again lose nothing, others see an error. (The embedded balancer keeps the connections of its clients.)
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from labkit.scaling.choosing import Balance, Upstream
from labkit.scaling.proxy import REPLICA
from labkit.services import place, processes
from labkit.services.programs import find_nginx as find_nginx
from labkit.services.programs import nginx_program
from labkit.services.service import ServiceError
from labkit.services.supervised import Supervised

START_SECONDS = 20.0
DRAIN = 60
"""Seconds after which an old worker gives up the streams that it still has."""
HANDOVER = 1.0
"""Seconds to wait for an old worker to stop taking requests, where the system does not show that it has."""
_METHODS: dict[Balance, str] = {
    "round_robin": "",
    "least_connections": "least_conn;",
    "sticky": "ip_hash;",
    "hash": "hash $http_mcp_session_id consistent;",
}


class Nginx:
    """A `Front`."""

    kind = "nginx"

    def __init__(self, balance: Balance, *, port: int = 0, resend: bool = False) -> None:
        self._program = nginx_program()
        self.port = port
        self._balance: Balance = balance
        self._resend, self._fixed = resend, bool(port)
        self.folder: Path | None = None
        self._running: Supervised | None = None
        self._upstreams: list[Upstream] = []
        self._known: dict[str, Upstream] = {}
        self._read = 0
        self._old: set[int] = set()

    @property
    def config(self) -> str:
        """What nginx reads."""
        folder, known = (self.folder or Path()).as_posix(), self._known
        numbers = "".join(f'    "{address}" {each.number};\n' for address, each in known.items())
        servers = "".join(f"    server {_address(each)} max_fails=1 fail_timeout=10s;\n" for each in self._upstreams)
        method = f"    {_METHODS[self._balance]}\n" if _METHODS[self._balance] else ""
        again = "error timeout http_502 non_idempotent" if self._resend else "error timeout"
        temporary = "".join(
            f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""\
worker_processes 1;
worker_shutdown_timeout {DRAIN}s;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
  log_format lab "$upstream_addr|$upstream_status";
  access_log {folder}/access.log lab;
{temporary}\
  client_max_body_size 8m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000;
  map $upstream_addr $lab_replica {{
    default $upstream_addr;
{numbers}\
  }}
  upstream replicas {{
{method}{servers}\
    keepalive 128;
  }}
  server {{
    listen 127.0.0.1:{self.port} backlog=1024;
    location / {{
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";                 # keep connections to the replicas
      proxy_set_header Host $http_host;               # without it the SDK refuses: 421 Invalid Host header
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_buffering off;                            # pass events on as they come
      proxy_read_timeout 300s;
      proxy_next_upstream {again};
      add_header {REPLICA} $lab_replica always;
    }}
  }}
}}
"""

    def begin(self, upstreams: list[Upstream]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lab-nginx-")).resolve()
        self.folder.chmod(0o755)  # started by root, its workers are another account
        self._take(upstreams)
        try:
            for attempt in range(3):  # somebody may take the port between our looking and its listening
                if not self._fixed:
                    self.port = place.free_port()
                if self._start():
                    return
                if attempt == 2 or self._fixed or "Address already in use" not in self._last_words():
                    raise ServiceError(f"nginx did not become ready. {self._last_words()}")
        except BaseException:
            self.close()
            raise

    def replace(self, upstreams: list[Upstream]) -> None:
        self._take(upstreams)
        self._write()
        before = self._workers()
        self._old |= before
        command = [str(self._program), *self._arguments, "-s", "reload"]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=30, check=False)
        if done.returncode:
            raise ServiceError(f"nginx did not reload: {done.stderr.strip()[-500:]}")
        deadline = time.monotonic() + START_SECONDS
        while not self._workers() - before:
            if time.monotonic() > deadline:
                raise ServiceError(f"nginx has no new worker after its reload. {self._last_words()}")
            time.sleep(0.01)
        # nginx starts the new ones first, and tells the old ones a moment later: until then they take requests.
        deadline = time.monotonic() + HANDOVER
        while any(_takes_requests(pid) for pid in before & self._workers()) and time.monotonic() < deadline:
            time.sleep(0.01)

    def drained(self, upstream: Upstream, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while self._old & self._workers() and time.monotonic() < deadline:
            time.sleep(0.02)
        # nginx does not tell how many requests a worker that is leaving still has.
        return -1 if self._old & self._workers() else 0

    def remove(self, upstream: Upstream) -> int:
        self.count()  # its address may be given to another
        self._known = {address: each for address, each in self._known.items() if each is not upstream}
        return 0

    def count(self) -> None:
        if self.folder is None:
            return
        with suppress(OSError), (self.folder / "access.log").open("rb") as log:
            log.seek(self._read)
            lines = log.read().decode("ascii", "replace").splitlines(keepends=True)
            for line in lines:
                if not line.endswith("\n"):
                    break
                self._read += len(line)
                self._count(line.strip())

    def _count(self, line: str) -> None:
        # "a, b|502, 200": a did not answer, b did. 499 and "-" are of clients that went away first.
        addresses, _, statuses = line.partition("|")
        for address, status in zip(addresses.split(", "), statuses.split(", "), strict=False):
            each = self._known.get(address)
            if each is not None:
                each.calls += status not in ("502", "504", "-")
                each.failed += status in ("502", "504")

    def close(self) -> None:
        self._end()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    @property
    def _arguments(self) -> list[str]:
        assert self.folder is not None
        folder = self.folder
        return ["-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]

    def _take(self, upstreams: list[Upstream]) -> None:
        self._upstreams = list(upstreams)
        self._known |= {_address(each): each for each in upstreams}

    def _write(self) -> None:
        assert self.folder is not None
        (self.folder / "nginx.conf").write_text(self.config, encoding="utf-8")

    def _start(self) -> bool:
        self._write()
        assert self.folder is not None
        self._running = Supervised([str(self._program), *self._arguments], self.folder / "output")
        if self._running.becomes(lambda: bool(self._workers()) and place.accepts(self.port), START_SECONDS, every=0.02):
            return True
        self._end()
        return False

    def _end(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None

    def _workers(self) -> set[int]:
        """The worker processes: children of the master, which is the child of the supervisor."""
        if self._running is None:
            return set()
        try:
            masters = psutil.Process(self._running.pid).children()
            return {each.pid for master in masters for each in master.children() if processes.lives(each)}
        except psutil.Error:
            return set()

    def _last_words(self) -> str:
        assert self.folder is not None
        said = ""
        for name in ("error.log", "output"):
            with suppress(OSError):
                said += (self.folder / name).read_text(encoding="utf-8", errors="replace")
        return f"It said:\n{said.strip()[-800:]}" if said.strip() else "It said nothing."


def _takes_requests(pid: int) -> bool:
    try:
        return "shutting down" not in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _address(upstream: Upstream) -> str:
    return urlsplit(upstream.url).netloc
