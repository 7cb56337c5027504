"""All servers that this process has to do with: what it serves, what its connections lead to, what ended lately."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import psutil

from labkit.session.link import OPEN, Link
from labkit.session.past import ENDED, SERVED, Ended
from labkit.session.serving import RunningServer
from labkit.wire import mask_url

LINES = 10
"""Lines of stderr in a row."""


@dataclass(frozen=True)
class Row:
    """One server as it is now. Times are seconds since the epoch, memory is in bytes."""

    key: str
    """`server-N` for what `serve` started, `connection-N` otherwise."""
    name: str
    state: str
    """running, connecting, closing, died, stopped, closed."""
    transport: str
    era: str = ""
    pid: int | None = None
    own: bool = False
    """Whether the process is one that the lab started, apart from this kernel; only such a process can be killed."""
    url: str = ""
    began: float = 0.0
    ended: float | None = None
    memory: int | None = None
    calls: int = 0
    errors: int = 0
    doing: str = ""
    note: str = ""
    stderr: str = ""
    acts: tuple[str, ...] = ()
    """What can be done with it: stop, restart, kill; reconnect where there is no process to restart."""


def census() -> list[Row]:
    """Rows of everything, what runs first. Quick: memory is left out."""
    links = list(OPEN.values())
    rows = [_served(running, links) for running in SERVED]
    rows += [_open(link) for link in links]
    rows += [_over(each) for each in reversed(ENDED)]
    return sorted(rows, key=lambda row: row.ended is not None or row.state in ("died", "stopped"))


def measured(rows: list[Row]) -> list[Row]:
    """The same with the memory of each process and all below it. Blocks: for a thread."""
    return [replace(row, memory=_memory(row.pid)) if row.pid and row.ended is None else row for row in rows]


def _memory(pid: int) -> int | None:
    try:
        process = psutil.Process(pid)
        family = [process] if pid == os.getpid() else [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family)
    except psutil.Error:
        return None


def _served(running: RunningServer, links: list[Link]) -> Row:
    mine = [link for link in links if running.url and link.plan.url == running.url]
    state, own = running.state, running.pid != os.getpid()
    through = ", ".join(str(link.number) for link in mine)
    note = f"led to by connection {through}" if mine else "no connection of this kernel leads here"
    if state == "died":
        note = f"It {running.how_it_ended}; nothing answers at its URL."
    alive = ("stop", "restart", "kill") if own else ("stop", "restart")
    return Row(
        key=f"server-{running.number}",
        name=running.name,
        state=state,
        transport=running.via,
        pid=running.pid if state == "running" else None,
        own=own,
        url=running.url if state == "running" else "",
        began=running.started,
        calls=sum(link.calls for link in mine),
        errors=sum(link.errors for link in mine),
        doing=_doing(*mine),
        note=note if state != "stopped" else "stopped on request; its URL is free again",
        stderr=running.stderr.tail(LINES),
        acts=alive if state == "running" else ("restart",),
    )


def _open(link: Link) -> Row:
    plan, running = link.plan, link.plan.running
    own = (running is not None and running.pid != os.getpid()) or link.child.process is not None
    state = "closing" if link.closing else "running" if link.opened else "connecting"
    if plan.server is not None:
        note = "an object in this kernel: no process"
    elif own or running is not None:
        note = "started for this connection, ends with it"
    elif any(plan.url == each.url for each in SERVED):
        note = "to a server that is listed here"
    else:
        note = "not started here: only the connection can be closed"
    if running is not None and running.how_it_ended:
        state, note = "died", f"It {running.how_it_ended}; the connection ends at its next sign of life."
    return Row(
        key=f"connection-{link.number}",
        name=plan.name,
        state=state,
        transport=plan.via,
        era=link.tape.era,
        pid=link.pid,
        own=own,
        url=mask_url(running.url if running else plan.url),
        began=link.opened_at.timestamp(),
        calls=link.calls,
        errors=link.errors,
        doing=_doing(link),
        note=note,
        stderr=link.log.tail(LINES),
        acts=("stop", "restart", "kill") if own else ("stop", "reconnect"),
    )


def _doing(*links: Link) -> str:
    return "; ".join(what for link in links for what in link.busy[:3])


def _over(ended: Ended) -> Row:
    return Row(
        key=f"connection-{ended.number}",
        name=ended.name,
        state="died" if ended.died else "closed",
        transport=ended.transport,
        era=ended.era,
        pid=ended.pid,
        url=ended.url,
        began=ended.began,
        ended=ended.ended,
        calls=ended.calls,
        errors=ended.errors,
        note=ended.died,
        stderr=ended.stderr,
        acts=("reconnect",) if ended.recipe else (),
    )
