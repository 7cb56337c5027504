"""Injection: text that leaves the place it was meant for, and becomes a path, a query, a command, code or an address.

Every probe brings a canary that only comes back when the text was *run*: the answer has to hold what was computed, not
what was sent. What a server merely repeats is no finding. Nothing is written but into folders for temporary files that
the server was started with, and nothing of it stays; no address but loopback is asked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import ExitStack, suppress

from labkit.testbench.bench import Bench
from labkit.testbench.canary import open_port, secret_file, ways_out, word
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.places import MOST, Place, addresses, lent, places
from labkit.testbench.raw import Answer
from labkit.testbench.tour import objects

SECONDS = 12.0
"""For all probes of one check."""
LOOPBACK = (
    *("127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0"),
    *("0", "0177.0.0.1", "LOCALHOST.", "[::ffff:127.0.0.1]", "example.com@127.0.0.1"),
)
"""Ways to write the address of this machine."""
_USAGE = re.compile(r"^\s*usage:", re.IGNORECASE | re.MULTILINE)


async def spots_of(bench: Bench, era: str, *, uris: int = 0) -> list[Place]:
    """What is probed; with so many `uris` at most, addresses of resources that nothing lists."""
    found = [*await places(bench, era), *(await addresses(bench, era))[:uris]]
    if not found:
        raise NotApplicable("no argument takes text: no template, no prompt, and no tool that may be called")
    return [place for place in found if not place.waits(bench)]


def worked(answer: Answer) -> bool:
    """Whether it is a result, and none that tells of an error."""
    return answer.came == "result" and answer.result.get("isError") is not True


async def probe(
    bench: Bench, era: str, spots: Iterable[Place], payloads: Sequence[tuple[str, str]], seconds: float = SECONDS
) -> AsyncGenerator[tuple[Place, str, Answer]]:
    """Bring every (payload, canary) to every place; yields where the canary came back, once a place."""
    deadline = time.monotonic() + seconds
    for place in spots:
        for payload, canary in payloads:
            if time.monotonic() > deadline:
                return
            if place.waits(bench):
                break
            answer = await place.send(bench, era, payload)
            if canary in answer.received:
                yield place, payload, answer
                break


@check(
    "security.traversal",
    "No path leads out of what the server offers",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Resolve the path, links included, and require is_relative_to(root) before opening it.",
    profile="full",
)
async def traversal(bench: Bench) -> AsyncGenerator[Finding]:
    """A file that lies outside of every root is asked for by its path, by `..`, and by encodings of both.

    When the server was started with a folder for this test, one that lies in the system's folder for temporary files,
    also a neighbour whose name begins like that folder's, and what a link in it leads to.
    """
    era = bench.eras[-1]
    spots = await spots_of(bench, era, uris=MOST)
    async with secret_file() as (path, canary):
        up = "../" * 12 + path.relative_to(path.anchor).as_posix()
        asked = [str(path), up, f"x/{up}", path.as_uri(), up.replace("../", "....//"), up.replace("../", "%2e%2e%2f")]
        with ExitStack() as made:
            for folder in lent(bench):
                with suppress(OSError):  # it may not be written to: then there is no way out to make
                    asked += made.enter_context(ways_out(folder, canary))
            async for place, payload, answer in probe(bench, era, spots, [(text, canary) for text in asked]):
                yield place.finding(f"reads a file outside of what is offered: {payload}", payload, answer, era)


@check(
    "security.command",
    "No text becomes part of a command line",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Start programs with a list of arguments and no shell; put -- before values, and refuse a leading dash.",
    profile="full",
)
async def command(bench: Bench) -> AsyncGenerator[Finding]:
    """A shell would compute what stands between the halves; a program would take `--help` for an option."""
    era = bench.eras[-1]
    spots = await spots_of(bench, era)
    one, two = word(), word()
    said = f"echo {one}$((19*23)){two}"
    windows = f'set /a "x=19*23" >nul & echo {one}437^{two}'
    shells = [
        f"x; {said}",
        f"$({said})",
        f"`{said}`",
        f"x | {said}",
        f"x && {said}",
        f"x' ; {said} #",
        f'x" ; {said} #',
    ]
    payloads = [(text, f"{one}437{two}") for text in [*shells, f"x & {windows}"]]
    async for place, payload, answer in probe(bench, era, spots, payloads):
        yield place.finding(f"ran a command of ours: {payload}", payload, answer, era)
    deadline = time.monotonic() + SECONDS / 3
    for place in spots:
        if time.monotonic() > deadline:
            return
        plain = await place.send(bench, era, "xx")
        option = await place.send(bench, era, "--help")
        if _USAGE.search(_text(option)) and not _USAGE.search(_text(plain)):
            said = "is taken for an option: --help shows how to use a program"
            yield place.finding(said, "--help", option, era, severity="warning")


def _text(answer: Answer) -> str:
    """The text of a tool's result, a line a line."""
    return "\n".join(str(part.get("text", "")) for part in objects(answer.result.get("content")))


