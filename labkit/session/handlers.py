"""What the client answers when a server asks: elicitation, sampling, roots; and where log messages go.

A learner writes plain functions; this module fits them to the SDK's callbacks:

    on_elicit(message, schema) -> dict (accept), None (decline), or "cancel"
    on_sample(messages, params) -> str, or a CreateMessageResult
    on_roots: a list of folders or URIs, or a function that returns one; by default the server is told of none
    on_log(level, data, logger)

Each may be async. `scripted(...)` makes an elicitation handler that gives prepared answers in turn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import mcp_types as types
from mcp.client.session import ClientRequestContext

from labkit.errors import LabError

Answer = dict[str, Any] | str | types.ElicitResult | None
OnElicit = Callable[[str, dict[str, Any]], Any]
OnSample = Callable[[Any, Any], Any]
OnRoots = Sequence[str | Path] | Callable[[], Any]
OnLog = Callable[[str, Any, str | None], Any]


def answer_from_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The plainest content that fits an elicitation schema: defaults, first choices, smallest values."""
    properties = cast("dict[str, dict[str, Any]]", schema.get("properties") or {})
    return {name: _plainest(prop) for name, prop in properties.items()}


def _plainest(prop: dict[str, Any]) -> Any:
    if "default" in prop:
        return prop["default"]
    for key in ("enum", "oneOf", "anyOf"):
        if options := prop.get(key):
            first: Any = options[0]
            return cast("dict[str, Any]", first).get("const", first) if isinstance(first, dict) else first
    match prop.get("type"):
        case "boolean":
            return True
        case "integer":
            return int(prop.get("minimum", 1))
        case "number":
            return float(prop.get("minimum", 1))
        case "array":
            item = _plainest(prop.get("items") or {})
            return [item] * int(prop.get("minItems", 1))
        case _:
            texts = {"email": "learner@example.com", "uri": "https://example.com", "date": "2026-07-28"}
            texts["date-time"] = "2026-07-28T12:00:00Z"
            text = texts.get(str(prop.get("format")), "scripted answer")
            return text.ljust(int(prop.get("minLength", 0)), ".")[: prop.get("maxLength")]


def accept_defaults(message: str, schema: dict[str, Any]) -> Answer:
    """The default where nobody can be asked (CI, scripts): accept, with `answer_from_schema`."""
    return answer_from_schema(schema)


def scripted(*answers: Answer) -> OnElicit:
    """An elicitation handler that gives these answers in turn; asked once more, it fails with a clear error."""
    left = list(answers)

    def answer(message: str, schema: dict[str, Any]) -> Answer:
        if not left:
            raise LabError(f"The server asked {message!r}, and all {len(answers)} scripted answers are used up.")
        return left.pop(0)

    return answer


def echo_model(messages: Sequence[types.SamplingMessage], params: types.CreateMessageRequestParams) -> str:
    """The default model: deterministic, no key. Answers with the first words of the last message."""
    text = ""
    for message in messages:
        content: Any = message.content
        blocks: list[Any] = list(cast("list[Any]", content)) if isinstance(content, list) else [content]
        text = " ".join(str(getattr(block, "text", "")) for block in blocks).strip() or text
    words = text.split()
    return " ".join(words[: min(12, max(1, params.max_tokens))]) + (" ..." if len(words) > 12 else "")


@dataclass
class LogMessage:
    """One `notifications/message` of the server."""

    level: str
    data: Any
    logger: str | None = None


@dataclass(eq=False)
class StandIn:
    """Who answers in place of the lab's defaults while a call lasts, such as a panel that has forms of its own."""

    elicit: OnElicit
    sample: OnSample


@dataclass
class Handlers:
    """The learner's handlers, with defaults, as the SDK wants them. `logs` keeps every log message."""

    elicit: OnElicit = accept_defaults
    sample: OnSample = echo_model
    roots: OnRoots = ()
    log: OnLog | None = None
    logs: list[LogMessage] = field(default_factory=list[LogMessage])
    stand_ins: list[StandIn] = field(default_factory=list[StandIn])

    @contextmanager
    def answered_by(self, stand_in: StandIn) -> Generator[None, None, None]:
        """Meanwhile `stand_in` answers what would go to a default; a handler that the learner gave keeps answering.

        A handshake-era server's request does not say for which call it asks: of several stand-ins the last answers.
        """
        self.stand_ins.append(stand_in)
        try:
            yield
        finally:
            self.stand_ins.remove(stand_in)

    def _answering(self, kind: Literal["elicit", "sample"]) -> Any:
        own = getattr(self, kind)
        is_default = own in (accept_defaults, echo_model, DEFAULTS.elicit, DEFAULTS.sample)
        return getattr(self.stand_ins[-1], kind) if self.stand_ins and is_default else own

    async def on_elicit(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        """elicitation/create, in either era."""
        if isinstance(params, types.ElicitRequestURLParams):
            schema: dict[str, Any] = {"type": "object", "properties": {}, "url": params.url}
        else:
            schema = dict(params.requested_schema)
        try:
            answer: Answer = await _settle(self._answering("elicit")(params.message, schema))
        except Exception as error:
            return types.ErrorData(code=types.INTERNAL_ERROR, message=f"the elicitation handler failed: {error}")
        if isinstance(answer, types.ElicitResult):
            return answer
        if answer is None or answer == "decline":
            return types.ElicitResult(action="decline")
        if isinstance(answer, str):
            return types.ElicitResult(action="cancel")
        return types.ElicitResult(action="accept", content=None if "url" in schema else answer)

    async def on_sample(
        self, context: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult | types.CreateMessageResultWithTools | types.ErrorData:
        """sampling/createMessage, in either era."""
        try:
            answer = await _settle(self._answering("sample")(params.messages, params))
        except Exception as error:
            return types.ErrorData(code=types.INTERNAL_ERROR, message=f"the sampling handler failed: {error}")
        if isinstance(answer, str):
            content = types.TextContent(text=answer)
            return types.CreateMessageResult(
                role="assistant", content=content, model="labkit-scripted", stop_reason="endTurn"
            )
        return answer

    async def on_roots(self, context: ClientRequestContext) -> types.ListRootsResult | types.ErrorData:
        """roots/list, in either era."""
        given = await _settle(self.roots()) if callable(self.roots) else self.roots
        roots: list[types.Root] = []
        for root in cast("Sequence[str | Path]", given):
            uri = root if isinstance(root, str) and "://" in root else Path(root).resolve().as_uri()
            roots.append(types.Root(uri=cast(Any, uri), name=Path(str(root)).name or None))
        return types.ListRootsResult(roots=roots)

    async def on_log(self, params: types.LoggingMessageNotificationParams) -> None:
        """notifications/message: kept in `logs`, and handed to the learner's handler."""
        self.logs.append(LogMessage(params.level, params.data, params.logger))
        del self.logs[:-2_000]
        if self.log is not None:
            await _settle(self.log(params.level, params.data, params.logger))


async def _settle(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@dataclass
class Defaults:
    """What answers when the learner gave no handler. The face puts a form here when someone can fill it in."""

    elicit: OnElicit = accept_defaults
    sample: OnSample = echo_model
    roots: OnRoots = ()


DEFAULTS = Defaults()
