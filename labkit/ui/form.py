"""A form for an elicitation, drawn below the running cell.

`ask` is what a notebook answers with when a server elicits and the learner gave no handler. The call waits in its
cell; the buttons work because JupyterLab sends widget messages to a thread of their own (a kernel subshell). Where a
front end does not, the form says how to answer without it.
"""

from __future__ import annotations

import asyncio
import html
from typing import Any, ClassVar

from labkit.ui.inspector_content import cut, plain
from labkit.ui.panel import Panel

PATIENCE = 300.0
"""Seconds that a form waits for a person."""
LATE = (
    "Nobody answered within five minutes: cancelled. To answer without a form, connect with"
    " on_elicit=lab.scripted({...})."
)
Answer = dict[str, Any] | str


class ElicitationForm(Panel):
    """The question, a form for its schema, and Accept, Decline, Cancel. `answer` is a future with what was chosen."""

    parts: ClassVar[tuple[str, ...]] = ("form", "elicitation")
    sheets: ClassVar[tuple[str, ...]] = ("form",)

    def __init__(self, message: str, schema: dict[str, Any]) -> None:
        super().__init__("The server asks")
        self.message, self.schema = message, schema
        self.url = str(schema.get("url") or "")
        self.state = ""
        """What became of the question, in words; empty while it waits."""
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    async def answer_question(self) -> dict[str, Any]:
        """What to draw."""
        return {
            "message": cut(self.message),
            "schema": None if self.url else plain(self.schema),
            "url": self.url,
            # Only what opens a page: a javascript: or data: address would run in the learner's JupyterLab.
            "safe": self.url.lower().startswith(("https://", "http://")),
            "state": self.state,
        }

    async def answer_accept(self, value: Any) -> dict[str, Any]:
        """Answer with this value; `{"faults": [{path, message}]}` when it does not fit, and the question stays."""
        from labkit.ui.checking import errors

        # What is wrong with the schema is the server's business, and must not keep a person from answering.
        faults = [] if self.url else [fault for fault in errors(self.schema, value) if not fault.get("schema")]
        faults += errors({"type": "object"}, value)  # whatever the schema says: the protocol knows no other content
        if not faults:
            self.settle(value, "accepted")
        return {"faults": faults}

    async def answer_decline(self) -> None:
        """Say no."""
        self.settle("decline", "declined")

    async def answer_cancel(self) -> None:
        """Say neither yes nor no."""
        self.settle("cancel", "cancelled")

    def settle(self, value: Answer, state: str) -> None:
        """Give the answer and say so in each view. The first one counts."""
        if not self.answer.done():
            self.answer.set_result(value)
            self.state = state
        self.tell("settled", state=self.state)

    def still(self) -> str:
        """The question and what became of it, without the values: a saved notebook is no place for them."""
        address = f" <code>{html.escape(self.url)}</code>" if self.url else ""
        return (
            f"<p><b>The server asks:</b> {html.escape(self.message[:5000])}{address}</p>"
            f"<p>{html.escape(self.state or 'not answered yet')}</p>"
        )

    def text(self) -> str:
        """The question for a terminal."""
        return f"The server asks: {self.message} {self.url}".rstrip() + f" ({self.state or 'not answered yet'})"


async def ask(message: str, schema: dict[str, Any]) -> Answer:
    """Show the form under the running cell and wait for the person; "cancel" after five minutes."""
    from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

    form = ElicitationForm(message, schema)
    display(form)
    try:
        return await asyncio.wait_for(asyncio.shield(form.answer), PATIENCE)
    except TimeoutError:
        form.settle("cancel", LATE)
        return form.answer.result()
    except asyncio.CancelledError:
        form.settle("cancel", "The call has ended: there is nothing to answer any more.")
        raise
    finally:
        form.redraw()