@check(
    "security.code",
    "No text is evaluated as code or as a template",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Parse what you expect and walk the tree; never eval. Render fixed templates with text as a value.",
    profile="full",
)
async def code(bench: Bench) -> AsyncGenerator[Finding]:
    """Two halves that only an evaluator would join; a sum inside the marks of five template languages."""
    era = bench.eras[-1]
    spots = await spots_of(bench, era)
    one, two = word(), word()
    python = [f"'{one}'+'{two}'", f"(lambda: '{one}'+'{two}')()", f"__import__('builtins').str('{one}'+'{two}')"]
    marks = ["{{%s}}", "${%s}", "#{%s}", "<%%= %s %%>", "{%s}"]
    payloads = [(text, one + two) for text in python]
    payloads += [(one + mark % "19*23" + two, f"{one}437{two}") for mark in marks]
    payloads += [(f"{one}{{0.__class__}}{two}", f"{one}<class"), (f"{one}%(x)s{{self.__class__}}{two}", f"{one}<class")]
    async for place, payload, answer in probe(bench, era, spots, payloads):
        yield place.finding(f"was evaluated: {payload}", payload, answer, era)


@check(
    "security.ssrf",
    "No address of ours makes the server call its own machine",
    severity="error",
    spec="tutorials/security/security_best_practices#server-side-request-forgery-ssrf",
    fix="Resolve the name once, refuse loopback and private addresses, connect to the address you checked; check again"
    " after each redirect.",
    profile="full",
)
async def ssrf(bench: Bench) -> AsyncGenerator[Finding]:
    """A port of loopback that nobody knows, in eleven ways to write its address. A visit is the finding."""
    era = bench.eras[-1]
    spots = await spots_of(bench, era, uris=1)
    likely = [
        p for p in spots if p.words("url", "uri", "link", "host", "address", "endpoint", "site", "page", "source")
    ]
    if not likely:
        raise NotApplicable("no argument takes an address")
    async with open_port() as port:
        hosts = [f"{host}:{port.number}" for host in LOOPBACK]
        addresses = [address for host in hosts for address in (f"http://{host}/", host)]
        deadline = time.monotonic() + SECONDS
        for place in likely:
            for address in addresses:
                if time.monotonic() > deadline:
                    return
                port.visits.clear()
                answer = await place.send(bench, era, address)
                if port.visits:
                    yield place.finding(f"made it call {address}: {port.visits[0]}", address, answer, era)
                    break


@check(
    "security.oversized",
    "An oversized argument is refused, or borne",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Say maxLength in the schema and hold to it; bound what one request may cost.",
    profile="full",
)
async def oversized(bench: Bench) -> AsyncGenerator[Finding]:
    """Two megabytes where a word was meant. The server may refuse them; it may not end, hang or fill its answer."""
    era = bench.eras[-1]
    spots = [place for place in await spots_of(bench, era) if place.kind != "template"]
    if not spots:
        raise NotApplicable("only templates take text")
    place = spots[0]  # what is tested is the way in, which all arguments share
    async with bench.wire(era) as wire:
        method, params = place.request("x" * 2_000_000)
        answer = await wire.request(method, params, timeout=8.0)
        after = await wire.request("tools/list" if bench.capability(era, "tools") else "prompts/list")
        if after.came not in ("result", "error"):
            message = f"after 2 MB in the argument {place.argument!r} the server gives {after.what}"
            yield Finding(message, answer.sent[:200], answer.received, place.owner, era)
