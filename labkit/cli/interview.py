"""`labkit interview`: mock interviews, the questions, what is due, reports, in a terminal or over pipes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.cli.exits import FAILED, STOPPED, USAGE, say, wrong_usage
from labkit.cli.interview_errors import told
from labkit.cli.interview_past import due, history, report

if TYPE_CHECKING:
    from labkit.agents.model import Model
    from labkit.interview.bank import Bank, Question
    from labkit.interview.scoring import Score
    from labkit.interview.session import Session

ROLE = typer.Option(
    "--role", "-r", help="server-developer, agent-developer, platform-engineer, security-engineer, architect."
)
MINUTES = typer.Option("--minutes", "-m", help="How long, 10 to 240.")
SEED = typer.Option("--seed", help="The same seed and history draw the same items.")
JUDGE = typer.Option(
    "--judge", help="Ask the configured model (ANTHROPIC_API_KEY, OPENAI_API_KEY) for a second opinion."
)
QUESTION = typer.Argument(metavar="QUESTION", help="The question's id: labkit interview questions lists them.")


def register(app: typer.Typer) -> None:
    """Mount `interview` on the `labkit` command."""
    interview = typer.Typer(help="Mock interviews: questions with points, katas with a clock, tapes, a design case.")
    interview.callback(invoke_without_command=True)(begin)
    for command in (start, resume, questions, show, answer, prove, due, report, history):
        interview.command()(command)
    app.add_typer(interview, name="interview")


def begin(
    context: typer.Context,
    role: Annotated[str, ROLE] = "server-developer",
    minutes: Annotated[int, MINUTES] = 45,
    seed: Annotated[int | None, SEED] = None,
    judge: Annotated[bool, JUDGE] = False,
) -> None:
    """Mock interviews: questions with points, katas with a clock, tapes to read, a design case.

    Without a command, begin one. Everything is saved after each step: `labkit interview resume` goes on.

    \b
    Examples:
      labkit interview --role architect --minutes 60
      labkit interview resume
      labkit interview questions --topic security
    """
    if context.invoked_subcommand is None:
        start(role, minutes, seed, judge)


def start(
    role: Annotated[str, ROLE] = "server-developer",
    minutes: Annotated[int, MINUTES] = 45,
    seed: Annotated[int | None, SEED] = None,
    judge: Annotated[bool, JUDGE] = False,
) -> None:
    """Begin a mock interview.

    Example: labkit interview start --role platform-engineer --minutes 60 --seed 7
    """
    from labkit.interview.session import Session

    with told(otherwise=USAGE):
        session = Session.begin(role, minutes, seed)
    _talk(session, judge)


def resume(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id. Default: the latest unfinished one.")] = "",
    judge: Annotated[bool, JUDGE] = False,
) -> None:
    """Go on with an interview where it was left.

    Example: labkit interview resume
    """
    from labkit.interview.session import Session

    with told():
        loaded = Session.load(session)
        if loaded.state == "finished":
            raise wrong_usage(f"the session {loaded.id} is finished; see labkit interview report {loaded.id}")
        loaded.resume()
    _talk(loaded, judge)


def questions(
    topic: Annotated[str, typer.Option(help="Only this topic.")] = "",
    level: Annotated[str, typer.Option(help="junior, middle or senior.")] = "",
    notebook: Annotated[str, typer.Option(help="Only what this notebook teaches: a number like 04, or a name.")] = "",
) -> None:
    """List the questions: id, topic, level, minutes, text.

    \b
    Examples:
      labkit interview questions
      labkit interview questions --topic scaling --level senior
      labkit interview questions --notebook 04
    """
    from labkit.errors import did_you_mean
    from labkit.interview.drawing import LEVELS

    bank = _bank()
    for name, value, known in (("topic", topic, bank.topics), ("level", level, LEVELS)):
        if value and value not in known:
            raise wrong_usage(f"there is no {name} {value!r}. {did_you_mean(value, known, has='There are')}")
    taught = sorted({question.notebook for question in bank.values()})
    names = [name for name in taught if notebook in (name, name[:2], "")]
    if not names:
        raise wrong_usage(f"no question is of notebook {notebook!r}. {did_you_mean(notebook, taught, has='There are')}")
    found = [q for q in bank.values() if topic in ("", q.topic) and level in ("", q.level) and q.notebook in names]
    for q in found:
        typer.echo(f"{q.id:26} {q.topic:10} {q.level:6} {q.minutes:>2} min  {q.ask}")
    say(f"{len(found)} questions. Try one: labkit interview answer {found[0].id if found else 'QUESTION'}")


def show(
    id: Annotated[str, QUESTION],
    now: Annotated[bool, typer.Option("--now", help="Without having answered it.")] = False,
) -> None:
    """Show a model answer, its points and the common wrong answers, once an answer of yours is recorded.

    \b
    Examples:
      labkit interview show how-to-scale
      labkit interview show how-to-scale --now
    """
    from labkit.interview.record import Record

    question = _find(id)
    with told():
        attempted = Record().last(id) is not None
    if not (attempted or now):
        say(f"{question.ask}\nAnswer it first: labkit interview answer {id}. Or see the answer at once with --now.")
        raise typer.Exit(FAILED)
    from labkit.cli.interview_talk import model_answer

    typer.echo(model_answer(question))


def answer(
    id: Annotated[str, QUESTION],
    judge: Annotated[bool, JUDGE] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the score as JSON.")] = False,
) -> None:
    """Read an answer from standard input, to its end, and say which points it makes. It is recorded.

    \b
    Examples:
      labkit interview answer how-to-scale < my_answer.txt
      labkit interview answer two-kinds-of-error --json < answer.txt
    """
    import json as encoder
    from functools import partial

    from labkit.interview.judge import judge as second_opinion
    from labkit.interview.record import Record
    from labkit.interview.scoring import score

    question = _find(id)
    if sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        say(f"{question.ask}\nWrite your answer; {end} ends it.")
    text = sys.stdin.read()
    if not text.strip():
        raise wrong_usage("the answer is empty: it is read from standard input")
    with told():
        counted = score(question, text)
        if judge:
            counted = ask_model(partial(second_opinion, question, text, counted))
        Record().answered(question, text, counted)
    typer.echo(encoder.dumps(counted.as_dict(), indent=2, ensure_ascii=False) if json else str(counted))


def prove(id: Annotated[str, QUESTION]) -> None:
    """Run what proves the model answer, claim by claim: cells, tests, commands.

    Exit code 1 when a claim does not hold.

    Example: labkit interview prove stdio-stdout
    """
    from labkit.interview.proving import prove as run_proofs

    with told():
        proved = run_proofs(_find(id), on_claim=lambda each: typer.echo(str(each)))
    raise typer.Exit(FAILED if any(each.held is False for each in proved) else 0)


def ask_model(work: Callable[[Model], Awaitable[Score]]) -> Score:
    """Let the configured model do something. Raises ModelError when none is configured."""
    from labkit.agents.model import ModelError
    from labkit.agents.real import model_from_environment

    async def ask() -> Score:
        model = model_from_environment()
        if model is None:
            raise ModelError("No model is configured: set ANTHROPIC_API_KEY or OPENAI_API_KEY, or leave out --judge.")
        try:
            return await work(model)
        finally:
            await model.close()

    return asyncio.run(ask())


def _talk(session: Session, judge: bool) -> None:
    from rich.console import Console

    from labkit.cli.interview_talk import Talk

    def second(session: Session) -> Score:
        return ask_model(session.judge)

    talk = Talk(session, Console(highlight=False, soft_wrap=True), second if judge else None)
    try:
        with told():
            talk.run()
    except KeyboardInterrupt:
        talk.leave()
        raise typer.Exit(STOPPED) from None


def _bank() -> Bank:
    from labkit.interview.bank import load_bank

    with told(otherwise=FAILED):
        return load_bank()


def _find(id: str) -> Question:
    bank = _bank()
    with told(otherwise=USAGE):
        return bank.find(id)
