"""The inspector's calls: checked, sent, watched, cancelled; the questions a server asks meanwhile; their history."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import mcp_types as types

from labkit.errors import LabError
from labkit.session.connection import Connection
from labkit.session.handlers import StandIn, echo_model
from labkit.ui.form import PATIENCE
from labkit.ui.history import Entry, History, Kind
from labkit.ui.inspector_connect import Connecting
from labkit.ui.inspector_content import cut, expand, plain, shown, template_schema
from labkit.ui.panel import said

BEAT = 0.1
"""Seconds between two pieces of progress that the page hears of."""
REFUSED = types.ErrorData(code=-1, message="The user refused to answer for the model.")


@dataclass
class Question:
    """What a server asks while a call runs, and where the answer goes."""

    id: int
    call: int
    kind: str
    message: str
    schema: dict[str, Any]
    proposal: str = ""
    answer: concurrent.futures.Future[Any] = field(default_factory=concurrent.futures.Future[Any])

    def for_page(self) -> dict[str, Any]:
        """As the page draws it."""
        url = str(self.schema.get("url", ""))
        safe = url.lower().startswith(("https://", "http://"))  # a javascript: address would run in the learner's page
        return {
            "id": self.id,
            "call": self.call,
            "kind": "url" if url else self.kind,
            "message": cut(self.message, 20_000),
            "schema": plain(self.schema),
            "proposal": self.proposal,
            "url": url,
            "safe": safe,
        }


class Calling(Connecting):
    """The half of the inspector that calls tools, reads resources and gets prompts."""

    def __init__(self, label: str, conn: Connection | None) -> None:
        super().__init__(label, conn)
        self.history = History()
        self.questions: dict[int, Question] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._question_numbers = count(1)

    # what the page asks ------------------------------------------------------------------------

    async def answer_call(
        self, kind: Kind, name: str, arguments: dict[str, Any] | None = None, anyway: bool = False
    ) -> dict[str, Any]:
        """Begin a call: `{"id": its number}`; or `{"faults": [{path, message}]}` when its arguments do not fit.

        `anyway` sends them all the same, to see what the server says.
        """
        conn, given = self.live(), arguments or {}
        if not anyway and (faults := self._faults(conn, kind, name, given)):
            return {"faults": faults}
        entry = self.history.add(kind, name, given, anyway=anyway)
        if kind == "template":
            entry.uri = expand(name, given)
        task = asyncio.ensure_future(self._run(conn, entry))
        self._running[entry.id] = task
        task.add_done_callback(lambda _: self._over(entry))
        self.tell("entry", **entry.whole())
        return {"id": entry.id}

    async def answer_cancel(self, id: int) -> None:
        """Cancel a call, here and at the server."""
        if task := self._running.get(id):
            task.cancel()

    async def answer_entry(self, id: int) -> dict[str, Any]:
        """One call of the history with its answer."""
        return self.entry(id).whole()

    async def answer_complete(
        self, ref: str, argument: str, value: str = "", context: dict[str, str] | None = None
    ) -> list[str]:
        """Suggestions for an argument; none where the server makes none."""
        conn = self.live()
        if conn.capabilities is None or conn.capabilities.completions is None:
            return []
        others = {k: str(v) for k, v in (context or {}).items() if k != argument and v not in (None, "")}
        return [cut(each, 500) for each in (await conn.complete(ref, argument, value, others or None))[:100]]

    async def answer_reply(
        self, id: int, action: str, content: dict[str, Any] | str | None = None, anyway: bool = False
    ) -> dict[str, Any]:
        """Answer a server's question: action accept, decline or cancel. `{"faults": ...}` when it does not fit."""
        question = self.questions.get(id)
        if question is None:
            raise LabError("This question is settled: it was answered elsewhere, or its call has ended.")
        is_form = question.kind == "elicit" and "url" not in question.schema
        if action == "accept" and is_form and not anyway and (faults := faults_of(question.schema, content or {})):
            return {"faults": faults}
        answer: Any = {"accept": content if content is not None else {}, "decline": None}.get(action, "cancel")
        if entry := self.history.find(question.call):
            entry.replies.append((question.kind, answer))
        self._settle(question, answer if question.kind == "elicit" or action == "accept" else REFUSED)
        return {}

    def entry(self, id: int) -> Entry:
        """The call of that number. Raises LabError when the history has let go of it."""
        found = self.history.find(id)
        if found is None:
            raise LabError(f"Call {id} is no longer in the history.")
        return found

    # a call ------------------------------------------------------------------------------------

    def _faults(self, conn: Connection, kind: Kind, name: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        if kind == "tool":
            return faults_of(conn.tools.find(name).input_schema, given)
        if kind == "prompt":
            return faults_of(conn.prompts[name].schema, given)
        return faults_of(template_schema(name), given) if kind == "template" else []

    async def _run(self, conn: Connection, entry: Entry) -> None:
        handlers = conn._link.handlers  # pyright: ignore[reportPrivateUsage]
        stand_in = StandIn(functools.partial(self._elicited, entry), functools.partial(self._sampled, entry))
        try:
            with handlers.answered_by(stand_in):
                result: Any = await self._use(conn, entry)
            answer, raw = shown(result), result.raw
        except asyncio.CancelledError:
            entry.state = "cancelled"
        except Exception as error:
            entry.state, entry.error, entry.code = "error", cut(said(error), 20_000), getattr(error, "code", None)
        else:
            entry.state = "tool error" if getattr(result, "is_error", False) else "ok"
            entry.structured = getattr(result, "structured", None) is not None
            entry.data = result.data if entry.structured else None
            self.history.finished(entry, answer, raw)
        for question in [q for q in self.questions.values() if q.call == entry.id]:
            self._settle(question, "cancel")

    def _over(self, entry: Entry) -> None:
        self._running.pop(entry.id, None)
        if entry.state == "running":  # cancelled before its task had begun
            entry.state = "cancelled"
        entry.seconds, entry.progress = time.perf_counter() - entry.began, None
        self.tell("entry", **entry.whole())
        self.redraw()

    async def _use(self, conn: Connection, entry: Entry) -> Any:
        if entry.kind == "tool":
            progress = functools.partial(self._progressed, entry)
            return await conn.call(entry.name, entry.arguments, progress=_Paced(progress), check=not entry.anyway)
        if entry.kind == "prompt":
            return await conn.prompt(entry.name, entry.arguments)
        return await conn.read(entry.uri or entry.name)

    def _progressed(self, entry: Entry, progress: float, total: float | None, message: str | None) -> None:
        entry.progress = {"done": progress, "total": total, "message": cut(message or "", 500)}
        self.tell("progress", id=entry.id, **entry.progress)

    # its questions -----------------------------------------------------------------------------

    async def _elicited(self, entry: Entry, message: str, schema: dict[str, Any]) -> Any:
        return await self._ask(Question(next(self._question_numbers), entry.id, "elicit", message, schema))

    async def _sampled(self, entry: Entry, messages: Any, params: types.CreateMessageRequestParams) -> Any:
        lines = [f"{m.role}: {_text(m.content)}" for m in cast("list[types.SamplingMessage]", messages)]
        if params.system_prompt:
            lines.insert(0, f"system: {params.system_prompt}")
        proposal = cut(echo_model(messages, params), 5_000)
        number = next(self._question_numbers)
        return await self._ask(Question(number, entry.id, "sample", "\n".join(lines), {}, proposal))

    async def _ask(self, question: Question) -> Any:
        # On the connection's loop, which may be another than the panel's: hence the thread-safe future.
        self.questions[question.id] = question
        self.tell("questions", rows=[q.for_page() for q in [*self.questions.values()]])
        try:
            return await asyncio.wait_for(asyncio.wrap_future(question.answer), PATIENCE)
        except TimeoutError:
            return "cancel" if question.kind == "elicit" else REFUSED
        finally:
            self._settle(question, "cancel")

    def _settle(self, question: Question, answer: Any) -> None:
        if self.questions.pop(question.id, None) is not None:
            self.tell("questions", rows=[q.for_page() for q in [*self.questions.values()]])
        if not question.answer.done():
            question.answer.set_result(answer)

    def close(self) -> None:
        """Cancel what is running."""
        for task in [*self._running.values()]:
            task.cancel()
        super().close()


def faults_of(schema: dict[str, Any], value: Any) -> list[dict[str, Any]]:
    """Where `value` does not fit: `{path, message}` each. A schema that cannot be used does not hold anybody up."""
    from labkit.ui.checking import errors

    return [dict(fault) for fault in errors(schema, value) if not fault.get("schema")]


def _text(content: Any) -> str:
    blocks = cast("list[Any]", content) if isinstance(content, list) else [content]
    return " ".join(str(getattr(each, "text", f"<{getattr(each, 'type', 'content')}>")) for each in blocks)


class _Paced:
    """A progress callback that hands on at most ten a second, and always the last."""

    def __init__(self, tell: Any) -> None:
        self._tell, self._told = tell, 0.0

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        now = time.monotonic()
        if now - self._told >= BEAT or (total is not None and progress >= total):
            self._told = now
            self._tell(progress, total, message)
