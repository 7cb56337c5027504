"""Do the oldest versions that pyproject.toml allows work, and the newest? Asked of real environments, one for each.

    python -m tests.floors              # every dependency at its floor, those of others as new as they allow
    python -m tests.floors --latest     # everything as new as the ranges allow, whatever the locks say
    python -m tests.floors --resolve    # only what would be installed: a few seconds

The environment is made anew in `build/floors/` by uv (from the PATH, or `pip install --target build/uv uv`), with all
extras. Then every module of labkit is imported and the tests of `QUICK` run, which have to do with every dependency.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FLOORS = ROOT / "build" / "floors"
GET_UV = "uv is not here. Get it: python -m pip install --target build/uv uv"
RESOLUTIONS = {"oldest": "lowest-direct", "latest": "highest"}
WITHOUT = {"browser", "dev"}
"""Extras that are left out: their own tests want a Chromium, and pyright's and ruff's findings are no feature."""

# Together three minutes of processor time, half of that on two quiet cores; what is not named here runs with `make test`.
QUICK = {
    "the SDK, HTTP, schemas": [
        "tests/wire",
        "tests/session/test_calls.py",
        "tests/testbench/test_contract.py",
        "tests/testbench/test_snapshot.py",
    ],
    "patterns": [
        "tests/patterns/test_limits.py",
        "tests/patterns/test_logs.py",
        "tests/patterns/test_metrics.py",
        "tests/patterns/test_retry.py",
        "tests/patterns/test_tracing.py",
        "tests/patterns/test_redis_limits.py",
    ],
    "SQL, keys, tokens": [
        "tests/defences/test_sql.py",
        "tests/defences/test_identity.py",
        "tests/defences/test_signing.py",
        "tests/services/test_store.py",
    ],
    "the gateway and deployment": ["tests/gateway/test_relay.py", "tests/deploy/test_manifests.py"],
    "models and clusters": [
        "tests/agents/test_openai_agents.py",
        "tests/agents/test_real.py",
        "tests/cluster/test_dask_pool.py::test_an_exception_is_the_result_of_its_job",
    ],
    "Jupyter": [
        "tests/magics",
        "tests/ui/test_card.py",
        "tests/ui/test_form.py",
        "tests/course/test_pages.py::test_the_executed_copies_name_no_folder_of_this_machine_and_load_nothing",
        "tests/cli/test_lab_and_test.py::test_jupyterlab_comes_up_wants_its_token_and_ends_with_its_kernels",
        "tests/notebooks/test_notebooks.py::test_papermill_runs_it_to_the_end[start/00_welcome]",
        "tests/notebooks/test_notebooks.py::test_papermill_runs_it_to_the_end[protocol/02_json_rpc]",
        "tests/notebooks/test_notebooks.py::test_nbval_finds_the_outputs_that_were_promised[02_json_rpc]",
    ],
    "grading": [
        "tests/grading/test_attempt.py",
        "tests/exercises/test_proofs.py::test_the_solution_passes_everything[p1_mcp_basics]",
    ],
}  # fmt: skip


class FloorsError(Exception):
    """It could not be tried; the message says what happened and what to do."""


def declared() -> tuple[dict[str, str], list[str]]:
    """What pyproject.toml asks for by name, with its range, and the extras that count here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in WITHOUT}
    lines = [*project["dependencies"], *(line for each in extras.values() for line in each)]
    found = {canonicalize_name(each.name): str(each.specifier) for each in map(Requirement, lines)}
    return found, list(extras)


def find_uv() -> str:
    """The program. Raises FloorsError."""
    found = shutil.which("uv") or shutil.which("uv", path=os.fspath(ROOT / "build" / "uv" / "bin"))
    if not found:
        raise FloorsError(GET_UV)
    return found


def run(command: Iterable[str | Path], to: str) -> None:
    """One step. Raises FloorsError."""
    done = subprocess.run([*map(str, command)], cwd=ROOT, check=False)
    if done.returncode:
        raise FloorsError(f"uv could not {to}: see above. A registry that is out of reach is no finding: try again.")


def resolve(uv: str, which: str) -> dict[str, str]:
    """Which version of everything would be installed. Raises FloorsError."""
    FLOORS.mkdir(parents=True, exist_ok=True)
    pins = FLOORS / f"{which}.txt"
    pins.unlink(missing_ok=True)  # uv prefers what stands there
    _, extras = declared()
    wanted = [word for extra in extras for word in ("--extra", extra)]
    quiet = ["--quiet", "--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    resolution = ["--resolution", RESOLUTIONS[which], "--python", sys.executable]
    run([uv, "pip", "compile", *quiet, *resolution, *wanted, "pyproject.toml", "-o", pins], "choose versions")
    text = pins.read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M)}


def install(uv: str, which: str) -> Path:
    """Make the environment anew; its Python. Raises FloorsError."""
    folder = FLOORS / which
    shutil.rmtree(folder, ignore_errors=True)
    run([uv, "venv", "--quiet", "--python", sys.executable, folder], "make an environment")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    into = [uv, "pip", "install", "--quiet", "--python", python]
    run([*into, "--requirements", FLOORS / f"{which}.txt"], "install the packages")
    run([*into, "--no-deps", "--editable", ROOT], "install the lab")
    return python


IMPORT_ALL = """
import importlib, pkgutil, sys, traceback, labkit
found = [each.name for each in pkgutil.walk_packages(labkit.__path__, "labkit.") if not each.name.endswith("__main__")]
bad = 0
for name in found:
    try:
        importlib.import_module(name)
    except Exception:
        bad += 1
        traceback.print_exc(limit=-2)
print(f"{len(found) - bad} of {len(found)} modules of labkit can be imported", flush=True)
sys.exit(bad > 0)
"""


def prove(python: Path) -> int:
    """Import everything and run the quick tests; 0 when all of it went well."""
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONPYCACHEPREFIX": str(python.parents[1] / "pycache")}
    imported = subprocess.run([python, "-c", IMPORT_ALL], cwd=ROOT, env=environment, check=False)
    tests = [path for paths in QUICK.values() for path in paths]
    options = ["-q", "-n2", "--dist=worksteal", "-p", "no:cacheprovider", "-m", "not network"]
    tried = subprocess.run([python, "-m", "pytest", *options, *tests], cwd=ROOT, env=environment, check=False)
    return tried.returncode or imported.returncode


def told(chosen: dict[str, str]) -> str:
    """The versions of what pyproject.toml names, a line each."""
    ranges, _ = declared()
    lines = [f"  {name:24} {chosen.get(name, 'not on this system'):16} {ranges[name]}" for name in sorted(ranges)]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """0 when all is well, 1 when a test failed, 2 when it could not be tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.floors", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--latest", action="store_true", help="the newest versions in place of the oldest")
    parser.add_argument("--resolve", action="store_true", help="say what would be installed, and stop")
    options = parser.parse_args(arguments)
    which = "latest" if options.latest else "oldest"
    try:
        uv = find_uv()
        chosen = resolve(uv, which)
        print(f"{which}, {len(chosen)} packages, of which pyproject.toml names:\n{told(chosen)}", flush=True)
        if options.resolve:
            return 0
        python = install(uv, which)
    except FloorsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    code = prove(python)
    print(f"{which}: {'all is well' if code == 0 else 'something does not work, see above'}")
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
