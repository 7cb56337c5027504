"""Outputs that a notebook has to show again, checked by nbval.

Notebooks are committed without outputs, so what nbval compares with is kept apart: a notebook whose metadata has
`"labkit": {"nbval": true}` has a file tests/notebooks/expected/TRACK/NAME.json with the outputs of its cells tagged
`nbval-check-output`, by cell id. `check` puts the two together and runs `pytest --nbval-lax` on the result; `compare`
takes a notebook that papermill has just run, and so costs no second run. For both, the patterns in
tests/notebooks/sanitize.cfg take out what may differ. To write the files anew after a change that should change them,
and then to read the diff:

    python -m labkit.course.expected [NOTEBOOK...]        (or: make expected)
"""

# nbformat carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from configparser import RawConfigParser
from difflib import unified_diff
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.course.find import COURSE, find_notebooks
from labkit.course.run import ANSI, FAST, run_notebooks, short
from labkit.errors import NotebookError

TAG = "nbval-check-output"
TESTS = LAB_ROOT / "tests" / "notebooks"


def is_marked(notebook: Path) -> bool:
    """Whether a notebook promises the same outputs at every run."""
    return bool(_read(notebook).metadata.get("labkit", {}).get("nbval"))


def expected_file(notebook: Path) -> Path:
    """Where the outputs of a notebook of the course are kept; beside any other notebook."""
    if notebook.is_relative_to(COURSE):
        return (TESTS / "expected" / notebook.relative_to(COURSE)).with_suffix(".json")
    return notebook.with_suffix(".expected.json")


def record(notebooks: Sequence[Path]) -> list[Path]:
    """Run notebooks and write down the outputs of their tagged cells; NotebookError when one of them fails."""
    report = run_notebooks(notebooks, html=False, out=LAB_ROOT / "build" / "expected")
    report.check()
    written: list[Path] = []
    for result in report.results:
        outputs = {cell.id: _lasting(cell.outputs) for cell in _tagged(result.nb)}
        if not outputs:
            raise NotebookError(f"{result.name} is marked for nbval, and none of its cells is tagged {TAG}: tag some")
        target = expected_file(result.notebook)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(outputs, indent=1, ensure_ascii=False, sort_keys=True)
        target.write_text(text + "\n", encoding="utf-8")
        written.append(target)
    return written


def check(notebook: Path, *, build: Path | None = None, timeout: float = 300.0) -> None:
    """Run one notebook through nbval; NotebookError, with nbval's own report, when an output is not as expected."""
    outputs = _promised(notebook)
    draft = (build or LAB_ROOT / "build" / "nbval") / notebook.name
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(_with_outputs(notebook, outputs), encoding="utf-8")
    # An ini file of its own: the suite's options are for the suite's tests.
    options = ["-c", str(TESTS / "nbval.ini"), "--rootdir", str(draft.parent), "--nbval-lax", "--nbval-current-env"]
    options += ["--nbval-sanitize-with", str(TESTS / "sanitize.cfg"), "--nbval-cell-timeout", "120", "-q"]
    environment = {**os.environ, "LABKIT_SCRIPTED": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"}
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(draft)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotebookError(f"{short(notebook)}: nbval took longer than {timeout:g} s and was stopped") from error
    if run.returncode:
        told = ANSI.sub("", run.stdout + run.stderr).strip()
        raise NotebookError(_changed(notebook, told))


def compare(notebook: Path, executed: Any) -> None:
    """Compare the outputs of a run with those expected; NotebookError with the difference."""
    outputs = _promised(notebook)
    tagged = _tagged(executed)
    _check_tags(notebook, tagged, outputs)
    for cell in tagged:
        before, now = _comparable(outputs[cell.id]), _comparable(_lasting(cell.outputs))
        if before != now:
            told = "\n".join(unified_diff(before, now, "expected", "shown", lineterm=""))
            raise NotebookError(_changed(notebook, f"cell {cell.id}:\n{told}"))


def _again(notebook: Path) -> str:
    return f"write them with: python -m labkit.course.expected {notebook.stem}"


def _changed(notebook: Path, told: str) -> str:
    return f"{short(notebook)} no longer shows what was expected; if it should not, {_again(notebook)}\n{told}"


def _promised(notebook: Path) -> dict[str, Any]:
    source = expected_file(notebook)
    if not source.exists():
        raise NotebookError(
            f"{short(notebook)} is marked for nbval, and its expected outputs are not there; {_again(notebook)}"
        )
    return json.loads(source.read_text(encoding="utf-8"))


def _check_tags(notebook: Path, tagged: Sequence[Any], outputs: dict[str, Any]) -> None:
    found = {cell.id for cell in tagged}
    if found != set(outputs):
        raise NotebookError(
            f"{short(notebook)}: cells tagged {TAG} are {sorted(found)}, expected outputs are there for "
            f"{sorted(outputs)}; {_again(notebook)}"
        )


def _comparable(outputs: Sequence[dict[str, Any]]) -> list[str]:
    """Outputs as lines: streams joined, by MIME type what is text, without what may differ between two runs."""
    parts: dict[str, str] = {}
    for number, output in enumerate(outputs):
        if output["output_type"] == "stream":
            parts[output["name"]] = parts.get(output["name"], "") + _text(output["text"])
        elif output["output_type"] == "error":
            parts[f"{number} error"] = f"{output['ename']}: {output['evalue']}"
        else:
            parts |= {f"{number} {kind}": _text(data) for kind, data in sorted(output["data"].items())}
    lines: list[str] = []
    for kind, text in parts.items():
        if not kind.partition(" ")[2].startswith("image/"):  # pixels differ from machine to machine
            lines += [f"[{kind}]", *_sanitized(text).splitlines()]
    return lines


def _text(data: Any) -> str:
    return data if isinstance(data, str) else "".join(data) if isinstance(data, list) else json.dumps(data)


def _sanitized(text: str) -> str:
    config = RawConfigParser()
    config.read(TESTS / "sanitize.cfg", encoding="utf-8")
    for section in config.sections():
        text = re.sub(config.get(section, "regex"), config.get(section, "replace"), text)
    return text


def _with_outputs(notebook: Path, outputs: dict[str, Any]) -> str:
    """The notebook as nbval wants it: `fast`, in the folder it lives in, with the outputs to compare."""
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    nb: Any = load_notebook_node(str(notebook))
    if any("parameters" in cell.metadata.tags for cell in nb.cells):
        nb = parameterize_notebook(nb, dict(FAST))
    _check_tags(notebook, _tagged(nb), outputs)
    for cell in _tagged(nb):
        cell.execution_count = 1  # to nbval, a cell without a number was never run
        cell.outputs = [nbformat.from_dict(output) for output in outputs[cell.id]]
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"import os\nos.chdir({str(notebook.parent)!r})"))
    return nbformat.writes(nb)


def _tagged(nb: Any) -> list[Any]:
    return [cell for cell in nb.cells if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])]


def _lasting(outputs: list[Any]) -> list[dict[str, Any]]:
    """Outputs without what changes from run to run and is not compared."""
    kept: list[dict[str, Any]] = json.loads(json.dumps(outputs))
    for output in kept:
        if "execution_count" in output:
            output["execution_count"] = None
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    return kept


def _read(notebook: Path) -> Any:
    import nbformat

    return nbformat.read(notebook, as_version=4)


def main(arguments: Sequence[str]) -> None:
    """Write the expected outputs of the notebooks named, or of all marked ones."""
    for path in record([each for each in find_notebooks(arguments) if is_marked(each)]):
        print(short(path))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NotebookError as error:
        sys.exit(str(error))
