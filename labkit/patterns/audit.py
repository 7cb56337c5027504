"""Who called what, with what, and what came of it: one record for each call, in files that show tampering.

    audit = Audit("logs/audit")
    server = MCPServer("mine", middleware=[audit])
    verify("logs/audit")                                  # from labkit.patterns.ledger_reading
    list(search("logs/audit", who="ada", tool="pay"))

Put it before what refuses calls or answers them (`stack` does): then that is recorded. Arguments are masked and cut
(`masking`), results are not kept, but for the first `preview` characters when asked for. A record is written when the
call ends, however it ends. `ledger` tells what the chain of hashes proves and what it does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from labkit.patterns import correlation
from labkit.patterns.calls import META_REASON, Call, CallMiddleware, Proceed, Result, outcome_of, refusal
from labkit.patterns.ledger import Head, Ledger
from labkit.patterns.masking import LIMIT, mask_text, masked
from labkit.patterns.records import timestamp

RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class AuditStats:
    """What was recorded, and what was not."""

    written: int
    lost: int
    """Calls that ended while nothing could be written."""
    refused: int


class Audit(CallMiddleware):
    """`to` is a folder, or a Ledger of your own. `required`: while nothing can be written, calls are refused.

    `clean` is given arguments and texts before they are masked: names and forms are all that `masking` knows, and a
    `labkit.defences.redaction.Redactor` finds more, at more cost.
    """

    def __init__(
        self,
        to: str | Path | Ledger,
        *,
        key: bytes | None = None,
        limit: int = LIMIT,
        preview: int = 0,
        required: bool = False,
        clean: Callable[[Any], Any] | None = None,
    ) -> None:
        self.ledger = to if isinstance(to, Ledger) else Ledger(to, key=key)
        self._limit, self._preview, self._required = limit, preview, required
        self._clean: Callable[[Any], Any] = clean or _as_it_is
        self._written = self._lost = self._refused = 0
        self._failing = False

    @property
    def head(self) -> Head:
        """The last record: keep it elsewhere, and `verify` can prove later that nothing was cut off."""
        return self.ledger.head

    def stats(self) -> AuditStats:
        """The counters."""
        return AuditStats(self._written, self._lost, self._refused)

    def close(self) -> None:
        """Let go of the files."""
        self.ledger.close()

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Let the call pass, and record it."""
        if self._failing and self._required and not self._works_again():
            self._refused += 1
            text = "This server cannot keep its audit log now, and does nothing without. Try again later."
            return refusal(call, text, reason="audit-unavailable", retry_after=RETRY_SECONDS)
        token = correlation.begin(call)
        began = time.perf_counter()
        try:
            result = await proceed()
        except BaseException as error:
            self._record(call, began, error)
            raise
        else:
            self._record(call, began, result)
            return result
        finally:
            correlation.end(token)

    def write(self, record: Mapping[str, Any]) -> bool:
        """Record something else that happened: masked, with the time and the current correlation id."""
        kept = masked(self._clean(record), self._limit)
        return self._append({"at": timestamp(), "correlation": correlation.current(), **kept})

    def _record(self, call: Call, began: float, ended: Result | BaseException) -> None:
        outcome = outcome_of(ended)
        record = {
            "at": timestamp(),
            "who": call.principal,
            "client": call.client[:100],
            "tool": call.tool[:100],
            "arguments": masked(self._clean(call.arguments), self._limit),
            "outcome": outcome,
            "ms": round((time.perf_counter() - began) * 1000, 3),
            "correlation": correlation.current(),
        }
        if isinstance(ended, BaseException):
            record["error"] = mask_text(self._clean(f"{type(ended).__name__}: {ended}"), self._limit)
        elif outcome == "refused":
            record["reason"] = ended["_meta"][META_REASON]
        if not isinstance(ended, BaseException) and (limit := self._limit if outcome == "error" else self._preview):
            record["error" if outcome == "error" else "result"] = mask_text(self._clean(_first_text(ended)), limit)
        self._append(record)

    def _append(self, record: Mapping[str, Any]) -> bool:
        # What cannot be written must not change what the caller gets: it has been done by now.
        try:
            self.ledger.append(record)
        except (OSError, ValueError):
            self._lost += 1
            self._failing = True
            return False
        self._written += 1
        self._failing = False
        return True

    def _works_again(self) -> bool:
        try:
            self.ledger.append({"event": "resumed", "at": timestamp(), "lost": self._lost})
        except (OSError, ValueError):
            return False
        self._failing = False
        return True


def _as_it_is(value: Any) -> Any:
    return value


def _first_text(result: Result) -> str:
    for block in cast("list[Mapping[str, Any]]", result.get("content") or ()):
        if block.get("type") == "text":
            return str(block.get("text", ""))
    return ""
