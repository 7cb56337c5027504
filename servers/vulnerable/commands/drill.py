"""The drill of class 4: text that becomes a command of the shell, and text that becomes an option of the program."""

from pathlib import Path

from labkit.range import Target

PROGRAM = Path(__file__).with_name("history.py")
SHELL = (
    ("show", "1; echo $HISTORY_TOKEN"),
    ("show", "1 && echo $HISTORY_TOKEN"),
    ("show", "1 | echo $HISTORY_TOKEN"),
    ("show", "0 || echo $HISTORY_TOKEN"),
    ("show", "1\necho $HISTORY_TOKEN"),
    ("show", "$HISTORY_TOKEN"),
    ("show", "$(echo $HISTORY_TOKEN)"),
    ("show", "`echo $HISTORY_TOKEN`"),
    ("show", "1 & echo %HISTORY_TOKEN%"),
    ("show", "%HISTORY_TOKEN%"),
    ("find", "$HISTORY_TOKEN"),
    ("find", '"; echo "$HISTORY_TOKEN'),
    ("find", '" && echo "${HISTORY_TOKEN}'),
    ("find", 'x" "$(echo $HISTORY_TOKEN)'),
    ("find", "x' ; echo $HISTORY_TOKEN #"),
    ("find", '" & echo "%HISTORY_TOKEN%'),
)
"""The token is in the environment of the shell. `echo` is all that it is asked to do."""
OPTIONS = (
    ("show", "--template=private.txt"),
    ("show", "--templ=private.txt"),
    ("show", "--template=private.txt -- 1"),
    ("show", "@private.txt"),
    ("show", "--output=trusted.txt"),
    ("show", "--out=trusted.txt 1"),
    ("show", "-otrusted.txt"),
    ("find", "--template=private.txt"),
    ("find", "--t=private.txt"),
    ("find", "--output=trusted.txt"),
    ("find", "-otrusted.txt"),
)
"""Options that read or write a file beside the server, and a value that does."""
ATTACKS = SHELL + OPTIONS
LEGITIMATE = (
    ("show", "1", "Begin: a calendar & its tests"),
    ("show", "v1.0", "Fix: don't lose the last day; count from 1"),
    ("show", "5", "-1 is a day, too (`date -1`)"),
    ("find", "calendar", "v1.0-rc.1"),
    ("find", "last day", "v1.0"),
    ("find", "a", "output-fix"),
    ("find", "zebra", "no change has these words"),
)
"""The tool, the text, and what the answer has to hold."""
NEAR_MISSES = (
    ("show", "v1.0-rc.1", "Begin"),
    ("show", "release/2026-07", "Prices"),
    ("show", "output-fix", "Write to a file"),
    ("find", "calendar & its", "v1.0-rc.1"),
    ("find", "don't", "v1.0"),
    ("find", "day; count", "v1.0"),
    ("find", "$HOME", "release/2026-07"),
    ("find", "| 100%", "release/2026-07"),
    ("find", '"them"', "release/2026-07"),
    ("find", "(`date -1`)", "v2.0"),
    ("find", "-1", "v2.0"),
    ("find", "--output=FILE", "output-fix"),
    ("find", "-outward", "no change has these words"),
    ("find", "@home", "no change has these words"),
)
"""Texts with everything in them that a shell or the program reads in its own way."""
ARGUMENT = {"show": "change", "find": "words"}
TRUSTED = "nobody may write here\n"


async def attack(target: Target) -> list[str]:
    """The token, what is in private.txt, and trusted.txt overwritten."""
    (target.folder / "private.txt").write_text(f"{target.canary}\n", encoding="utf-8")
    trusted = target.folder / "trusted.txt"
    conn = await target.connect({"RANGE_PROGRAM": str(PROGRAM)})
    obtained: list[str] = []
    for tool, text in ATTACKS:
        trusted.write_text(TRUSTED, encoding="utf-8")
        result = await conn.call(tool, **{ARGUMENT[tool]: text})
        if target.canary in result.text:
            obtained.append(f"{tool}({text!r}) gave {target.canary}")
        if trusted.read_text(encoding="utf-8") != TRUSTED:
            obtained.append(f"{tool}({text!r}) overwrote trusted.txt ({target.canary})")
    return obtained


async def legitimate(target: Target) -> list[str]:
    """Changes are shown and found, and one that is not there is an error that says so."""
    failed = await asked(target, LEGITIMATE)
    conn = await target.connect({"RANGE_PROGRAM": str(PROGRAM)})
    missing = await conn.call("show", change="v9.9")
    if not missing.is_error or "v9.9" not in missing.text:
        failed.append(f"show('v9.9') is no error that names v9.9: {missing.text!r}")
    return failed


async def near_misses(target: Target) -> list[str]:
    """Messages have quotes, dashes and dollars in them, and can be looked for."""
    return await asked(target, NEAR_MISSES)


async def asked(target: Target, cases: tuple[tuple[str, str, str], ...]) -> list[str]:
    """A sentence for each answer that is not as it has to be."""
    conn = await target.connect({"RANGE_PROGRAM": str(PROGRAM)})
    failed: list[str] = []
    for tool, text, wanted in cases:
        result = await conn.call(tool, **{ARGUMENT[tool]: text})
        if result.is_error or wanted not in result.text:
            failed.append(f"{tool}({text!r}) does not answer with {wanted!r}: {result.text!r}")
    return failed
