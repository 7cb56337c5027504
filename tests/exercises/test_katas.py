"""The katas: enough for an interview, on its subjects, short, and without anything to install."""

from __future__ import annotations

import ast
import sys

import pytest

from labkit.grading.spec import EXERCISES, KATA_MINUTES, exercise_ids, load

KATAS = [
    id for id in exercise_ids() if "\nkata = true\n" in (EXERCISES / id / "exercise.toml").read_text(encoding="utf-8")
]
"""Found in the text: every process that collects tests does it, and to load all exercises takes half a second."""
SUBJECTS = {
    "JSON-RPC dispatcher": "33_dispatcher",
    "router": "33_router",
    "breaker": "33_breaker",
    "limiter": "27_token_bucket",
    "redactor": "33_redactor",
    "negotiation": "03_negotiate",
    "cache key": "27_cache_key",
    "MRTR loop": "33_input_required",
    "pagination": "33_pages",
    "cancellation": "33_cancelled",
    "signature check": "33_signature",
    "safe path": "20_paths",
}
"""What an interview asks for, and the kata that does."""


def test_there_are_enough_and_each_subject_has_one() -> None:
    specs = [load(id) for id in exercise_ids()]
    assert len(KATAS) >= 12
    assert [spec.id for spec in specs if spec.kata] == KATAS
    assert set(SUBJECTS.values()) <= set(KATAS)
    assert all(spec.kata for spec in specs if spec.notebook == "33_mock_interview")


@pytest.mark.parametrize("id", KATAS)
def test_a_kata_suits_an_interview(id: str) -> None:
    spec = load(id)
    assert KATA_MINUTES == (10, 30)
    assert 10 <= spec.minutes <= 30
    assert len(spec.wrong) >= 5
    if spec.range:  # a server of the range: its learner repairs one function of it
        return
    nodes = [node for source in (spec.starter, spec.solution) for node in ast.walk(ast.parse(source))]
    wanted = {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    wanted |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in wanted} <= sys.stdlib_module_names
