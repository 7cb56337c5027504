"""Are the checks any good? Break every solution.py in small ways and count how many breaks the checks notice.

    python -m labkit.grading.mutants [ID ...]     # `make mutants`

A mutant is the solution with one change: an operator, a constant, a condition, a return value, an annotation, a
statement or a decorator. It is killed when some check does not pass. A survivor is either a hole in the checks or a
change that makes no difference; the latter are explained in exercises/survivors.toml, and shown with their explanation.
"""

from __future__ import annotations

import ast
import copy
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.grading.report import PASSED
from labkit.grading.spec import EXERCISES, Spec, exercise_ids, load
from labkit.grading.warm import UNCOUNTED, Judges, check_source

_SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_ANNOTATIONS = {"int": "str", "str": "int", "float": "str", "bool": "str"}


@dataclass(frozen=True)
class Mutant:
    """One changed solution. `what` names the change and its line; it is the key in survivors.toml."""

    what: str
    source: str


@dataclass
class Score:
    """What came out for one exercise."""

    id: str
    total: int = 0
    killed: int = 0
    explained: list[str] = field(default_factory=list[str])
    """Survivors with an explanation; one explanation may be that of several."""
    survivors: list[str] = field(default_factory=list[str])

    @property
    def share(self) -> float:
        """The share of all mutants that the checks noticed."""
        return self.killed / self.total if self.total else 1.0


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a source."""
    tree = ast.parse(source)
    home = {node: place for place, statement in enumerate(tree.body) for node in ast.walk(statement)}
    texts = [_text(place, statement) for place, statement in enumerate(tree.body)]
    seen: set[str] = {"".join(texts)}
    for node in list(ast.walk(tree)):
        for change, what in list(_changes(node)):
            # One tree for all, changed and put back, and only the statement at the top that holds the node is written
            # anew: to parse and write the whole source for each takes eight times as long.
            before = _fields(node)
            change(node)
            if node is tree:
                text = "".join(_text(place, statement) for place, statement in enumerate(tree.body))
            else:
                here = home[node]
                text = "".join([*texts[:here], _text(here, tree.body[here]), *texts[here + 1 :]])
            vars(node).update(before)
            if text not in seen:
                seen.add(text)
                yield Mutant(what, text)


def _fields(node: ast.AST) -> dict[str, Any]:
    """What a node holds, with copies of its lists."""
    held: dict[str, Any] = vars(node)
    return {name: [*value] if isinstance(value, list) else value for name, value in held.items()}  # pyright: ignore[reportUnknownVariableType]


def _text(place: int, statement: ast.stmt) -> str:
    """How `ast.unparse` writes a statement that stands at this place of a module, with the newlines before it."""
    if not place:
        return ast.unparse(ast.Module([statement], []))
    return ast.unparse(ast.Module([ast.Pass(), statement], []))[len("pass") :]


def _changes(node: Any) -> Iterator[tuple[Any, str]]:
    """Functions that change a copy of this node in place, each with its description."""
    where = f"{ast.unparse(node)!r}"[1:-1] if isinstance(node, ast.expr) else ""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _SWAPS:
        yield _set(op=_SWAPS[type(node.op)]()), f"{where}: operator -> {_SWAPS[type(node.op)].__name__}"
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS:
        swap = _SWAPS[type(node.ops[0])]
        yield _set(ops=[swap(), *node.ops[1:]]), f"{where}: operator -> {swap.__name__}"
    if isinstance(node, ast.Dict) and node.keys:
        yield _set(keys=node.keys[:-1], values=node.values[:-1]), f"{where}: last member removed"
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _set(test=ast.UnaryOp(ast.Not(), node.test)), f"condition {ast.unparse(node.test)}: negated"
    if isinstance(node, ast.comprehension) and node.ifs:
        yield _set(ifs=[]), f"filter {ast.unparse(node.ifs[0])}: removed"
    if isinstance(node, ast.Return) and node.value and not _is_none(node.value):
        yield _set(value=ast.Constant(None)), f"{ast.unparse(node)}: returns None"
    if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id in _ANNOTATIONS:
        other = _ANNOTATIONS[node.annotation.id]
        yield _set(annotation=ast.Name(other)), f"parameter {node.arg}: {node.annotation.id} -> {other}"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list:
        yield _set(decorator_list=[]), f"def {node.name}: decorator removed"
    if isinstance(node, ast.JoinedStr):
        yield (
            _set(values=[part for part in node.values if not isinstance(part, ast.Constant)]),
            f"{where}: text removed",
        )
        for place, part in enumerate(node.values):
            if isinstance(part, ast.FormattedValue):
                yield _put("values", place, ast.Constant("…")), f"{where}: {ast.unparse(part.value)} removed"
        return
    for name in ("body", "orelse"):
        body = getattr(node, name, None)
        if isinstance(body, list):
            yield from _statements(name, body)  # pyright: ignore[reportUnknownArgumentType]
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.Constant) and not (isinstance(node, ast.Expr) or name == "annotation"):
            yield from (
                (_set(**{name: new}), f"{_around(node)}: {value.value!r} -> {new.value!r}") for new in _other(value)
            )
        elif isinstance(value, list):
            for place, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                if isinstance(item, ast.Constant):
                    for new in _other(item):
                        yield _put(name, place, new), f"{_around(node)}: {item.value!r} -> {new.value!r} (item {place})"


def _statements(name: str, body: list[Any]) -> Iterator[tuple[Any, str]]:
    kinds = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Return, ast.Continue, ast.Break)
    for place, item in enumerate(body):
        docstring = isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)
        if isinstance(item, kinds) and not docstring:
            yield _put(name, place, ast.Pass()), f"{ast.unparse(item)}: removed"


def _set(**values: Any) -> Any:
    def change(node: Any) -> None:
        for name, value in values.items():
            setattr(node, name, copy.deepcopy(value))

    return change


def _put(name: str, place: int, value: Any) -> Any:
    def change(node: Any) -> None:
        getattr(node, name)[place] = value

    return change


def _other(constant: ast.Constant) -> list[ast.Constant]:
    value = constant.value
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int | float):
        return [ast.Constant(value + 1)]
    if isinstance(value, str):
        # Another letter in a sentence changes nothing that a check could want; a missing sentence may.
        return [ast.Constant("" if " " in value else f"{value}x")]
    return []


def _around(node: Any) -> str:
    text = ast.unparse(node)
    return text.splitlines()[0][:80]


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def run(spec: Spec, pool: Judges, explained: dict[str, str], jobs: int = 2) -> Score:
    """Check all mutants of one exercise's solution."""
    score = Score(spec.id)

    def survives(mutant: Mutant) -> bool:
        # Two seeds: values that hide a change once do not hide it twice.
        return passes(mutant, 1) and passes(mutant, 2)

    def passes(mutant: Mutant, seed: int) -> bool:
        report = check_source(spec, mutant.source, seed=seed, stop_at_first=True, pool=pool)
        if UNCOUNTED in report.note:
            raise RuntimeError(f"{spec.id}: a mutant could not be checked: {report.note}")
        return report.outcome == PASSED

    found = list(mutants(spec.solution))
    with ThreadPoolExecutor(jobs) as threads:
        for mutant, survived in zip(found, threads.map(survives, found), strict=True):
            score.total += 1
            if not survived:
                score.killed += 1
            elif mutant.what in explained:
                score.explained.append(mutant.what)
            else:
                score.survivors.append(mutant.what)
    return score


def explanations(root: Path = EXERCISES) -> dict[str, dict[str, str]]:
    """The survivors that make no difference, with the reason, per exercise."""
    path = root / "survivors.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def main(ids: list[str]) -> int:
    """Print the table; 1 when a survivor is not explained or a share is below 90 %."""
    pool, known, bad = Judges(), explanations(), False
    print("| exercise | mutants | killed | share | survivors, explained | survivors, open |")
    print("|---|---:|---:|---:|---:|---:|")
    notes: list[str] = []
    total = killed = 0
    try:
        for id in ids or exercise_ids():
            score = run(load(id), pool, known.get(id, {}))
            total, killed = total + score.total, killed + score.killed
            bad |= bool(score.survivors) or score.share < 0.9
            counts = f"{len(score.explained)} | {len(score.survivors)}"
            print(f"| {id} | {score.total} | {score.killed} | {score.share:.1%} | {counts} |", flush=True)
            notes += [f"open      {id}: {what}" for what in score.survivors]
            notes += [f"explained {id}: {what}: {known[id][what]}" for what in score.explained]
    finally:
        pool.close()
    print(f"| all | {total} | {killed} | {killed / max(total, 1):.1%} | | |")
    print("\n".join(["", *notes]))
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
