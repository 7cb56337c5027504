"""Host configuration files as the hosts write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.errors import HostConfigError
from labkit.hosts import read_host_config
from labkit.session.targets import make_plan

VSCODE = """\ufeff{
  // the servers of this workspace
  "inputs": [],
  "servers": {
    "local": {"type": "stdio", "command": "python", "args": ["a//b.py", "/* kept */", ",]"],},  /* a comment */
    "remote": {"type": "sse", "url": "http://127.0.0.1:1/sse", "headers": {"Authorization": "Bearer ${env:LAB_KEY}"}},
    "asking": {"command": "python", "env": {"KEY": "${input:api-key}"}},
  },
}
"""


@pytest.fixture
def vscode(tmp_path: Path) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text(VSCODE, encoding="utf-8")
    return path


def test_comments_and_trailing_commas_are_read_and_texts_left_alone(vscode: Path) -> None:
    assert read_host_config(vscode, "local").args == ("a//b.py", "/* kept */", ",]")


def test_the_type_says_which_transport(vscode: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "k")
    plan = make_plan(vscode, server="remote")
    assert (plan.via, plan.url, plan.headers) == ("sse", "http://127.0.0.1:1/sse", {"Authorization": "Bearer k"})


def test_what_only_an_editor_can_ask_for_is_named(vscode: Path) -> None:
    with pytest.raises(HostConfigError, match=r"'asking': \$\{input:api-key\}.*\$\{env:NAME\}"):
        read_host_config(vscode, "asking")


def test_servers_below_mcp_in_the_settings_of_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"editor.fontSize": 12, "mcp": {"servers": {"a": {"command": "x"}}}}), encoding="utf-8")
    assert read_host_config(path).command == "x"


@pytest.mark.parametrize("text", ["{", '{"mcpServers": {}}', "[]", '{"servers": {"a": 1}}', '{"servers": {"a": {}}}'])
def test_a_file_that_is_no_configuration_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HostConfigError, match=r"broken\.json"):
        read_host_config(path)


def test_a_path_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"a": {"command": "x"}}}', encoding="utf-8")
    assert make_plan("~/mcp.json").name == "a"
