"""Entries of hosts are started as the host would start them; what only shows then is said with what mends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit.catalog import LAB_ROOT
from labkit.hosts.known import HOSTS
from labkit.testbench.entry import try_entry

pytestmark = pytest.mark.anyio
CURSOR = HOSTS["cursor"]
CALCULATOR = str(LAB_ROOT / "servers" / "calculator" / "server.py")


async def test_a_good_entry_is_certified() -> None:
    trial = await try_entry(CURSOR, {"command": sys.executable, "args": [CALCULATOR]}, "calc")
    assert trial.passed and trial.certificate and trial.certificate.transport == "stdio"
    assert trial.certificate.ran > 20


async def test_another_interpreter_is_recognised(tmp_path: Path) -> None:
    """A virtual environment without the packages, as a host would find it first on its PATH."""
    import venv

    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name != "nt")
    python = next((tmp_path / "bare").glob("[bS]*/python*"))
    script = tmp_path / "server.py"
    script.write_text("import mcp\n", encoding="utf-8")
    trial = await try_entry(CURSOR, {"command": str(python), "args": [str(script)]}, "other")
    (mistake,) = trial.mistakes
    assert not trial.passed and trial.certificate is None and mistake.kind == "interpreter"
    assert "has no module 'mcp'" in mistake.sentence and sys.executable in mistake.sentence


async def test_words_on_stdout_are_recognised() -> None:
    noisy = str(LAB_ROOT / "servers" / "broken" / "prints_to_stdout.py")
    trial = await try_entry(CURSOR, {"command": sys.executable, "args": [noisy]}, "noisy")
    assert [mistake.kind for mistake in trial.mistakes] == ["stdout"]
    assert "print to stderr" in trial.mistakes[0].sentence and not trial.passed


ENTRIES: list[tuple[str, dict[str, Any], str, str]] = [
    ("claude-code", {"command": "x", "env": {"A": "${NOT_SET_HERE}"}}, "shape", "the environment has no NOT_SET_HERE"),
    ("cursor", {"command": "no-such-program"}, "start", "there is no program 'no-such-program'"),
    ("cursor", {"command": sys.executable, "args": ["-c", "raise SystemExit('no licence')"]}, "start", "no licence"),
    ("cursor", {"url": "http://127.0.0.1:9/mcp"}, "unreachable", "Is it running?"),
]


@pytest.mark.parametrize(("host", "raw", "kind", "said"), ENTRIES)
async def test_what_does_not_start_says_why(host: str, raw: dict[str, Any], kind: str, said: str) -> None:
    trial = await try_entry(HOSTS[host], raw, "s")
    (mistake,) = trial.mistakes
    assert trial.certificate is None and not trial.passed
    assert mistake.kind in (kind, "start") and said in mistake.sentence, mistake.sentence


@pytest.mark.parametrize(
    ("host", "written"), [("vscode", "${input:WHERE_IT_IS}"), ("continue", "${{ secrets.WHERE_IT_IS }}")]
)
async def test_secrets_that_the_host_would_ask_for_come_from_the_environment(
    host: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE_IT_IS", str(tmp_path / "seen"))
    code = "import os, pathlib; pathlib.Path(os.environ['A']).write_text(os.getcwd()); raise SystemExit(1)"
    raw = {"command": sys.executable, "args": ["-c", code], "env": {"A": written}}
    await try_entry(HOSTS[host], raw, "s", project=tmp_path)
    assert Path((tmp_path / "seen").read_text()) == tmp_path.resolve(), "it starts in the folder of the project"


@pytest.mark.parametrize(("host", "written"), [("vscode", "${input:NOT_SET}"), ("continue", "${{ secrets.NOT_SET }}")])
async def test_a_secret_that_is_not_here_is_asked_for(host: str, written: str) -> None:
    trial = await try_entry(HOSTS[host], {"command": "x", "env": {"A": written}}, "mine")
    (mistake,) = trial.mistakes
    assert mistake.kind == "secret" and "set it, then labkit hosts test mine." in mistake.sentence
    assert f"{HOSTS[host].title} fills in NOT_SET" in mistake.sentence and not trial.passed


def test_nothing_stays(tmp_path: Path) -> None:
    """The process of an entry that is certified is gone when the command is."""
    code = (
        "import asyncio, sys, psutil\n"
        "from labkit.hosts.known import HOSTS\nfrom labkit.testbench.entry import try_entry\n"
        f"asyncio.run(try_entry(HOSTS['cursor'], {{'command': sys.executable, 'args': [{CALCULATOR!r}]}}, 'c'))\n"
        "print(len(psutil.Process().children(recursive=True)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert out.stdout.strip() == "0", out.stderr
