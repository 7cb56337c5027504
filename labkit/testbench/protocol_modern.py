"""What 2026-07-28 asks for: metadata in each request, results that say what they are, nothing of the handshake era."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.protocol import METHOD_NOT_FOUND
from labkit.testbench.protocol_mcp import INVALID_PARAMS
from labkit.testbench.raw import CLIENT, HANDSHAKE, MODERN, PREFIX, Answer, Json
from labkit.testbench.tour import LISTS, tour


@check(
    "protocol.meta",
    "A modern request without its _meta keys gets error -32602",
    severity="error",
    spec="basic/index#meta",
    fix="Refuse a request whose _meta lacks protocolVersion or clientCapabilities with error -32602; take one without"
    " clientInfo.",
)
async def meta(bench: Bench) -> AsyncGenerator[Finding]:
    """Without a connection's memory each request must say what it is; guessing leads to the wrong era."""
    if MODERN not in bench.eras:
        raise NotApplicable("the server does not speak 2026-07-28")
    wire = await bench.shared(MODERN)
    method = "tools/list" if bench.capability(MODERN, "tools") else "server/discover"
    for missing in ("protocolVersion", "clientCapabilities", "clientInfo"):
        frame = wire.frame(method)
        del frame["params"]["_meta"][PREFIX + missing]
        answer = await wire.ask(frame, timeout=5)
        if missing == "clientInfo":
            if answer.came != "result":
                said = f"a request without clientInfo, which is optional, got {answer.what}"
                yield Finding(said, answer.sent, answer.received, era=MODERN)
        elif answer.code != INVALID_PARAMS and not (missing == "protocolVersion" and answer.code == -32020):
            # Over HTTP the header, which is still sent, disagrees with a body that has no version.
            said = f"a request without {missing} in _meta got {answer.what}, not error {INVALID_PARAMS}"
            yield Finding(said, answer.sent, answer.received, era=MODERN)
        elif answer.status not in (None, 400):
            said = f"its HTTP status is {answer.status}, not 400"
            yield Finding(said, answer.sent, answer.received, era=MODERN, severity="warning")


@check(
    "protocol.result-type",
    "A modern result says of which type it is",
    severity="error",
    spec="basic#resulttype",
    fix='Put "resultType": "complete" into every result of revision 2026-07-28.',
)
async def result_type(bench: Bench) -> AsyncGenerator[Finding]:
    """Strict clients refuse a result without it, or with a type they do not know."""
    for what, answer in await _modern_results(bench):
        kind = answer.result.get("resultType")
        if not isinstance(kind, str) or not kind:
            said = f"the result of {what} has no resultType" if kind is None else f"{what}: resultType is {kind!r}"
            yield Finding(said, answer.sent, answer.received, subject=what, era=MODERN)


@check(
    "protocol.cache-hints",
    "What may be cached says for how long, and for whom",
    severity="error",
    spec="server/utilities/caching",
    fix="Put ttlMs (0 or more) and cacheScope (public or private) into results of server/discover, the lists and"
    " resources/read.",
)
async def cache_hints(bench: Bench) -> AsyncGenerator[Finding]:
    """A gateway that has to guess shows one user's data to another, or asks for everything again."""
    for what, answer in await _modern_results(bench):
        if not (what in LISTS or what.startswith(("resource ", "server/discover"))):
            continue
        if answer.result.get("resultType", "complete") != "complete":
            continue
        ttl, scope = answer.result.get("ttlMs"), answer.result.get("cacheScope")
        if not isinstance(ttl, int | float) or isinstance(ttl, bool) or ttl < 0:
            yield Finding(f"{what}: ttlMs is {ttl!r}", answer.sent, answer.received, subject=what, era=MODERN)
        if scope not in ("public", "private"):
            yield Finding(f"{what}: cacheScope is {scope!r}", answer.sent, answer.received, subject=what, era=MODERN)


async def _modern_results(bench: Bench) -> list[tuple[str, Answer]]:
    if MODERN not in bench.eras:
        raise NotApplicable("the server does not speak 2026-07-28")
    seen = [("server/discover", bench.hellos[MODERN])]
    seen += [(stop.what, stop.answer) for stop in (await tour(bench, MODERN)).stops]
    return [(what, answer) for what, answer in seen if answer.came == "result"]


@check(
    "protocol.discover",
    "server/discover names the version it was asked in, and who answers",
    severity="error",
    spec="server/discover",
    fix="List every version you accept in supportedVersions, and put serverInfo into the _meta of results.",
)
async def discover(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients choose from this list; a server that leaves out what it speaks is spoken to in the old way."""
    if MODERN not in bench.eras:
        raise NotApplicable("the server does not speak 2026-07-28")
    answer = bench.hellos[MODERN]
    versions: Any = answer.result.get("supportedVersions")
    if not isinstance(versions, list) or MODERN not in versions:
        yield Finding(f"supportedVersions is {versions!r}, without {MODERN}", answer.sent, answer.received, era=MODERN)
    about = answer.result.get("_meta")
    if not isinstance(about, dict) or f"{PREFIX}serverInfo" not in about:
        said = "the result does not say which server answers (_meta: serverInfo)"
        yield Finding(said, answer.sent, answer.received, era=MODERN, severity="info")


REMOVED: dict[str, Json] = {
    "ping": {},
    "initialize": {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": CLIENT},
    "logging/setLevel": {"level": "info"},
    "resources/subscribe": {"uri": "testbench://none"},
    "resources/unsubscribe": {"uri": "testbench://none"},
}
"""Methods that 2026-07-28 no longer has, with parameters that were right."""


@check(
    "protocol.removed",
    "Methods that are no longer there are not there",
    severity="warning",
    spec="changelog",
    fix="Answer ping, initialize, logging/setLevel and resources/subscribe of 2026-07-28 with error -32601.",
)
async def removed(bench: Bench) -> AsyncGenerator[Finding]:
    """A client that sees them answered takes the server for one of the other era."""
    if MODERN not in bench.eras:
        raise NotApplicable("the server does not speak 2026-07-28")
    for method, params in REMOVED.items():
        answer = await (await bench.shared(MODERN)).request(method, params, timeout=5)
        if answer.came != "error":
            said = f"{method}, which 2026-07-28 does not have, got {answer.what}"
            yield Finding(said, answer.sent, answer.received, era=MODERN)
            if answer.came in ("silence", "closed"):
                await bench.drop(MODERN)
        elif answer.code not in (METHOD_NOT_FOUND, -32022):  # -32022 says which versions there are instead
            said = f"{method}, which 2026-07-28 does not have, got error {answer.code}, not {METHOD_NOT_FOUND}"
            yield Finding(said, answer.sent, answer.received, era=MODERN, severity="info")
