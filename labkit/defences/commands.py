"""Start a program with what a stranger wrote, as a value and as nothing else.

    git = Program("git", {
        "log": Action(options={"--max-count": Value(r"[0-9]{1,4}"), "--oneline": None}, operands=(TAG,)),
        "grep": Action(operands=(TEXT,)),
    }, env={"GIT_TERMINAL_PROMPT": "0"}, cwd=repository, seconds=5)
    git.argv("log", options={"--max-count": "5"}, operands=["v1.0"])    # what would be started
    ran = await git.run("log", operands=["v1.0"])                       # ran.code, ran.out, ran.err

There is no shell, so nothing to quote. That leaves the program itself: what begins with a dash is an option to it, and
an option may write a file or start another program. So options are those that are named here, a value of one is in
the same word, operands stand after `--`, and each has a rule. The program is found once, by whoever sets this up, and
sees no environment but the one it is given; its time and its output end.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc

from labkit.errors import LabError

LONGEST = 2000
"""Characters of one value, unless its rule says otherwise."""
_SHELLED = (".bat", ".cmd")
"""What Windows starts through its shell, whatever it is given."""


class CommandError(LabError):
    """A program is not started, or was stopped; the message says why, and does not repeat all of a long value."""


@dataclass(frozen=True)
class Value:
    """What a value may be: `pattern`, a regular expression for all of it. Never empty, unless the pattern says so.

    A leading dash is refused even where the pattern has one, unless `dash` is set: for programs that know `--`.
    """

    pattern: str
    dash: bool = False
    longest: int = LONGEST

    def check(self, text: str, what: str) -> str:
        """The text, if it is such a value. Raises CommandError."""
        shown = repr(text if len(text) <= 60 else f"{text[:57]}...")
        if len(text) > self.longest:
            raise CommandError(f"{what} {shown} is longer than {self.longest} characters: shorten it.")
        if "\0" in text:
            raise CommandError(f"{what} {shown} has a zero byte in it, which no program can be given.")
        try:
            os.fsencode(text)
        except UnicodeEncodeError as error:
            raise CommandError(
                f"{what} {shown} has half of a character in it, which no program can be given."
            ) from error
        if text.startswith("-") and not self.dash:
            raise CommandError(f"{what} {shown} begins with a dash, as options do: use one that does not.")
        if not re.fullmatch(self.pattern, text):
            raise CommandError(f"{what} {shown} is not of the form {self.pattern}.")
        return text


TEXT = Value(r"(?s:.+)", dash=True)
"""Words of a search: anything. For operands after `--` only."""
TAG = Value(r"[A-Za-z0-9](?:[A-Za-z0-9_/-]|\.(?!\.))*")
"""A name such as `v1.0-rc.1` or `release/2026-07`, without what programs read as more, such as `@`, `:`, `~`, `..`."""


@dataclass(frozen=True)
class Action:
    """One way to use a program: its options (None for those without a value), and a rule for each operand."""

    options: Mapping[str, Value | None] = field(default_factory=dict[str, "Value | None"])
    operands: tuple[Value, ...] = ()
    required: int | None = None
    """How many of the operands there have to be; all when None."""
    fixed: tuple[str, ...] = ()
    """Words that always stand after the action, such as ("--no-pager",)."""


@dataclass(frozen=True)
class Ran:
    """What became of it. Texts are UTF-8; bytes that are none are replaced."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str


