"""servers, serve and call: data on stdout, one sentence on stderr, the promised exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from typer.testing import CliRunner

from labkit.catalog import load_catalog
from labkit.cli import app
from labkit.session import launch


def test_servers_lists_the_catalog(labkit) -> None:
    table = labkit("servers")
    entries = json.loads(labkit("servers", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(load_catalog())
    assert all(name in table.stdout for name in load_catalog())


@pytest.mark.parametrize("via", ["memory", "stdio", "http"])
def test_call_prints_the_data_and_nothing_else(labkit, via: str) -> None:
    done = labkit("call", "calculator", "add", "-a", "a=2", "-a", "b=3", "--via", via)
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")


def test_call_takes_json_and_shows_the_wire_shape(labkit) -> None:
    done = labkit("call", "calculator", "add", "--json", '{"a": 2, "b": 3}', "--output", "json", "--era", "2025-11-25")
    assert done.returncode == 0
    assert json.loads(done.stdout)["content"][0]["text"] == "5"


def test_call_reaches_a_command_line_and_reports_a_tool_error_with_1(labkit) -> None:
    command = f'"{sys.executable}" -m labkit serve calculator --via stdio'
    done = labkit("call", command, "divide", "-a", "a=1", "-a", "b=0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tool error: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["calculator", "ad", "-a", "a=1"], "Did you mean 'add'?"),
        (["calculator", "add", "-a", "a=1"], "needs 'b'"),
        (["calclator", "add"], "Did you mean 'calculator'"),
        (["calculator", "add", "-a", "a"], "--arg 'a': write KEY=VALUE"),
        (["calculator", "add", "--json", "{a: 2}"], "--json is not JSON"),
        (["calculator", "add", "--json", "[2]"], "--json has to be an object"),
        (["calculator", "add", "-H", "secret"], "--header 'secret': write 'NAME: VALUE'"),
    ],
)
def test_wrong_usage_is_2_with_one_sentence(labkit, arguments: list[str], sentence: str) -> None:
    done = labkit("call", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/mcp", f'"{sys.executable}" -c "raise SystemExit(9)"'])
def test_no_connection_is_3_with_one_sentence(labkit, target: str) -> None:
    done = labkit("call", target, "add")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["call", "calculator", "add", "--era", "1999-01-01"], "'1999-01-01' is not a protocol revision"),
        (["call", "calculator", "add", "--answer", "yes"], "--answer is not JSON"),
        (["call", "calculator", "add", "--answer", "[1]"], "--answer has to be an object"),
        (["services", "up", "postgre"], "Did you mean 'postgres'?"),
        (["services", "url", "nothing"], "It has: postgres, redis."),
    ],
)
def test_wrong_words_are_wrong_usage_in_every_room(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "said", "shown"),
    [
        ([], 1, "", "declined; to accept: --yes, or --answer JSON"),
        (["--yes"], 0, "Deleted /x.\n", 'accepted: {"sure": true}'),
        (["--answer", '{"sure": false}'], 0, "Kept /x.\n", 'accepted: {"sure": false}'),
    ],
)
def test_what_a_server_asks_is_shown_and_declined_unless_told(
    options: list[str], code: int, said: str, shown: str
) -> None:
    done = CliRunner().invoke(app, ["call", "everything", "delete_path", "-a", "path=/x", *options])
    assert (done.exit_code, done.stdout) == (code, said)
    assert done.stderr.startswith("the server asks: Really delete /x?\n") and shown in done.stderr


def test_text_stays_text_where_the_tool_wants_text() -> None:
    from labkit.cli.talk import keep_text, parse_arguments

    given, typed = parse_arguments(["zip=94107", "n=3", "flag=true", "say=a=b"], '{"n": 1, "more": [2]}')
    keep_text(given, typed, {"properties": {"zip": {"type": "string"}, "n": {"type": "integer"}}})
    assert given == {"zip": "94107", "n": 3, "flag": True, "say": "a=b", "more": [2]}
    for odd in ({"properties": None}, {"properties": {"zip": True}}, {}):
        keep_text(given, typed, odd)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that stands for Ctrl-C in one process alone")
def test_serve_http_prints_its_address_answers_and_ends_with_ctrl_c(labkit) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "labkit", "serve", "calculator"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    (child,) = psutil.Process(server.pid).children()
    try:
        assert labkit("call", url, "add", "-a", "a=2", "-a", "b=3").stdout == "5\n"
        taken = labkit("serve", "calculator", "--port", url.split(":")[2].split("/")[0])
        assert taken.returncode == 3
        assert "is in use; leave --port out for a free one" in taken.stderr
    finally:
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=30)
    assert server.returncode == 130
    assert "Traceback" not in errors
    assert not child.is_running()


def test_serve_of_a_file_without_a_server_is_one_sentence(labkit, tmp_path) -> None:
    (tmp_path / "empty.py").write_text("x = 1", encoding="utf-8")
    done = labkit("serve", "empty.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and "empty.py defines no 'server'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_author_of_a_file_that_fails_sees_where_and_nothing_of_the_launcher(tmp_path, capsys, monkeypatch) -> None:
    file = tmp_path / "failing.py"
    file.write_text("x = y", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as ended:
        launch.serve("http", file, "server", 0)
    told = capsys.readouterr().err
    assert ended.value.code == launch.NO_SERVER
    assert 'failing.py", line 1' in told and "launch.py" not in told
    assert told.splitlines()[-1] == f"error: {file} failed while loading: NameError: name 'y' is not defined"


def test_serve_of_an_unknown_server_is_wrong_usage(labkit) -> None:
    done = labkit("serve", "calclator")
    assert done.returncode == 2
    assert "Did you mean 'calculator'" in done.stderr
