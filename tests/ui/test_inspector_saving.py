"""A call as a Python cell, and as a pytest file that passes while the server answers the same, and else fails."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server import MCPServer

import labkit as lab
from labkit.catalog import LAB_ROOT, WORK
from labkit.ui.history import Entry, as_call, as_cell
from labkit.ui.inspector import Inspector, inspect
from labkit.ui.inspector_saving import connecting_code, members, save_test
from tests.ui.inspecting import call, until

pytestmark = pytest.mark.anyio

SERVER = """
import itertools
import os
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("changing")
runs = itertools.count()
FACTOR = 2


@server.tool()
def double(number: int) -> int:
    return FACTOR * number


@server.tool()
def report(topic: str) -> dict[str, Any]:
    return {"topic": topic, "pid": os.getpid(), "rows": [{"name": "a", "at": os.urandom(4).hex()}], "factor": FACTOR, "big": 2**60, "said": "nan"}


@server.tool(structured_output=False)
def words(text: str) -> str:
    return f"{text} {FACTOR}"


@server.tool()
def refuse() -> str:
    raise ToolError(f"not {FACTOR}")


@server.resource("facts://{name}")
def facts(name: str) -> str:
    return f"{name} {FACTOR}"


@server.prompt()
def ask(topic: str) -> str:
    return f"Tell me about {topic} {FACTOR}"


if __name__ == "__main__":
    server.run()
"""


@pytest.fixture
def server(tmp_path: Path) -> Path:
    file = tmp_path / "changing_server.py"
    file.write_text(SERVER, encoding="utf-8")
    return file


@pytest.fixture
async def panel(server: Path) -> AsyncIterator[Inspector]:
    made = inspect(server, via="memory")
    await until(lambda: made.conn)
    yield made
    made.close()
    await lab.close_all()


def run(*files: Path) -> subprocess.CompletedProcess[str]:
    """The files in a pytest of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
    return subprocess.run(command, cwd=LAB_ROOT, capture_output=True, text=True, encoding="utf-8", timeout=140)


async def passes(file: Path) -> bool:
    """Whether the one test in a file passes; cheaper than a pytest of its own."""

    def running() -> bool:
        (test,) = (value for name, value in runpy.run_path(str(file)).items() if name.startswith("test_"))
        try:
            test()
        except AssertionError:
            return False
        return True

    return await anyio.to_thread.run_sync(running)


@pytest.mark.timeout(300)
async def test_saved_tests_pass_and_fail_when_the_server_answers_otherwise(
    panel: Inspector, server: Path, tmp_path: Path
) -> None:
    calls = [
        await call(panel, "double", number=21),
        await call(panel, "words", text='it\'s "quoted"\n'),
        await call(panel, "refuse"),
        await call(panel, "facts://{name}", kind="template", name="Ada L"),
        await call(panel, "ask", kind="prompt", topic="tea"),
    ]
    files = [tmp_path / f"test_{entry.id}.py" for entry in calls]
    for entry, file in zip(calls, files, strict=True):
        await panel.respond("save_test", {"id": entry.id, "path": str(file)})
    same = run(*files[:2])
    assert same.returncode == 0 and "2 passed" in same.stdout, same.stdout + same.stderr
    assert [await passes(file) for file in files] == [True] * 5
    server.write_text(SERVER.replace("FACTOR = 2", "FACTOR = 3"), encoding="utf-8")
    other = run(files[0])
    assert other.returncode == 1 and "1 failed" in other.stdout, other.stdout + other.stderr
    assert [await passes(file) for file in files] == [False] * 5
    assert "assert 63 == 42" in other.stdout


async def test_members_that_change_are_left_out(panel: Inspector, server: Path, tmp_path: Path) -> None:
    entry = await call(panel, "report", topic="x")
    plan = await panel.respond("plan_test", {"id": entry.id})
    assert plan["members"] == [
        ["topic"],
        ["pid"],
        ["rows"],
        ["rows", "*", "name"],
        ["rows", "*", "at"],
        ["factor"],
        ["big"],
        ["said"],
    ]
    strict, loose = tmp_path / "test_strict.py", tmp_path / "test_loose.py"
    save_test(panel.conn, entry, strict)
    save_test(panel.conn, entry, loose, [["pid"], ["rows", "*", "at"]])
    assert not await passes(strict)
    assert await passes(loose)
    server.write_text(SERVER.replace('"name": "a"', '"name": "b"'), encoding="utf-8")
    assert not await passes(loose)  # what is still compared is compared


async def test_answers_to_the_server_and_errors_are_part_of_a_test(tmp_path: Path) -> None:
    probe = LAB_ROOT / "tests" / "session" / "probe_server.py"
    panel = inspect(probe, via="stdio", era="2025-11-25")
    await until(lambda: panel.conn)
    for tool, arguments, answer in (("delete", {"path": "/x"}, {"ok": True}), ("summary", {"text": "a b"}, "short")):
        id = (await panel.respond("call", {"kind": "tool", "name": tool, "arguments": arguments}))["id"]
        (question,) = await until(lambda: [*panel.questions.values()])
        await panel.respond("reply", {"id": question.id, "action": "accept", "content": answer})
        await until(lambda id=id: panel.entry(id).state == "ok")
        save_test(panel.conn, panel.entry(id), tmp_path / f"test_{tool}.py")
    gone = await call(panel, "nowhere://x", kind="resource")
    save_test(panel.conn, gone, tmp_path / "test_gone.py")
    panel.close()
    await lab.close_all()
    for file in sorted(tmp_path.glob("test_*.py")):
        assert await passes(file), file.read_text(encoding="utf-8")


