"""The tables of `servers/vulnerable/README.md`, made from what they are about.

    python -m labkit.range.table          # write the table of the classes anew
    python -m tests.range.guards          # the same, and that of the guards, whose figures are counted by tests

A test compares the page with what is made here, so a drill that changes and a page that does not is a failure.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.errors import CatalogError
from labkit.range.definition import RANGE, Drill, drills

PAGE = RANGE / "README.md"
CLASSES = ("class", "what happened", "OWASP", "specification", "found by", "exercise", "wrong repairs")
GUARDS = ("guard", "attacks", "passed", "legitimate", "refused")


def classes(found: Iterable[Drill]) -> str:
    """A row for each drill, as Markdown: its folder, the real case, who lists it, what finds it, and who repairs it."""
    return markdown(CLASSES, (_row(drill) for drill in found))


def guards(numbers: Iterable[tuple[str, Sequence[int]]]) -> str:
    """A row for each guard, as Markdown: what it is, and four numbers in the order of `GUARDS`."""
    return markdown(GUARDS, ([what, *map(str, counted)] for what, counted in numbers))


def _row(drill: Drill) -> list[str]:
    wrong = len([*(LAB_ROOT / "exercises" / drill.exercise / "wrong").glob("*.py")])
    return [
        f"{drill.number} [{drill.title}]({drill.folder.name}/vulnerable.py)",
        drill.happened,
        ", ".join(drill.owasp),
        f"`{drill.spec}`",
        ", ".join(f"`{check}`" for check in drill.finds),
        f"[{drill.exercise}](../../exercises/{drill.exercise}/task.md)",
        str(wrong),
    ]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def between(page: str, name: str) -> str:
    """What stands on the page between the marks of this name. Raises CatalogError when there are none."""
    begin, end = _marks(page, name)
    return page[begin:end].strip("\n")


def replaced(page: str, name: str, text: str) -> str:
    """The page with this text between the marks of this name. Raises CatalogError when there are none."""
    begin, end = _marks(page, name)
    return f"{page[:begin]}\n{text}\n{page[end:]}"


def _marks(page: str, name: str) -> tuple[int, int]:
    first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    begin, end = page.find(first), page.find(last)
    if begin < 0 or end < begin:
        raise CatalogError(f"The page has no marks {first.strip()} and {last}: put them around its table.")
    return begin + len(first), end


def write(name: str, text: str, path: Path = PAGE) -> bool:
    """Put a table on the page; whether that changed it. Raises CatalogError when the page has no place for it."""
    page = path.read_text(encoding="utf-8")
    new = replaced(page, name, text)
    path.write_text(new, encoding="utf-8", newline="\n")
    return new != page


if __name__ == "__main__":
    changed = write("classes", classes(drills().values()))
    print("written" if changed else "as it was", file=sys.stderr)
