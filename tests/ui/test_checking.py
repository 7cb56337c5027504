"""Values against schemas: where they do not fit, in the words of someone filling in a form."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from labkit.ui import checking
from labkit.ui.checking import errors


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


CIRCLE = obj("kind", "r", kind={"const": "circle"}, r={"type": "number", "minimum": 0})
SQUARE = obj("kind", "a", kind={"const": "square"}, a={"type": "number"})
TREE = {
    "$ref": "#/$defs/T",
    "$defs": {"T": obj("v", v={"type": "integer"}, next={"anyOf": [{"$ref": "#/$defs/T"}, {"type": "null"}]})},
}

FAULTS: list[tuple[Any, Any, list[tuple[list[str | int], str]]]] = [
    (obj("a", "b", a={}), {"a": 1}, [(["b"], "a value is needed")]),
    (obj("it's", 'a"b'), {}, [(["it's"], "a value is needed"), (['a"b'], "a value is needed")]),
    ({"type": "integer"}, "x", [([], 'must be a whole number, is "x"')]),
    ({"type": "integer"}, 1.5, [([], "must be a whole number, is 1.5")]),
    ({"type": "integer"}, True, [([], "must be a whole number, is true")]),
    ({"type": ["string", "null"]}, 1, [([], "must be text or null, is 1")]),
    ({"type": "object"}, [], [([], "must be an object with members, is []")]),
    (obj(n={"minimum": 3}), {"n": 1}, [(["n"], "must be at least 3, is 1")]),
    ({"maximum": 3}, 4, [([], "must be at most 3, is 4")]),
    ({"exclusiveMinimum": 3}, 3, [([], "must be more than 3, is 3")]),
    ({"exclusiveMaximum": 3}, 3, [([], "must be less than 3, is 3")]),
    ({"multipleOf": 5}, 7, [([], "must be a multiple of 5, is 7")]),
    ({"multipleOf": 0.1}, 0.35, [([], "must be a multiple of 0.1, is 0.35")]),
    ({"minLength": 1}, "", [([], "a value is needed")]),
    ({"minLength": 3}, "ab", [([], "must have at least 3 characters, has 2")]),
    ({"maxLength": 1}, "ab", [([], "must have at most 1 character, has 2")]),
    ({"pattern": "^a+$"}, "b", [([], 'must match the pattern ^a+$, is "b"')]),
    ({"format": "date"}, "2026-02-30", [([], 'must be a date such as 2026-11-21, is "2026-02-30"')]),
    ({"format": "time"}, "10:30", [([], 'must be a time with its zone, such as 10:30:00Z, is "10:30"')]),
    (
        {"format": "date-time"},
        "2026-01-01T00:00:00",
        [([], 'must be a date and time with its zone, such as 2026-11-21T10:30:00Z, is "2026-01-01T00:00:00"')],
    ),
    ({"format": "email"}, "ada", [([], 'must be an e-mail address such as ada@example.org, is "ada"')]),
    ({"format": "uri"}, "no address", [([], 'must be an address such as https://example.org/, is "no address"')]),
    ({"enum": ["a", 1]}, "b", [([], 'must be one of "a", 1, is "b"')]),
    ({"const": "a"}, "b", [([], 'must be "a", is "b"')]),
    ({"minItems": 2}, [1], [([], "must have at least 2 items, has 1")]),
    ({"maxItems": 1}, [1, 2], [([], "must have at most 1 item, has 2")]),
    ({"uniqueItems": True}, [1, 1], [([], "must not have the same item twice")]),
    ({"items": {"type": "integer"}}, [1, "x", 2], [([1], 'must be a whole number, is "x"')]),
    ({"prefixItems": [{}], "items": False}, [1, 2], [([], "has more items than the 1 that are known here")]),
    ({"contains": {"const": 1}}, [2], [([], 'must have 1 to any number items that fit {"const": 1}')]),
    ({"properties": {"a": {}}, "additionalProperties": False}, {"x": 1, "a": 1}, [(["x"], "is not a member that is known here")]),
    ({"unevaluatedProperties": False}, {"x": 1}, [(["x"], "is not a member that is known here")]),
    ({"additionalProperties": {"type": "integer"}}, {"k": "x"}, [(["k"], 'must be a whole number, is "x"')]),
    ({"patternProperties": {"^x": {"type": "integer"}}}, {"x1": "q", "y": 1}, [(["x1"], 'must be a whole number, is "q"')]),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, [([], 'the name "ab" does not fit maxLength 1')]),
    ({"minProperties": 1}, {}, [([], "must have at least 1 member, has 0")]),
    ({"dependentRequired": {"a": ["b", "c"]}}, {"a": 1, "c": 1}, [(["b"], "a value is needed when a is given")]),
    ({"not": {"const": 1}}, 1, [([], 'must not fit {"const": 1}, is 1')]),
    (False, 1, [([], "nothing is allowed here, is 1")]),
    ({"if": obj("k"), "then": obj("n")}, {"k": 1}, [(["n"], "a value is needed")]),
    ({"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]}, 1, [([], "must be at least 3, is 1")]),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, [], [([], "must be a whole number or text, is []")]),
    ({"oneOf": [{"const": "s"}, {"const": "l"}]}, "m", [([], 'must be "s" or "l", is "m"')]),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1, [([], "fits more than one of the alternatives, and must fit exactly one")]),
    (obj(s={"oneOf": [CIRCLE, SQUARE]}), {"s": {"kind": "circle"}}, [(["s", "r"], "a value is needed")]),
    (obj(s={"oneOf": [CIRCLE, SQUARE]}), {"s": {"kind": "circle", "r": -1}}, [(["s", "r"], "must be at least 0, is -1")]),
    (obj(s={"oneOf": [CIRCLE, SQUARE]}), {"s": {"kind": "blob"}}, [(["s", "kind"], 'must be one of "circle", "square", is "blob"')]),
    (TREE, {"v": 1, "next": {"v": 2, "next": {"v": "x"}}}, [(["next", "next", "v"], 'must be a whole number, is "x"')]),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]}, ["x"], [([0], 'must be a whole number, is "x"')]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "said"), FAULTS)
def test_a_fault_is_told_at_its_place(schema: Any, value: Any, said: list[tuple[list[str | int], str]]) -> None:
    assert errors(schema, value) == [{"path": path, "message": message} for path, message in said]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"multipleOf": 0.1}, 0.3),
        ({"multipleOf": 0.01}, 1e300),
        ({"type": "integer"}, 3.0),
        ({"type": "integer"}, 2**70),
        ({"format": "date-time"}, "2026-01-01T00:00:00+02:00"),
        ({"format": "email"}, 3),
        ({"format": "of their own"}, "x"),
        ({"pattern": r"^\p{L}+$"}, "1"),  # ECMAScript's, not Python's: left to the server
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, None),
        (TREE, {"v": 1, "next": {"v": 2, "next": None}}),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, {"type": "object"}),
        (True, 1),
        ({}, {"a": [None]}),
    ],
)
def test_what_fits_is_let_pass(schema: Any, value: Any) -> None:
    assert errors(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#/$defs/Nobody"}, 'refers to "#/$defs/Nobody", which is not in it'),
        ({"$ref": "http://127.0.0.1:9/x.json"}, 'refers to "http://127.0.0.1:9/x.json", which is not in it'),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself without end"),
        ({"type": "text"}, 'asks for a type that JSON does not have: "text"'),
        ({"minimum": "x"}, "the schema is not usable"),
        ({"required": 3}, "the schema is not usable"),
        ({"properties": [1]}, "the schema is not usable"),
        ({"patternProperties": {3: {}}}, "the schema is not usable"),
        (3, "the schema is not usable"),
    ],
)
def test_the_fault_of_a_schema_is_told_as_such(schema: Any, said: str) -> None:
    value = 5 if isinstance(schema, dict) and ("minimum" in schema or "type" in schema) else {"a": 1}
    (problem,) = errors(schema, value)
    assert said in problem["message"] and problem.get("schema") is True and problem["path"] == []


WIDE = {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(40)}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/0", "$defs": WIDE | {"40": {"type": "integer"}}},
        # A part that names a draft of its own must not get away from the deadline.
        {"allOf": [{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/$defs/0"}], "$defs": WIDE | {"40": {}}},
    ],
)  # fmt: skip
def test_a_check_ends_in_time(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "PATIENCE", 0.1)
    began = time.monotonic()
    (problem,) = errors(schema, 1)
    assert time.monotonic() - began < 3 and "takes longer than 0.1 s" in problem["message"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "a" * 60 + "b"),
        ("^(a|a)*$", "a" * 60 + "b"),
        ("^(a?){40}$", "a" * 60 + "b"),
        ("a*a*a*a*a*a*b", "a" * 2000),
        ("a?" * 30 + "a" * 30, "a" * 29),
        (r"^(.*)\1x$", "a" * 20000),
    ],
)
def test_a_pattern_that_could_run_for_ever_is_left_to_the_server(pattern: str, text: str) -> None:
    began = time.monotonic()
    assert errors({"pattern": pattern}, text) == []
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("pattern", [r"^[a-z][a-z0-9_-]{2,30}$", r"^\d{4}-\d{2}$", r"^v\d+\.\d+$", "^(GET|POST)$"])
def test_an_ordinary_pattern_is_checked(pattern: str) -> None:
    assert len(errors({"pattern": pattern}, "!" * 40)) == 1


def test_problems_are_bounded_and_short() -> None:
    found = errors({"items": {"type": "integer", "enum": ["y" * 5000]}}, ["x" * 5000] * 1000)
    assert len(found) == checking.MOST and max(len(each["message"]) for each in found) < 200


def test_no_uri_grammar_is_built() -> None:
    script = (
        "from labkit.ui.checking import errors; import sys\n"
        "errors({'format': 'uri'}, 'x'); print('rfc3987_syntax' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert out.stdout.strip() == "False", out.stderr
