"""Doctor and protocol: what the broken servers do not show. Shapes, tours, and servers that behave oddly."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from broken_servers import FOLDER, printed_url
from mcp import StdioServerParameters
from mcp_types.methods import SERVER_RESULTS

import labkit as lab
from labkit.testbench import certify, doctor
from labkit.testbench.bench import Bench, Options
from labkit.testbench.certificate import Certificate
from labkit.testbench.doctor_http import covers
from labkit.testbench.inputs import extremes, wrong
from labkit.testbench.raw import HANDSHAKE, MODERN, RawWire
from labkit.testbench.raw_stdio import RawStdio
from labkit.testbench.schemas import expand
from labkit.testbench.shapes import problems, shape_problems
from labkit.testbench.tour import fitting, sample, tour, waiting

pytestmark = pytest.mark.anyio
RULES = ["doctor", "protocol"]
PLAIN = [sys.executable, str(FOLDER / "_plain.py")]


def plain(code: str) -> list[str]:
    """A server made of the plain one: `code` is the body of a class `Odd(Plain)`."""
    source = f"import sys; sys.path.insert(0, {str(FOLDER)!r})\nfrom _plain import *\nclass Odd(Plain):\n{code}\n"
    return [sys.executable, "-c", source + "Odd({'shout': (TEXT, lambda arguments: arguments['text'])}).run()"]


def found(certificate: Certificate, check: str) -> list[str]:
    """The messages of a check's findings."""
    return [finding.message for result, finding in certificate.findings if result.check.id == check]


def reason(certificate: Certificate, check: str) -> str:
    return next(result.reason for result in certificate.results if result.check.id == check)


async def test_a_server_that_cannot_start_again_is_found(tmp_path: Path) -> None:
    mark = f"Path({str(tmp_path)!r}) / 'was here'"
    code = f"""
  def run(self):
    from pathlib import Path
    if ({mark}).exists(): sys.exit("there are traces of an earlier run")
    super().run()
    ({mark}).touch()"""
    certificate = await certify(plain(code), only=["doctor.restart"])
    (said,) = found(certificate, "doctor.restart")
    assert said == "started again right after it had ended: a closed connection" and not certificate.passed
    assert found(await certify(PLAIN, only=["doctor.restart"]), "doctor.restart") == []


async def test_a_server_that_wants_a_token_is_told_from_one_that_says_nothing() -> None:
    with (
        printed_url([sys.executable, str(FOLDER / "silent_401.py")]) as url,
        pytest.raises(lab.ConnectError, match="wants authorization: HTTP 401, WWW-Authenticate: none.*--header"),
    ):
        await certify(url, only=["doctor"])


async def test_a_slow_start_is_a_warning_and_only_advice_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(await certify(PLAIN, only=["doctor.start"]), "doctor.start") == []
    monkeypatch.setattr(doctor, "SLOW_START", 0.0)
    for load, severity in ((0.0, "warning"), (1e6, "info")):
        monkeypatch.setattr(doctor.psutil, "getloadavg", lambda load=load: (load, load, load))
        certificate = await certify(PLAIN, only=["doctor.start"])
        ((result, finding),) = certificate.findings
        assert "from the start to the first answer" in finding.message
        assert (finding.severity or result.check.severity) == severity and ("busy" in finding.message) == bool(load)


@pytest.mark.parametrize("via", ["stdio", "http"])
async def test_a_server_without_a_defect_is_not_even_advised(via: str) -> None:
    if via == "stdio":
        certificate = await certify(PLAIN, only=RULES)
    else:
        with printed_url([*PLAIN, "http"]) as url:
            certificate = await certify(url, only=RULES)
    assert certificate.passed and certificate.findings == [], str(certificate)
    assert certificate.eras == [HANDSHAKE, MODERN]
    ran = [result for result in certificate.results if result.status == "passed"]
    assert len(ran) > 25 and reason(certificate, "protocol.cancellation")


@pytest.mark.parametrize(
    ("method", "version", "result", "said"),
    [
        ("tools/list", HANDSHAKE, {"tools": []}, []),
        ("tools/list", HANDSHAKE, {"tools": [], "nextCursor": None}, ["nextCursor: null"]),
        ("tools/list", HANDSHAKE, {"tools": {}}, ["tools: input should be a valid list"]),
        ("tools/list", HANDSHAKE, {"tools": [{"name": 7, "inputSchema": {"type": "object"}}]}, ["tools.0.name: "]),
        ("tools/call", HANDSHAKE, {"content": [], "structuredContent": {"a": None}, "_meta": {"x": None}}, []),
        ("tools/call", HANDSHAKE, {"content": [], "isError": "no"}, ["isError: "]),
        ("tools/call", MODERN, {"content": "text", "resultType": "complete"}, ["content: "]),
        ("tools/call", MODERN, {"resultType": "task", "anything": 1}, []),  # an extension's own
        ("tools/list", MODERN, {"tools": []}, []),  # what is missing here other checks tell
        ("ping", HANDSHAKE, {"anything": 1}, []),
        ("completion/complete", HANDSHAKE, {"completion": {"values": ["a"], "total": 1.0}}, []),
        ("completion/complete", HANDSHAKE, {"completion": {"values": ["a"], "total": 1.5}}, ["completion.total: "]),
        ("testbench/unknown", HANDSHAKE, {"anything": 1}, []),
    ],
)
async def test_the_shape_of_results(method: str, version: str, result: Any, said: list[str]) -> None:
    wire = RawWire(version)
    message = {"jsonrpc": "2.0", "id": 1, "result": result}
    what, wrong = shape_problems(wire, message, {("int", 1): method})
    assert what == f"the result of {method}" and len(wrong) == len(said), wrong
    assert all(problem.startswith(start) for problem, start in zip(wrong, said, strict=True)), wrong


