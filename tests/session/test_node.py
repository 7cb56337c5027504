"""Finding Node, installing from npm, and what is said where one or the other cannot be had. No Node and no network here."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import labkit as lab
from labkit.catalog import SERVERS, load_catalog
from labkit.session import node
from labkit.session.serving import launch_command

SCRIPT = SERVERS / "weather_typescript" / "server.ts"
Said = Callable[..., list[list[str]]]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without Node, and without the lab's packages."""
    monkeypatch.setattr(node, "_from_wheel", lambda: None)
    monkeypatch.setattr(node, "TOOLS", tmp_path)
    monkeypatch.setattr(node, "_failures", [])
    monkeypatch.delenv("LAB_NODE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    node._find.cache_clear()
    return tmp_path


@pytest.fixture
def said(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """`said(code, stderr)`: what Node and npm answer from now on. Returns the npm commands that were run."""
    monkeypatch.setenv("LAB_NODE", "node")
    ran: list[list[str]] = []

    def answers(code: int = 0, stderr: str = "", version: str = "v24.1.0") -> list[list[str]]:
        def run(command: list[str], **_: Any) -> Any:
            if "--version" in command:
                return SimpleNamespace(returncode=0, stdout=f"{version}\n", stderr="")
            ran.append(command)
            return SimpleNamespace(returncode=code, stdout="", stderr=stderr)

        monkeypatch.setattr(subprocess, "run", run)
        node._find.cache_clear()
        return ran

    return answers


@pytest.mark.anyio
@pytest.mark.parametrize("target", ["weather_typescript", "npx -y @modelcontextprotocol/server-memory", "node x.js"])
async def test_without_node_a_connection_says_what_brings_it(nowhere: Path, target: str) -> None:
    with pytest.raises(lab.ConnectError, match=r"^Node is not here: python start\.py setup --extras$") as raised:
        await lab.connect(target)
    assert isinstance(raised.value, node.NodeError) and raised.value.why == "missing"


def test_an_old_node_is_named_with_its_version(said: Said) -> None:
    said(version="v20.11.1")
    assert node.find((20,)).exe == Path("node")
    with pytest.raises(node.NodeError, match=r"^Node 20\.11 is older than the 22\.18 that is needed: python start"):
        node.command(SCRIPT)


def test_what_is_no_node_is_said(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NODE", str(nowhere / "gone"))
    with pytest.raises(
        node.NodeError, match=r"LAB_NODE=.*gone does not say its version\. Correct that, or: python start"
    ):
        node.find()


def test_a_registry_out_of_reach_is_said_and_left_alone_for_a_while(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = said(1, "npm error code ENOTFOUND\nnpm error syscall getaddrinfo\n")
    for words in ("said npm error code ENOTFOUND / npm error syscall getaddrinfo$", "was not tried"):
        with pytest.raises(node.NodeError, match=f"^npm's registry cannot be reached: .*{words}") as raised:
            node.install("a@1.0.0")
        assert raised.value.why == "unreachable" and len(ran) == 1
    monkeypatch.setattr(node, "RETRY_SECONDS", 0.0)
    with pytest.raises(node.NodeError):
        node.install("a@1.0.0")
    assert len(ran) == 2


def test_any_other_failure_of_npm_is_its_own(said: Said) -> None:
    said(1, "npm error code E404\nnpm error 404 'a@9.9.9' is not in this registry.\n")
    with pytest.raises(node.NodeError, match="^npm could not install: .*E404") as raised:
        node.install("a@9.9.9")
    assert raised.value.why == "failed"


def test_what_is_there_in_that_version_is_not_installed_again(said: Said, nowhere: Path) -> None:
    ran = said()
    manifest = nowhere / "npm" / "node_modules" / "@scope" / "a" / "package.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"version": "1.0.0"}', encoding="utf-8")
    assert node.install("@scope/a@1.0.0") == nowhere / "npm" / "node_modules" and ran == []
    node.install("@scope/a@1.0.1", "b@2.0.0")
    assert len(ran) == 1 and ran[0][-2:] == ["@scope/a@1.0.1", "b@2.0.0"] and "--ignore-scripts" in ran[0]


def test_the_packages_of_a_script_are_those_of_the_package_json_above_it(tmp_path: Path) -> None:
    with pytest.raises(node.NodeError, match=r"server\.ts has no package\.json beside or above it"):
        node.dependencies(tmp_path / "server.ts")
    (tmp_path / "package.json").write_text(json.dumps({"dependencies": {"@s/a": "1.0.0", "b": "2.1.0"}}), "utf-8")
    assert node.dependencies(tmp_path / "inside" / "server.ts") == ["@s/a@1.0.0", "b@2.1.0"]


def test_the_lab_names_exact_versions() -> None:
    named = node.dependencies(SCRIPT)
    assert named and all(re.fullmatch(r"@?[a-z/-]+@\d+\.\d+\.\d+", package) for package in named)


def test_a_script_is_told_how_to_serve(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    said()
    monkeypatch.setattr(node, "install", lambda *_, **__: Path())
    start = ["node", "--import", node._HOOK.as_uri(), str(SCRIPT)]
    assert launch_command("stdio", SCRIPT) == start
    assert launch_command("http", SCRIPT, "server", "8000") == [*start, "http", "8000"]


@pytest.mark.anyio
async def test_it_cannot_run_in_this_kernel() -> None:
    assert not load_catalog()["weather_typescript"].is_python and load_catalog()["weather"].is_python
    for via in ("memory", "sse"):
        with pytest.raises(
            lab.ConnectError, match=f"not written in Python, is reached over stdio or http, not over '{via}'"
        ):
            await lab.connect("weather_typescript", via=via)


def test_npx_is_found_before_what_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "TOOLS", tmp_path)
    path = node.Node(tmp_path / "node", tmp_path / "npm").path("rest").split(node.os.pathsep)
    assert path == [str(tmp_path / "bin"), str(tmp_path), "rest"]
    starter = next(file for file in (tmp_path / "bin").iterdir() if file.stem == "npx")
    assert str(tmp_path / "npm" / "bin" / "npx-cli.js") in starter.read_text(encoding="utf-8")
