"""start.py sets up once, starts over what was left half made, and says what to do when it cannot."""

from __future__ import annotations

import ast
import importlib.util
import shutil
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def start(tmp_path: Path, monkeypatch) -> ModuleType:
    """start.py as it would run in a fresh copy of the lab, with every step noted instead of done."""
    for name in ("start.py", "pyproject.toml", "requirements.lock", "requirements-extras.lock"):
        shutil.copy(ROOT / name, tmp_path)
    spec = importlib.util.spec_from_file_location("start_under_test", tmp_path / "start.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.steps = []
    module.fails = lambda command: False

    def run(command: list[str]) -> None:
        module.steps.append(command)
        if module.fails(command):
            raise module.SetupError(f"this step ended with exit code 1: {command[0]}")
        if command[1] == "venv" or command[1:3] == ["-m", "venv"]:
            make_venv(module)

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "need_pip", lambda: None)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    return module


def make_venv(start: ModuleType) -> None:
    start.PYTHON.parent.mkdir(parents=True, exist_ok=True)
    start.PYTHON.touch()
    version = ".".join(map(str, sys.version_info[:3]))
    text = f"home = {Path(sys.executable).parent}\nversion = {version}\n"
    (start.VENV / "pyvenv.cfg").write_text(text, encoding="utf-8")


def test_the_first_start_installs_the_locked_versions_by_hash_and_the_second_does_nothing(start) -> None:
    start.set_up("base")
    made, locked, own = start.steps
    assert made == [sys.executable, "-m", "venv", str(start.VENV)]
    assert locked[:4] == [str(start.PYTHON), "-m", "pip", "install"]
    assert locked[-3:] == ["--require-hashes", "-r", str(start.LOCKS["base"])]
    assert own[-3:] == ["--no-deps", "-e", str(start.HERE)]
    start.set_up("base")
    assert len(start.steps) == 3


def test_uv_is_used_where_there_is_one_for_this_python(start, monkeypatch) -> None:
    monkeypatch.setattr(start.shutil, "which", lambda name: "uv-here")
    start.set_up("base")
    assert [step[0] for step in start.steps] == ["uv-here"] * 3
    assert sys.executable in start.steps[0]


def test_a_uv_that_fails_leaves_the_work_to_pip(start, monkeypatch) -> None:
    monkeypatch.setattr(start.shutil, "which", lambda name: "uv-here")
    start.fails = lambda command: command[0] == "uv-here" and "install" in command
    start.set_up("base")
    assert start.is_ready("base")
    assert [step[:4] for step in start.steps[-2:]] == [[str(start.PYTHON), "-m", "pip", "install"]] * 2


def test_what_was_interrupted_starts_again(start) -> None:
    start.fails = lambda command: "-e" in command
    with pytest.raises(start.SetupError):
        start.set_up("base")
    assert not start.is_ready("base")
    start.fails = lambda command: False
    start.set_up("base")
    assert start.is_ready("base")


@pytest.mark.parametrize("broken", ["pyvenv.cfg", "python"])
def test_a_half_made_environment_is_made_anew(start, broken: str) -> None:
    start.set_up("base")
    (start.PYTHON if broken == "python" else start.VENV / broken).unlink()
    (start.VENV / "leftover").touch()
    assert not start.is_ready("base")
    start.set_up("base")
    assert start.is_ready("base")
    assert not (start.VENV / "leftover").exists()


def test_an_environment_whose_python_was_removed_is_made_anew(start) -> None:
    start.set_up("base")
    cfg = start.VENV / "pyvenv.cfg"
    gone = start.HERE / "gone"
    cfg.write_text(
        cfg.read_text(encoding="utf-8").replace(str(Path(sys.executable).parent), str(gone)), encoding="utf-8"
    )
    assert not start.is_ready("base")


@pytest.mark.parametrize(
    ("file", "old", "new", "ready"),
    [
        ("requirements.lock", "anyio==", "anyio==9", False),
        ("pyproject.toml", '"typer', '"typer-slim', False),
        ("pyproject.toml", "line-length = 120", "line-length = 100", True),
        ("requirements.lock", "\n", "\r\n", True),
    ],
)
def test_only_a_change_of_what_is_installed_sets_up_again(start, file: str, old: str, new: str, ready: bool) -> None:
    start.set_up("base")
    path = start.HERE / file
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(old.encode(), new.encode()))
    assert start.is_ready("base") is ready


def test_a_moved_lab_is_set_up_again(start, monkeypatch, tmp_path) -> None:
    start.set_up("base")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(start.HERE / "pyproject.toml", elsewhere)
    monkeypatch.setattr(start, "HERE", elsewhere)
    assert not start.is_ready("base")


def test_the_extras_include_the_rest_and_their_failure_keeps_it(start) -> None:
    start.set_up("extras")
    assert start.is_ready("base") and start.is_ready("extras")
    start.LOCKS["extras"].write_text("changed", encoding="utf-8")
    start.fails = lambda command: True
    with pytest.raises(start.SetupError):
        start.set_up("extras")
    assert start.is_ready("base")
    assert not start.is_ready("extras")


def test_two_starts_at_once_set_up_once(start) -> None:
    inside, go_on = threading.Event(), threading.Event()
    slow_run = start.run

    def run(command: list[str]) -> None:
        inside.set()
        go_on.wait(10)
        slow_run(command)

    start.run = run
    first = threading.Thread(target=start.set_up, args=("base",))
    first.start()
    assert inside.wait(10)
    with (start.HERE / "work" / "setup.lock").open("a+b") as file:
        assert not start.try_lock(file.fileno())
    second = threading.Thread(target=start.set_up, args=("base",))
    second.start()
    go_on.set()
    first.join(10)
    second.join(10)
    assert len(start.steps) == 3


def test_a_python_without_venv_is_told_what_to_install(start, monkeypatch) -> None:
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(start.SetupError, match=r"sudo apt install python3\.\d+-venv"):
        start.set_up("base")


def test_a_failed_step_says_what_to_do_and_ends_with_1(start, monkeypatch, capfd) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(start, "install", lambda level: start.run([sys.executable, "-c", "raise SystemExit(3)"]))
    assert start.main(["setup"]) == 1
    told = capfd.readouterr().err
    assert "ended with exit code 3" in told
    assert "no network, or a proxy?" in told


@pytest.mark.parametrize(
    ("typed", "passed_on"),
    [
        ([], ["lab"]),
        (["--port", "9000"], ["lab", "--port", "9000"]),
        (["test", "-q"], ["test", "-q"]),
        (["run", "02", "--help"], ["run", "02", "--help"]),
        (["--version"], ["--version"]),
    ],
)
def test_everything_else_is_passed_on_to_labkit(start, monkeypatch, typed, passed_on) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(start, "hand_over", lambda arguments: seen.append(arguments) or 0)
    assert start.main(typed) == 0
    assert seen == [passed_on]


def test_the_file_can_be_read_by_pythons_that_it_refuses() -> None:
    """Their parser has to get as far as the sentence: no syntax newer than Python 3.7 in the file."""
    ast.parse((ROOT / "start.py").read_text(encoding="utf-8"), feature_version=(3, 7))
    first = ast.parse((ROOT / "start.py").read_text(encoding="utf-8")).body[:3]
    assert [type(node) for node in first] == [ast.Expr, ast.Import, ast.If]


def test_too_old_a_python_gets_one_sentence(start, monkeypatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"MCP Lab needs Python 3\.11 or newer"):
        start.__spec__.loader.exec_module(start)
