"""A new exercise: every file it needs, already valid, with the words to replace marked by TODO."""

from __future__ import annotations

import re
from pathlib import Path

from labkit.grading.spec import EXERCISES, ExerciseError

_FILES = {
    "exercise.toml": '''title = "TODO: what it is about"
track = "protocol"
notebook = "02_json_rpc"
kind = "write"  # write, repair, tape, predict
difficulty = 1  # 1 to 5
minutes = 15
points = 3  # what the checks give together
objectives = ["TODO: after it the learner can ..."]
hints = ["TODO: the first hint, a nudge", "TODO: the last hint, nearly the answer"]
afterword = """
TODO: what to take from it, in two sentences.
"""

# [limits]  # only where the defaults do not fit: wall, request (s), cpu (s), memory, output (MB), processes
''',
    "task.md": """# TODO: what it is about

| function | returns |
|---|---|
| `double(number)` | TODO: twice the number |
""",
    "starter.py": """def double(number):
    ...
""",
    "solution.py": """def double(number):
    return 2 * number
""",
    "checks.py": '''"""Checks of ID."""

import random

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


@check("double gives twice the number", points=3, reason="TODO: why it matters.", about="double")
def test_double(submission: Submission, rng: random.Random) -> None:
    number = rng.randint(3, 99)
    expect(submission.call("double", number), 2 * number, f"double({number})")
''',
    "wrong/square.py": '''"""fails: double
why: TODO: why somebody would write it.
"""


def double(number):
    return number * number
''',
    "wrong/text.py": '''"""fails: double
why: TODO: why somebody would write it.
"""


def double(number):
    return f"{number}{number}"
''',
    "wrong/one_more.py": '''"""fails: double
why: TODO: why somebody would write it.
"""


def double(number):
    return number + 2
''',
}


def new_exercise(id: str, root: Path = EXERCISES) -> Path:
    """Make the folder `root/id`. Raises ExerciseError for a bad id or one that is taken."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", id):
        raise ExerciseError(f"{id!r} cannot be an id: use lower case letters, digits and underscores.")
    folder = root / id
    if folder.exists():
        raise ExerciseError(f"{folder} exists already.")
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("Checks of ID", f"Checks of {id}"), encoding="utf-8", newline="\n")
    return folder
