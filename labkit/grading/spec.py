"""An exercise as it lies on disk: one folder, read and validated.

    exercises/<id>/exercise.toml   title, track, notebook, kind, difficulty, minutes, points,
                                   objectives, hints, afterword; `kata = true` for one that suits an interview
    exercises/<id>/task.md         what to do
    exercises/<id>/starter.py      what the learner begins with
    exercises/<id>/solution.py     one good answer
    exercises/<id>/checks.py       pytest functions decorated with `labkit.grading.checks.check`
                                   (with `range = "<drill>"` in exercise.toml, starter and solution are
                                   servers/vulnerable/<drill>/vulnerable.py and fixed.py)
    exercises/<id>/wrong/*.py      plausible wrong answers; the docstring says which checks fail, and why it was written

Every complaint names the file and the line, because the reader is an author in the middle of writing one.
"""

from __future__ import annotations

import ast
import difflib
import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from labkit.errors import LabError

LAB_ROOT = Path(__file__).resolve().parents[2]
EXERCISES = LAB_ROOT / "exercises"
RANGE = LAB_ROOT / "servers" / "vulnerable"
WORK = LAB_ROOT / "work"
KINDS = {"write": "write code", "repair": "repair code", "tape": "read a tape", "predict": "predict the frames"}
"""What each kind of exercise asks for."""
TEMPORARY = "labkit-judge-"
"""How the temporary folder of a judge begins."""
SOURCE_LIMIT = 256 * 1024
"""Longest answer that is accepted, in bytes."""

_TYPES: dict[str, type] = {
    "title": str,
    "track": str,
    "notebook": str,
    "kind": str,
    "difficulty": int,
    "minutes": int,
    "points": int,
    "objectives": list,
    "hints": list,
    "afterword": str,
}
_OPTIONS = ("limits", "range", "kata")
KATA_MINUTES = (10, 30)
"""The least and the most that a kata may take."""
_ID = re.compile(r"[a-z0-9][a-z0-9_]*\Z")


class ExerciseError(LabError):
    """An exercise that does not exist, or whose folder is not as it should be."""


@dataclass(frozen=True)
class Limits:
    """What a learner's process may use. Seconds, megabytes (2**20 bytes), counts."""

    wall: float = 60.0
    """For all checks of one run together."""
    request: float = 15.0
    """For one answer: catches a server that waits for ever."""
    cpu: int = 5
    """Of processor time per process: catches endless loops, however busy the machine is."""
    memory: int = 512
    output: int = 4
    """Per stream."""
    processes: int = 8
    """That the learner's process may have below it."""


@dataclass(frozen=True)
class CheckInfo:
    """One check, as its decorator in checks.py declares it."""

    name: str
    title: str
    points: int
    reason: str
    about: str = ""
    """Name of the function, class or variable of the answer that this check looks at."""


@dataclass(frozen=True)
class WrongAnswer:
    """A wrong answer that the checks must catch."""

    path: Path
    fails: frozenset[str]
    why: str

    @property
    def name(self) -> str:
        """The file name without `.py`."""
        return self.path.stem


@dataclass(frozen=True)
class Spec:
    """One exercise. Files are read when asked for, so that an author's edit is seen at once."""

    id: str
    folder: Path
    title: str
    track: str
    notebook: str
    kind: str
    difficulty: int
    minutes: int
    points: int
    objectives: tuple[str, ...]
    hints: tuple[str, ...]
    afterword: str
    limits: Limits = field(default_factory=Limits)
    range: str = ""
    """The drill of the security range that it repairs: starter and solution are the vulnerable server and its twin."""
    kata: bool = False
    """Whether it is a coding task of 10 to 30 minutes that suits an interview: notebook 33 puts a clock beside it."""

    @property
    def checks_file(self) -> Path:
        """The pytest file with the checks."""
        return self.folder / "checks.py"

    @property
    def task(self) -> str:
        """The task, in Markdown."""
        return _text(self.folder / "task.md")

    @property
    def starter(self) -> str:
        """The source the learner begins with."""
        return _text(RANGE / self.range / "vulnerable.py" if self.range else self.folder / "starter.py")

    @property
    def solution(self) -> str:
        """The source of one good answer."""
        return _text(RANGE / self.range / "fixed.py" if self.range else self.folder / "solution.py")

    @cached_property
    def checks(self) -> tuple[CheckInfo, ...]:
        """The checks in the order of the file, read without running it."""
        return read_checks(self.checks_file)

    @property
    def wrong(self) -> list[WrongAnswer]:
        """The wrong answers, by name."""
        names = {check.name for check in self.checks}
        return [_wrong_answer(path, names) for path in sorted((self.folder / "wrong").glob("*.py"))]


def exercise_ids(root: Path = EXERCISES) -> list[str]:
    """Ids of all exercises below `root`, sorted."""
    return sorted(path.parent.name for path in root.glob("*/exercise.toml"))


def load(id: str, root: Path = EXERCISES) -> Spec:
    """Read and validate one exercise.

    Raises ExerciseError with the file and the line of the first thing that is wrong.
    """
    folder = root / id
    if not _ID.match(id) or not (folder / "exercise.toml").is_file():
        known = exercise_ids(root)
        raise ExerciseError(f"There is no exercise {id!r}. {_guess(id, known)}")
    toml = folder / "exercise.toml"
    data = _parse(toml)
    _validate(toml, data)
    drill = data.get("range", "")
    pair = [RANGE / drill / "vulnerable.py", RANGE / drill / "fixed.py"] if drill else []
    pair = pair or [folder / "starter.py", folder / "solution.py"]
    for file in (folder / "task.md", *pair, folder / "checks.py"):
        if not file.is_file():
            raise ExerciseError(f"{file}: the file is missing; every exercise has one.")
    fields: dict[str, Any] = {key: data[key] for key in _TYPES} | {
        key: tuple(data[key]) for key in ("objectives", "hints")
    }
    limits = Limits(**data.get("limits", {}))
    spec = Spec(id=id, folder=folder, limits=limits, range=drill, kata=data.get("kata", False), **fields)
    total = sum(check.points for check in spec.checks)
    if total != spec.points:
        raise _complaint(toml, "points", f"points = {spec.points}, but the checks give {total}; make them equal")
    return spec