def test_a_result_is_not_excused_by_what_else_it_might_be() -> None:
    about = {"io.modelcontextprotocol/serverInfo": {"name": "x"}}
    result = {"resultType": "complete", "content": [], "_meta": about}
    wire = RawWire(MODERN)
    _, wrong = shape_problems(wire, {"jsonrpc": "2.0", "id": "a", "result": result}, {("str", "a"): "tools/call"})
    assert wrong == ["_meta.io.modelcontextprotocol/serverInfo: version: field required"]
    notification = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": "half"}}
    _, wrong = shape_problems(wire, notification, {})
    assert len(wrong) == 2 and problems(SERVER_RESULTS["ping", HANDSHAKE], []) != []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "x"}),
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"enum": ["north", "south"]}, "north"),
        ({"type": "array", "items": {"type": "integer", "minimum": 5}, "minItems": 2}, [6, 6]),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, False),
        ({"type": ["null", "string"]}, None),
        ({"type": "number", "default": 2.5}, 2.5),
        (None, {}),
    ],
)
def test_the_smallest_value_of_a_schema(schema: Any, value: Any) -> None:
    assert sample(schema) == value


def test_parameters_that_say_how_long() -> None:
    def tool(name: str, **more: Any) -> dict[str, Any]:
        return {"inputSchema": {"type": "object", "properties": {name: {"type": "number", **more}}}}

    assert waiting(tool("seconds"), {}) == {"seconds": 1.5}
    assert waiting(tool("delay_ms"), {"a": 1}) == {"a": 1, "delay_ms": 1500}
    assert waiting(tool("seconds", maximum=1), {}) is None and waiting(tool("amount"), {}) is None
    assert waiting(tool("timeout_seconds"), {}) is None


async def test_only_tools_that_are_marked_read_only_are_called(tmp_path: Path) -> None:
    called = tmp_path / "called"
    code = (
        "    def listing(self):\n"
        "        safe = {'name': 'safe', 'inputSchema': NOTHING, 'annotations': {'readOnlyHint': True}}\n"
        "        return [safe, {'name': 'wipe', 'inputSchema': NOTHING}]\n"
        "    def call(self, params):\n"
        f"        open({str(called)!r}, 'a', encoding='utf-8').write(str(params.get('name')) + ' ')\n"
        "        return {'content': []}\n"
    )
    await certify(plain(code), only=RULES)
    assert "safe" in called.read_text(encoding="utf-8") and "wipe" not in called.read_text(encoding="utf-8")
    await certify(plain(code), only=["protocol.schema"], allow_destructive=True)
    assert "wipe" in called.read_text(encoding="utf-8")


ODD: list[Any] = [
    {"type": "string", "minLength": "two"},
    {"type": "string", "minLength": 10**18},
    {"type": "string", "minLength": float("inf")},
    {"type": "integer", "minimum": "1"},
    {"type": "integer", "minimum": True, "exclusiveMinimum": None},
    {"type": "number", "minimum": float("nan"), "maximum": []},
    {"type": "array", "minItems": "1", "items": 3},
    {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9, "items": {"type": "string"}}},
    {"type": {"not": "a type"}},
    {"type": [["string"]]},
    {"anyOf": 3, "enum": "ab", "type": "object", "properties": ["a"], "required": "a"},
    {"allOf": 1, "$ref": "#/properties/seconds"},
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_a_schema_says_it_raises_nothing(odd: Any) -> None:
    for schema in (
        {"type": "object", "properties": {"seconds": odd}, "required": ["seconds"]},
        {"type": "object", "properties": {"seconds": odd}, "required": None},
        {"type": "object", "properties": [odd], "required": ["seconds", 3, odd]},
        odd,
    ):
        arguments = fitting(expand(schema))
        assert len(json.dumps(sample(schema))) < 1_000_000
        long = waiting({"inputSchema": schema}, arguments)
        assert long is None or long["seconds"] in (1.5, 2)
        assert all(what for what, _ in wrong(schema, arguments))
        assert all(name for name, *_ in extremes(schema, arguments))


async def test_tools_of_the_second_page_are_called_too() -> None:
    command = [sys.executable, str(FOLDER / "hides_on_page_two.py")]
    async with Bench(command, Options(eras=[MODERN], allow_destructive=True)) as bench:
        assert [name for name, _ in (await tour(bench, MODERN)).called] == ["shout", "whisper"]


