"""`labkit hosts` as somebody types it, with a home folder of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from labkit.cli import app


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home" / "AppData" / "Roaming"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "home"


def labkit(*words: str) -> Result:
    return CliRunner().invoke(app, ["hosts", *words])


def test_from_add_to_a_certified_entry_in_one_command(home: Path) -> None:
    done = labkit("add", "leave_manager", "--to", "cursor")
    assert done.exit_code == 0, done.output
    assert "leave_manager is in " in done.output and "leave_manager: certified (" in done.output
    written = json.loads((home / ".cursor" / "mcp.json").read_text(encoding="utf-8"))["mcpServers"]["leave_manager"]
    assert written["command"] == sys.executable and Path(written["args"][0]).is_file()
    listed = json.loads(labkit("list", "--json").stdout)
    assert [(row["host"], row["scope"], row["name"]) for row in listed] == [("cursor", "user", "leave_manager")]
    assert labkit("doctor", "cursor", "--no-start").exit_code == 0
    gone = labkit("remove", "leave_manager", "--from", "cursor")
    assert gone.exit_code == 0 and "(as it was: mcp.json." in gone.output
    assert json.loads(labkit("list", "--json").stdout) == []


def test_ones_own_server_with_a_secret_that_is_only_referred_to(home: Path) -> None:
    words = (
        "add",
        "mine",
        "--to",
        "vscode",
        "--project",
        ".",
        "--secret",
        "MY_KEY",
        "--env",
        "LEVEL=info",
        "--no-test",
    )
    done = labkit(*words, "--", "npx", "-y", "thing", "--verbose")
    assert done.exit_code == 0, done.output
    whole = json.loads((Path(".vscode") / "mcp.json").read_text(encoding="utf-8"))
    assert whole["servers"]["mine"] == {
        "type": "stdio",
        "command": "npx",
        "args": ["-y", "thing", "--verbose"],
        "env": {"LEVEL": "info", "MY_KEY": "${input:MY_KEY}"},
    }
    assert [each["id"] for each in whole["inputs"]] == ["MY_KEY"]
    far = labkit("add", "far", "--to", "cursor", "--url", "https://x.example/mcp", "--secret", "FAR_KEY", "--no-test")
    assert far.exit_code == 0, far.output
    cursor = json.loads((home / ".cursor" / "mcp.json").read_text(encoding="utf-8"))
    assert cursor["mcpServers"]["far"]["headers"] == {"Authorization": "Bearer ${env:FAR_KEY}"}


def test_what_is_broken_gives_the_sentence_that_mends_it_and_exit_code_1(home: Path) -> None:
    file = home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    entry = {"command": sys.executable, "args": ["-c", "raise SystemExit('no licence')"]}
    file.write_text(json.dumps({"mcpServers": {"a": entry, "b": {"command": "no-such-program"}}}), encoding="utf-8")
    seen = labkit("doctor")
    assert seen.exit_code == 1
    assert "2 to mend" in seen.output and "no licence" in seen.output and "b: there is no program" in seen.output
    tried = labkit("test", "a", "--from", "cursor")
    assert tried.exit_code == 1 and "a: did not start" in tried.output and "no licence" in tried.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "calculator"), "add to which host? Say --to cursor"),
        (("add", "calculator", "--to", "curser"), "Did you mean 'cursor'"),
        (("add", "calculatr", "--to", "cursor"), "Did you mean 'calculator'"),
        (("add", "x", "--to", "cursor", "--url", "https://x.example", "--", "y"), "one of the two"),
        (("add", "x", "--to", "zed", "--secret", "KEY", "--", "y"), "--env KEY_FILE=PATH"),
        (("remove", "x"), "remove from which host?"),
        (("test", "x"), "no host has a server 'x'; there are: none"),
        (("doctor", "--config", "x.json"), "in which host's format?"),
        (("add", "x", "--to", "cursor", "--env", "KEY", "--", "y"), "KEY=VALUE"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(home: Path, words: tuple[str, ...], said: str) -> None:
    done = labkit(*words)
    assert done.exit_code == 2 and said in done.output, done.output
    assert not list(home.iterdir()) and not list(Path().iterdir()), "nothing was written"


def test_paths_are_told_and_a_damaged_file_does_not_hide_the_others(home: Path) -> None:
    assert ".cursor" in labkit("paths").stdout and "claude_desktop_config.json" in labkit("paths").stdout
    labkit("add", "calculator", "--to", "claude-code", "--no-test")
    (home / ".cursor").mkdir()
    (home / ".cursor" / "mcp.json").write_text("{", encoding="utf-8")
    listed = labkit("list")
    assert "calculator" in listed.stdout and "labkit hosts doctor cursor" in listed.output


def test_a_secret_in_an_argument_is_not_listed(home: Path) -> None:
    labkit("add", "x", "--to", "cursor", "--no-test", "--", "prog", "--token", "s3cret-value")
    assert "s3cret-value" not in labkit("list").output
