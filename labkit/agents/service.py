"""What the adapters of real models have in common: names of tools, errors in a sentence, text as it comes."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

from labkit.agents.model import Json, Message, ModelBusyError, ModelError, Tool

OnText = Callable[[str], Awaitable[None] | None]
"""Is called, and awaited where it is a coroutine, with each piece of text as it comes."""

TOKENS = 4096
"""Of one reply."""
SECONDS = 120.0
"""For one reply, or between two pieces of one that is streamed."""
BUSY = {408, 409, 429}
"""Statuses, beside those from 500 on, that may be gone the next time."""
LASTING = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "billing_error",
}
"""Kinds of errors, told in the middle of a stream, that come again the next time."""


class Names:
    """Tools' names as these services take them: letters, digits, `_` and `-`, 64 at most; and the way back."""

    def __init__(self, messages: Sequence[Message], tools: Sequence[Tool]) -> None:
        self.out: dict[str, str] = {}
        # Tools that have gone since they were called are still spoken of.
        called = (call.name for message in messages for call in message.calls)
        for name in [*(tool.name for tool in tools), *called]:
            if name not in self.out:
                self.out[name] = _free(re.sub(r"[^A-Za-z0-9_-]", "_", name)[:60] or "_", self.out.values())
        self._back = {short: name for name, short in self.out.items()}

    def back(self, short: str) -> str:
        """The name of a tool that the model calls so; what it has made up stays as it is."""
        return self._back.get(short, short)


def _free(name: str, taken: Iterable[str]) -> str:
    used, number, found = set(taken), 1, name
    while found in used:
        number += 1
        found = f"{name}_{number}"
    return found


async def tell(on_text: OnText, text: str) -> None:
    """Hand a piece of text on, unless it is empty. What the hook raises ends the reply."""
    if text and inspect.isawaitable(told := on_text(text)):
        await told


async def pieces(events: AsyncIterable[Any], model: str, sdk: Any) -> AsyncGenerator[Any]:
    """The events of a stream. Raises ModelError for an error that the service tells, ModelBusyError where it breaks."""
    iterator = aiter(events)
    while True:
        try:
            event = await anext(iterator)
        except StopAsyncIteration:
            return
        except sdk.APIError as error:
            raise no_answer(model, error) from error
        except Exception as error:  # only the SDK's code runs here, and what breaks it is not of one family
            raise broken(model, f"{type(error).__name__}: {error}") from error
        yield event


def broken(model: str, how: str) -> ModelBusyError:
    """A stream that has no end: what came of it is dropped."""
    return ModelBusyError(f"The answer of {model} broke off: {how}. Nothing of it was done. Ask again later.")


def cut_off(model: str) -> ModelError:
    """A reply that ran out of tokens and wants calls: the last of them may be half of what was meant."""
    return ModelError(
        f"{model} was cut off after {TOKENS} tokens, in the middle of its calls. None of them was made. Ask for less at"
        " a time."
    )


def object_schema(schema: Json) -> Json:
    """A tool's schema as these services want it."""
    return {"type": "object", "properties": {}, **schema}


def arguments(text: str) -> Json:
    """What the model wrote; text that is no JSON object goes to the tool, whose refusal tells the model so."""
    try:
        found: Any = json.loads(text or "{}")
    except ValueError:
        return {"arguments": text}
    return found if isinstance(found, dict) else {"arguments": text}  # pyright: ignore[reportUnknownVariableType]


def package(name: str, variable: str) -> Any:
    """The SDK. Raises ModelError when it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(
            f"{variable} is set, and the package {name!r} is not installed: python -m pip install {name}. Or unset"
            f" {variable} to do without a real model."
        ) from error


def no_answer(model: str, error: Exception) -> ModelError:
    """What an error of the SDK comes to: ModelBusyError for one that may be gone the next time."""
    said = f"{type(error).__name__}: {error}"
    status: Any = getattr(error, "status_code", None)
    # A connection that failed has no status, and an error in the middle of a stream that of its beginning. A quota that
    # is used up says 429 as well, and does not come back.
    if status is None or status < 400:
        passing = getattr(error, "type", None) not in LASTING
    else:
        passing = status in BUSY or status >= 500
    if passing and getattr(error, "code", None) != "insufficient_quota":
        return ModelBusyError(f"{model} gave no answer: {said}. Ask again later.", _retry_after(error))
    return ModelError(f"{model} gave no answer: {said}. Check the key, the name of the model, and the network.")


def _retry_after(error: Any) -> float | None:
    """The seconds that the service asks to wait; None when it gives none, or a date."""
    try:
        seconds = float(error.response.headers["retry-after"])
    except (AttributeError, KeyError, ValueError):
        return None
    return seconds if 0 <= seconds < float("inf") else None
