"""Protocol over HTTP: what stands in the headers of a modern request must be what stands in its body."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from typing import cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.raw import MODERN
from labkit.testbench.raw_http import RawHttp
from labkit.testbench.tour import tour

MISMATCH = -32020


@check(
    "protocol.headers",
    "A request whose headers say something else than its body is refused",
    severity="error",
    spec="basic/transports/streamable-http#server-validation",
    fix="Compare MCP-Protocol-Version, Mcp-Method and Mcp-Name with the body; answer HTTP 400 and error -32020 when one"
    " is missing or differs.",
    transports=["http"],
)
async def headers(bench: Bench) -> AsyncGenerator[Finding]:
    """A gateway decides by the headers, the server by the body: what passes the one must be the same to the other."""
    if MODERN not in bench.eras:
        raise NotApplicable("the headers are those of 2026-07-28, which the server does not speak")
    wire = cast(RawHttp, await bench.shared(MODERN))
    frame = wire.frame("tools/call", {"name": "testbench-no-such-tool", "arguments": {}})
    if not bench.capability(MODERN, "tools"):
        frame = wire.frame("server/discover")
    own = wire.headers(frame)
    wrong = [
        ("mcp-method", "prompts/list"),
        ("mcp-name", "another-name"),
        ("mcp-protocol-version", "2099-01-01"),
        ("mcp-method", None),
        ("mcp-name", None),
    ]
    for name, value in wrong:
        if name not in own:
            continue
        head = {k: v for k, v in own.items() if k != name} | ({name: value} if value else {})
        answer = await wire.post(json.dumps(frame), head, id=frame["id"], timeout=5.0)
        what = f"with {name}: {value}" if value else f"without {name}"
        if answer.code == MISMATCH or (name == "mcp-protocol-version" and answer.code == -32022):
            if answer.status != 400:
                said = f"a request {what} got HTTP {answer.status}, not 400"
                yield Finding(said, answer.sent, answer.received, era=MODERN, severity="warning")
        else:
            said = f"a request {what} got {answer.what}, not error {MISMATCH}"
            yield Finding(said, f"{name}: {value or '(left out)'}\n{answer.sent}", answer.received, era=MODERN)


@check(
    "protocol.encoded-name",
    "A name that a header cannot hold is decoded before it is compared",
    severity="error",
    spec="basic/transports/streamable-http#value-encoding",
    fix="Decode Mcp-Name of the form =?base64?...?= before you compare it with the body.",
    transports=["http"],
)
async def encoded_name(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients send every name with a character outside of ASCII so; a server that does not decode refuses them all."""
    if MODERN not in bench.eras or not (calls := (await tour(bench, MODERN)).called):
        raise NotApplicable("there is no tool that is marked read-only in 2026-07-28")
    wire = cast(RawHttp, await bench.shared(MODERN))
    name, given = calls[0]
    frame = wire.frame("tools/call", {"name": name, "arguments": given})
    head = wire.headers(frame) | {"mcp-name": f"=?base64?{base64.b64encode(name.encode()).decode()}?="}
    answer = await wire.post(json.dumps(frame), head, id=frame["id"], timeout=5.0)
    if answer.code == MISMATCH:
        said = f"Mcp-Name: {head['mcp-name']}, which is {name!r}, got error {MISMATCH}"
        yield Finding(said, answer.sent, answer.received, subject=name, era=MODERN)
