"""history: what a version control program is like, in small. It knows five changes, and reads no repository.

    history.py show [OPTIONS] [--] [CHANGE]    one change, by its number or its tag; @FILE takes the tag from a file
    history.py find [OPTIONS] [--] [WORDS]     the changes whose message has these words

Options, as such programs have them, long ones also by their first letters: --output=FILE or -oFILE writes the answer
there, --template=FILE begins the answer with that file, --help. `start` is how a server starts it, or any program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

CHANGES = (
    ("1", "v1.0-rc.1", "Begin: a calendar & its tests"),
    ("2", "v1.0", "Fix: don't lose the last day; count from 1"),
    ("3", "output-fix", "Write to a file with --output=FILE"),
    ("4", "release/2026-07", 'Prices in $HOME currency | 100% of "them"'),
    ("5", "v2.0", "-1 is a day, too (`date -1`)"),
)
LONG = ("--output", "--template", "--help")
USAGE = "usage: history.py show|find [--output=FILE] [--template=FILE] [--] [TEXT]"


def parse(arguments: list[str]) -> tuple[str, dict[str, str], str]:
    """The action, the options and the text of a command line. Raises ValueError when it is none."""
    action, options, texts = arguments[0] if arguments else "", dict[str, str](), list[str]()
    rest = arguments[1:]
    while rest:
        word, *rest = rest
        if word == "--":
            texts += rest
            break
        if word.startswith("--"):
            name, _, value = word.partition("=")
            known = [each for each in LONG if each.startswith(name)]
            if len(known) != 1:
                raise ValueError(f"unknown option {name}")
            options[known[0]] = value
        elif word.startswith("-o"):
            options["--output"] = word[2:]
        elif word.startswith("-"):
            raise ValueError(f"unknown option {word}")
        else:
            texts.append(word)
    if "--help" not in options and (action not in ("show", "find") or len(texts) > 1):
        raise ValueError(USAGE)
    return action, options, texts[0] if texts else "v2.0" if action == "show" else ""


def main(arguments: list[str]) -> str:
    """The answer. Raises ValueError when there is none, OSError."""
    action, options, text = parse(arguments)
    if "--help" in options:
        return USAGE
    if action == "show":
        if text.startswith("@"):
            text = read(text[1:])
        found = [each for each in CHANGES if text in each[:2]]
        if not found:
            raise ValueError(f"there is no change {text!r}")
    else:
        found = [each for each in CHANGES if text in each[2]]
    answer = "\n".join("  ".join(each) for each in found) or "no change has these words"
    if "--template" in options:
        answer = read(options["--template"]) + answer
    if "--output" in options:
        with open(options["--output"], "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(answer)
        return ""
    return answer


def read(path: str) -> str:
    """A file, as text."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


def start(command: str | list[str], env: Mapping[str, str]) -> str:
    """What a program says. A list is started word for word; a text is read by the shell of the system.

    Raises ToolError with what it complains of. It runs in RANGE_ROOT, and has a token in its environment.
    """
    from mcp.server.mcpserver.exceptions import ToolError

    done = subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=env.get("RANGE_ROOT"),
        env={**os.environ, "HISTORY_TOKEN": env.get("RANGE_CANARY", "")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=20,
    )
    if done.returncode:
        raise ToolError(done.stderr.strip() or f"the program failed with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8")
    try:
        print(main(sys.argv[1:]))
    except (ValueError, OSError) as error:
        print(f"history: {error}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)
