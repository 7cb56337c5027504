"""What is wrong with a host's file is found by reading it, and the sentence says how to mend it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import HostConfigError
from labkit.hosts.known import HOSTS
from labkit.hosts.mistakes import Mistake, mistakes

GOOD: dict[str, Any] = {"command": sys.executable, "args": ["-m", "x"]}


def found(host: str, tmp_path: Path, whole: Any, **entry: Any) -> list[Mistake]:
    file = tmp_path / "mcp.json"
    if entry:
        whole = {HOSTS[host].key: {"s": {**GOOD, **entry}}}
    file.write_text(whole if isinstance(whole, str) else json.dumps(whole), encoding="utf-8")
    return mistakes(HOSTS[host], file, project=tmp_path)


@pytest.mark.parametrize("host", [id for id in HOSTS if id != "vscode"])
def test_a_good_entry_is_not_blamed(host: str, tmp_path: Path) -> None:
    assert found(host, tmp_path, {HOSTS[host].key: {"s": GOOD}}) == []
    if HOSTS[host].remote:
        remote = {"url": "https://x.example/mcp", **({"type": "http"} if HOSTS[host].typed else {})}
        assert found(host, tmp_path, {HOSTS[host].key: {"s": remote}}) == []


CASES: list[tuple[str, str, Any, str, str]] = [
    # host, kind, what differs in the entry, what the sentence names, what it says to do
    ("cursor", "command", {"command": "no-such-program"}, "no-such-program", "Install it, or write its whole path"),
    ("cursor", "command", {"command": "python9"}, "python9", sys.executable),
    ("cursor", "relative", {"args": ["server.py"]}, "server.py", "write the whole path"),
    ("claude-desktop", "relative", {"command": "./run"}, "./run", "write the whole path"),
    ("cursor", "file", {"args": ["/nowhere/server.py"]}, "/nowhere/server.py", "is the path right"),
    ("cursor", "whole line", {"command": "python3 -m x"}, '"python3"', '["-m", "x"]'),
    ("cursor", "shape", {"args": "-m 'a b'"}, "'args' is one text", '["-m", "a b"]'),
    ("cursor", "shape", {"url": "https://x.example"}, "either 'command' or 'url'", "give"),
    ("zed", "shape", {"command": {"path": "x", "args": []}}, "as Zed wrote it once", "beside each other"),
    ("cursor", "variable", {"env": {"A": "${env:NOT_SET_HERE}"}}, "NOT_SET_HERE", "set it before Cursor starts"),
    ("cursor", "reference", {"env": {"A": "${KEY}"}}, "${KEY}", "${env:KEY}"),
    ("claude-code", "reference", {"env": {"A": "${env:KEY}"}}, "${env:KEY}", "${KEY}"),
    ("claude-desktop", "reference", {"env": {"A": "${KEY}"}}, "${KEY}", "puts nothing in its place"),
    ("vscode", "reference", {"type": "stdio", "env": {"A": "${input:k}"}}, "${input:k}", "'inputs' does not declare"),
    ("cursor", "shell", {"args": ["~/notes"]}, "~/notes", "write the whole path"),
    ("cursor", "shell", {"env": {"P": "%APPDATA%/x"}}, "%APPDATA%", "no shell reads it"),
    ("cursor", "secret", {"env": {"API_KEY": "k-123"}}, "env.API_KEY", "${env:API_KEY}"),
    ("claude-desktop", "secret", {"env": {"API_KEY": "k-123"}}, "env.API_KEY", "API_KEY_FILE"),
    ("vscode", "type", {}, "VS Code wants to be told", '"type": "stdio"'),
    ("claude-code", "type", {"command": "", "url": "https://x.example"}, "Claude Code", '"type": "http"'),
    (
        "claude-code",
        "type",
        {"command": "", "url": "https://x.example", "type": "streamable-http"},
        "calls Streamable HTTP",
        '"type": "http"',
    ),
    ("claude-desktop", "type", {"command": "", "url": "https://x.example"}, "does not read URLs", "in its settings"),
]


@pytest.mark.parametrize(("host", "kind", "entry", "names", "mends"), CASES)
def test_a_mistake_in_an_entry_is_named_with_what_mends_it(
    host: str, kind: str, entry: dict[str, Any], names: str, mends: str, tmp_path: Path
) -> None:
    made = {**GOOD, **entry}
    if made["command"] == "":
        made = {key: value for key, value in made.items() if key not in ("command", "args")}
    (mistake,) = found(host, tmp_path, {HOSTS[host].key: {"s": made}})
    assert (mistake.kind, mistake.server) == (kind, "s")
    assert names in mistake.sentence and mends in mistake.sentence, mistake.sentence
    assert "k-123" not in mistake.sentence


@pytest.mark.parametrize(
    ("host", "text", "kind", "said"),
    [
        ("cursor", {"servers": {"s": GOOD}}, "wrong key", "reads 'mcpServers', and the file has 'servers'"),
        ("vscode", {"mcpServers": {"s": GOOD}}, "wrong key", "reads 'servers', and the file has 'mcpServers'"),
        ("zed", {"mcpServers": {"s": GOOD}}, "wrong key", "rename it"),
        ("cursor", {"mcpservers": {"s": GOOD}}, "wrong key", "Did you mean 'mcpservers'"),
        ("cursor", '{"mcpServers": {"s": }}', "syntax", "Cursor reads nothing of such a file"),
        ("claude-desktop", '{"mcpServers": {},\n}', "syntax", "line 2"),
        ("claude-code", '{\n// mine\n"mcpServers": {}}', "syntax", "without comments and trailing commas: line 2"),
        ("cursor", '{"mcpServers": {"s": {"command": "a"}, "s": {"command": "b"}}}', "twice", "'s' stands twice"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_what_mends_it(
    host: str, text: Any, kind: str, said: str, tmp_path: Path
) -> None:
    mistake = next(each for each in found(host, tmp_path, text) if not each.server)
    assert mistake.kind == kind
    assert said in mistake.sentence, mistake.sentence


def test_editors_may_have_comments_and_commas(tmp_path: Path) -> None:
    text = '{\n// mine\n"mcpServers": {"s": ' + json.dumps(GOOD) + ",},}"
    assert found("cursor", tmp_path, text) == []


def test_what_a_project_holds_may_be_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("", encoding="utf-8")
    assert found("cursor", tmp_path, None, args=["server.py"]) == []
    (mistake,) = found("claude-desktop", tmp_path, None, args=["server.py"])
    assert mistake.kind == "relative"


def test_a_variable_that_is_set_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_SET_HERE", "x")
    assert found("cursor", tmp_path, None, env={"API_KEY": "${env:IS_SET_HERE}"}) == []
    assert found("claude-code", tmp_path, None, env={"API_KEY": "${UNSET:-x}"}) == []
    assert found("cursor", tmp_path, None, cwd="${workspaceFolder}") == []


def test_a_file_that_is_not_there_is_said_with_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(HostConfigError, match="labkit hosts add NAME --to zed makes it"):
        mistakes(HOSTS["zed"], tmp_path / "settings.json")
