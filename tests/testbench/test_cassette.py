"""A recorded session: kept as a file, replayed as a server in every way, and held against a server."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.testbench.cassette import Cassette, Exchange, masked
from labkit.testbench.pointers import Ignoring, differences
from labkit.testbench.recorder import record
from labkit.testbench.replay import NotRecordedError, Player, StdioReplay
from labkit.wire import Tape

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]
LIGHT = Path(__file__).parents[1] / "session" / "light_server.py"
ERAS = ["2025-11-25", "2026-07-28"]


async def session(target: Any, **options: Any) -> tuple[list[Any], Tape]:
    """What a client sees: the tools, an answer, progress, a question asked back, errors of two kinds."""
    seen: list[Any] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with await lab.connect(target, **options, on_elicit=lambda message, schema: {"name": "Ada"}) as conn:
        seen.append([tool.name for tool in conn.tools])
        seen.append((await conn.call("echo", text="hi")).data)
        seen.append((await conn.call("test_tool_with_progress", progress=on_progress)).text)
        asks = "ask_pushed" if conn.era < "2026" else "ask_by_rounds"
        seen.append((await conn.call(asks)).text)
        with pytest.raises(lab.RpcError) as caught:
            await conn.read("everything://nowhere")
        seen.append((caught.value.code, caught.value.message))
        return seen, conn.tape


@pytest.fixture(scope="module", params=ERAS)
async def recorded(request: pytest.FixtureRequest, anyio_backend: str) -> tuple[list[Any], Cassette]:
    seen, tape = await session("everything", era=request.param)
    return seen, Cassette.from_tape(tape)


@pytest.mark.parametrize("via", ["memory", "http", "stdio"])
async def test_a_client_sees_what_was_recorded(recorded: tuple[list[Any], Cassette], via: str, tmp_path: Path) -> None:
    seen, cassette = recorded
    file = cassette.save(tmp_path / "c.jsonl")
    target = cassette.server() if via != "stdio" else [sys.executable, "-m", "labkit", "replay", str(file)]
    again, _ = await session(target, via=via, era=cassette.era)
    assert again == seen and len(seen) > 7


async def test_a_server_that_has_not_changed_is_as_recorded(recorded: tuple[list[Any], Cassette]) -> None:
    _, cassette = recorded
    comparison = await cassette.check("everything")
    assert comparison and comparison.not_sent == [], str(comparison)
    assert comparison.same == len(cassette)


def test_a_cassette_is_readable_lines_and_comes_back_whole(
    recorded: tuple[list[Any], Cassette], tmp_path: Path
) -> None:
    _, cassette = recorded
    lines = [json.loads(line) for line in cassette.save(tmp_path / "c.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0]["cassette"] == 1 and lines[0]["era"] == cassette.era and len(lines) == len(cassette) + 1
    call = next(line for line in lines if line.get("params", {}).get("name") == "echo")
    assert call["params"] == {"name": "echo", "arguments": {"text": "hi"}} and "id" not in call
    assert Cassette.load(tmp_path / "c.jsonl").exchanges == cassette.exchanges


def changed(answer: str, at: str = "2026-01-01T10:00:00Z") -> MCPServer:
    server = MCPServer("changing")

    @server.tool()
    def say(token: str = "") -> str:
        return f"{answer} at {at}"

    @server.tool()
    def more() -> list[str]:
        return [answer, "same"]

    return server


@pytest.fixture
async def before() -> Cassette:
    async with await lab.connect(changed("old"), era="2025-11-25", listing=False) as conn:
        await conn.call("say")
        await conn.call("more")
        return Cassette.from_tape(conn.tape)


async def test_what_has_changed_is_named_by_request_and_place(before: Cassette) -> None:
    comparison = await before.check(changed("new"))
    assert not comparison
    places = {
        (each.exchange.params["name"], each.pointer): (each.recorded, each.now) for each in comparison.differences
    }
    assert places["more", "/result/structuredContent/result/0"] == ("old", "new")
    assert ("more", "/result/structuredContent/result/1") not in places
    assert "tools/call more: /result/content/0/text was 'old', is 'new'" in str(comparison)
    assert "<script" not in (await before.check(changed("<script>")))._repr_html_()


async def test_ignored_places_and_times_do_not_count(before: Cassette) -> None:
    later = changed("old", "2027-12-31T23:59:59.5+01:00")
    assert not await before.check(later)
    assert await before.check(later, ignore_times=True)
    ignore = ["/result/content/*/text", "/result/structuredContent"]
    assert await before.check(changed("new"), ignore=ignore)
    assert not await before.check(changed("new"), ignore=ignore[:1])
    with pytest.raises(lab.LabError, match="begins with a slash"):
        await before.check(later, ignore=["result"])


async def test_an_error_in_place_of_a_result_is_a_difference(before: Cassette) -> None:
    comparison = await before.check(MCPServer("empty"))
    assert {each.pointer for each in comparison.differences} >= {"/result/content/0/text"}


async def test_a_server_that_goes_away_leaves_the_rest_unsent(before: Cassette) -> None:
    code = LIGHT.read_text(encoding="utf-8").replace(
        'if method == "tools/call":', 'if method == "tools/call":\n        sys.exit(3)'
    )
    comparison = await before.check([sys.executable, "-c", code])
    assert not comparison and {why for _, why in comparison.not_sent} == {"the connection had ended"}
    assert "exited with code 3" in str(comparison.differences[-1].now)


async def test_credentials_are_masked_and_such_requests_are_not_sent_again() -> None:
    async with await lab.connect(changed("x"), era="2025-11-25", listing=False) as conn:
        await conn.call("say", token="tk-123456")
        cassette = Cassette.from_tape(conn.tape)
        open_one = Cassette.from_tape(conn.tape, mask=False)
    assert "tk-123456" not in repr([each.to_json() for each in cassette.exchanges])
    assert "tk-123456" in repr([each.to_json() for each in open_one.exchanges])
    comparison = await cassette.check(changed("x"))
    assert [why for _, why in comparison.not_sent] == ["something in it was masked when it was recorded"]
    async with await lab.connect(cassette.server(), era="2025-11-25", listing=False) as conn:
        assert "x at" in (await conn.call("say", token="another", check=False)).text  # found all the same


def test_masking_hides_credentials_and_nothing_else() -> None:
    value = {
        "api_key": "k",
        "author": "Ada",
        "deep": [{"password": "p", "tokens": 5, "title": "t"}],
        "Authorization": "Bearer x",
    }
    hidden = {
        "api_key": "***",
        "author": "Ada",
        "deep": [{"password": "***", "tokens": 5, "title": "t"}],
        "Authorization": "Bearer ***",
    }
    assert masked(value) == hidden and value["api_key"] == "k"


def call(name: str, result: str = "r", **arguments: Any) -> Exchange:
    return Exchange("tools/call", {"name": name, "arguments": arguments}, answer={"result": result})


def test_equal_requests_get_their_answers_in_turn_and_the_last_again() -> None:
    player = Player(
        Cassette([Exchange("initialize", answer={"result": {}}), call("a", "1"), call("b"), call("a", "2")])
    )
    asked = {"name": "a", "arguments": {}, "_meta": {"progressToken": 7}}
    for _ in range(2):
        player.find("initialize", {"clientInfo": {"name": "another"}})
        assert [player.find("tools/call", asked).answer["result"] for _ in range(3)] == ["1", "2", "2"]


def test_a_request_that_is_not_there_names_the_nearest() -> None:
    player = Player(Cassette([call("add", a=1, b=2), call("add", a=5, b=6), call("sub", a=5, b=3)], era="2025-11-25"))
    with pytest.raises(
        NotRecordedError, match=r'nearest is tools/call add \{"a": 5, "b": 6\}.*/params/arguments/b'
    ) as near:
        player.find("tools/call", {"name": "add", "arguments": {"a": 5, "b": 3}})
    assert near.value.code == -32602
    with pytest.raises(NotRecordedError, match=r"prompts/list is not in the cassette. It has: tools/call") as unknown:
        player.find("prompts/list", {})
    assert unknown.value.code == -32601
    with pytest.raises(NotRecordedError, match="recorded in era 2025-11-25"):
        player.find("server/discover", {})
    assert Player(player.cassette, ["/params/arguments/b"]).find("tools/call", {"name": "add", "arguments": {"a": 5}})


def replayed(cassette: Cassette, *lines: Any) -> tuple[list[Any], str]:
    out, complaints = io.BytesIO(), io.StringIO()
    text = [(line if isinstance(line, str) else json.dumps(line)).encode() + b"\n" for line in lines]
    StdioReplay(cassette, text, out, complaints).run()
    return [json.loads(line) for line in out.getvalue().splitlines()], complaints.getvalue()


def test_stdio_gives_ids_and_tokens_of_the_new_client_and_asks_what_was_asked() -> None:
    question = {"method": "roots/list", "answer": {"result": {"roots": []}}}
    progress = {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 5}}
    later = {"method": "notifications/tools/list_changed"}
    cassette = Cassette([Exchange("tools/call", {"name": "a"}, [progress, question], {"result": {"n": 1}}, [later])])
    asked = {
        "jsonrpc": "2.0",
        "id": "x",
        "method": "tools/call",
        "params": {"name": "a", "_meta": {"progressToken": "t"}},
    }
    ping = {"jsonrpc": "2.0", "id": 9, "method": "ping"}
    answered = {"jsonrpc": "2.0", "id": "replay-1", "result": {"roots": []}}
    said, _ = replayed(cassette, asked, ping, answered)
    assert [each.get("id") for each in said] == [None, "replay-1", "x", None, 9]
    assert said[0]["params"] == {"progressToken": "t", "progress": 5} and said[2]["result"] == {"n": 1}
    silent, _ = replayed(cassette, asked | {"params": {"name": "a"}}, answered)
    assert "progressToken" not in json.dumps(silent)


def test_stdio_survives_what_is_no_request_and_complains_about_what_is_not_recorded() -> None:
    unknown = {"jsonrpc": "2.0", "id": 1, "method": "nope"}
    said, complaints = replayed(
        Cassette([call("a")]), "{", "[]", {"jsonrpc": "2.0", "method": "notifications/x"}, unknown
    )
    assert [each["error"]["code"] for each in said] == [-32700, -32600, -32601]
    assert complaints.startswith("nope is not in the cassette")


def test_a_recorder_passes_everything_on_and_keeps_it() -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}
    add = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 2, "b": 3}}}
    lines = [json.dumps(each).encode() + b"\n" for each in (hello, add)]
    out, tape = io.BytesIO(), Tape()
    assert record(f'"{sys.executable}" "{LIGHT}"', lines, out, tape) == 0
    assert [json.loads(line)["id"] for line in out.getvalue().splitlines()] == [1, 2]
    cassette = Cassette.from_tape(tape)
    assert cassette.era == "2025-11-25" and cassette.exchanges[1].answer["result"]["content"][0]["text"] == "5"


def test_a_recorder_ends_a_server_that_does_not_end_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.testbench.recorder.PATIENCE", 0.2)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    assert record(f'"{sys.executable}" -c "{code}"', [], io.BytesIO(), Tape()) != 0
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    with pytest.raises(lab.ConnectError, match="no process to stand in front of"):
        record("http://127.0.0.1:9/mcp", [], io.BytesIO(), Tape())
    with pytest.raises(lab.ConnectError, match="no program"):
        record("no-such-program-xyz --x", [], io.BytesIO(), Tape())


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX's")
def test_a_recorder_ends_what_a_server_has_started() -> None:
    sleeper = "import time; time.sleep(60)"
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', '{sleeper}']).pid, flush=True); sys.stdin.read()"
    out, began = io.BytesIO(), time.monotonic()
    record(f'"{sys.executable}" -c "{code}"', [], out, Tape())
    assert time.monotonic() - began < 30
    gone = psutil.Process(int(out.getvalue())) if psutil.pid_exists(int(out.getvalue())) else None
    assert gone is None or gone.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 is not part"),
        ('{"cassette": 2}', "reads format 1"),
        ('{"cassette": 1}\n{"method": 3}', "line 2"),
        ('{"cassette": 1}\n\n{"method": "x", "result": 1, "error": 2}', "line 3"),
        ('{"cassette": 1}\n[]', "line 2"),
    ],
)
def test_a_file_that_is_no_cassette_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(lab.LabError, match=said):
        Cassette.load(file)
    with pytest.raises(lab.LabError, match="Cannot read"):
        Cassette.load(tmp_path / "none.jsonl")


def test_a_tape_without_its_beginning_makes_no_cassette() -> None:
    with pytest.raises(lab.LabError, match="no request"):
        Cassette.from_tape(Tape())
    tape = Tape(max_frames=1)
    for _ in range(2):
        tape.record("sent", '{"jsonrpc": "2.0", "id": 1, "method": "ping"}')
    with pytest.raises(lab.LabError, match="left the tape"):
        Cassette.from_tape(tape)


@pytest.mark.parametrize(
    ("before", "after", "ignored", "places"),
    [
        ({"a": 1}, {"a": 1.0}, [], []),
        ({"a": True}, {"a": 1}, [], ["/a"]),
        ({"a": 1}, {}, [], ["/a"]),
        ({"a": None}, {}, [], ["/a"]),
        ([1, 2], [1], [], ["/1"]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, [], ["/a~1b/~0"]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, ["/a~1b/~0"], []),
        ({"a": [{"t": 1}, {"t": 2}]}, {"a": [{"t": 3}, {"t": 4}]}, ["/a/*/t"], []),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["/a/b"], []),
        ({"a": 1, "b": 1}, {"a": 2, "b": 2}, ["/*"], []),
        ({"a": 1}, {"a": [1]}, [], ["/a"]),
        (1, 2, [], [""]),
    ],
)
def test_where_two_values_differ(before: Any, after: Any, ignored: list[str], places: list[str]) -> None:
    assert [place for place, _, _ in differences(before, after, Ignoring(ignored))] == places