class Program:
    """A program, and what it may be asked. An action named "" stands for a program without subcommands.

    `program` is a path, a name that is looked for in PATH now, or a list of words that begin the command line.
    `terminator` is what ends the options; None for a program that knows none: its operands never begin with a dash.
    `env` is all of the environment that it sees (PATH and, on Windows, SYSTEMROOT are added). `seconds` and `max_bytes`
    (of what it says on both streams together) end it, with all that it started. Raises CommandError when there is no
    such program.
    """

    def __init__(
        self,
        program: str | Path | Sequence[str],
        actions: Mapping[str, Action],
        *,
        terminator: str | None = "--",
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        seconds: float = 10.0,
        max_bytes: int = 1_000_000,
    ) -> None:
        first, *rest = [str(program)] if isinstance(program, str | Path) else program
        # Not the current folder, which is where files of strangers may lie.
        found = shutil.which(first, path=None if os.path.dirname(first) else os.environ.get("PATH", os.defpath))  # noqa: PTH120
        if found is None or not Path(found).is_absolute():
            raise CommandError(f"There is no program {first!r}: give a path, or the name of one that is in PATH.")
        if found.lower().endswith(_SHELLED):
            raise CommandError(f"{found} is a script for a shell, which would read its words again: name the program.")
        self.words = (found, *rest)
        self.actions, self.terminator = dict(actions), terminator
        self.seconds, self.max_bytes = seconds, max_bytes
        self._cwd = None if cwd is None else str(cwd)
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self._env = {**kept, **(env or {})}

    def argv(
        self, action: str = "", *, options: Mapping[str, str | bool] | None = None, operands: Sequence[str] = ()
    ) -> list[str]:
        """The words that would be started. An option without a value is given as True. Raises CommandError."""
        if action not in self.actions:
            raise CommandError(f"{action!r} is not done here: use {', '.join(map(repr, self.actions))}.")
        allowed = self.actions[action]
        words = [*self.words, *([action] if action else []), *allowed.fixed]
        for name, value in (options or {}).items():
            words += self._option(allowed, name, value)
        least = len(allowed.operands) if allowed.required is None else allowed.required
        if not least <= len(operands) <= len(allowed.operands):
            raise CommandError(
                f"{action or 'this'} takes {least} to {len(allowed.operands)} values, not {len(operands)}."
            )
        texts = [rule.check(text, "value") for rule, text in zip(allowed.operands, operands, strict=False)]
        if self.terminator is None and (dashed := [text for text in texts if text.startswith("-")]):
            raise CommandError(f"value {dashed[0][:60]!r} begins with a dash, as options do: use one that does not.")
        if texts and self.terminator is not None:
            words.append(self.terminator)
        return words + texts

    async def run(
        self, action: str = "", *, options: Mapping[str, str | bool] | None = None, operands: Sequence[str] = ()
    ) -> Ran:
        """Start it, and wait for its end. Raises CommandError, too, when it takes too long or says too much."""
        words = self.argv(action, options=options, operands=operands)
        process: anyio.abc.Process | None = None
        try:
            # A caller that goes while it starts would leave behind what nobody knows of.
            with anyio.CancelScope(shield=True):
                process = await anyio.open_process(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=self._cwd,
                    env=self._env,
                    start_new_session=sys.platform != "win32",  # so that what it starts can be ended with it
                )
        except OSError as error:
            raise CommandError(f"{words[0]} cannot be started: {error.strerror or error}.") from error
        assert process is not None
        said: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
        trouble = ""

        async def read(name: str, stream: anyio.abc.ByteReceiveStream | None, scope: anyio.CancelScope) -> None:
            nonlocal trouble
            assert stream is not None
            async for chunk in stream:
                said[name] += chunk
                if sum(map(len, said.values())) > self.max_bytes:
                    trouble = f"said more than {self.max_bytes} bytes"
                    scope.cancel()

        try:
            with anyio.move_on_after(self.seconds) as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read, "out", process.stdout, scope)
                    tasks.start_soon(read, "err", process.stderr, scope)
                await process.wait()
            if scope.cancelled_caught:
                trouble = trouble or f"did not end within {self.seconds:g} seconds"
        finally:
            with anyio.CancelScope(shield=True):
                _end(process)
                await process.aclose()
        if trouble:
            raise CommandError(f"{Path(words[0]).name} {action} was stopped: it {trouble}.")
        texts = {name: bytes(each).decode("utf-8", "replace") for name, each in said.items()}
        return Ran(tuple(words), process.returncode or 0, texts["out"], texts["err"])

    @staticmethod
    def _option(allowed: Action, name: str, value: str | bool) -> list[str]:
        # Compared whole: programs take `--out` for `--output`.
        if name not in allowed.options:
            known = ", ".join(allowed.options) or "none"
            raise CommandError(f"The option {name[:60]!r} is not given here: there are {known}.")
        rule = allowed.options[name]
        if rule is None:
            if not isinstance(value, bool):
                raise CommandError(f"The option {name} takes no value.")
            return [name] if value else []
        if not isinstance(value, str):
            raise CommandError(f"The option {name} needs a value.")
        checked = rule.check(value, name)
        return [f"{name}={checked}" if name.startswith("--") else f"{name}{checked}"]


def _end(process: anyio.abc.Process) -> None:
    """End it, and on systems that know groups of processes, all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