def _guess(id: str, known: list[str]) -> str:
    """What an unknown id may have meant, in a sentence."""
    close = difflib.get_close_matches(id, known, n=1) or [name for name in known if id and id in name][:4]
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    return f"There are {len(known)}: `labkit exercises` lists them." if known else "There is none yet."


def read_checks(path: Path) -> tuple[CheckInfo, ...]:
    """The `@check(...)` declarations of a checks file. Arguments have to be plain literals."""
    found: list[CheckInfo] = []
    for node in ast.parse(_text(path), filename=str(path)).body:
        if not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")):
            continue
        call = next((d for d in node.decorator_list if isinstance(d, ast.Call) and _called(d) == "check"), None)
        if call is None:
            raise ExerciseError(f"{path}:{node.lineno}: {node.name} has no @check(title, points=, reason=, about=).")
        try:
            values = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
            title = ast.literal_eval(call.args[0]) if call.args else values.pop("title")
            found.append(CheckInfo(name=node.name.removeprefix("test_"), title=title, **values))
        except (ValueError, TypeError, KeyError) as error:
            raise ExerciseError(f"{path}:{call.lineno}: @check of {node.name} cannot be read: {error}.") from None
    if not found:
        raise ExerciseError(f"{path}: no checks; write functions named test_... with @check above them.")
    return tuple(found)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+)", str(error))
        raise ExerciseError(f"{path}:{where[1] if where else 1}: not valid TOML: {error}.") from None


def _complaint(path: Path, key: str, what: str) -> ExerciseError:
    """An error that points at the line of `key`, or at line 1 where the key is missing (tomllib knows no lines)."""
    pattern = re.compile(rf"\s*(\[\s*)?{re.escape(key)}\s*(=|\])")
    lines = _text(path).splitlines()
    line = next((number for number, text in enumerate(lines, 1) if pattern.match(text)), 1)
    return ExerciseError(f"{path}:{line}: {what}.")


def _validate(path: Path, data: dict[str, Any]) -> None:
    for key in data:
        if key not in _TYPES and key not in _OPTIONS:
            close = difflib.get_close_matches(key, [*_TYPES, *_OPTIONS], n=1)
            known = f"; known are {', '.join(_TYPES)}, kata, range and [limits]"
            hint = f"; did you mean {close[0]!r}?" if close else known
            raise _complaint(path, key, f"unknown key {key!r}{hint}")
    for key, kind in _TYPES.items():
        if key not in data:
            raise _complaint(path, key, f"the key {key!r} is missing ({kind.__name__})")
        if not isinstance(data[key], kind) or isinstance(data[key], bool):
            raise _complaint(path, key, f"{key} must be a {kind.__name__}, not {data[key]!r}")
        if data[key] in ("", []):
            raise _complaint(path, key, f"{key} must not be empty")
    if data["kind"] not in KINDS:
        raise _complaint(path, "kind", f"kind must be one of {', '.join(KINDS)}, not {data['kind']!r}")
    if not 1 <= data["difficulty"] <= 5:
        raise _complaint(path, "difficulty", f"difficulty must be 1 to 5, not {data['difficulty']}")
    for key in ("objectives", "hints"):
        if not all(isinstance(item, str) and item.strip() for item in data[key]):
            raise _complaint(path, key, f"{key} must be a list of sentences")
    drill = data.get("range", "")
    if not isinstance(drill, str) or (drill and not _ID.match(drill)):
        raise _complaint(path, "range", f"range must be the name of a drill of the range, not {drill!r}")
    if not isinstance(kata := data.get("kata", False), bool):
        raise _complaint(path, "kata", f"kata must be true or false, not {kata!r}")
    least, most = KATA_MINUTES
    if kata and not least <= data["minutes"] <= most:
        raise _complaint(path, "minutes", f"a kata takes {least} to {most} minutes, not {data['minutes']}")
    limits = data.get("limits", {})
    if not isinstance(limits, dict):
        raise _complaint(path, "limits", "limits must be a table: [limits]")
    for key, value in cast("dict[str, Any]", limits).items():
        if key not in Limits.__dataclass_fields__:
            raise _complaint(path, key, f"unknown limit {key!r}; known are {', '.join(Limits.__dataclass_fields__)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise _complaint(path, key, f"the limit {key} must be a number above zero, not {value!r}")


def _wrong_answer(path: Path, names: set[str]) -> WrongAnswer:
    text = ast.get_docstring(ast.parse(_text(path), filename=str(path))) or ""
    fails = re.search(r"^fails:\s*(.+)$", text, re.MULTILINE)
    why = re.search(r"^why:\s*(.+)\Z", text, re.MULTILINE | re.DOTALL)
    if not fails or not why:
        raise ExerciseError(
            f"{path}:1: the docstring of a wrong answer needs 'fails: check, ...' and 'why: ...' lines."
        )
    named = frozenset(name.strip() for name in fails[1].split(",") if name.strip())
    if unknown := named - names:
        have = ", ".join(sorted(names))
        raise ExerciseError(f"{path}:1: no check is called {', '.join(sorted(unknown))}; there are {have}.")
    return WrongAnswer(path, named, " ".join(why[1].split()))