async def test_pages_without_end_are_left_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["labkit.testbench.tour"], "PAGES", 3)
    code = """
  def answer(self, method, params):
    if method != 'tools/list': return super().answer(method, params)
    return {'tools': [], 'nextCursor': params.get('cursor', '') + 'x'}"""
    async with Bench(plain(code), Options(eras=[MODERN])) as bench:
        assert [stop.what for stop in (await tour(bench, MODERN)).stops] == ["tools/list"] * 4


async def test_a_tour_is_made_once() -> None:
    async with Bench(PLAIN, Options(allow_destructive=True)) as bench:
        first = await tour(bench, MODERN)
        sent = len((await bench.shared(MODERN)).transcript)
        assert await tour(bench, MODERN) is first and len((await bench.shared(MODERN)).transcript) == sent
        assert first.called == [("shout", {"text": "x"})] and first.slow is None


async def test_the_line_that_kills_is_named() -> None:
    code = "    def take(self, message):\n        if message == 42: sys.exit(3)\n        super().take(message)\n"
    certificate = await certify(plain(code), only=["protocol.not-a-request"])
    (_, finding), *_ = certificate.findings
    assert finding.sent == "42" and "exited with code 3" in finding.message


async def test_what_printed_is_named() -> None:
    code = "    def call(self, params):\n        print('hi'); return super().call(params)\n"
    certificate = await certify(plain(code), only=["doctor.clean-stdout"], allow_destructive=True)
    assert found(certificate, "doctor.clean-stdout") == [
        "a line on stdout is not a JSON-RPC message (during tool shout)",
        "a line on stdout is not a JSON-RPC message (during tool shout)",
    ]


async def test_a_server_of_the_older_era_is_advised_to_move() -> None:
    code = """
  def check_version(self, method, params, modern):
    if method == 'server/discover': raise Error(-32601, 'Method not found: server/discover')
    super().check_version(method, params, modern)"""
    certificate = await certify(plain(code), only=["doctor.eras"])
    assert certificate.passed and certificate.eras == [HANDSHAKE]
    assert "-32601" in found(certificate, "doctor.eras")[0]


async def test_noise_on_stderr_is_advice_only() -> None:
    code = "    def reply(self, message):\n        print('x\\n' * 30, file=sys.stderr); return super().reply(message)\n"
    certificate = await certify(plain(code), only=["doctor.stderr"])
    assert certificate.passed and "lines on stderr" in found(certificate, "doctor.stderr")[0]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "code",
    [
        "    def take(self, message):\n        sys.stdout.write('x' * 50_000_000); sys.stdout.flush()\n",
        "    def take(self, message):\n        pass\n",
        "    def reply(self, message):\n        sys.exit(0)\n",
        "    def write(self, frame):\n        super().write([frame])\n",
    ],
    ids=["a line without end", "silence", "exits", "wraps"],
)
async def test_hostile_servers_come_to_an_end(code: str) -> None:
    with pytest.raises(Exception, match="speaks neither era"):
        await certify(plain(code), only=RULES)


@pytest.mark.parametrize(
    ("resource", "url", "does"),
    [
        ("https://a.example/mcp", "https://a.example/mcp", True),
        ("https://A.example:443/mcp/", "https://a.example/mcp", True),
        ("https://a.example", "https://a.example/mcp", True),
        ("https://a.example/mcp", "https://a.example/mcp/team", True),
        ("https://a.example/mc", "https://a.example/mcp", False),
        ("https://a.example", "https://a.example.evil.example/mcp", False),
        ("http://a.example/mcp", "https://a.example/mcp", False),
        ("https://a.example:8443/mcp", "https://a.example/mcp", False),
        ("https://a.example:none/mcp", "https://a.example/mcp", False),
        ("a.example", "https://a.example/mcp", False),
    ],
)
def test_the_resource_of_the_metadata_is_the_server_or_above_it(resource: str, url: str, does: bool) -> None:
    assert covers(resource, url) is does


async def test_the_line_of_a_finding_does_it_again() -> None:
    command = [sys.executable, str(FOLDER / "needs_nothing.py")]
    certificate = await certify(command, only=["protocol.arguments"], allow_destructive=True)
    (_, finding), *_ = certificate.findings
    async with await lab.connect(command, via="stdio") as conn:
        again = await eval(finding.call.removeprefix("await "), {"conn": conn})
    assert not again.is_error and json.dumps(again.text)[1:-1] in finding.received


async def test_that_stdout_has_closed_is_told_again_without_a_wait() -> None:
    params = StdioServerParameters(command=sys.executable, args=["-c", "print('not a message')"])
    raw = await RawStdio(params, MODERN).open()
    try:
        assert await raw.next(60) == "not a message"
        assert await raw.next(60) is None
        assert await asyncio.wait_for(raw.next(3600), 30) is None
    finally:
        await raw.close()
