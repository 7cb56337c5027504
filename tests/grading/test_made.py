"""Servers that an answer makes of settings: `make(env)` in memory, `app(env)` over HTTP; and exercises of the range."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.grading.attempt import Exercise
from labkit.grading.spec import ExerciseError, load
from labkit.grading.warm import Judges, check_source

ANSWER = '''
from pathlib import Path
from mcp.server import MCPServer


def make(env):
    server = MCPServer("made")
    seen = []

    @server.tool()
    def told(text: str) -> str:
        """What was set, what a check left in the folder, and who else was here."""
        seen.append(text)
        return f"{env['RANGE_CANARY']} {Path('note.txt').read_text()} {len(seen)}"

    return server


def app(env):
    return make(env).streamable_http_app()
'''
CHECKS = """
from labkit.grading.checks import check, expect

CALL = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}}


@check("made", points=1, reason="r")
def test_made(submission, rng):
    (submission.folder / "note.txt").write_text("left here", encoding="utf-8")
    one = submission.made({"RANGE_CANARY": "c1"}, client="one")
    two = submission.made({"RANGE_CANARY": "c1"}, client="two")
    other = submission.made({"RANGE_CANARY": "c2"})
    said = [s.request("tools/call", {"name": "told", "arguments": {"text": "x"}}).text for s in (one, two, other)]
    expect(said, ["c1 left here 1", "c1 left here 2", "c2 left here 1"], "what they said")


@check("http", points=1, reason="r")
def test_http(submission, rng):
    headers = {"host": "127.0.0.1:80", "accept": "application/json, text/event-stream"}
    found = submission.http({}, headers=headers, body=CALL)
    expect([found.status, found.frames[0]["result"]["serverInfo"]["name"]], [200, "made"], "the answer")
    expect(submission.http({}, headers={**headers, "host": "evil.example"}, body=CALL).status, 421, "another host")
    expect(submission.http({}, "GET", "/nowhere", headers=headers).status, 404, "another path")
"""


def points_two(root: Path) -> None:
    toml = root / "toy" / "exercise.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("points = 3", "points = 2"), encoding="utf-8")


def test_made_servers_share_what_their_settings_share_and_http_needs_no_port(root: Path, pool: Judges) -> None:
    (root / "toy" / "checks.py").write_text(CHECKS, encoding="utf-8")
    points_two(root)
    report = check_source(load("toy", root), ANSWER, pool=pool)
    assert report.passed, report


def test_an_exercise_of_the_range_begins_with_the_vulnerable_server(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill = tmp_path / "range" / "paths"
    drill.mkdir(parents=True)
    (drill / "vulnerable.py").write_text("VULNERABLE = 1\n", encoding="utf-8")
    (drill / "fixed.py").write_text("FIXED = 1\n", encoding="utf-8")
    monkeypatch.setattr("labkit.grading.spec.RANGE", tmp_path / "range")
    toml = root / "toy" / "exercise.toml"
    toml.write_text(f'range = "paths"\n{toml.read_text(encoding="utf-8")}', encoding="utf-8")
    for name in ("starter.py", "solution.py"):
        (root / "toy" / name).unlink()
    spec = load("toy", root)
    assert (spec.starter, spec.solution) == ("VULNERABLE = 1\n", "FIXED = 1\n")
    assert "VULNERABLE" in Exercise(spec, tmp_path / "work").open().path.read_text(encoding="utf-8")
    (drill / "fixed.py").unlink()
    with pytest.raises(ExerciseError, match=r"fixed\.py: the file is missing"):
        load("toy", root)
    toml.write_text(toml.read_text(encoding="utf-8").replace('"paths"', '"../paths"'), encoding="utf-8")
    with pytest.raises(ExerciseError, match="range must be the name of a drill"):
        load("toy", root)


def test_the_range_is_closed_to_answers(root: Path, pool: Judges) -> None:
    from labkit.grading.spec import RANGE

    (root / "toy" / "checks.py").write_text(
        'from labkit.grading.checks import check, expect\n\n@check("r", points=2, reason="r")\n'
        'def test_r(submission, rng):\n    expect(submission.call("peek"), "closed", "what it saw")\n',
        encoding="utf-8",
    )
    points_two(root)
    source = f"import os\ndef peek():\n    try:\n        return os.listdir({str(RANGE)!r})\n    except OSError:\n        return 'closed'\n"
    assert check_source(load("toy", root), source, pool=pool).passed


def test_what_a_check_puts_into_the_folder_does_not_go_elsewhere(root: Path, tmp_path: Path, pool: Judges) -> None:
    (root / "toy" / "checks.py").write_text(CHECKS, encoding="utf-8")
    points_two(root)
    mine = tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    report = check_source(load("toy", root), f"import os\nos.symlink({str(mine)!r}, 'note.txt')\n{ANSWER}", pool=pool)
    assert not report.passed and "an answer may not make links" in str(report)
    assert mine.read_text(encoding="utf-8") == "mine"
