"""One replica, the table of them, and one step of a rolling restart."""

from __future__ import annotations

import html
from dataclasses import dataclass

from labkit.scaling.choosing import Upstream
from labkit.session.serving import RunningServer


class Replica:
    """One of them: `number`, `pid`, `url`, `state` (running, stopped, died), and what the balancer has counted."""

    def __init__(self, number: int, running: RunningServer, start_seconds: float) -> None:
        self.number, self.running = number, running
        self.upstream = Upstream(number, running.url)
        self.start_seconds = start_seconds
        """From the start of the process until it accepted connections."""

    @property
    def pid(self) -> int | None:
        """The process; this one for an object of this kernel."""
        return self.running.pid

    @property
    def url(self) -> str:
        """Its own address, past the balancer; it stays when it has died."""
        return self.upstream.url

    @property
    def state(self) -> str:
        """running, stopped (on request) or died."""
        return self.running.state

    @property
    def calls(self) -> int:
        """HTTP requests that it answered through the balancer, since it was started."""
        return self.upstream.calls

    @property
    def failed(self) -> int:
        """Requests that the balancer sent to it, or tried to, and that it did not answer."""
        return self.upstream.failed

    def __repr__(self) -> str:
        counted = f"{self.calls} calls, {self.failed} failed"
        return f"<replica {self.number}: {self.state}, pid {self.pid}, {counted}, {self.url}>"


class ReplicaList(list[Replica]):
    """The replicas by number; a table in a notebook."""

    COLUMNS = ("number", "state", "pid", "calls", "failed", "url")

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "(no replicas)"

    def as_html(self) -> str:
        """The table."""
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in self.COLUMNS)
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{html.escape(str(getattr(each, name)))}</td>" for name in self.COLUMNS
            )
            + "</tr>"
            for each in self
        )
        return f"<table><tr>{head}</tr>{rows}</table>"

    def _repr_html_(self) -> str:
        return self.as_html()


@dataclass(frozen=True)
class Rolled:
    """One step of a rolling restart."""

    number: int
    old_pid: int | None
    new_pid: int | None
    start_seconds: float
    """Until the new one accepted connections; the old one served meanwhile."""
    drain_seconds: float
    """Until the old one had answered all that it had."""
    left: int
    """Requests that were cut off after the time to drain; -1: there were some, nginx does not say how many."""
    sessions: int
    """Sessions that ended with the old one, as far as the balancer knew of them."""