async def test_a_file_that_is_there_stays(panel: Inspector, tmp_path: Path) -> None:
    entry = await call(panel, "double", number=2)
    there = tmp_path / "test_there.py"
    there.write_text("mine", encoding="utf-8")
    with pytest.raises(lab.LabError, match="is there already, and stays"):
        await panel.respond("save_test", {"id": entry.id, "path": str(there)})
    assert there.read_text(encoding="utf-8") == "mine"
    with pytest.raises(lab.LabError, match="not the name of a test"):
        await panel.respond("save_test", {"id": entry.id, "path": str(tmp_path / "check.py")})
    proposed = LAB_ROOT / (await panel.respond("plan_test", {"id": entry.id}))["path"]
    assert proposed.parent == WORK / "tests" and not proposed.exists()


async def test_what_cannot_be_saved_says_why(panel: Inspector, tmp_path: Path) -> None:
    id = (await panel.respond("call", {"kind": "tool", "name": "double", "arguments": {"number": 1}}))["id"]
    await panel.respond("cancel", {"id": id})
    await until(lambda: panel.entry(id).state == "cancelled")
    with pytest.raises(lab.LabError, match="was cancelled"):
        await panel.respond("plan_test", {"id": id})
    server = MCPServer("mine")
    server.add_tool(lambda: 1, name="one")
    mine = inspect(await lab.connect(server))
    with pytest.raises(lab.LabError, match="object of this notebook"):
        await mine.respond("plan_test", {"id": (await call(mine, "one")).id})
    mine.close()


async def test_credentials_do_not_go_into_code(monkeypatch: pytest.MonkeyPatch) -> None:
    running = await lab.serve("calculator")
    headers = {"Authorization": "Bearer s3cret", "X-Lab": "7"}
    panel = inspect(running.url, headers=headers)
    await until(lambda: panel.conn)
    code, imports = connecting_code(panel.conn, sync=True)
    assert "s3cret" not in code and "os.environ['AUTHORIZATION']" in code and "'X-Lab': '7'" in code
    assert imports == {"import os"}
    entry = await call(panel, "add", a=1, b=2)
    cell = await panel.respond("code", {"id": entry.id})
    assert "s3cret" not in cell and cell.startswith(
        "import labkit as lab\nimport os\nconn = await lab.connect('http://"
    )
    assert "s3cret" not in panel.still()
    panel.close()
    await lab.close_all()
    await running.stop()


async def test_a_panels_own_connection_is_part_of_the_cell() -> None:
    panel = inspect("calculator", via="stdio", era="2025-11-25")
    await until(lambda: panel.conn)
    cell = await panel.respond("code", {"id": (await call(panel, "add", a=1, b=2)).id})
    assert cell == (
        "import labkit as lab\nconn = await lab.connect('calculator', via='stdio', era='2025-11-25')\n"
        "result = await conn.call('add', a=1, b=2)\nresult"
    )
    names: dict[str, Any] = {}
    exec(
        "async def cell():\n    " + cell.replace("\n", "\n    ") + "\n    await conn.close()\n    return result", names
    )
    assert (await names["cell"]()).data == 3
    panel.close()
    await lab.close_all()


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (Entry(1, "tool", "add", {"a": 1, "b": "x"}), "conn.call('add', a=1, b='x')"),
        (Entry(1, "tool", "add", {}), "conn.call('add')"),
        (Entry(1, "tool", "add", {"timeout": 1}), "conn.call('add', {'timeout': 1})"),
        (Entry(1, "tool", "add", {"from": 1, "a b": 2}), "conn.call('add', {'from': 1, 'a b': 2})"),
        (Entry(1, "tool", "add", {"a": None}, anyway=True), "conn.call('add', {'a': None}, check=False)"),
        (Entry(1, "resource", "note://x", {}), "conn.read('note://x')"),
        (Entry(1, "template", "note://{x}", {"x": "1"}, uri="note://1"), "conn.read('note://1')"),
        (Entry(1, "prompt", "ask", {"topic": "tea"}), "conn.prompt('ask', topic='tea')"),
    ],
)
async def test_calls_as_python(entry: Entry, code: str) -> None:
    assert as_call(entry) == code
    assert as_cell(entry, "calc") == f"result = await {code.replace('conn', 'calc', 1)}\nresult"


async def test_members_are_bounded() -> None:
    assert members([{"a": {"b": 1}}, {"c": 2}]) == [["*", "a"], ["*", "a", "b"], ["*", "c"]]
    assert members(3) == []
    assert len(members({str(n): n for n in range(500)})) == 60
