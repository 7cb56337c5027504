"""Words of a line, and what they mean by a schema."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.error import UsageError

from labkit.magics import words as w

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
FLAG, LIST, OBJECT = {"type": "boolean"}, {"type": "array"}, {"type": "object"}
ROOT = {"$defs": {"Speed": {"enum": ["fast", "slow"]}, "Loop": {"$ref": "#/$defs/Loop"}}}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("call add a=2  b=3", ["call", "add", "a=2", "b=3"]),
        ('call echo text="two words" x=1', ["call", "echo", 'text="two words"', "x=1"]),
        ("echo text='it is'", ["echo", "text='it is'"]),
        (r'echo text="say \"hi\" now"', ["echo", r'text="say \"hi\" now"']),
        ('echo tags=["a b", "c]"] x=1', ["echo", 'tags=["a b", "c]"]', "x=1"]),
        ('echo place={"city": "New York", "at": {"x": 1}}', ["echo", 'place={"city": "New York", "at": {"x": 1}}']),
        ("echo text=don't x=1", ["echo", "text=don't", "x=1"]),
        ("read notes://a[1]", ["read", "notes://a[1]"]),
        ('connect "npx -y server"', ["connect", '"npx -y server"']),
        ("call add a=2  # what it does", ["call", "add", "a=2"]),
        ("read notes://a#b text=#1 t='# x'", ["read", "notes://a#b", "text=#1", "t='# x'"]),
        ("", []),
    ],
)
def test_words_end_at_spaces_outside_quotes_and_brackets(line: str, words: list[str]) -> None:
    assert w.split(line) == words


@pytest.mark.parametrize(("line", "what"), [('a="b', "quote"), ("a=[1, 2", "bracket"), ('a={"b": "}', "quote")])
def test_what_is_not_closed_is_said(line: str, what: str) -> None:
    with pytest.raises(UsageError, match=f"no end: .*{what} is not closed"):
        w.split(f"call {line}")


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("2", WHOLE, 2),
        ("2", NUMBER, 2),
        ("2", TEXT, "2"),
        ("2", {}, 2),
        ("2.0", WHOLE, 2),
        ("2.5", NUMBER, 2.5),
        ('"2"', WHOLE, 2),
        ('"2"', TEXT, "2"),
        ('"2"', {"type": ["integer", "string"]}, "2"),
        ("2", {"type": ["integer", "string"]}, 2),
        ("true", FLAG, True),
        ("False", FLAG, False),
        ("true", TEXT, "true"),
        ("null", TEXT, "null"),
        ("null", {"anyOf": [WHOLE, {"type": "null"}]}, None),
        ("None", {"type": ["string", "null"]}, None),
        ("[1, 2]", LIST, [1, 2]),
        ("[1, 2]", TEXT, "[1, 2]"),
        ('{"a": {"b": [1]}}', OBJECT, {"a": {"b": [1]}}),
        ("a=b", TEXT, "a=b"),
        ("plain", {}, "plain"),
        ("", TEXT, ""),
        ("slow", {"$ref": "#/$defs/Speed"}, "slow"),
        ("2", {"enum": [1, 2, "two"]}, 2),
        ("two", {"enum": [1, 2, "two"]}, "two"),
        ("2", {"enum": ["1", "2"]}, "2"),
        ("true", {"enum": [True, "maybe"]}, True),
        ("7", {"anyOf": [{"enum": ["all"]}, WHOLE]}, 7),
        ("all", {"anyOf": [{"enum": ["all"]}, WHOLE]}, "all"),
        ("1", {"$ref": "#/$defs/Loop"}, 1),
        ("x", {"$ref": "https://elsewhere.example/schema"}, "x"),
    ],
)
def test_a_value_is_what_the_schema_says(text: str, schema: dict[str, Any], value: Any) -> None:
    found = w.typed("a", text, schema, ROOT)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "schema", "said"),
    [
        ("two", WHOLE, "'a' takes a whole number"),
        ("2.5", WHOLE, "'a' takes a whole number"),
        ("true", WHOLE, "'a' takes a whole number"),
        ("NaN", NUMBER, "'a' takes a number"),
        ("1e999", NUMBER, "'a' takes a number"),
        ("1", FLAG, "'a' takes true or false"),
        ("a,b", LIST, "'a' takes a JSON list"),
        ("[1]", OBJECT, "'a' takes a JSON object"),
        ("x", {"type": ["integer", "null"]}, "'a' takes a whole number or null"),
        ("fats", {"$ref": "#/$defs/Speed"}, "Did you mean 'fast'"),
        ("9", {"enum": [1, 2]}, "It is one of: 1, 2"),
    ],
)
def test_what_the_schema_cannot_mean_is_said(text: str, schema: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        w.typed("a", text, schema, ROOT)
    assert "%%mcp call" in str(caught.value)


def test_arguments_are_pairs() -> None:
    assert w.pairs(["a=1", "b=x=y", "c="], [], "echo") == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(UsageError, match="'2': write NAME=VALUE.* echo takes a, b"):
        w.pairs(["2"], ["a", "b"], "echo")
    with pytest.raises(UsageError, match="'a' is given twice"):
        w.pairs(["a=1", "a=2"], [], "echo")
