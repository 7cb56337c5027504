"""What went wrong with a call: may it work later, and who is to blame?

A tool that cannot work now raises `Unavailable`. Unlike other exceptions it keeps its text and its reason on the way
out, and any middleware of this package makes of it a tool error for the model, with the reason and the seconds to wait
in `_meta` for programs:

    if response.status_code == 503:
        raise Unavailable("The weather service is down: try again later.", retry_after=2)

What a tool refuses (`ToolError`) is an answer: asking again, or blaming the dependency, would both be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from mcp.shared.exceptions import MCPError

from labkit.patterns.calls import META_REASON, META_RETRY_AFTER, Call, Result, is_error, is_final

CODE = -32050
"""The JSON-RPC code of `Unavailable`, which clients see only of a server without middleware of this package."""
CRASH = -32603

TRANSIENT = frozenset({"unavailable", "timeout", "overloaded"})
"""Reasons that may be gone next time. Others are, too, if they say when to come back, unless they are CLOSED."""
CLOSED = frozenset({"circuit-open", "deadline"})
"""Reasons to stop trying: the breaker has just decided that nobody should wait here, or there is no time left."""
BLAMED = frozenset({"unavailable", "timeout"})
"""Reasons that speak against the dependency. "overloaded", "rate-limited", "circuit-open" speak of too many callers,
"deadline" of one in a hurry: if they counted, callers could close a dependency to others."""

Judge = Callable[[Call, Result], bool | None]
"""Whether a result speaks against the dependency (True), for it (False), or says nothing of it (None)."""


class Unavailable(MCPError):
    """Not now; perhaps in `retry_after` seconds. `reason` is one word for programs."""

    def __init__(self, message: str, *, reason: str = "unavailable", retry_after: float | None = None) -> None:
        about: dict[str, Any] = {META_REASON: reason}
        if retry_after is not None:
            about[META_RETRY_AFTER] = round(retry_after, 3)
        super().__init__(CODE, message, about)
        self.reason = reason
        self.retry_after = retry_after


def reason_of(result: Mapping[str, Any]) -> str:
    """Why a call was refused, as the result says it; "" when it does not."""
    return str(_meta(result).get(META_REASON, ""))


def retry_after_of(result: Mapping[str, Any]) -> float | None:
    """Seconds until the call may succeed, as the result says it."""
    seconds = _meta(result).get(META_RETRY_AFTER)
    # Results may come from other people's servers.
    return float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < float("inf") else None


def is_transient(failure: BaseException | Mapping[str, Any]) -> bool:
    """Whether an exception or a result says that it may be different next time."""
    if isinstance(failure, Unavailable):
        reason, retry_after = failure.reason, failure.retry_after
    elif isinstance(failure, BaseException) or not is_error(failure):
        return False
    else:
        reason, retry_after = reason_of(failure), retry_after_of(failure)
    return reason in TRANSIENT or (retry_after is not None and reason not in CLOSED)


def is_blamed(error: BaseException) -> bool:
    """Whether an exception speaks against the dependency: any that is no cancellation and gives no other reason."""
    if isinstance(error, Unavailable):
        return error.reason in BLAMED
    return isinstance(error, Exception)


def judge(call: Call, result: Result) -> bool | None:
    """Whether a result speaks against what the tool depends on.

    A crash does, because it is what an uncaught error of a client library becomes. What a tool refuses in words of its
    own does not: a caller with wrong arguments is no outage.
    """
    if not is_error(result):
        return False if is_final(result) else None
    if reason_of(result):
        return True if reason_of(result) in BLAMED else None
    return True if _text(result) == f"Error executing tool {call.tool}" else None


def judge_error(error: BaseException) -> bool | None:
    """The same for what leaves a server as an exception: protocol errors, and crashes of low-level handlers."""
    if isinstance(error, Unavailable):
        return True if error.reason in BLAMED else None
    if isinstance(error, MCPError):
        return True if error.code == CRASH else None
    # pydantic's, for arguments that are no arguments.
    return True if isinstance(error, Exception) and type(error).__name__ != "ValidationError" else None


def _meta(result: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = result.get("_meta")
    return cast("Mapping[str, Any]", meta) if isinstance(meta, Mapping) else {}


def _text(result: Mapping[str, Any]) -> str:
    content = cast("list[Mapping[str, Any]]", result.get("content") or [{}])
    return str(content[0].get("text", ""))
