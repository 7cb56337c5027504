"""Checks of 04_migrate_a_frame."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

PREFIX = "io.modelcontextprotocol/"
VERSION = "2026-07-28"


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=6))


def a_client(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """A client, and the envelope its requests carry."""
    info = {"name": word(rng), "version": f"{rng.randint(0, 9)}.{rng.randint(0, 9)}"}
    capabilities = rng.choice([{}, {"roots": {}}, {"elicitation": {"form": {}}}])
    envelope = {
        PREFIX + "protocolVersion": VERSION,
        PREFIX + "clientInfo": info,
        PREFIX + "clientCapabilities": capabilities,
    }
    return {"info": info, "capabilities": capabilities}, envelope


def request(id: Any, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, **({} if params is None else {"params": params})}


@check(
    "a request carries its own introduction",
    points=3,
    reason="Version, client info and capabilities stand in each request's _meta, beside the parameters it had.",
    about="modernize",
)
def test_envelope(submission: Submission, rng: random.Random) -> None:
    client, envelope = a_client(rng)
    params = {"name": word(rng), "arguments": {word(rng): rng.randint(1, 99)}}
    for id, old in ((rng.randint(1, 99), params), (word(rng), None)):
        method = "tools/call" if old else "tools/list"
        wanted = request(id, method, {**(old or {}), "_meta": envelope})
        expect(submission.call("modernize", request(id, method, old), client), wanted, f"modernize({method})")


@check(
    "what was in _meta stays",
    points=1,
    reason="Progress tokens and trace ids live in _meta as well; overwriting it loses them.",
    about="modernize",
)
def test_meta_stays(submission: Submission, rng: random.Random) -> None:
    client, envelope = a_client(rng)
    token = {"progressToken": rng.randint(1, 99), "traceparent": word(rng)}
    old = request(7, "tools/call", {"name": "slow", "arguments": {}, "_meta": token})
    wanted = request(7, "tools/call", {"name": "slow", "arguments": {}, "_meta": {**token, **envelope}})
    expect(submission.call("modernize", old, client), wanted, "modernize of a request with a progress token")


@check(
    "the handshake becomes a discovery or nothing",
    points=2,
    reason="There is no session to open: who wants to know the server asks server/discover, who does not just starts.",
    about="modernize",
)
def test_handshake(submission: Submission, rng: random.Random) -> None:
    client, envelope = a_client(rng)
    hello = {"protocolVersion": "2025-11-25", "capabilities": client["capabilities"], "clientInfo": client["info"]}
    id = rng.randint(1, 99)
    for old in (request(id, "initialize", hello), request(id, "ping")):
        wanted = request(id, "server/discover", {"_meta": envelope})
        expect(submission.call("modernize", old, client), wanted, f"modernize({old['method']})")
    for old in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        request(id, "logging/setLevel", {"level": "info"}),
    ):
        expect(submission.call("modernize", old, client), None, f"modernize({old['method']})")


@check(
    "other notifications stay as they are",
    points=1,
    reason="A notification is not a request: nothing is answered on its account, so it needs no envelope.",
    about="modernize",
)
def test_notifications(submission: Submission, rng: random.Random) -> None:
    client, _ = a_client(rng)
    for params in ({"requestId": rng.randint(1, 99)}, {"requestId": word(rng), "reason": word(rng)}):
        old = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        expect(submission.call("modernize", old, client), old, "modernize(notifications/cancelled)")


@check(
    "the headers repeat the body",
    points=2,
    reason="A router reads headers only; a server refuses (-32020) when they differ from the body.",
    about="http_headers",
)
def test_headers(submission: Submission, rng: random.Random) -> None:
    name, uri = word(rng), f"{word(rng)}://{word(rng)}"
    for method, params, named in (
        ("tools/call", {"name": name, "arguments": {"uri": uri}}, name),
        ("prompts/get", {"name": name, "arguments": {}}, name),
        ("resources/read", {"uri": uri}, uri),
        ("tools/list", {}, None),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": name}, "name": name}, None),
    ):
        version = rng.choice([VERSION, "2027-01-01"])
        frame = request(3, method, {**params, "_meta": {PREFIX + "protocolVersion": version}})
        wanted = {"MCP-Protocol-Version": version, "Mcp-Method": method, **({"Mcp-Name": named} if named else {})}
        expect(submission.call("http_headers", frame), wanted, f"http_headers({method})")


@check(
    "state_of reads resultType",
    points=1,
    reason="Extensions bring values of their own, and a result without the member is complete.",
    about="state_of",
)
def test_state(submission: Submission, rng: random.Random) -> None:
    other = word(rng)
    for result, wanted in (
        ({"resultType": "complete", "content": []}, "complete"),
        ({"resultType": "input_required", "inputRequests": {}}, "input_required"),
        ({"resultType": other}, other),
        ({"content": [], "isError": True}, "complete"),
    ):
        expect(submission.call("state_of", result), wanted, f"state_of({result})")
