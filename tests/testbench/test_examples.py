"""The workflow that users copy: YAML that holds together, and options that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import labkit
from labkit.cli import app

WORKFLOW = Path(labkit.__file__).parent / "testbench" / "examples" / "certify.yml"


@pytest.fixture
def workflow() -> dict[Any, Any]:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


def test_the_workflow_has_what_github_asks_for(workflow: dict[Any, Any]) -> None:
    assert set(workflow) == {"name", True, "permissions", "env", "jobs"}  # YAML 1.1 reads `on` as true
    assert set(workflow[True]) == {"push", "pull_request"}
    (job,) = workflow["jobs"].values()
    assert job["runs-on"] and job["timeout-minutes"] <= 30
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step) and set(step) <= {"uses", "run", "name", "with", "if", "shell"}
    assert all(re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)


def test_its_command_has_only_options_of_certify_and_keeps_what_it_uploads(workflow: dict[Any, Any]) -> None:
    steps = workflow["jobs"]["certify"]["steps"]
    (command,) = [step["run"] for step in steps if "start.py certify" in step.get("run", "")]
    known = {option for p in typer.main.get_command(app).commands["certify"].params for option in p.opts}  # type: ignore[attr-defined]
    used = set(re.findall(r"--[\w-]+", command))
    assert used and used <= known
    uploads = [step["with"] for step in steps if "upload" in step.get("uses", "")]
    assert {upload.get("path", upload.get("sarif_file")) for upload in uploads} == {
        "certificate",
        "certificate/certificate.sarif",
    }
    assert "--sarif certificate/certificate.sarif" in command
    # The exit code of certify must not be lost in the pipe: bash, named, stops at the first failure in one.
    (certify,) = [step for step in steps if step.get("run") == command]
    assert certify["shell"] == "bash"
