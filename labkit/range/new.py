"""A new class of attack: a drill and its exercise, both already proven, with the words to replace marked by TODO.

    python -m labkit.range.new ID NN "Title"                    # servers/vulnerable/ID and exercises/NN_ID
    python -m labkit.range.new zip_slip 20 "Archives that unpack elsewhere"

What is made is the smallest drill there is, a tool that pastes a name into a path. Replace it piece by piece: the tests
pass before the first change, so what fails afterwards is the piece that was changed last.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.errors import CatalogError, did_you_mean
from labkit.range.definition import drills
from labkit.range.skeleton import DRILL, EXERCISE, RULES, TWIN


def new_drill(id: str, notebook: str, title: str, root: Path = LAB_ROOT) -> list[Path]:
    """Make `root/servers/vulnerable/ID` and `root/exercises/NN_ID`, and tell both folders.

    `notebook` is the number of the notebook of the security track that teaches it. Raises CatalogError.
    """
    if not (id.isidentifier() and id.islower() and id.isascii()):
        raise CatalogError(f"{id!r} cannot be an id: a word in lower case with underscores, such as zip_slip.")
    security = {path.stem[:2]: path.stem for path in (root / "notebooks" / "security").glob("*.ipynb")}
    if notebook not in security:
        raise CatalogError(
            f"The security track has no notebook {notebook!r}. {did_you_mean(notebook, security, has='It has')}"
        )
    folder, exercise = root / "servers" / "vulnerable" / id, root / "exercises" / f"{notebook}_{id}"
    for each in (folder, exercise):
        if each.exists():
            raise CatalogError(f"{each.relative_to(root).as_posix()} exists already: take another id.")
    known = drills(folder.parent)
    words = {
        "@ID@": id,
        "@TITLE@": title.replace('"', "'"),
        "@NUMBER@": str(max((each.number for each in known.values()), default=0) + 1),
        "@EXERCISE@": exercise.name,
        "@NOTEBOOK@": security[notebook],
    }
    files = {folder / name: text for name, text in DRILL.items()}
    files |= {exercise / name: text for name, text in EXERCISE.items()}
    for name, rule in RULES.items():
        place = folder if name in ("vulnerable", "fixed") else exercise / "wrong"
        files[place / f"{name}.py"] = _filled(TWIN, rule)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(text, words), encoding="utf-8", newline="\n")
    return [folder, exercise]


def _filled(text: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(name, word)
    return text


def main(arguments: list[str]) -> int:
    """Make one, and say what comes next."""
    parser = argparse.ArgumentParser(prog="python -m labkit.range.new", description="Begin a new class of attack.")
    parser.add_argument("id", metavar="ID", help="such as zip_slip")
    parser.add_argument("notebook", metavar="NN", help="the notebook that teaches it, such as 20")
    parser.add_argument("title", metavar="TITLE", help="such as 'Archives that unpack elsewhere'")
    options = parser.parse_args(arguments)
    try:
        made = new_drill(options.id, options.notebook, options.title)
    except CatalogError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(path.relative_to(LAB_ROOT).as_posix() for path in made))
    print(f"Replace what is marked TODO, then: python -m pytest tests/range tests/exercises -k {options.id}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
