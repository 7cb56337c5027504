"""Redaction as middleware: nothing that the rules find leaves a server in the result of a call, a resource, a prompt.

    redaction = Redaction(Redactor(known=[os.environ["BANK_KEY"]]))
    server = MCPServer("mine", middleware=[*stack(...), redaction])
    redaction.install(server)                 # so that it knows the tools' output schemas

Put it next to the tool: then caches, logs, audits and spans see only what the caller sees. A result says what was
hidden and by which rule, a count each, in `_meta["labkit/redacted"]`; `stats()` sums them up. Errors of the protocol
are looked at, too. Not looked at are progress and log notifications, which a tool sends while it runs, and questions
back to the client, with their sealed state.

A result that would not fit the tool's output schema any more, because the schema wants a pattern, a format or a length,
gets masks of the same length and kind of character; where these do not fit either, the result is withheld.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from labkit.defences.redaction import Redactor
from labkit.patterns.calls import META_REASON, is_final

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

META_REDACTED = "labkit/redacted"
"""Member of a result's `_meta`: how often each rule hid something."""
METHODS = frozenset(("tools/call", "resources/read", "prompts/get", "completion/complete"))
_CONTROL = frozenset(("resultType", "isError", "requestState", "ttlMs", "cacheScope", "inputRequests"))
WITHHELD = "The result held what must not leave this server, and is withheld as a whole."


@dataclass
class RedactionStats:
    """What was done so far."""

    results: int = 0
    touched: int = 0
    """Results in which something was hidden."""
    withheld: int = 0
    hidden: Counter[str] = field(default_factory=Counter[str])
    """How often each rule hid something."""


class Redaction:
    """Middleware for all results of a server. Without a redactor: the default rules."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self._stats = RedactionStats()
        self._server: MCPServer[Any] | None = None
        self._schemas: dict[str, Mapping[str, Any] | None] = {}

    def install(self, server: MCPServer[Any]) -> None:
        """Learn the output schemas of a server's tools, and be its innermost middleware unless it is in the list."""
        self._server = server
        if self not in server.middleware:
            server.middleware.append(self)

    def stats(self) -> RedactionStats:
        """The counters."""
        return self._stats

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """What the SDK calls for each message."""
        if ctx.method not in METHODS:
            return await call_next(ctx)
        from mcp import MCPError

        try:
            result = await call_next(ctx)
        except MCPError as error:
            told = self.redactor.redact({"message": error.message, "data": error.data})
            if not told.hidden:
                raise
            self._count(told.hidden)
            raise MCPError(error.code, told.value["message"], told.value["data"]) from None
        if not isinstance(result, Mapping):
            return result
        return await self._clean(ctx, dict(result)) if is_final(result) else result

    async def _clean(self, ctx: ServerRequestContext[Any, Any], result: dict[str, Any]) -> dict[str, Any]:
        self._stats.results += 1
        told = self.redactor.redact({name: each for name, each in result.items() if name not in _CONTROL})
        if not told.hidden:
            return result
        self._count(told.hidden)
        clean = {**result, **told.value}
        if "structuredContent" in clean and (schema := await self._schema(ctx)):
            kept = _fitting(clean["structuredContent"], result["structuredContent"], schema)
            if kept is None:
                self._stats.withheld += 1
                return self._withheld(result)
            clean["structuredContent"] = kept
        clean["_meta"] = {**clean.get("_meta", {}), META_REDACTED: told.hidden}
        return clean

    def _withheld(self, result: Mapping[str, Any]) -> dict[str, Any]:
        about = {"content": [{"type": "text", "text": WITHHELD}], "isError": True, "_meta": {META_REASON: "redaction"}}
        return {**({"resultType": result["resultType"]} if "resultType" in result else {}), **about}

    def _count(self, hidden: Mapping[str, int]) -> None:
        self._stats.touched += 1
        self._stats.hidden.update(hidden)

    async def _schema(self, ctx: ServerRequestContext[Any, Any]) -> Mapping[str, Any] | None:
        name = str((ctx.params or {}).get("name", ""))
        if self._server is None or ctx.method != "tools/call":
            return None
        if name not in self._schemas:
            # Tools come and go: only of those that have answered is the schema kept.
            self._schemas = {tool.name: tool.output_schema for tool in await self._server.list_tools()}
        return self._schemas.get(name)


def _fitting(clean: Any, given: Any, schema: Mapping[str, Any]) -> Any:
    """The clean value if it fits the schema, else one with masks of the same form, else None."""
    from jsonschema.validators import validator_for

    validator = validator_for(schema)(schema)
    if validator.is_valid(clean):
        return clean
    masked: Any = _masked_alike(clean, given)
    return masked if validator.is_valid(masked) else None


def _masked_alike(clean: object, given: object) -> object:
    """Where a text was changed: the old one with every letter x and every digit 0."""
    if isinstance(clean, str) and isinstance(given, str):
        return clean if clean == given else "".join("0" if c.isdigit() else "x" if c.isalpha() else c for c in given)
    if isinstance(clean, dict) and isinstance(given, dict):
        new, old = cast("dict[str, Any]", clean), cast("dict[str, Any]", given)
        return {name: _masked_alike(each, old.get(name)) for name, each in new.items()}
    if isinstance(clean, list) and isinstance(given, list):
        pairs = zip(cast("list[Any]", clean), cast("list[Any]", given), strict=True)
        return [_masked_alike(new, old) for new, old in pairs]
    return cast(object, clean)
