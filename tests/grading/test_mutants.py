"""The mutation driver breaks code in ways that matter and notices checks that do not look."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from labkit.grading.mutants import explanations, mutants, run
from labkit.grading.spec import EXERCISES, Spec, exercise_ids, load
from labkit.grading.warm import Judges


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("x = a + b", "x = a - b"),
        ("x = a <= b", "x = a < b"),
        ("x = a and b", "x = a or b"),
        ("x = 3", "x = 4"),
        ("x = True", "x = False"),
        ("x = 'word'", "x = 'wordx'"),
        ("def f(a: int):\n    return a", "def f(a: str):\n    return a"),
        ("def f(a):\n    return a", "def f(a):\n    return None"),
        ("@d\ndef f(a):\n    g(a)", "def f(a):\n    g(a)"),
        ("if a:\n    b()", "if not a:\n    b()"),
        ("x = [i for i in y if i]", "x = [i for i in y]"),
        ("x = {'a': 1, 'b': y}", "x = {'a': 1}"),
        ("x = f'hello {y}'", "x = f'hello …'"),
    ],
)
def test_it_makes_the_change(source: str, wanted: str) -> None:
    assert ast.unparse(ast.parse(wanted)) in [mutant.source for mutant in mutants(source)]


def test_docstrings_are_left_alone_and_no_mutant_comes_twice() -> None:
    source = 'def f(a):\n    """What it does."""\n    return a + 1\n'
    found = [mutant.source for mutant in mutants(source)]
    assert all("What it does." in text for text in found)
    assert len(found) == len(set(found))


def test_a_check_that_does_not_look_is_found_out(spec: Spec, pool: Judges) -> None:
    score = run(spec, pool, {})
    assert score.total == score.killed > 0
    blind = spec.checks_file.read_text(encoding="utf-8").replace(
        "expect(submission.call", "submission.call if 0 else ("
    )
    blind = blind.split("    number =")[0] + '    submission.call("double", 1)\n'
    Path(spec.checks_file).write_text(blind, encoding="utf-8")
    score = run(load("toy", spec.folder.parent), pool, {})
    assert score.survivors


@functools.cache
def made(id: str) -> list[str]:
    """What is changed by the mutants of a solution."""
    return [mutant.what for mutant in mutants(load(id).solution)]


def test_the_checks_notice_nine_of_ten(pool: Judges) -> None:
    score = run(load("27_cache_key"), pool, {})
    assert score.total > 5 and score.share >= 0.9


def test_the_table_is_of_these_solutions_and_no_share_is_below_nine_of_ten() -> None:
    page = (EXERCISES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| [\d.]+% \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    known = explanations()
    assert [row[0] for row in rows] == [*exercise_ids(), "all"]
    for id, *counts in rows[:-1]:
        total, killed, explained, left = map(int, counts)
        assert total == len(made(id)), f"make mutants: {id} has changed since the table was made"
        assert (left, killed) == (0, total - explained), id
        assert explained >= len(known.get(id, {})) and bool(explained) == (id in known), (
            f"{id}: an explanation too many"
        )
        assert killed >= 0.9 * total, id
    sums = [sum(int(row[place]) for row in rows[:-1]) for place in (1, 2, 3, 4)]
    assert sums == [int(number) for number in rows[-1][1:]]


def test_explanations_name_mutants_that_exist() -> None:
    for id, known in explanations().items():
        assert id in exercise_ids()
        assert set(known) <= set(made(id)), f"survivors.toml explains what is no mutant of {id} any more"
