"""One notebook as a job: run it in a fresh kernel, here or in a worker, and give back all that is to be kept of it."""

# papermill, nbclient and nbformat carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.catalog import LAB_ROOT
from labkit.cluster import Stop
from labkit.errors import NotebookError

if TYPE_CHECKING:
    from labkit.course.kernel import Run

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Failure:
    """Why a notebook did not run to its end, and where."""

    cell: int | None
    """Position in the notebook, counting every cell from 1; None when it failed before its first cell."""
    source: str
    error: str
    """One line: what went wrong."""
    traceback: str
    last_output: str
    """The end of what the failing cell, or the one before it, had printed."""

    def __str__(self) -> str:
        where = "before its first cell" if self.cell is None else f"in cell {self.cell}"
        parts = [f"{where}: {self.error}"]
        if self.source:
            parts.append("the cell:\n" + _indent(self.source))
        if self.traceback:
            parts.append("the traceback:\n" + _indent(self.traceback))
        parts.append("the last output:\n" + _indent(self.last_output) if self.last_output else "no output before it")
        return "\n".join(parts)


@dataclass(frozen=True)
class Task:
    """What to run. Names are texts: a path of one system cannot be unpickled on another."""

    name: str
    """The notebook, relative to the lab's folder or absolute."""
    text: bytes | None
    """The notebook itself, when the one who runs it may not have it; it then runs in an empty folder."""
    parameters: Mapping[str, Any]
    timeout: float
    cell_timeout: float
    html: bool


@dataclass
class Outcome:
    """What came of a Task."""

    seconds: float
    cells: int
    failure: Failure | None
    left_behind: tuple[str, ...]
    nb: Any = None
    copies: dict[str, str] = field(default_factory=dict[str, str])
    """The executed notebook and its page as texts, by file name below the folder for copies; the one to open last."""


def task(
    path: Path, elsewhere: bool, parameters: Mapping[str, Any], timeout: float, cell_timeout: float, html: bool
) -> Task:
    """The Task for a notebook. A worker elsewhere has the lab's files; any other notebook is sent along."""
    name, text = str(path), None
    if elsewhere and path.is_relative_to(LAB_ROOT):
        name = path.relative_to(LAB_ROOT).as_posix()
    elif elsewhere:
        name, text = path.name, path.read_bytes() if path.is_file() else None
    return Task(name, text, dict(parameters), timeout, cell_timeout, html)


def run_task(task: Task, stop: Stop) -> Outcome:
    """Run one notebook; what is wrong with it is in the outcome. Safe to call twice: it writes no file that stays."""
    with tempfile.TemporaryDirectory(prefix="labkit-run-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        path = LAB_ROOT / task.name
        if task.text is not None:
            path = scratch / "alone" / task.name
            path.parent.mkdir()
            path.write_bytes(task.text)
        return _run(path, task, scratch, stop)


def _run(path: Path, task: Task, scratch: Path, stop: Stop) -> Outcome:
    from labkit.course.kernel import Run

    began = time.monotonic()
    run = Run(path.parent, path.stem, task.cell_timeout, scratch, stop.event)
    late = f"the notebook took longer than {task.timeout:g} s and was stopped"
    alarm = threading.Timer(task.timeout, run.end, [late])
    alarm.daemon = True
    alarm.start()
    try:
        with stop.calling(lambda: run.end("stopped")):
            failure = _execute(path, task.parameters, run)
    finally:
        alarm.cancel()
        run.pid = None
    copies: dict[str, str] = {}
    if run.nb is not None:
        from labkit.course.pages import write_copy

        out = scratch / "copies"
        page = write_copy(run.nb, path, out, html=task.html)
        files = sorted((each for each in out.rglob("*") if each.is_file()), key=lambda each: (each == page, each))
        copies = {each.relative_to(out).as_posix(): each.read_text(encoding="utf-8") for each in files}
    cells = sum(1 for cell in run.nb.cells[: (run.cell or 0) + 1] if cell.cell_type == "code") if run.nb else 0
    return Outcome(time.monotonic() - began, cells, failure, tuple(run.left_behind), run.nb, copies)


def _execute(path: Path, parameters: Mapping[str, Any], run: Run) -> Failure | None:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import remove_error_markers

    from labkit.course.kernel import ENGINE

    def ended(error: str) -> Failure:
        return _failure(run, error, "")

    try:
        papermill.execute_notebook(
            str(path),
            None,
            parameters=dict(parameters) if _has_parameters(path) else None,
            engine_name=ENGINE,
            kernel_name="python3",  # a notebook made by a program may name none; the engine takes this Python anyway
            language="python",
            progress_bar=False,
            run=run,
        )
    except PapermillExecutionError as error:
        remove_error_markers(run.nb)
        # papermill counts an error in a cell tagged `raises-exception` as a failure; it is what that cell is for.
        index = next((i for i, cell in enumerate(run.nb.cells) if _unwanted_error(cell)), None)
        if index is None:
            return None
        run.cell = index
        told = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
        return _failure(run, ANSI.sub("", told), ANSI.sub("", "\n".join(error.traceback or [])))
    except CellTimeoutError:
        return ended(f"the cell took longer than {run.cell_timeout:g} s and was stopped")
    except DeadKernelError:
        last_words = run.log.read_text(encoding="utf-8", errors="replace").strip()[-1500:] if run.log.exists() else ""
        told = run.ended_for or "the kernel died (out of memory, a crash in compiled code, or os._exit)"
        return _failure(run, told, last_words)
    except NotebookError as error:
        return ended(str(error))
    except Exception as error:  # whatever is wrong with one notebook must not end the run of the others
        return ended(run.ended_for or f"{type(error).__name__}: {str(error) or 'no message'}")
    return None


def _has_parameters(path: Path) -> bool:
    import nbformat

    if not path.is_file():
        raise NotebookError(f"there is no notebook {short(path)}; `labkit run` without a name runs them all")
    try:
        nb: Any = nbformat.read(path, as_version=4)
    except Exception as error:
        raise NotebookError(
            f"{short(path)} is not a notebook that can be read: {str(error).splitlines()[0]}"
        ) from error
    return any("parameters" in cell.metadata.get("tags", []) for cell in nb.cells)


def _unwanted_error(cell: Any) -> bool:
    if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", []):
        return False
    leaving = {"SystemExit"}
    return any(o.output_type == "error" and not (o.ename in leaving and o.evalue in ("", "0")) for o in cell.outputs)


def _failure(run: Run, error: str, traceback: str) -> Failure:
    if run.cell is None or run.nb is None:
        return Failure(None, "", error, traceback, "")
    cells = run.nb.cells[: run.cell + 1]
    output = next((text for cell in reversed(cells) if (text := _printed(cell))), "")
    return Failure(run.cell + 1, cells[-1].source, error, traceback, "\n".join(output.splitlines()[-15:]))


def _printed(cell: Any) -> str:
    """The plain text of a cell's outputs, without errors."""
    texts: list[str] = []
    for output in cell.get("outputs", []):
        texts.append(output.get("text") or output.get("data", {}).get("text/plain") or "")
    return ANSI.sub("", "\n".join(text for text in texts if text)).strip()


def short(path: Path) -> str:
    """A path as a person would type it from the lab's folder."""
    return path.relative_to(LAB_ROOT).as_posix() if path.is_relative_to(LAB_ROOT) else path.name


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())
