"""Run notebooks with papermill, several at a time, each in a fresh kernel and in its own folder."""

# papermill, nbclient and nbformat carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.catalog import LAB_ROOT
from labkit.errors import NotebookError

if TYPE_CHECKING:
    from labkit.course.kernel import Run

FAST: Mapping[str, Any] = {"fast": True}
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
class Result:
    """One notebook's run."""

    notebook: Path
    seconds: float
    cells: int
    """Code cells that ran, the failing one included."""
    failure: Failure | None = None
    html: Path | None = None
    left_behind: tuple[str, ...] = ()
    """Command lines of processes that outlived the kernel; they have been ended."""
    nb: Any = field(default=None, repr=False, compare=False)
    """The executed notebook."""

    @property
    def ok(self) -> bool:
        return self.failure is None

    @property
    def name(self) -> str:
        return short(self.notebook)

    @property
    def error(self) -> NotebookError | None:
        """The failure as an exception, ready to raise."""
        copy = f"\nthe executed copy: {short(self.html)}" if self.html else ""
        return None if self.failure is None else NotebookError(f"{self.name} failed {self.failure}{copy}")


@dataclass(frozen=True)
class Report:
    """All results of one `run_notebooks`, in the order asked for."""

    results: list[Result]
    seconds: float
    out: Path

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.results)

    def check(self) -> None:
        """Raise the one NotebookError, or one that tells them all; nothing when every notebook passed."""
        errors = [result.error for result in self.results if result.error is not None]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            told = "\n\n".join(map(str, errors))
            raise NotebookError(f"{len(errors)} of {len(self.results)} notebooks failed\n\n{told}")


def run_notebooks(
    paths: Iterable[str | Path],
    *,
    jobs: int | None = None,
    parameters: Mapping[str, Any] = FAST,
    out: Path | None = None,
    timeout: float = 600.0,
    cell_timeout: float = 120.0,
    html: bool = True,
    on_start: Callable[[Path], None] | None = None,
    on_result: Callable[[Result], None] | None = None,
) -> Report:
    """Run notebooks and tell how each went; a failing notebook is in the report and does not raise.

    jobs: kernels at a time, one per core unless given. parameters: values for the cell tagged `parameters`, for
    notebooks that have one. out: where executed copies go, `build/notebooks/` unless given. Both timeouts are in
    seconds. on_start and on_result are called as notebooks start (in the thread that runs it) and end (in this one).
    Ctrl-C ends every kernel and comes out as KeyboardInterrupt.
    """
    notebooks = [Path(path).resolve() for path in paths]
    folder = (out or LAB_ROOT / "build" / "notebooks").resolve()
    began = time.monotonic()
    stopping = threading.Event()
    runs: list[Run] = []
    results: dict[Path, Result] = {}

    def one(path: Path, scratch: Path) -> Result:
        if on_start and not stopping.is_set():
            on_start(path)
        return _run_one(path, parameters, folder, timeout, cell_timeout, html, scratch, stopping, runs)

    with tempfile.TemporaryDirectory(prefix="labkit-run-", ignore_cleanup_errors=True) as scratch:
        pool = ThreadPoolExecutor(max_workers=max(1, jobs or os.cpu_count() or 1), thread_name_prefix="notebook")
        try:
            waiting: set[Future[Result]] = {pool.submit(one, path, Path(scratch)) for path in dict.fromkeys(notebooks)}
            while waiting:
                # A bounded wait lets Ctrl-C through on Windows.
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    results[result.notebook] = result
                    if on_result:
                        on_result(result)
        except BaseException:
            stopping.set()
            for run in list(runs):
                run.end("stopped")
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return Report([results[path] for path in dict.fromkeys(notebooks)], time.monotonic() - began, folder)


def _run_one(
    path: Path,
    parameters: Mapping[str, Any],
    out: Path,
    timeout: float,
    cell_timeout: float,
    html: bool,
    scratch: Path,
    stopping: threading.Event,
    runs: list[Run],
) -> Result:
    from labkit.course.kernel import Run

    began = time.monotonic()
    run = Run(path.parent, f"{path.stem}-{len(runs)}", cell_timeout, scratch, stopping)
    runs.append(run)
    alarm = threading.Timer(timeout, run.end, [f"the notebook took longer than {timeout:g} s and was stopped"])
    alarm.daemon = True
    alarm.start()
    try:
        failure = _execute(path, parameters, run)
    finally:
        alarm.cancel()
        run.pid = None
    copy = None
    if run.nb is not None:
        from labkit.course.pages import write_copy

        copy = write_copy(run.nb, path, out, html=html)
    cells = sum(1 for cell in run.nb.cells[: (run.cell or 0) + 1] if cell.cell_type == "code") if run.nb else 0
    return Result(path, time.monotonic() - began, cells, failure, copy, tuple(run.left_behind), run.nb)


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
