"""Checks of 17_certify_and_mend: the testbench on the answer, a part of it for each check, and what it cannot know."""

import random
from typing import Any

from labkit.grading.checks import CheckFailed, check, expect, expect_fault, expect_true, show
from labkit.grading.submission import Submission

CLEAN = ("doctor.clean-stdout",)
LINES = ("protocol.malformed", "protocol.not-a-request", "protocol.batch")
NEWS = ("protocol.notifications",)
REFUSALS = ("protocol.unknown-method", "protocol.unknown-tool", "protocol.error-shape")
CONTRACT = ("contract.descriptions", "contract.schemas", "contract.output", "fuzz.output")
INPUTS = ("fuzz.valid", "fuzz.invalid")
REST = (
    *("doctor.start", "doctor.ends-on-eof", "doctor.version-unknown", "protocol.ids", "protocol.concurrent"),
    *("protocol.answers-once", "protocol.exactly-one", "protocol.schema", "protocol.result-type"),
    *("protocol.cache-hints", "protocol.meta", "protocol.params", "protocol.cursor", "protocol.null-id"),
    *("protocol.arguments", "protocol.discover", "protocol.huge-message", "contract.annotations"),
    *("contract.read-only", "contract.stable", "contract.arguments"),
)
ERA = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
RESULT = {"resultType": "complete", "_meta": {f"{PREFIX}serverInfo": {"name": "thermometer", "version": "1"}}}
DISCOVERED = {"supportedVersions": [ERA], "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}
READINGS = {"type": "array", "items": {"type": "number", "minimum": -90, "maximum": 60}}
TOOL = {
    "name": "mean",
    "inputSchema": {
        "type": "object",
        "properties": {"readings": READINGS},
        "required": ["readings"],
        "additionalProperties": False,
    },
    "outputSchema": {"type": "object", "properties": {"mean": {"type": "number"}}, "required": ["mean"]},
    "annotations": {"readOnlyHint": True},
}
ALL = (*CLEAN, *LINES, *NEWS, *REFUSALS, *CONTRACT, *INPUTS, *REST)


def plain(value: Any) -> Any:
    """Without what the task changes, at any depth."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if name not in ("description", "minItems")}
    return value


def certified(submission: Submission, ids: tuple[str, ...]) -> None:
    """Fail unless all of these checks pass; with the evidence of the first finding at warning level or above."""
    for result in submission.certify(*ALL).results:
        if result.check.id not in ids:
            continue
        if result.status in ("broken", "skipped"):
            raise CheckFailed(f"{result.check.id} could not be run: {result.reason}")
        for finding in result.findings:
            if (finding.severity or result.check.severity) != "info":
                raise CheckFailed(
                    f"{result.check.id}: {finding.message}. Sent: {show(finding.sent)}. Received:"
                    f" {show(finding.received)}. How to mend it: {result.check.fix}"
                )


@check(
    "stdout carries messages only",
    points=2,
    reason="On stdio, stdout is the wire: a client that is strict stops at the first line that is no message.",
)
def test_stdout(submission: Submission, rng: random.Random) -> None:
    certified(submission, CLEAN)


@check(
    "no line ends it",
    points=2,
    reason="Whoever writes a client makes mistakes; a server that one bad line ends is gone for all that come after.",
)
def test_lines(submission: Submission, rng: random.Random) -> None:
    certified(submission, LINES)


@check(
    "notifications are not answered",
    points=2,
    reason="A notification has no id: whatever is sent for it is an answer that nobody waits for.",
)
def test_notifications(submission: Submission, rng: random.Random) -> None:
    certified(submission, NEWS)


@check(
    "what is not there is refused with the right code",
    points=3,
    reason="A client decides by the code what to do next: look for another method, or correct what it sent.",
)
def test_refusals(submission: Submission, rng: random.Random) -> None:
    certified(submission, REFUSALS)
    session = submission.session("process", ERA)
    name = f"tool_{rng.randint(100, 999)}"
    expect_fault(-32602, f"a call of {name}, which is no tool", session.call, name)


@check(
    "the tool is as it says",
    points=2,
    reason="A model reads the description, a program the output schema: what both rely on has to be there, and true.",
)
def test_contract(submission: Submission, rng: random.Random) -> None:
    certified(submission, CONTRACT)
    readings = submission.session("process", ERA).tools()["mean"]["inputSchema"]["properties"]["readings"]
    expect(readings.get("minItems"), 1, "the schema of readings: minItems")
    expect_true(readings.get("description"), "the argument readings has no description")


@check(
    "no arguments do harm",
    points=2,
    reason="What a schema allows will be sent one day; what it forbids, too.",
)
def test_inputs(submission: Submission, rng: random.Random) -> None:
    certified(submission, INPUTS)


@check(
    "nothing else was broken meanwhile",
    points=1,
    reason="A repair keeps what worked: these rules were kept from the start.",
)
def test_rest(submission: Submission, rng: random.Random) -> None:
    certified(submission, REST)
    session = submission.fresh("process", ERA)
    expect(dict(session.hello), DISCOVERED | RESULT, "the answer to server/discover")
    page = session.request("tools/list")
    tool: dict[str, Any] = page["tools"][0]
    expect(plain(tool), TOOL, "the tool, but for its descriptions and minItems")
    expect(
        {**page, "tools": []},
        {"tools": [], "ttlMs": 0, "cacheScope": "private"} | RESULT,
        "tools/list without the tools",
    )
    expect_fault(-32602, "a cursor that was never given", session.request, "tools/list", {"cursor": "x"})
    other = f"{rng.randint(2030, 2099)}-01-01"
    version = {f"{PREFIX}protocolVersion": other}
    fault = expect_fault(-32022, f"a request in version {other}", session.request, "tools/list", meta=version)
    expect(fault.data, {"supported": [ERA], "requested": other}, "the data of that error")


@check(
    "the mean is right",
    points=2,
    reason="A certificate says that a server keeps the rules, never that its results are right: only its author knows.",
)
def test_results(submission: Submission, rng: random.Random) -> None:
    session = submission.session("process", ERA)
    readings, wanted = [1.0], 1.0
    while wanted in (round(wanted), round(sum(readings) / len(readings), 2)):  # more or fewer digits must be seen
        readings = [rng.randint(-900, 600) / 10 for _ in range(rng.randint(3, 6))]
        wanted = round(sum(readings) / len(readings), 1)
    given = session.call("mean", readings=readings)
    expect_true(not given.is_error, f"mean of {readings} is refused: {given.text}")
    expect(given.data, {"mean": wanted}, f"mean of {readings}")
    expect_true(str(wanted) in given.text, f"the text for {readings} is {given.text!r}, without {wanted}")
    for edge in (-90, 60):
        expect(session.call("mean", readings=[edge]).is_error, False, f"mean of [{edge}], an error")
    for readings in ([], [60.5], [-90.5], ["warm"], [True]):
        expect(session.call("mean", readings=readings).is_error, True, f"mean of {readings}, an error of the tool")
