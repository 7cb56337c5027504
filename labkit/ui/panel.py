"""What every view of the lab shares: a half in Python, a half in the browser, and a picture that needs neither.

A view is a subclass of `Panel` with files in `static/`. The browser asks, and Python answers:

    const tools = await panel.ask("tools", {});         // static/NAME.js, given to mount(...)
    async def answer_tools(self) -> list[dict]: ...     # the method of the Panel

Python tells, without being asked: `self.tell("frames", rows=[...])`. A view that is not drawn yet hears nothing, so
each begins by asking for what there is. Answers are made on the event loop of the cell that made the panel, wherever
the message arrived: JupyterLab sends some of them to threads with loops of their own.

Below a live panel lies its still: plain HTML that a saved notebook, an exported page and a terminal can show. It is
hidden while the panel lives (`look.css`), and drawn again at the end of each cell that changed something.
"""

from __future__ import annotations

import asyncio
import html
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, cast

import anywidget
import traitlets

from labkit.errors import LabError

STATIC = Path(__file__).with_name("static")
_NEEDS = {"form": ("schema", "fields", "groups")}
"""Files of `static/` that another stands on."""
_LIVE: weakref.WeakSet[Panel] = weakref.WeakSet()

# JupyterLab prefers a widget to everything else, also when its kernel is gone; it then prints an error line instead.
_STILL_STYLE = (
    "<style>.jp-OutputArea-child:has(> .jupyter-widgets:not(:has(*))):has(+ .jp-OutputArea-child .labkit-still)"
    "{display:none}</style>"
)


@cache
def script(*parts: str) -> str:
    """The ES module made of these files of `static/`, one after the other. No build step, no network."""
    files = ["dom", *(file for part in parts for file in (*_NEEDS.get(part, ()), part))]
    return "\n".join((STATIC / f"{file}.js").read_text(encoding="utf-8") for file in files)


@cache
def styles(*parts: str) -> str:
    """The style sheet made of these files of `static/`."""
    return "\n".join((STATIC / f"{part}.css").read_text(encoding="utf-8") for part in ("look", *parts))


