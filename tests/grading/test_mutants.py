"""The mutation driver breaks code in ways that matter and notices checks that do not look."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from labkit.grading.mutants import explanations, mutants, run
from labkit.grading.spec import Spec, exercise_ids, load
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


def test_explanations_name_mutants_that_exist() -> None:
    for id, known in explanations().items():
        assert id in exercise_ids()
        made = {mutant.what for mutant in mutants(load(id).solution)}
        assert set(known) <= made, f"survivors.toml explains what is no mutant of {id} any more"
