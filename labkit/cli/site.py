"""`labkit site`: the course as it ran, its texts and labkit's names, as pages that need no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.cli.exits import FAILED, STOPPED, say, told, wrong_usage

if TYPE_CHECKING:
    from labkit.course import Result


def site(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, patterns, numbers like 02, or parts of names. Default: the whole course."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the site. Default: site/ of the lab.")] = None,
    run: Annotated[
        bool,
        typer.Option("--run/--no-run", help="Run notebooks that have changed, or show what was run before."),
    ] = True,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Kernels at a time. Default: one more than there are cores."),
    ] = None,
) -> None:
    """Build a static site of the executed course: pages that open as files, with a search, and load nothing.

    A notebook that passed in `labkit run` or an earlier build, and on which nothing has changed since, is not run
    again. Exit code 1 when a notebook failed; the site then shows how far it came.

    \b
    Examples:
      labkit site
      labkit site 02 04 --out /tmp/site
      labkit site --no-run
    """
    from labkit.catalog import LAB_ROOT
    from labkit.course import find_notebooks
    from labkit.errors import NotebookError
    from labkit.site import build_site

    try:
        paths = find_notebooks(notebooks or [])
    except NotebookError as error:
        raise wrong_usage(str(error)) from None
    tutorial = LAB_ROOT / "exercises" / "tutorial.ipynb"
    if not notebooks and tutorial.is_file():
        paths.append(tutorial)
    target = out or LAB_ROOT / "site"
    try:
        with told():
            built = build_site(target, paths, run=run, jobs=jobs, on_result=_ended)
    except KeyboardInterrupt:
        say("stopped; no kernel is left, and the site is the one before")
        raise typer.Exit(STOPPED) from None
    if not built.with_api:
        say("the names of labkit are left out: pdoc makes them, and is not installed (the extra `docs`)")
    for result in built.report.results if built.report else ():
        if result.error is not None:
            say(f"\n{result.error}")
    typer.echo(built.out / "index.html")
    raise typer.Exit(0 if built.ok else FAILED)


def _ended(result: Result) -> None:
    how = "passed before" if result.kept else "passed" if result.ok else "failed"
    say(f"{how} {result.name}  {result.seconds:.1f} s")
