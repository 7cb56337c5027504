"""The exercises in a terminal: check, hint, solution, reset, progress, watch, grade, new-exercise, mutants."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

from labkit.grading.report import NOT_ATTEMPTED
from labkit.grading.spec import ExerciseError

_ID = typer.Argument(help="The exercise, such as p1_mcp_basics.")


def register(app: typer.Typer) -> None:
    """Mount the commands on the `labkit` command."""
    app.command()(exercises)
    for command in (check, hint, solution, reset, progress, watch):
        app.command()(_told(command))
    app.command()(grade)
    app.command("new-exercise")(new_exercise)


def exercises(
    katas: bool = typer.Option(False, "--katas", help="Only those of 10 to 30 minutes that suit an interview."),
) -> None:
    """List the exercises.

    \b
    Examples:
      labkit exercises
      labkit exercises --katas
    """
    from labkit.grading.spec import exercise_ids, load

    for id in exercise_ids():
        spec = load(id)
        if katas and not spec.kata:
            continue
        typer.echo(f"{id:22} {spec.kind:8} {spec.minutes:>3} min {spec.points:>3} points  {spec.title}")
    typer.echo("Begin with: labkit check ID. What you have done so far: labkit progress.")


def check(
    id: str = _ID,
    seed: int | None = typer.Option(None, help="Repeat the values of an earlier report."),
    json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
) -> None:
    """Check your answer in work/ID.py. Exit code 0 when all checks pass.

    \b
    Examples:
      labkit check p1_mcp_basics
      labkit check p1_mcp_basics --seed 7 --json
    """
    import json as encoder

    opened = _exercise(id)
    report = opened.check(seed=seed)
    if json:
        typer.echo(encoder.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        _print(report)
        if report.outcome == NOT_ATTEMPTED:
            typer.echo(f"Write your answer in {opened.path}. The task: {opened.spec.folder / 'task.md'}")
        elif not report.passed:
            typer.echo(f"Stuck? labkit hint {id}. The same values again: labkit check {id} --seed {report.seed}")
    raise typer.Exit(0 if report.passed else 1)


def hint(id: str = _ID, number: int | None = typer.Argument(None, help="Which one; the next by default.")) -> None:
    """Show one hint at a time.

    \b
    Examples:
      labkit hint p1_mcp_basics
      labkit hint p1_mcp_basics 2
    """
    opened = _exercise(id)
    last = len(opened.spec.hints)
    if number is not None and not 1 <= number <= last:
        _wrong_usage(f"{opened.spec.title}: hints go from 1 to {last}, and {number} is none of them.")
    typer.echo(str(opened.hint(number)))


def solution(id: str = _ID) -> None:
    """Show one good answer and what to take from it.

    \b
    Examples:
      labkit solution p1_mcp_basics
    """
    typer.echo(str(_exercise(id).solution()))


def reset(
    id: str | None = typer.Argument(None, help="The exercise."),
    all: bool = typer.Option(False, "--all", help="Every exercise that has an answer."),
) -> None:
    """Put the starter back; your answer is kept under a dated name in work/backups/.

    \b
    Examples:
      labkit reset p1_mcp_basics
      labkit reset --all
    """
    from labkit.grading.attempt import reset_all

    if all:
        typer.echo(str(reset_all()))
    elif id:
        typer.echo(str(_exercise(id).reset()))
    else:
        _wrong_usage("Name an exercise, or say --all.")


def progress(export: Path | None = typer.Option(None, help="Write it to this .csv or .json file.")) -> None:
    """Show what you have done so far.

    \b
    Examples:
      labkit progress
      labkit progress --export progress.csv
    """
    from labkit.grading.record import progress_board

    board = progress_board()
    typer.echo(str(board))
    if export:
        try:
            typer.echo(f"Written to {board.export(export)}.")
        except ExerciseError as error:
            _wrong_usage(str(error))


def watch(
    id: str | None = typer.Argument(None, help="The exercise; without it, every answer below work/."),
    once: bool = typer.Option(False, "--until-passed", help="End as soon as all checks of one exercise pass."),
) -> None:
    """Check again whenever you save work/ID.py. Stop with Ctrl-C.

    \b
    Examples:
      labkit watch p1_mcp_basics --until-passed
      labkit watch
    """
    from labkit.grading.attempt import Exercise
    from labkit.grading.record import work_folder
    from labkit.grading.spec import exercise_ids, load

    watched = [_exercise(id)] if id else [Exercise(load(each), work_folder()) for each in exercise_ids()]
    # A named exercise is checked at once; of all the others only what changes from now on.
    seen = {each.id: None if id else _stamp(each.path) for each in watched}
    typer.echo(f"Watching {watched[0].path if id else work_folder()}. Ctrl-C ends it.")
    while True:
        for each in watched:
            now = _stamp(each.path)
            if now == seen[each.id]:
                continue
            seen[each.id] = now
            report = each.check()
            typer.echo(time.strftime("%H:%M:%S"))
            _print(report)
            if once and report.passed:
                return
        time.sleep(0.25)


def grade(
    submissions: Path = typer.Argument(help="A folder with one folder per learner, each with ID.py files."),
    out: Path = typer.Option(Path("grades.csv"), help="The table; reports and the summary go beside it."),
    exercise: list[str] | None = typer.Option(None, help="Only these exercises (may be given several times)."),
    jobs: int = typer.Option(0, min=0, help="How many at once; the number of cores by default."),
    cluster: str | None = typer.Option(
        None, help="A Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT; or local:2 for two workers on this machine."
    ),
) -> None:
    """Grade a class: every ID.py of every learner, in parallel. Start it again after a break and it goes on.

    Exit code 3 when the cluster cannot be used or is lost.

    \b
    Examples:
      labkit grade handed_in/ --out grades.csv
      labkit grade handed_in/ --cluster tcp://10.0.0.5:8786
    """
    from labkit.cluster import ClusterError, open_pool
    from labkit.grading.cohort import grade as grade_all

    if cluster and jobs:
        _wrong_usage("--jobs is for this machine: on a cluster, its workers are how many there are at once.")
    try:
        with open_pool(cluster, size=jobs or None, say=typer.echo) as workers:
            summary = grade_all(submissions, out, only=exercise or None, workers=workers, say=typer.echo)
    except ExerciseError as error:
        _wrong_usage(str(error))
    except ClusterError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    typer.echo(str(summary))


def new_exercise(id: str = typer.Argument(help="Lower case letters, digits and underscores.")) -> None:
    """Make the folder of a new exercise, with every file it needs.

    \b
    Examples:
      labkit new-exercise 11_my_exercise
    """
    from labkit.grading.scaffold import new_exercise as scaffold

    try:
        folder = scaffold(id)
    except ExerciseError as error:
        _wrong_usage(str(error))
    typer.echo(f"Made {folder}. Write the task, then prove it: pytest tests/exercises -k {id}")


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """The same command, where a damaged record is a sentence on stderr."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        from labkit.grading.record import damage_told

        with damage_told(functools.partial(typer.echo, err=True)):
            command(*args, **kwargs)

    return run


def _exercise(id: str) -> Any:
    from labkit.grading.attempt import exercise

    try:
        return exercise(id, warm=False)
    except ExerciseError as error:
        _wrong_usage(str(error))


def _print(report: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(report, soft_wrap=True)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _wrong_usage(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