class Panel(anywidget.AnyWidget):
    """A view. Subclasses name their files, answer in `async def answer_NAME(self, ...)`, and draw `still()`."""

    parts: ClassVar[tuple[str, ...]] = ()
    """Files of `static/`, without suffix; the last one has the `export default mount(...)`."""
    sheets: ClassVar[tuple[str, ...]] = ()
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    """What a screen reader calls the panel."""

    def __init__(self, label: str) -> None:
        super().__init__(label=label, _esm=script(*self.parts), _css=styles(*self.sheets))  # pyright: ignore[reportUnknownMemberType]
        try:
            self._home: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._home = None
        self._asked: dict[Any, asyncio.Future[Any]] = {}
        self._handle: Any = None
        self._drawn = ""
        self.on_msg(self._heard)  # pyright: ignore[reportUnknownMemberType]

    # talking to the browser --------------------------------------------------------------------

    def tell(self, what: str, /, **data: Any) -> None:
        """Send data to every view of this panel. From any thread."""
        self.send({"tell": what, "data": data})  # pyright: ignore[reportUnknownMemberType]

    def _heard(self, _: Any, message: dict[str, Any], __: Any) -> None:
        if "cancel" in message:
            self._on_home(message["cancel"], lambda: self._cancel(message["cancel"]))
        elif "ask" in message:
            self._on_home(message["ask"], lambda: self._start(message))

    def _on_home(self, number: Any, act: Callable[[], None]) -> None:
        if self._home is None or self._home.is_closed():
            self.send({"answer": number, "error": "The event loop of this panel has ended. Run its cell again."})  # pyright: ignore[reportUnknownMemberType]
        else:
            self._home.call_soon_threadsafe(act)

    @property
    def stranded(self) -> bool:
        """Whether the event loop that answers has ended."""
        return self._home is None or self._home.is_closed()

    def _cancel(self, number: Any) -> None:
        if task := self._asked.get(number):
            task.cancel()

    def _start(self, message: dict[str, Any]) -> None:
        number = message["ask"]
        task = asyncio.ensure_future(self._answer(number, str(message.get("name")), message.get("params") or {}))
        self._asked[number] = task  # asyncio keeps no strong reference to a task
        task.add_done_callback(lambda _: self._asked.pop(number, None))

    async def _answer(self, number: Any, name: str, params: dict[str, Any]) -> None:
        try:
            result = await self.respond(name, params)
        except asyncio.CancelledError:
            self.send({"answer": number, "error": "cancelled", "cancelled": True})  # pyright: ignore[reportUnknownMemberType]
        except Exception as error:  # a task's exception would be lost: it belongs on the screen
            self.send({"answer": number, "error": said(error), "kind": type(error).__name__})  # pyright: ignore[reportUnknownMemberType]
        else:
            self.send({"answer": number, "result": result})  # pyright: ignore[reportUnknownMemberType]

    async def respond(self, name: str, params: dict[str, Any]) -> Any:
        """What the browser gets when it asks for `name`; tests ask in the same way. LabError for no such name."""
        method = cast("Callable[..., Coroutine[Any, Any, Any]] | None", getattr(self, f"answer_{name}", None))
        if method is None:
            raise LabError(f"{type(self).__name__} has no answer to {name!r}.")
        return await method(**params)

    def close(self) -> None:
        """Cancel what is being answered, and let go of the browser's half."""
        for task in list(vars(self).get("_asked", {}).values()):  # none when __init__ failed
            task.cancel()
        _LIVE.discard(self)
        super().close()  # pyright: ignore[reportUnknownMemberType]

    # the still ---------------------------------------------------------------------------------

    def still(self) -> str:
        """The view as HTML without script, for when there is no kernel. Bounded in size."""
        return ""

    def text(self) -> str:
        """The view for a terminal."""
        return f"{self.label}"

    def _still(self) -> dict[str, str]:
        label = html.escape(self.label)
        page = f"<div class='labkit-still' role='group' aria-label='{label}'>{self.still()}</div>"
        return {"text/html": _STILL_STYLE + page, "text/plain": self.text()}

    def _ipython_display_(self) -> None:
        from IPython import display as ipython

        show = cast(Any, ipython).display
        bundle = self._still()
        self._drawn = bundle["text/html"]
        if not os.environ.get("LABKIT_SCRIPTED"):  # papermill and nbclient have nobody to click
            live = cast("Any", super()._repr_mimebundle_())  # pyright: ignore[reportUnknownMemberType]
            show(live[0] if isinstance(live, tuple) else live, raw=True)
        self._handle = show(bundle, raw=True, display_id=f"labkit-{id(self):x}")
        _LIVE.add(self)

    def redraw_soon(self) -> None:
        """`redraw` on the home loop, for what happens outside cells. From any thread."""
        if self._home is not None and not self._home.is_closed():
            self._home.call_soon_threadsafe(self.redraw)

    def redraw(self) -> None:
        """Bring the still up to date, if something changed."""
        if self._handle is None:
            return
        bundle = self._still()
        if bundle["text/html"] != self._drawn:
            self._drawn = bundle["text/html"]
            self._handle.update(bundle, raw=True)


class StatePanel(Panel):
    """A view whose state is cheap to tell and dear to draw: subclasses write `state()`,
    and call `tell_state()` on a change."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self._stale = True

    def state(self) -> dict[str, Any]:
        """All that the view shows, as JSON-ready data."""
        raise NotImplementedError(type(self).__name__)

    async def answer_state(self) -> dict[str, Any]:
        """All that the view shows."""
        return self.state()

    def tell_state(self) -> None:
        """Tell the browser the state, and draw the still soon. From any thread."""
        self._stale = True
        self.tell("state", **self.state())
        self.redraw_soon()

    def redraw(self) -> None:
        """As for every panel, but only after a change: this runs after each cell."""
        if self._stale:
            self._stale = False
            super().redraw()


def said(error: BaseException) -> str:
    """An exception for the screen: the lab's own messages as they are, others with the name of their kind."""
    notes = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
    return f"{error}{notes}" if isinstance(error, LabError | ValueError) else f"{type(error).__name__}: {error}{notes}"


def redraw_stills(*_: Any) -> None:
    """Bring the stills of all displayed panels up to date: runs after each cell."""
    if threading.current_thread() is threading.main_thread():
        for panel in list(_LIVE):
            panel.redraw()
