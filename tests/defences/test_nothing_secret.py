"""Nothing secret in what the lab writes down: drills leave no canary, connections no credential.

What is meant: an attacker sees what he has obtained, so `Outcome.obtained` holds the canary; whatever is *shown or kept*
- the table of an outcome, logs, stderr, warnings, audit, errors, a saved notebook - does not. A tape holds the bodies of
messages, results too, since that is what it is for; credentials of the way (headers, addresses, command lines) it masks.
"""

from __future__ import annotations

import io
import logging
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import nbformat
import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver import Elicit, ElicitationResult, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

import labkit as lab
from labkit.course import run_notebooks
from labkit.defences.redaction import Redactor
from labkit.defences.redaction_results import Redaction
from labkit.errors import LabError
from labkit.patterns.audit import Audit
from labkit.patterns.logs import Logs, adopt, open_log
from labkit.patterns.stack import stack
from labkit.range import Outcome, Target, drills
from labkit.session.serve import serve

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

DRILLS = drills()
CANARY = re.compile(r"canary-[0-9a-f]{16,}")
RUNS = [(id, "attack", "vulnerable") for id in DRILLS] + [(id, "legitimate", "fixed") for id in DRILLS]


@pytest.fixture
def written(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """What was written to stdout, stderr and, as Python does it unless it is told otherwise, to logs: warnings and worse.

    The SDK's line of level INFO for a tool error repeats the error; who turns it on has `labkit.patterns.logs.adopt`.
    """
    with caplog.at_level(logging.WARNING):

        def texts() -> str:
            out = capfd.readouterr()
            return "\n".join([out.out, out.err, caplog.text, *(record.getMessage() for record in caplog.records)])

        yield texts


# -- the range ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("id", "group", "target"), RUNS, ids=["-".join(run) for run in RUNS])
async def test_a_drill_leaves_no_canary(
    id: str, group: str, target: str, written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries: list[str] = []
    begin = Target.__init__

    def noted(self: Target, path: Path) -> None:
        begin(self, path)
        canaries.append(self.canary)

    monkeypatch.setattr(Target, "__init__", noted)
    outcome: Outcome = await getattr(DRILLS[id], group)(target)
    shown = "\n".join([repr(outcome), outcome._repr_html_(), *outcome.lines, written()])
    assert len(canaries) == 1
    assert canaries[0] not in shown
    if group == "attack":
        assert any(canaries[0] in line for line in outcome.obtained), "an attack shows what it was after"


# -- a connection -------------------------------------------------------------------------------------------------------


class Sure(BaseModel):
    """An answer."""

    yes: bool


def ask() -> Elicit[Sure]:
    return Elicit("Sure?", Sure)


class Places:
    """What was written down on the way, by name."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def put(self, name: str, value: object) -> None:
        self.texts[name] = str(value)

    def holding(self, *secret: str) -> list[str]:
        return [f"{name}: {each}" for name, text in self.texts.items() for each in secret if each in text]


@pytest.fixture
def adopted() -> Iterator[io.StringIO]:
    """The lab's log, which also gets what others write with `logging`."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    adopt(open_log(stream))
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


async def test_credentials_are_in_no_tape_log_audit_or_error(
    tmp_path: Path, adopted: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    token, key, password = (secrets.token_hex(16) for _ in range(3))
    audit = Audit(tmp_path / "audit", preview=200, clean=lambda value: Redactor(known=[password]).redact(value).value)
    logs = Logs(open_log(adopted))
    server = MCPServer("desk", middleware=stack(audit, logs), log_level="CRITICAL")

    @server.tool()
    def login(user: str, password: str, note: str) -> str:
        """Log in."""
        logs.log.info("logging in", password=password, note=note)
        return f"welcome, {user}"

    @server.tool()
    def fail(note: str) -> str:
        """Fail with everything that it knows."""
        told = f"https://ada:{password}@127.0.0.1/, Authorization: Bearer {token}, api_key={key}"
        logging.getLogger("desk").warning("no way to %s", told)
        raise ToolError(f"cannot reach {told}")

    @server.tool()
    def crash() -> str:
        """Fail unexpectedly."""
        raise RuntimeError(f"Bearer {token}")

    Redaction(Redactor(known=[password])).install(server)
    headers = {"Authorization": f"Bearer {token}", "X-Api-Key": key, "Cookie": f"sid={key}"}
    places, running = Places(), await serve(server)
    try:
        for era in ("2026-07-28", "2025-11-25"):
            async with await lab.connect(running.url, headers=headers, era=era) as conn:
                await conn.call("login", user="ada", password="not-kept", note=f"Bearer {token}")
                failed = await conn.call("fail", note="x", check=False)
                crashed = await conn.call("crash", check=False)
                places.put(f"{era} errors", [failed.text, crashed.text, failed.raw, crashed.raw])
                path = conn.tape.save(tmp_path / f"{era}.jsonl")
                # The note is a body, which the client has put the token into itself: the way is looked at.
                frames = [
                    line for line in path.read_text(encoding="utf-8").splitlines() if f"Bearer {token}" not in line
                ]
                places.put(f"{era} tape", "\n".join(frames))
                places.put(
                    f"{era} connection", [repr(conn), conn._repr_html_() if hasattr(conn, "_repr_html_") else ""]
                )
        for wrong in (running.url + "/nowhere", running.url.replace("http://", f"http://ada:{key}@") + "x"):
            with pytest.raises(LabError) as caught:
                await lab.connect(wrong, headers=headers)
            places.put(f"error of {wrong[-9:]}", [caught.value, caught.value.__dict__])
    finally:
        await running.stop()
    audit.close()
    places.put("log", adopted.getvalue())
    places.put("audit", "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "audit").glob("*.jsonl")))
    places.put("stdout and stderr", capfd.readouterr())
    assert "no way to" in places.texts["log"], "what others write with logging is in the lab's log, and masked"
    assert "logging in" in places.texts["log"] and '"tool":"login"' in places.texts["audit"]
    assert places.holding(token, key, password, "not-kept") == []


async def test_the_state_of_a_question_is_in_no_log_and_no_audit(tmp_path: Path, written: Callable[[], str]) -> None:
    stream = io.StringIO()
    audit = Audit(tmp_path / "audit", preview=500)
    server = MCPServer("asks", middleware=stack(audit, Logs(stream)), log_level="CRITICAL")

    @server.tool()
    async def remove(answer: Annotated[ElicitationResult[Sure], Resolve(ask)]) -> str:
        """Remove something, when it is meant."""
        return answer.action

    async with await lab.connect(server, era="2026-07-28") as conn:
        meta = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
        asked = await conn.send("tools/call", {"name": "remove", "arguments": {}, "_meta": meta})
    audit.close()
    states = {asked["requestState"]}
    kept = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "audit").glob("*.jsonl"))
    seen = [kept, stream.getvalue(), written()]
    assert '"tool":"remove"' in kept
    assert not any(state in text for state in states for text in seen)


# -- a notebook ---------------------------------------------------------------------------------------------------------

CELLS = [
    "import os, pathlib\nimport labkit as lab\nfrom mcp.server import MCPServer\n"
    "token = pathlib.Path(os.environ['LAB_SECRET_FILE']).read_text()",
    "server = MCPServer('desk', log_level='CRITICAL')\n"
    "@server.tool()\ndef hello() -> str:\n    'Say hello.'\n    return 'hello'",
    "conn = await lab.connect(server, via='http', headers={'Authorization': f'Bearer {token}'})\nconn",
    "await conn.call('hello')",
    "conn.tape",
    "conn.tape.table()",
    "try:\n    await lab.connect(conn.url + 'x', headers={'Authorization': f'Bearer {token}'})\n"
    "except lab.LabError as error:\n    print(repr(error), error)",
    "lab.connections()",
    "await (drill := lab.drill('cross_client')).attack()",
    "await lab.close_all()",
]


def test_a_saved_notebook_holds_no_credential_and_no_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = secrets.token_hex(16)
    (tmp_path / "secret").write_text(token, encoding="utf-8")
    monkeypatch.setenv("LAB_SECRET_FILE", str(tmp_path / "secret"))
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "00_small.ipynb"
    nbformat.write(nb, path)
    report = run_notebooks([path], jobs=1, out=tmp_path / "out", html=False)
    report.check()
    saved = "".join(each.read_text(encoding="utf-8") for each in (tmp_path / "out").rglob("*.ipynb"))
    assert "authorization" in saved.lower() and "hello" in saved and "the attack obtained" in saved
    assert token not in saved and not CANARY.search(saved)


def test_the_values_that_are_looked_for_would_be_found() -> None:
    places = Places()
    places.put("a log", {"Authorization": "Bearer abc"})
    assert places.holding("abc") == ["a log: abc"]
    value: Any = f"canary-{secrets.token_hex(12)}"
    assert CANARY.search(value)
