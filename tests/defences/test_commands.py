"""What a program is started with: two corpora, texts made up by chance, options, and programs that do not end."""

from __future__ import annotations

import json
import os
import re
import runpy
import sys
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.catalog import SERVERS
from labkit.defences.commands import TAG, TEXT, Action, CommandError, Program, Value

CORPUS = Path(__file__).with_name("corpus")
HISTORY = SERVERS / "vulnerable" / "commands" / "history.py"
parse = runpy.run_path(str(HISTORY))["parse"]
PYTHON = [sys.executable, "-ISB", "-X", "utf8"]
ACTIONS = {
    "show": Action(operands=(TAG,)),
    "find": Action(operands=(TEXT,)),
    "log": Action(options={"--limit": Value(r"[1-9][0-9]{0,2}"), "-n": Value("[0-9]+"), "--short": None}),
    "diff": Action(operands=(TAG, TAG), required=1, fixed=("--no-pager",)),
}
PROGRAM = Program([*PYTHON, str(HISTORY)], ACTIONS)


def cases(name: str) -> list[tuple[str, str]]:
    pairs = [
        line.split("\t", 1)
        for line in (CORPUS / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return [(action, json.loads(text) if text.startswith('"') else text) for action, text in pairs]


ATTACKS, LEGITIMATE = cases("commands_attacks.txt"), cases("commands_legitimate.txt")


def words(action: str, text: str) -> list[str] | None:
    """What would be started, without the program; None when it is refused."""
    try:
        if action == "option":
            name, given_, value = text.partition("=")
            started = PROGRAM.argv("log", options={name: value if given_ else True})
        else:
            started = PROGRAM.argv(action, operands=[text])
    except CommandError:
        return None
    assert tuple(started[: len(PROGRAM.words)]) == PROGRAM.words
    return started[len(PROGRAM.words) :]


def is_harmless(action: str, text: str, started: list[str]) -> bool:
    """Whether the program reads no more in it than the text that was written, and that as what it is for."""
    if action == "option":
        return re.fullmatch(r"--limit=[1-9][0-9]{0,2}", started[-1]) is not None and len(started) == 2
    read = parse(started) == (action, {}, text) and "\0" not in text
    # A text is any text; the name of a change is short, and made of letters that mean nothing else.
    return read and (action == "find" or (text[:1].isalnum() and not set(text) - set(PLAIN) and ".." not in text))


PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"


def numbers() -> tuple[int, int, int, int]:
    """Attacks, how many of them the program reads as more than a value; legitimate texts, how many are refused."""
    passed = sum(not is_harmless(*case, found) for case in ATTACKS if (found := words(*case)) is not None)
    refused = sum((found := words(*case)) is None or not is_harmless(*case, found) for case in LEGITIMATE)
    return len(ATTACKS), passed, len(LEGITIMATE), refused


def test_the_numbers_for_the_table() -> None:
    attacks, passed, legitimate, refused = numbers()
    assert attacks >= 40 and legitimate >= 40 and passed == refused == 0


def test_an_attack_is_refused_or_is_a_value() -> None:
    for action, text in ATTACKS:
        found = words(action, text)
        assert found is None or is_harmless(action, text, found), (action, text)
        assert found is None or action == "find", (action, text)


def test_a_legitimate_text_arrives_as_it_is() -> None:
    for action, text in LEGITIMATE:
        found = words(action, text)
        assert found is not None and is_harmless(action, text, found), (action, text)


LOADED = st.lists(st.sampled_from([*"-o=@;|&$`'\"\\ \n\0./~:%", "--output=", "v1", "--", "a", "–"]), max_size=6)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(action=st.sampled_from(["show", "find", "option"]), pieces=LOADED)
def test_no_text_is_more_than_a_value(action: str, pieces: list[str]) -> None:
    text = "".join(pieces)
    found = words(action, text)
    assert found is None or is_harmless(action, text, found)
    if action == "find" and text and "\0" not in text:
        assert found is not None


def test_options_and_operands_are_those_that_are_named() -> None:
    def rest(*args: object, **kwargs: object) -> list[str]:
        return PROGRAM.argv(*args, **kwargs)[len(PROGRAM.words) :]  # type: ignore[arg-type]

    assert rest("log", options={"--limit": "5", "-n": "3", "--short": True}) == ["log", "--limit=5", "-n3", "--short"]
    assert rest("log", options={"--short": False}) == ["log"]
    assert rest("diff", operands=["a"]) == ["diff", "--no-pager", "--", "a"]
    assert rest("diff", operands=["a", "b"]) == ["diff", "--no-pager", "--", "a", "b"]
    for action, more, said in [
        ("push", {}, "'push' is not done here: use 'show', 'find', 'log', 'diff'"),
        ("", {}, "'' is not done here"),
        ("diff", {}, "diff takes 1 to 2 values, not 0"),
        ("diff", {"operands": ["a", "b", "c"]}, "diff takes 1 to 2 values, not 3"),
        ("log", {"options": {"--short": "x"}}, "--short takes no value"),
        ("log", {"options": {"--limit": True}}, "--limit needs a value"),
        ("log", {"options": {"--all": True}}, "'--all' is not given here: there are --limit, -n, --short"),
        ("show", {"operands": ["x" * 3000]}, "longer than 2000 characters"),
        ("show", {"operands": ["-x"]}, "begins with a dash"),
        ("show", {"operands": ["x y"]}, "is not of the form"),
    ]:
        with pytest.raises(CommandError, match=re.escape(said)) as caught:
            rest(action, **more)
        assert len(str(caught.value)) < 250


def test_half_of_a_character_is_refused_before_anything_is_started() -> None:
    """JSON may hold one; starting a program with it raised an error that is none of ours."""
    for text in ("\ud800", "a\ud800b"):
        with pytest.raises(CommandError, match="half of a character"):
            PROGRAM.argv("find", operands=[text])


def test_without_a_terminator_no_operand_begins_with_a_dash() -> None:
    bare = Program(PYTHON, {"": Action(operands=(TEXT,))}, terminator=None)
    assert bare.argv(operands=["a-b"])[-1] == "a-b"
    with pytest.raises(CommandError, match="begins with a dash"):
        bare.argv(operands=["-c"])


def test_a_program_is_found_beforehand_and_not_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("history", "history.bat", "history.exe"):
        (tmp_path / name).write_text("#!/bin/sh\necho stolen\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in (".", "", os.pathsep):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(CommandError, match="There is no program 'history'"):
            Program("history", {})
    with pytest.raises(CommandError, match="is a script for a shell"):
        Program(tmp_path / "history.bat", {})
    with pytest.raises(CommandError, match="There is no program"):
        Program(tmp_path / "nothing", {})


@pytest.mark.anyio
async def test_it_runs_in_its_folder_with_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "canary")
    code = "import os, sys\nprint(os.getcwd(), sorted(os.environ), sys.argv[1:])\nprint('oops', file=sys.stderr)\nsys.exit(3)"
    action = {"": Action(operands=(TEXT,))}
    program = Program([*PYTHON, "-c", code], action, terminator=None, cwd=tmp_path, env={"HISTORY_TOKEN": "t"})
    ran = await program.run(operands=["größe; $HOME"])
    assert (ran.code, ran.err.strip()) == (3, "oops")
    assert str(tmp_path.resolve()) in ran.out or str(tmp_path) in ran.out
    assert "HISTORY_TOKEN" in ran.out and "API_KEY" not in ran.out and "['größe; $HOME']" in ran.out
    shown = await PROGRAM.run("find", operands=["--output=FILE"])
    assert shown.code == 0 and "output-fix" in shown.out and shown.argv[-2:] == ("--", "--output=FILE")


@pytest.mark.anyio
async def test_what_does_not_end_is_ended_with_what_it_started() -> None:
    endless = "while True: print('x' * 1000, flush=True)"
    loud = Program([*PYTHON, "-c", endless], {"": Action()}, max_bytes=5000)
    with pytest.raises(CommandError, match="was stopped: it said more than 5000 bytes"):
        await loud.run()
    # The grandchild has the pipes, too: it would keep the caller waiting, and run on.
    sleeps = "import time; time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-IS', '-c', {sleeps!r}]); {sleeps}"
    slow = Program([*PYTHON, "-c", parent], {"": Action()}, seconds=0.3)
    with anyio.fail_after(60):
        with pytest.raises(CommandError, match="did not end within 0.3 seconds"):
            await slow.run()


@pytest.mark.anyio
async def test_a_caller_that_goes_ends_the_program(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"import os, time; open({str(ready)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    program = Program([*PYTHON, "-c", code], {"": Action()}, seconds=600)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(program.run)
        with anyio.fail_after(60):
            while not (ready.exists() and ready.read_text(encoding="utf-8")):
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    if sys.platform != "win32":
        with pytest.raises(ProcessLookupError):
            os.kill(int(ready.read_text(encoding="utf-8")), 0)


@pytest.mark.anyio
async def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = Program(PYTHON, {"": Action()}, cwd=gone)
    gone.rmdir()
    with pytest.raises(CommandError, match="cannot be started"):
        await program.run()
