"""The inspector: what a server offers, to look at and to try, in a panel below a cell.

`inspector_connect` opens and closes, `inspector_call` calls and answers questions, `inspector_events` hears what comes
by itself, `timeline` shows the wire, `history` keeps the calls and `inspector_saving` makes tests of them.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any, ClassVar, cast

from labkit.catalog import LAB_ROOT
from labkit.errors import LabError
from labkit.session.connection import Connection
from labkit.ui.history import as_cell
from labkit.ui.inspector_call import Calling
from labkit.ui.inspector_events import LISTS, Listening
from labkit.ui.inspector_saving import as_test, connecting_code, expectation, members, proposed_path, save_test
from labkit.ui.inspector_still import as_text, still
from labkit.ui.panel import Panel
from labkit.ui.timeline import WireAnswers

_MADE: dict[str, tuple[str, list[weakref.ref[Inspector]]]] = {}
"""By cell: the run in which its panels were made, and the panels."""
_BY_CELL = 200


class Inspector(Calling, Listening, WireAnswers):
    """The panel of `lab.inspect`."""

    parts: ClassVar[tuple[str, ...]] = (
        "form",
        "timeline",
        "inspector_connect",
        "inspector_answer",
        "inspector_pages",
        "inspector_history",
        "inspector_events",
        "inspector",
    )
    sheets: ClassVar[tuple[str, ...]] = ("form", "timeline", "inspector")

    def __init__(self, conn: Any = None) -> None:
        inner: Connection | None = getattr(conn, "_inner", conn)  # of a lab.sync connection, the awaited one
        super().__init__(f"Inspector of {inner.name}" if inner is not None else "Inspector", inner)
        self._target: Any = None
        self._given = conn  # the one that the notebook has a name for
        if inner is not None:
            self.connected()

    def connected(self) -> None:
        """Watch the new connection, its wire included. Another server begins another history."""
        target = self.conn._link.made_with.get("target") if self.conn is not None else None  # pyright: ignore[reportPrivateUsage]
        if len(self.history) and target != self._target:
            self.history.clear()
            self.tell("forget")
        self._target = target
        super().connected()
        self.watch(self.conn)

    async def answer_form(self) -> None:
        """Back to the form: nothing of the last connection is kept but the history."""
        await super().answer_form()
        self.watch(None)

    async def answer_state(self) -> dict[str, Any]:
        """All that a page needs to draw the panel as it is; from here on it is told what changes."""
        self.begin_watching()
        return {
            "connection": self.facts(),
            "choices": self.choices(),
            "lists": self.lists(),
            "history": [entry.line() for entry in self.history],
            "questions": [question.for_page() for question in self.questions.values()],
            "events": [*self.events],
            "subscriptions": [*self.subscriptions],
            "all_lists": LISTS,
            "stderr": self.stderr(all_of_it=True),
        }

    async def answer_code(self, id: int) -> str:
        """A call of the history as a Python cell."""
        entry, conn = self.entry(id), self.conn
        if conn is None or not self.owned:
            return as_cell(entry, name_in_notebook(self._given), waits=self._given is not conn)
        try:
            connecting, imports = connecting_code(conn, entry)
        except LabError:  # a server object: the notebook has a name for it
            target = name_in_notebook(conn._link.made_with["target"], "server")  # pyright: ignore[reportPrivateUsage]
            connecting, imports = f"lab.connect({target}, via={conn.transport!r}, era={conn.era!r})", set[str]()
        lines = [*sorted(imports | {"import labkit as lab"}), f"conn = await {connecting}"]
        return as_cell(entry, connecting="\n".join(lines))

    async def answer_plan_test(self, id: int) -> dict[str, Any]:
        """What saving this call as a test would do: a free path, the members that may be left out, the source."""
        conn, entry = self._inspected(), self.entry(id)
        paths = [] if entry.state == "error" else members(expectation(entry)[1])
        path = proposed_path(conn, entry)
        return {
            "path": (path.relative_to(LAB_ROOT) if path.is_relative_to(LAB_ROOT) else path).as_posix(),
            "members": paths,
            "source": as_test(conn, entry, []),
        }

    async def answer_save_test(self, id: int, path: str = "", ignore: list[list[str]] | None = None) -> dict[str, Any]:
        """Write the test; `{"path", "run"}`: where it is, and the command that runs it."""
        file = save_test(self._inspected(), self.entry(id), path, ignore)
        return {"path": str(file), "run": f"python -m pytest {file}", "source": file.read_text(encoding="utf-8")}

    def _inspected(self) -> Connection:
        if self.conn is None:
            raise LabError("There is no connection: nothing to write a test for.")
        return self.conn

    # without script ----------------------------------------------------------------------------

    def _tools(self) -> list[tuple[str, str]]:
        tools = self.conn._link.tools_list if self.conn is not None else []  # pyright: ignore[reportPrivateUsage]
        return [(tool.name, (tool.description or "").partition("\n")[0]) for tool in tools]

    def still(self) -> str:
        """What server it was, its tools, and the calls with their answers."""
        return still(self.facts(), self._tools(), self.history)

    def text(self) -> str:
        """The same for a terminal."""
        return as_text(self.facts(), self._tools(), self.history)

    def redraw(self) -> None:
        """Bring the still up to date, if something changed."""
        Panel.redraw(self)


def inspect(target: Any = None, **options: Any) -> Inspector:
    """The inspector of a connection; of a target, which it opens and closes; or a form to connect with.

        lab.inspect(conn)                                 # what lab.connect() or lab.sync.connect() returned
        lab.inspect("calculator", era="2025-11-25")       # anything that lab.connect takes, with its options
        lab.inspect()

    Running the cell again makes a new panel and closes the old one, with the connection that it opened.
    """
    is_open = isinstance(getattr(target, "_inner", target), Connection)
    if is_open and options:
        said = ", ".join(f"{name}=" for name in options)
        raise LabError(f"This connection is open already: {said} came too late. Give them to lab.connect().")
    panel = Inspector(target if is_open else None)
    _replace(panel)
    if target is not None and not is_open:
        panel.open_soon({"target": target, **options})
    return panel


def _replace(panel: Inspector) -> None:
    """Close the panels that an earlier run of this cell made: nobody sees them any more."""
    cell, run = _running_cell()
    if not cell:
        return
    before, made = _MADE.pop(cell, ("", []))
    if before != run:
        for old in (ref() for ref in made):
            if old is not None:
                old.close()
        made = []
    _MADE[cell] = (run, [*made, weakref.ref(panel)])  # at the end: the cells not run for longest go first
    while len(_MADE) > _BY_CELL:
        del _MADE[next(iter(_MADE))]


def _running_cell() -> tuple[str, str]:
    shell = sys.modules.get("IPython")
    ip: Any = shell.get_ipython() if shell else None  # pyright: ignore[reportAttributeAccessIssue]
    kernel = getattr(ip, "kernel", None)
    if kernel is None:
        return "", ""
    parent = cast("dict[str, Any]", kernel.get_parent() or {})
    return str(parent.get("metadata", {}).get("cellId", "")), str(parent.get("header", {}).get("msg_id", ""))


def name_in_notebook(thing: Any, otherwise: str = "conn") -> str:
    """The name that the notebook has for a connection or a server."""
    shell = sys.modules.get("IPython")
    ip: Any = shell.get_ipython() if shell else None  # pyright: ignore[reportAttributeAccessIssue]
    names = cast("dict[str, Any]", getattr(ip, "user_ns", {}))
    return next((name for name, value in [*names.items()] if value is thing and not name.startswith("_")), otherwise)
