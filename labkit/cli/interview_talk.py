"""A mock interview in a terminal, or over pipes: it asks, takes answers and commands line by line, and shows results.

An answer may have many lines; one with only a dot ends it. Lines that begin with a colon are commands.
"""

from __future__ import annotations

import sys
import threading
import tomllib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape

from labkit.errors import LabError
from labkit.interview.front import clock, headline
from labkit.interview.record import place

if TYPE_CHECKING:
    from labkit.interview.bank import Question
    from labkit.interview.entries import Entry
    from labkit.interview.scoring import Score
    from labkit.interview.session import Session

BEAT = 5.0
"""Seconds between two savings of the time that has run."""
HELP = ":hint  :skip  :pause  :time  :quit (keeps it)  :finish (ends it)"


class Quit(Exception):
    """The person leaves; the session stays where it is."""


class Talk:
    """One session, one person. `judge` lets a model judge the answer that was just given."""

    def __init__(self, session: Session, console: Console, judge: Callable[[Session], Score] | None = None) -> None:
        self.session, self.console, self.judge = session, console, judge

    def run(self) -> None:
        """Ask until the session is finished, the person leaves, or the input ends."""
        self.say(f"[bold]{escape(headline(self.session))}[/]\n{HELP}")
        try:
            with self._beating():
                while entry := self.session.current:
                    self._item(entry)
        except (Quit, EOFError):
            self.leave()
            return
        self.say(f"\n[bold]{escape(headline(self.session))}[/]")
        self.say(f"The report, and what to study next: labkit interview report {self.session.id}")

    def leave(self) -> None:
        """Stop the clock and say how to go on."""
        if self.session.state == "running":
            self.session.pause()
        self.say(f"\nKept at {clock(self.session.left)} left. Go on with: labkit interview resume {self.session.id}")

    def say(self, text: str) -> None:
        """Print, with rich's markup."""
        self.console.print(text)

    def _item(self, entry: Entry) -> None:
        item, number = entry.item, self.session.at + 1
        left = f"{clock(self.session.left)} left of {self.session.minutes}:00"
        self.say(f"\n[bold cyan]{number}/{len(self.session.entries)} {item.kind}[/], {item.minutes} min ({left})")
        if entry.status == "open":
            {"question": self._question, "design": self._design}.get(item.kind, self._exercise)(entry)
        if self.session.current is entry and entry.status == "done":
            self._read("Enter for the next item", entry)
            self.session.next()

    def _question(self, entry: Entry) -> None:
        self.say(f"[bold]{escape(self.session.question.ask)}[/]\n[dim]Your answer; a line with only a dot ends it.[/]")
        lines: list[str] = []
        while entry is self.session.current and entry.status == "open":
            line = self._read("", entry)
            if line is None:
                continue
            if line.strip() != ".":
                lines.append(line)
                continue
            text, lines = "\n".join(lines), []
            if self._tried(partial(self.session.answer, text)):
                if self.judge:
                    self._tried(partial(self.judge, self.session))
                self._score(entry)

    def _score(self, entry: Entry) -> None:
        assert entry.score is not None
        score = entry.score
        self.say(f"\n[bold]{escape(score.headline)}[/], in {clock(entry.seconds)} of {entry.item.minutes}:00")
        for sign, found in (("[green]✓[/]", score.seen), ("[yellow]½[/]", score.partly)):
            for each in found:
                only = " [yellow](only named)[/]" if each.named else ""
                self.say(f"  {sign} {escape(each.point)}{only}\n    [dim]{escape(each.passage)}[/]")
        for each in score.missed:
            self.say(f"  [red]✗[/] {escape(each.point)}")
        for each in score.wrong:
            self.say(f"  [yellow]![/] sounds like: {escape(each.says)}\n    [dim]{escape(each.why)}[/]")
        if score.judged_fraction is not None:
            self.say(f"  Judged by {escape(score.judged_by)}, beside the count: {score.judged_fraction:.0%}")
        for note in score.notes:
            self.say(f"  [dim]{escape(note)}[/]")
        self.say(f"[dim]The model answer: labkit interview show {self.session.question.id}[/]")

    def _exercise(self, entry: Entry) -> None:
        exercise = self.session.exercise()
        self.console.print(Markdown(exercise.spec.task), soft_wrap=False)  # which would cut it at the right edge
        if self.session.put_back:
            self.say(f"\n{escape(self.session.put_back)}")
        self.say(f"\n[bold]Write your answer in {escape(str(exercise.path))}[/] and press Enter to check it.")
        self.say("[dim]:next leaves it as it is.[/]")
        while entry is self.session.current and entry.status == "open":
            if self._read("Enter to check", entry) is not None:
                report = self.session.check()
                self.console.print(report, soft_wrap=True)

    def _design(self, entry: Entry) -> None:
        from labkit.interview.design import form

        self.console.print(self.session.case().text, markup=False)
        path, untouched = place(self.session.folder) / f"decision-{self.session.id}.toml", form(entry.item.id)
        if not path.exists():
            path.write_text(untouched, encoding="utf-8")
        self.say(f"\n[bold]Fill in {escape(str(path))}[/], then press Enter.")
        while entry is self.session.current and entry.status == "open":
            if self._read("Enter when you have decided", entry) is None:
                continue
            if path.read_text(encoding="utf-8") == untouched:
                self.say("[red]Nothing in it has been changed: decide first, or :skip it.[/]")
                continue
            self._tried(lambda: self.session.decide(_decision(path)))
        for line in entry.said:
            self.console.print(line, markup=False)

    def _tried(self, step: Callable[[], object]) -> bool:
        """Whether a step was done; what is wrong with it is said."""
        try:
            step()
        except LabError as error:
            self.say(f"[red]{escape(str(error))}[/]")
            return False
        return True

    def _read(self, prompt: str, entry: Entry) -> str | None:
        """The next line; None when it was a command. Raises Quit and EOFError."""
        if prompt:
            self.console.print(f"[dim]{prompt}>[/] ", end="")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        line = line.rstrip("\n")
        if not line.startswith(":"):
            return line
        self._command(line[1:].strip(), entry)
        return None

    def _command(self, name: str, entry: Entry) -> None:
        session = self.session
        match name:
            case "quit" | "q":
                raise Quit
            case "skip" | "hint" | "next" if entry.status == "open":
                hint: list[str] = []
                if self._tried(
                    {"skip": session.skip, "next": session.next}.get(name, lambda: hint.append(session.hint()))
                ):
                    self.say("".join(f"[yellow]{escape(text)}[/]" for text in hint) or "On to the next.")
            case "pause":
                session.pause()
                self.say(f"Paused at {clock(session.left)} left. Enter goes on; :quit keeps it for later.")
                if sys.stdin.readline().strip() in (":quit", ":q"):
                    raise Quit
                session.resume()
            case "finish":
                session.finish()
            case "time":
                self.say(f"{clock(entry.seconds)} of {entry.item.minutes}:00 here, {clock(session.left)} left in all.")
            case _:
                self.say(HELP)

    @contextmanager
    def _beating(self) -> Generator[None]:
        """Save the time that has run while a person thinks."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(BEAT):
                try:
                    self.session.beat()
                except LabError:
                    return  # the next step will say it

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _decision(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LabError(f"{path} cannot be read: {error}.") from None


def model_answer(question: Question) -> str:
    """All that the bank has on a question, as text."""
    lines = [question.ask, "", "A model answer:"]
    lines += [
        f"  {claim.says}" + (f"\n      shown by {claim.shown}" if claim.shown else "") for claim in question.answer
    ]
    lines += ["", "Points:", *(f"  {point.weight}  {point.point}" for point in question.points)]
    lines += ["", "Common wrong answers:", *(f"  {wrong.says} {wrong.why}" for wrong in question.wrong)]
    lines += [
        "",
        f"Eras: {question.era}",
        "",
        "An interviewer goes on with:",
        *(f"  {each}" for each in question.follow_ups),
    ]
    links = [f"notebook {question.notebook}", *(f"exercise {id}" for id in question.exercises)]
    spec = f" Specification: {', '.join(question.spec)}." if question.spec else ""
    lines += ["", f"Practise: {', '.join(links)}.{spec} Run the proofs: labkit interview prove {question.id}"]
    return "\n".join(lines)
