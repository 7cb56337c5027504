"""Checks of 20_commands. A stand-in for history.py in the answer's folder gives back what would be started."""

import json
import random
import runpy
import shlex
import string
from typing import Any

from labkit.grading.checks import CheckFailed, check, expect, expect_true
from labkit.grading.spec import RANGE
from labkit.grading.submission import Submission

parse = runpy.run_path(str(RANGE / "commands" / "history.py"))["parse"]
STAND_IN = (
    '"""Starts nothing."""\nimport json\n\n\ndef start(command, env):\n    return json.dumps([command, dict(env)])\n'
)
ARGUMENT = {"show": "change", "find": "words"}


def words(line: str) -> list[str]:
    """A line as the words that a shell would make of it, if nothing in it were special."""
    try:
        return shlex.split(line)
    except ValueError:
        raise CheckFailed(f"a shell cannot read {line!r}") from None


class Desk:
    """A server, and what it would start."""

    def __init__(self, submission: Submission, rng: random.Random, *, beside: bool = False) -> None:
        self._rng = rng
        name = "history.py" if beside else f"history_{self.word()}.py"
        self.program = (submission.folder / name).as_posix()
        (submission.folder / name).write_text(STAND_IN, encoding="utf-8")
        self.env = {"RANGE_CANARY": self.word()} | ({} if beside else {"RANGE_PROGRAM": self.program})
        self._session = submission.made(self.env)

    def word(self) -> str:
        return "".join(self._rng.choices(string.ascii_lowercase, k=6))

    def started(self, tool: str, text: str, *, shell: bool = False) -> list[str] | None:
        """The words after the program; None when the text was refused. Fails where a shell reads them and may not."""
        what = f"{tool}({text!r})"
        reply = self._session.call(tool, **{ARGUMENT[tool]: text})
        if reply.is_error:
            return None
        try:
            command, env = json.loads(reply.text)
        except (ValueError, TypeError):
            raise CheckFailed(f"{what} does not answer with what `start` gives, but with {reply.text!r}") from None
        expect(env, self.env, f"the settings that {what} gives to `start`")
        if isinstance(command, str):
            expect_true(shell, f"{what} gives a text to the shell: {command!r}")
            command = words(command)
        command = [str(word).replace("\\", "/") if at < 3 else word for at, word in enumerate(command)]
        at = command.index(self.program) if self.program in command else -1
        python = at > 0 and command[1:at] == ["-ISB"]
        expect_true(python, f"{what} does not start the program as before: {command}")
        return command[at + 1 :]

    def error(self, tool: str, text: str) -> str:
        """What the refusal says."""
        return self._session.call(tool, **{ARGUMENT[tool]: text}).text

    def read(self, tool: str, text: str) -> tuple[str, dict[str, str], str] | None:
        """What the program would take it for: action, options, and text; None when the text was refused."""
        words = self.started(tool, text, shell=True)
        if words is None:
            return None
        try:
            return parse(words)
        except ValueError as error:
            raise CheckFailed(f"{tool}({text!r}) starts the program with {words}, and it says: {error}") from None

    def harmless(self, tool: str, text: str) -> None:
        """Refused, by the server or by the program, or nothing but a value."""
        words = self.started(tool, text)
        try:
            options = parse(words)[1] if words else {}
        except ValueError:
            return
        expect_true(not options, f"{tool}({text!r}) starts the program with {words}, which has options: {options}")

    def passes(self, tool: str, text: str) -> None:
        """The program looks for exactly this."""
        found: Any = self.read(tool, text)
        expect_true(found is not None, f"{tool}({text!r}) is refused")
        expect(list(found), [tool, {}, text], f"what {tool}({text!r}) is to the program")


@check(
    "attack: a shell reads nothing that a caller writes",
    points=4,
    reason="A text for a shell is a program. There are more ways to write one than a list of signs can catch.",
    about="make",
)
def test_shell(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    said = f"echo {desk.word()}"
    forms = (
        "1; {}",
        "1 && {}",
        "1 | {}",
        "$({})",
        "`{}`",
        "1\n{}",
        "1 & {}",
        '"; {}; "',
        "'; {}; '",
        "$HOME",
        "%PATH%",
    )
    for form in forms:
        for tool in ARGUMENT:
            desk.harmless(tool, form.format(said))


@check(
    "attack: nothing that a caller writes is an option",
    points=4,
    reason="Without a shell there is still the program: an option of it writes files, or starts other programs.",
    about="make",
)
def test_option(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    file = f"{desk.word()}.txt"
    whole = ("--output={}", "--template={}", "-o{}", "--outp={}", "--o={}", "--t={}", "--help", "--", "-", "-x{}")
    for form in whole:
        for tool in ARGUMENT:
            desk.harmless(tool, form.format(file))
    for tool in ARGUMENT:
        for text in (f"--output={file} -- 1", f"1 --output={file}", f"-- --output={file}", f" --output={file}"):
            desk.harmless(tool, text)


@check(
    "attack: no name of a change opens a file",
    points=2,
    reason="After -- a value is no option any more. It may still be more than a name to the program.",
    about="make",
)
def test_file(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    file = f"{desk.word()}.txt"
    for text in (
        f"@{file}",
        f"@/{file}",
        f"@../{file}",
        "@",
        "@@",
        f"v1.0\n@{file}",
        f"{file}@",
        "",
        " 1",
        "1 ",
        "v1.0\n",
    ):
        expect_true(
            desk.started("show", text) is None, f"show({text!r}) starts the program: that is no name of a change"
        )
        said = desk.error("show", text)
        expect_true("no tag" in said, f"the error of show({text!r}) lacks the words `no tag`: {said!r}")


@check(
    "use: changes are shown, and words are found",
    points=2,
    reason="A tool that starts nothing is safe, and of no use.",
    about="make",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    number, word = str(rng.randint(1, 9999)), desk.word()
    for tool, text in (("show", number), ("show", word), ("show", f"v{number}.0"), ("find", word), ("find", number)):
        desk.passes(tool, text)
    desk.passes("find", f"{word} {desk.word()} {number}")
    Desk(submission, rng, beside=True).passes("show", word)


@check(
    "near miss: words are looked for as they are written",
    points=2,
    reason="Quotes, dollars and dashes are in messages, as in other texts. Nothing has to be taken out of them.",
    about="make",
)
def test_words(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    word = desk.word()
    forms = (
        "don't {}",
        '"{}"',
        "${}",
        "{} & {}",
        "{}; {}",
        "| 100% {}",
        "`{} -1`",
        "-1 {}",
        "--{}=FILE",
        "--output={}",
    )
    for form in (*forms, "@{}", "({})", "{}\n{}", "Größe {} 例え", "C:\\{}\\*", "~/{}", "# {}", "-{}", " {} "):
        desk.passes("find", form.format(word, word))


@check(
    "near miss: names with dashes, dots and slashes are shown",
    points=2,
    reason="Names have dashes within. Only one at the beginning would make an option of them.",
    about="make",
)
def test_names(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    word, n = desk.word(), rng.randint(1, 99)
    for text in (
        f"v{n}.0-rc.1",
        f"release/{n}-07",
        f"{word}-fix",
        f"output-{word}",
        f"{word}_{n}",
        f"a/{word}/c",
        f"{n}.x",
    ):
        desk.passes("show", text)
    for text in ("template", "echo", "exec", f"rm-{word}", word.upper(), "a"):
        desk.passes("show", text)
