"""`labkit run`: the runner of the test suite, for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.cli.exits import FAILED, NO_CONNECTION, STOPPED, say, wrong_usage

if TYPE_CHECKING:
    from rich.console import Console

    from labkit.course import Report, Result


def run(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, patterns, numbers like 02, or parts of names. Default: the whole course."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Kernels at a time. Default: one more than there are cores."),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast/--full", help="Trim measuring loops, or take them at full length.")
    ] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for a whole notebook.")] = 600.0,
    cell_timeout: Annotated[float, typer.Option(min=1, help="Seconds for one cell.")] = 120.0,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Keep executed HTML copies and an index.")] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the copies. Default: build/notebooks/ of the lab.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="A Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT; or local:2 for two workers on this machine."
        ),
    ] = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--afresh",
            help="Leave out what passed before and has not changed, or run all. Default: resume on a cluster.",
        ),
    ] = None,
) -> None:
    """Run notebooks from top to bottom, each in a fresh kernel, and tell how it went.

    Exit code 1 when a notebook failed, 3 when the cluster cannot be used or is lost; Ctrl-C ends every kernel.

    \b
    Examples:
      labkit run
      labkit run 02
      labkit run protocol --jobs 4 --full
      labkit run my.ipynb --junit out.xml
      labkit run --cluster tcp://10.0.0.5:8786
    """
    from rich.console import Console
    from rich.markup import escape

    from labkit.cluster import ClusterError, open_pool
    from labkit.course import find_notebooks, run_notebooks
    from labkit.course.pages import write_index, write_junit
    from labkit.course.run import kernels
    from labkit.errors import NotebookError

    console = Console(stderr=True)
    if cluster and jobs:
        raise wrong_usage("--jobs is for this machine: on a cluster, its workers are how many there are at once")
    try:
        paths = find_notebooks(notebooks or [])
    except NotebookError as error:
        raise wrong_usage(str(error)) from None
    if not paths:
        say("the course has no notebooks yet")
        raise typer.Exit(FAILED)
    try:
        size = jobs or (None if cluster else kernels())
        with open_pool(cluster, size=size, say=say) as pool, _Progress(console, len(paths)) as progress:
            report = run_notebooks(
                paths,
                parameters={"fast": fast},
                out=out,
                timeout=timeout,
                cell_timeout=cell_timeout,
                html=html,
                on_start=progress.started,
                on_result=progress.ended,
                pool=pool,
                resume=bool(cluster) if resume is None else resume,
            )
    except ClusterError as error:
        say(f"error: {error}")
        raise typer.Exit(NO_CONNECTION) from None
    except KeyboardInterrupt:
        say("stopped; no kernel is left")
        raise typer.Exit(STOPPED) from None
    if html:
        index = write_index(report)
        console.print(f"executed copies: {escape(str(index))}", highlight=False, soft_wrap=True)
    if junit is not None:
        write_junit(report, junit)
    _summary(report)
    raise typer.Exit(0 if report.ok else FAILED)


class _Progress:
    """A bar on a terminal, one line per notebook elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=total)
        self._console = console
        self._running: dict[Path, None] = {}

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def started(self, path: Path) -> None:
        self._running[path] = None
        self._describe()

    def ended(self, result: Result) -> None:
        from rich.markup import escape

        self._running.pop(result.notebook, None)
        mark = "[green]passed before[/]" if result.kept else "[green]passed[/]" if result.ok else "[red]failed[/]"
        self._console.print(f"{mark} {escape(result.name)}  [dim]{result.seconds:.1f} s[/]", highlight=False)
        self._bar.advance(self._task)
        self._describe()

    def _describe(self) -> None:
        from rich.markup import escape

        self._bar.update(self._task, description=escape(", ".join(path.stem for path in list(self._running))))


def _summary(report: Report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("notebook", "result"):
        table.add_column(heading)
    for heading in ("code cells", "time"):
        table.add_column(heading, justify="right")
    for result in report.results:
        mark = "passed before" if result.kept else "passed" if result.ok else "[bold red]FAILED[/]"
        table.add_row(escape(result.name), mark, str(result.cells), f"{result.seconds:.1f} s")
    console = Console()
    console.print(table)
    passed = sum(result.ok for result in report.results)
    console.print(f"\n{passed} of {len(report.results)} passed in {report.seconds:.1f} s", highlight=False)
    for result in report.results:
        if result.error is not None:
            say(f"\n{result.error}")
        for command in result.left_behind:
            say(f"\n{result.name} left a process running, which has been ended: {command}")
