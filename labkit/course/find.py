"""Which notebooks a person means: a file, a folder, a pattern, a number like `02`, part of a name; nothing for all."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.errors import NotebookError

COURSE = LAB_ROOT / "notebooks"


def find_notebooks(wanted: Sequence[str | Path] = (), *, course: Path = COURSE) -> list[Path]:
    """Notebooks in course order, each once; all of the course when nothing is asked for.

    Paths are relative to the current folder. NotebookError when something asked for matches nothing.
    """
    everything = sorted(_below(course), key=lambda path: (path.name, path))
    if not wanted:
        return everything
    chosen: dict[Path, None] = {}
    for each in wanted:
        found = _match(str(each), everything, course)
        if not found:
            raise NotebookError(_nothing(str(each), everything))
        chosen.update(dict.fromkeys(path.resolve() for path in found))
    return list(chosen)


def notebook_named(name: str) -> Path | None:
    """The notebook of the course with this name, without `.ipynb`; None when there is none."""
    return next((path for path in find_notebooks() if path.stem == name), None)


def _match(wanted: str, everything: list[Path], course: Path) -> list[Path]:
    path = Path(wanted)
    if path.is_file():
        return [path]
    for folder in (path, course / wanted):
        if folder.is_dir():
            return sorted(_below(folder))
    if glob.has_magic(wanted):
        hits = [Path(name) for name in sorted(glob.glob(wanted, recursive=True))]  # noqa: PTH207 - absolute patterns too
        return [hit for hit in hits if hit.suffix == ".ipynb"] or [
            each for each in everything if each.relative_to(course).match(wanted) or each.match(wanted)
        ]
    if wanted.isdigit():
        return [each for each in everything if each.name.startswith(f"{int(wanted):02d}_")]
    stem = path.name.removesuffix(".ipynb")
    exact = [each for each in everything if each.stem == stem]
    return exact or [each for each in everything if len(path.parts) == 1 and stem in each.stem]


def _below(folder: Path) -> Iterable[Path]:
    """Notebooks in and below a folder, without the copies that editors keep."""
    return (path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def _nothing(wanted: str, everything: list[Path]) -> str:
    stems = [path.stem for path in everything]
    close = difflib.get_close_matches(Path(wanted).stem, stems, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]}?" if close else f"the course has: {', '.join(stems) or 'no notebooks yet'}"
    return f"no notebook matches {wanted!r}; {hint}"
