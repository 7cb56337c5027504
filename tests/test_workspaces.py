"""Binder, Codespaces and dev containers: what is written for them fits the lab, and can be read by what reads it.

No container engine is needed, so none starts here. devcontainer.schema.json is devContainer.base.schema.json of the
repository devcontainers/spec on GitHub (MIT). With LAB_WHOLE=1, repo2docker makes its Dockerfile of `.binder`, and its
steps are done one after the other in a fresh clone with a home of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft201909Validator
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from labkit.cli.lab import FIRST, SETTINGS
from tests.floors import FloorsError, find_uv
from tests.test_packaging import ROOT, pins, project

BINDER = ROOT / ".binder"
POSIX = pytest.mark.skipif(os.name == "nt", reason="Binder and dev containers are Linux")


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    return json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


def test_the_dev_container_keeps_to_its_schema(container: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "tests" / "devcontainer.schema.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft201909Validator(schema).iter_errors(container)] == []
    assert list(Draft201909Validator(schema).iter_errors(container | {"postCreateComand": "x"}))


def test_the_dev_container_sets_up_as_everybody_does(container: dict[str, Any]) -> None:
    version = re.fullmatch(r".*/python:(\d+\.\d+)-\w+", container["image"])
    assert version and Version(version[1]) in SpecifierSet(project()["requires-python"])
    assert container["postCreateCommand"] == "python3 start.py setup"
    vscode = container["customizations"]["vscode"]["settings"]
    assert vscode["python.defaultInterpreterPath"] == "${containerWorkspaceFolder}/.venv/bin/python"
    assert container["remoteEnv"]["PATH"].startswith("${containerWorkspaceFolder}/.venv/bin:")
    assert container["customizations"]["codespaces"]["openFiles"] == [FIRST] and (ROOT / FIRST).is_file()
    assert "8888" in container["portsAttributes"] and container["forwardPorts"] == [8888]


def test_binder_installs_the_locked_versions_on_a_python_that_is_allowed() -> None:
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ["-r ../requirements.lock"]
    runtime = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert Version(runtime) in SpecifierSet(project()["requires-python"])
    names = (BINDER / "apt.txt").read_text(encoding="utf-8").split()
    assert names and all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in names)


def test_binder_has_the_notebook_that_fits_the_locked_jupyterlab() -> None:
    minor = Version(pins("requirements.lock")["jupyterlab"]).minor
    assert f'"notebook>=7.{minor},<7.{minor + 1}"' in (BINDER / "postBuild").read_text(encoding="utf-8")


@POSIX
@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_the_scripts_of_binder_are_scripts(name: str) -> None:
    path = BINDER / name
    assert path.read_text(encoding="utf-8").startswith("#!/bin/bash\n") and os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


@POSIX
def test_a_session_of_binder_starts_with_the_settings_of_the_lab() -> None:
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        [str(BINDER / "start"), sys.executable, "-c", show, "an argument"],
        cwd=ROOT,
        env=os.environ | {"JUPYTER_CONFIG_PATH": "earlier"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    seen = json.loads(done.stdout)
    ours, rest = seen["JUPYTER_CONFIG_PATH"].split(os.pathsep, 1)
    assert Path(ours).resolve() == SETTINGS.resolve() and rest == "earlier"
    assert (seen["PYTHONUTF8"], seen["JUPYTER_PREFER_ENV_PATH"]) == ("1", "1")


WHOLE = pytest.mark.skipif(not os.environ.get("LAB_WHOLE"), reason="downloads 150 MB: LAB_WHOLE=1 tries it")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What is in git, as it is here now."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, names.stdout.decode("utf-8").split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "repo" / name)
    return tmp_path / "repo"


def step(command: list[str | Path], clone: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [*map(str, command)],
        cwd=clone,
        env=os.environ | {"HOME": str(clone.parent / "home"), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@POSIX
@WHOLE
@pytest.mark.network
@pytest.mark.timeout(900)
def test_repo2docker_makes_its_dockerfile_of_it(clone: Path) -> None:
    try:
        tool = [find_uv(), "tool", "run", "--from", "jupyter-repo2docker", "jupyter-repo2docker"]
    except FloorsError as error:
        pytest.skip(str(error))
    made = step([*tool, "--no-build", "--debug", clone], clone.parent)
    for line in (
        "apt-get install --yes --no-install-recommends nginx-light",
        'pip install --no-cache-dir -r ".binder/requirements.txt"',
        "RUN ./.binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/.binder/start"',
    ):
        assert line in made


@POSIX
@WHOLE
@pytest.mark.network
@pytest.mark.timeout(1800)
def test_the_steps_of_binder_work_in_a_fresh_clone(clone: Path) -> None:
    folder = clone.parent / "env" / "bin"
    step([sys.executable, "-m", "venv", folder.parent], clone)
    step([folder / "pip", "install", "--quiet", "-r", ".binder/requirements.txt"], clone)
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    assert step([clone / ".binder" / "postBuild"], clone, path).rstrip().endswith("5")
    step([folder / "pip", "check"], clone)
    step([clone / ".binder" / "start", "labkit", "run", "00"], clone, path)


@POSIX
@WHOLE
@pytest.mark.network
@pytest.mark.timeout(1800)
def test_the_command_of_the_dev_container_works_in_a_fresh_clone(clone: Path, container: dict[str, Any]) -> None:
    assert "The environment is ready" in step(["sh", "-c", container["postCreateCommand"]], clone)
    found = step(
        [clone / ".venv" / "bin" / "labkit", "call", "calculator", "add", "--arg", "a=2", "--arg", "b=3"], clone
    )
    assert found.rstrip().endswith("5")
