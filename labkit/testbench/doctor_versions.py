"""Which version is spoken: agreed with clients that are older, and with those from the future."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast
from weakref import WeakKeyDictionary

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.raw import CLIENT, HANDSHAKE, MODERN, Answer, RawWire

FUTURE = "2099-01-01"
OLDER = ("2024-11-05", "2025-03-26", "2025-06-18")
PUBLISHED = (*OLDER, HANDSHAKE)
"""The revisions that `initialize` can agree on."""


async def propose(wire: RawWire, version: str) -> Answer:
    """`initialize` with this version."""
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    return await wire.request("initialize", params)


_PROPOSED: WeakKeyDictionary[Bench, dict[str, Answer]] = WeakKeyDictionary()


async def proposed(bench: Bench, version: str) -> Answer:
    """What the server answers to a proposal of this version.

    All are made on one wire, as starting a server is slow; an answer that is not right is asked for again on its own.
    """
    if bench not in _PROPOSED:
        async with bench.wire(HANDSHAKE, greeted=False) as wire:
            _PROPOSED[bench] = {}
            for each in (FUTURE, *OLDER, MODERN):
                _PROPOSED[bench][each] = answer = await propose(wire, each)
                if answer.came not in ("result", "error"):
                    break  # it says nothing of the others either
    known = _PROPOSED[bench].get(version)
    if known and version == FUTURE:
        return known  # it was the first there
    if known and known.result.get("protocolVersion") in PUBLISHED:
        return known
    async with bench.wire(HANDSHAKE, greeted=False) as wire:
        return await propose(wire, version)


@check(
    "doctor.version-unknown",
    "A version from the future is answered with one that it speaks",
    severity="error",
    spec="2025-11-25/basic/lifecycle#version-negotiation",
    fix="Answer initialize with the latest version that you support, whatever the client proposed; in the modern era"
    " answer error -32022 with the versions that you support.",
)
async def version_unknown(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients propose the newest they know; the server answers with what it can, never with silence."""
    if HANDSHAKE in bench.eras:
        answer = await proposed(bench, FUTURE)
        version = answer.result.get("protocolVersion")
        # Refusing is allowed; the client says then that they do not match.
        if answer.came != "error" and (answer.came != "result" or not isinstance(version, str) or version == FUTURE):
            said = f"the version {version!r}" if answer.came == "result" else answer.what
            yield Finding(f"initialize with {FUTURE} got {said}", answer.sent, answer.received, era=HANDSHAKE)
    if MODERN in bench.eras:
        methods = ["tools/list"] * bench.capability(MODERN, "tools") + ["server/discover"]
        wire = await bench.shared(MODERN)
        wire.era = FUTURE
        try:
            answers = [await wire.request(method) for method in methods]
        finally:
            wire.era = MODERN
        for finding in filter(None, map(_refuses, answers)):
            yield finding


def _refuses(answer: Answer) -> Finding | None:
    """What is wrong with the answer to a modern request of a version that does not exist."""
    data = answer.error.get("data")
    supported = cast("dict[str, object]", data).get("supported") if isinstance(data, dict) else None
    mild = None
    if answer.code != -32022:
        said = f"a request of revision {FUTURE} got {answer.what}, not error -32022"
        # A client that only wanted to know which there are knows it all the same.
        mild = "info" if answer.result.get("supportedVersions") else None
    elif not isinstance(supported, list) or MODERN not in supported:
        said = f"error -32022 does not list the versions that are supported in data.supported: {data!r}"
    else:
        return None
    return Finding(said, answer.sent, answer.received, era=MODERN, severity=mild)


@check(
    "doctor.version-older",
    "An older client gets a version that it can speak, or is told which there are",
    severity="warning",
    spec="2025-11-25/basic/lifecycle#version-negotiation",
    fix="Answer initialize with the proposed version if you support it, else with your latest handshake-era version.",
)
async def version_older(bench: Bench) -> AsyncGenerator[Finding]:
    """Hosts are updated slowly: many still propose a revision of last year."""
    if HANDSHAKE not in bench.eras:
        raise NotApplicable("2026-07-28 has no initialize")
    # 2026-07-28 must not be agreed on by initialize: it has no handshake.
    for version in (*OLDER, MODERN):
        answer = await proposed(bench, version)
        agreed = answer.result.get("protocolVersion")
        if answer.came != "error" and agreed not in PUBLISHED:
            said = f"the version {agreed!r}" if answer.came == "result" else answer.what
            yield Finding(f"initialize with {version} got {said}", answer.sent, answer.received, era=HANDSHAKE)
            if answer.came not in ("result", "error"):
                break  # the others would be waited for as long
