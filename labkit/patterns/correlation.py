"""One id for all that belongs to one errand: its log lines, its audit record, its trace, in every server it passes.

The outermost middleware that wants an id begins it, and those inside find it. It comes with the call
(`_meta["labkit/correlationId"]`), or is the id of the trace that the call belongs to, or is made up.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from labkit.patterns.calls import Call

META_CORRELATION = "labkit/correlationId"

# A variable of the context, not of the module: calls run side by side, and each has its own.
_current: ContextVar[str] = ContextVar("labkit_correlation", default="")
_fit = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch
_prefix = secrets.token_hex(6)
_numbers = itertools.count(1)


def current() -> str:
    """The id of the errand that this code runs for; "" outside of any."""
    return _current.get()


def begin(call: Call) -> Token[str] | None:
    """Give the call an id, unless it has one; `end` takes it away again. None: somebody further out has begun."""
    return None if _current.get() else _current.set(_of(call))


def end(token: Token[str] | None) -> None:
    """The end of what `begin` began."""
    if token is not None:
        _current.reset(token)


def meta() -> dict[str, str]:
    """What a call to another server brings in its `_meta`, so that it goes on under the same id."""
    known = _current.get()
    return {META_CORRELATION: known} if known else {}


def _of(call: Call) -> str:
    given = cast("Mapping[str, Any]", call.ctx.meta or {}).get(META_CORRELATION)
    # It ends up in files and on screens: what is no plain short id is not taken over.
    if isinstance(given, str) and _fit(given):
        return given
    trace = _current_span()().get_span_context().trace_id
    return f"{trace:032x}" if trace else f"{_prefix}-{next(_numbers)}"


@cache
def _current_span() -> Callable[[], Span]:
    from opentelemetry.trace import get_current_span

    return get_current_span
