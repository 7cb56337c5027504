"""Links from the claims of model answers to what proves them: a cell, a test or a command.

`broken_links` reads the files; `unproved` holds a notebook that has just run against the claims that its cells prove;
`labkit.interview.proving` runs what a link names.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.course.find import notebook_named
from labkit.course.run import ANSI
from labkit.interview.bank import Bank, Claim, Question

_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Broken:
    """A claim whose proof is not where its link points, or cannot prove anything."""

    question: str
    shown: str
    why: str

    def __str__(self) -> str:
        return f"{self.question}: {self.shown}: {self.why}"


def broken_links(bank: Bank) -> list[Broken]:
    """All links that lead nowhere; what the others lead to is run by the tests of the notebooks and of labkit."""
    return [
        Broken(question.id, claim.shown, why)
        for question in bank.values()
        for claim in question.answer
        if claim.shown and (why := fault(claim))
    ]


def cell_claims(bank: Bank, notebook: str) -> list[tuple[Question, Claim]]:
    """The claims that a cell of this notebook (its name without `.ipynb`) proves."""
    return [
        (question, claim)
        for question in bank.values()
        for claim in question.answer
        if claim.shown.startswith(f"{notebook}#")
    ]


def unproved(bank: Bank, notebook: str, cells: Iterable[Any]) -> list[Broken]:
    """The claims that cells of this notebook should prove, and whose text is not in what these cells put out.

    `cells` are those of the executed notebook.
    """
    put_out = {cell["id"]: cell.get("outputs", []) for cell in cells if cell["cell_type"] == "code"}
    found: list[Broken] = []
    for question, claim in cell_claims(bank, notebook):
        cell = claim.shown.partition("#")[2]
        if cell not in put_out:
            found.append(Broken(question.id, claim.shown, f"{notebook} has no code cell {cell!r}"))
        elif not shows(claim.shows, outputs_text(put_out[cell])):
            found.append(Broken(question.id, claim.shown, f"the cell's output does not have {claim.shows!r}"))
    return found


def shows(wanted: str, text: str) -> bool:
    """Whether a text has what a claim says it shows; runs of white space are one space."""
    return " ".join(wanted.split()) in " ".join(text.split())


def outputs_text(outputs: Iterable[Mapping[str, Any]]) -> str:
    """What a reader sees of a cell's outputs: printed text, plain texts, HTML without its tags; no colours."""
    parts: list[str] = []
    for output in outputs:
        data = output.get("data", {})
        page = _joined(data.get("text/html", ""))
        # A tag may stand between two words, or within what is read as one.
        parts += [_joined(output.get("text", "")), _joined(data.get("text/plain", "")), page]
        parts += [html.unescape(_TAG.sub(between, page)) for between in (" ", "")]
    return ANSI.sub("", "\n".join(part for part in parts if part))


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def fault(claim: Claim) -> str:
    """What is wrong with the link of a claim; empty when nothing is."""
    if claim.shown.startswith("tests/"):
        return _test_fault(*claim.shown.split("::"))
    if claim.shown.startswith("labkit "):
        return "" if claim.shows else "a command needs `shows`: the text it prints that proves the claim"
    name, _, cell = claim.shown.partition("#")
    cells = _code_cells(name)
    if cells is None:
        return f"there is no notebook {name}"
    if cell not in cells:
        return f"{name} has no code cell {cell!r}"
    return "" if claim.shows else "a cell needs `shows`: the text in its output that proves the claim"


@cache
def _code_cells(name: str) -> frozenset[str] | None:
    if (path := notebook_named(name)) is None:
        return None
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return frozenset(cell["id"] for cell in cells if cell["cell_type"] == "code")


def _test_fault(file: str, name: str) -> str:
    path = LAB_ROOT / file
    if not path.is_file():
        return "there is no such file"
    function = _functions(path).get(name)
    if function is None:
        return f"{path.name} has no function {name}"
    marks = [ast.unparse(mark) for mark in [*function.decorator_list, *_module_marks(path)]]
    if any(word in mark for mark in marks for word in ("skip", "xfail", "network", "browser")):
        return "it may be skipped: link a test that runs everywhere"
    return ""


@cache
def _module_marks(path: Path) -> list[ast.expr]:
    """What `pytestmark` of a file is set to."""
    return [
        node.value
        for node in _tree(path).body
        if isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "pytestmark" for each in node.targets)
    ]


@cache
def _functions(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = _tree(path).body
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    from labkit.interview.bank import load_bank

    _bank = load_bank()
    for _broken in broken_links(_bank):
        print(_broken)
    print(len(_bank), "questions,", sum(bool(c.shown) for q in _bank.values() for c in q.answer), "claims with a link")
