"""A new notebook: every cell that the course asks for, ready to run, with the words to replace marked by TODO.

python -m labkit.course.new TRACK NN_SLUG "Title"           # notebooks/TRACK/NN_SLUG.ipynb
python -m labkit.course.new protocol 34_batching "Batching"
"""

# nbformat carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from labkit.course.find import COURSE, find_notebooks
from labkit.course.places import outline
from labkit.errors import NotebookError, did_you_mean

_TITLE = """\
# {number} · {title}

TODO: what it is about, in two sentences: the thing itself, and what the learner does with it here.

**After this notebook you can**
- TODO: say what ...,
- TODO: build ...

**Time** 30 minutes. **Before** {before}. **Next** {next}."""
_PARAMETERS = "fast = False  # papermill sets it to True in CI: TODO what gets shorter, nothing else"
_FIRST = """\
## TODO: one idea

Say what the cell shows, then let it show it. `add` answers with a number, and the tape has the frames:"""
_CALL = """\
async with await lab.connect("calculator") as calc:
    answer = await calc.call("add", a=2, b=3)
    print(answer.data, "in", len(calc.tape), "frames")
calc.tape"""
_CLOSE = """\
await lab.close_all()
lab.connections()"""
_END = """\
## Exercises

TODO: each exercise of this notebook by `lab.exercise(...)` and what to do, in half a sentence. `labkit new-exercise
{number}_NAME` begins one.

## Interview questions this answers

<details><summary>TODO: a first question, about the idea?</summary>
TODO: the answer, which a cell above has shown.
</details>

<details><summary>TODO: a second one, about a mistake?</summary>
TODO.
</details>

<details><summary>TODO: a third one, about a choice?</summary>
TODO.
</details>

More: `labkit interview questions --notebook {number}`

**Next** {next}"""


def new_notebook(track: str, name: str, title: str, course: Path = COURSE) -> Path:
    """Write `course/TRACK/NN_SLUG.ipynb`; `name` is NN_SLUG. Raises NotebookError for a name or a number that is taken.

    The links before and after lead to its neighbours in the course, the last notebook's back to the first.
    """
    tracks = sorted(path.name for path in course.iterdir() if path.is_dir() and any(path.glob("*.ipynb")))
    if track not in tracks:
        raise NotebookError(f"There is no track {track!r}. {did_you_mean(track, tracks, has='There are')}")
    if not re.fullmatch(r"\d\d_[a-z0-9]+(_[a-z0-9]+)*", name):
        raise NotebookError(f"{name!r} cannot be a name: two digits and a few words, such as 34_batching.")
    others = find_notebooks(course=course)
    if taken := [each.name for each in others if each.stem[:2] == name[:2]]:
        raise NotebookError(f"The number {name[:2]} is taken by {taken[0]}: the last one is {others[-1].stem[:2]}.")
    if not title.strip():
        raise NotebookError("A notebook needs a title, such as 'Batching'.")
    target = course / track / f"{name}.ipynb"
    earlier = [each for each in others if each.name < target.name]
    later = [each for each in others if each.name > target.name]
    links = {
        "before": outline(earlier[-1]).link().markdown(target) if earlier else "nothing",
        "next": outline([*later, *others][0]).link().markdown(target) if others else "nothing",
    }
    _write(target, name, title.strip(), links)
    return target


def _write(target: Path, name: str, title: str, links: dict[str, str]) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    words = {"number": name[:2], "title": title, **links}
    cells = [
        new_markdown_cell(_TITLE.format(**words), id="title"),
        new_code_cell(_PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell("import labkit as lab", id="imports"),
        new_markdown_cell(_FIRST, id="first-md"),
        new_code_cell(_CALL, id="first"),
        new_code_cell(_CLOSE, id="close"),
        new_markdown_cell(_END.format(**words), id="exercises"),
    ]
    python = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nb = new_notebook(cells=cells, metadata={"kernelspec": python, "language_info": {"name": "python"}})
    nbformat.validate(nb)
    target.write_text(nbformat.writes(nb, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def main(arguments: list[str]) -> int:
    """Make one, and say what comes next."""
    parser = argparse.ArgumentParser(prog="python -m labkit.course.new", description="Begin a notebook of the course.")
    parser.add_argument("track", metavar="TRACK", help="a folder of notebooks/, such as protocol")
    parser.add_argument("name", metavar="NN_SLUG", help="such as 34_batching")
    parser.add_argument("title", metavar="TITLE", help="such as 'Batching'")
    options = parser.parse_args(arguments)
    try:
        made = new_notebook(options.track, options.name, options.title)
    except NotebookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{made}\nReplace what is marked TODO, then: labkit run {options.name[:2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
