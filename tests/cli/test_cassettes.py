"""record and replay: a client in front, a server behind, and a file in between."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import environment

LIGHT = Path(__file__).parents[1] / "session" / "light_server.py"
LAB = f'"{sys.executable}" -m labkit'
SERVER = f'"{sys.executable}" "{LIGHT}"'


@pytest.fixture
def cassette(labkit, tmp_path: Path) -> Path:
    """2 + 3 = 5, recorded in front of a server."""
    quoted = SERVER.replace('"', '\\"')
    done = labkit("call", f'{LAB} record "{quoted}" --out c.jsonl', "add", "-a", "a=2", "-a", "b=3")
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr
    return tmp_path / "c.jsonl"


def test_what_was_recorded_is_replayed_and_nothing_else(labkit, cassette: Path) -> None:
    played = labkit("call", f'{LAB} replay "{cassette}"', "add", "-a", "a=2", "-a", "b=3")
    assert (played.returncode, played.stdout) == (0, "5\n")
    unknown = labkit("call", f'{LAB} replay "{cassette}"', "add", "-a", "a=2", "-a", "b=4")
    assert unknown.returncode == 1 and 'The nearest is tools/call add {"a": 2, "b": 3}' in unknown.stderr


def test_against_a_server_the_exit_code_says_whether_it_has_changed(labkit, cassette: Path) -> None:
    same = labkit("replay", str(cassette), "--against", SERVER)
    assert same.returncode == 0 and "0 different" in same.stdout
    cassette.write_text(cassette.read_text(encoding="utf-8").replace('"text": "5"', '"text": "6"'), encoding="utf-8")
    changed = labkit("replay", str(cassette), "--against", SERVER, "--json")
    data = json.loads(changed.stdout)
    assert changed.returncode == 1 and data["differences"][0]["pointer"] == "/result/content/0/text"
    ignored = labkit("replay", str(cassette), "--against", SERVER, "--ignore", "/result/content/*/text")
    assert ignored.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["replay", "none.jsonl"], 2, "Cannot read the cassette"),
        (["replay", "none.jsonl", "--json"], 2, "go with --against"),
        (["record", "http://127.0.0.1:9/mcp", "--out", "x.jsonl"], 3, "no process to stand in front of"),
        (["record", "no-such-server", "--out", "x.jsonl"], 2, "neither a server of the catalog"),
    ],
)
def test_wrong_usage_is_one_sentence(labkit, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = labkit(*arguments)
    assert (done.returncode, done.stdout) == (code, "") and said in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_ends_first_ends_the_recording_while_the_client_waits(tmp_path: Path) -> None:
    code = "import sys; sys.stdin.readline(); print('{}', flush=True); sys.exit(7)"
    command = [sys.executable, "-m", "labkit", "record", f'"{sys.executable}" -c "{code}"', "--out", "s.jsonl"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", cwd=tmp_path, env=environment()
    ) as run:
        assert run.stdin and run.stdout and run.stderr
        run.stdin.write('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        run.stdin.flush()
        assert run.stdout.readline() == "{}\n"
        assert run.wait(30) == 1, "and its stdin is still open"
        assert "1 exchanges written" in (told := run.stderr.read()) and "Fatal" not in told, told
        assert "the server ended with exit code 7" in told


def test_against_nothing_is_no_connection_as_json(labkit, cassette: Path) -> None:
    done = labkit("replay", str(cassette), "--against", "no-such-program-xyz --x", "--json")
    assert (done.returncode, json.loads(done.stderr)["exit_code"]) == (3, 3)
