"""One member of a JSON file is changed; every other byte stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.hosts.jsonc import remove_member, set_member
from labkit.hosts.reading import _parse  # pyright: ignore[reportPrivateUsage]

TEXT = """// mine
{
  "a": 1, // about a
  /* about servers */
  "mcpServers": {
    // about x
    "x": {"command": "x"} // last
  }
}
"""
keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
tables = st.dictionaries(keys, values, min_size=1, max_size=4)


def test_a_member_is_put_last_and_taken_out_again_without_a_trace() -> None:
    added = set_member(TEXT, ["mcpServers", "w"], {"command": "uvx"})
    assert added == TEXT.replace(
        '{"command": "x"} // last', '{"command": "x"}, // last\n    "w": {\n      "command": "uvx"\n    }'
    )
    assert remove_member(added, ["mcpServers", "w"]) == TEXT


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("", ["s", "w"], 1, '{\n  "s": {\n    "w": 1\n  }\n}\n'),
        ("{}", ["w"], 1, '{\n  "w": 1\n}'),
        ('{"a": 1}', ["w"], 2, '{"a": 1, "w": 2}'),
        ('{"a": 1}', ["a"], [2], '{"a": [\n    2\n  ]}'),
        ("{\n\t// empty\n}", ["w"], 1, '{\n\t// empty\n\t"w": 1\n}'),
        ('{\r\n\t"a": 1,\r\n}', ["w"], {"b": 2}, '{\r\n\t"a": 1,\r\n\t"w": {\r\n\t\t"b": 2\r\n\t},\r\n}'),
        ('\ufeff{"a": {}}', ["a", "w"], 1, '\ufeff{"a": {\n    "w": 1\n  }}'),
        ('{"a": 1, "a": 2}', ["a"], 3, '{"a": 1, "a": 3}'),
        ('{"s": "// no comment, {"}', ["w"], 1, '{"s": "// no comment, {", "w": 1}'),
    ],
)
def test_set(text: str, path: list[str], value: Any, expected: str) -> None:
    assert set_member(text, path, value) == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (TEXT, ["a"], TEXT.replace('"a": 1, // about a\n  ', "")),
        (TEXT, ["mcpServers", "x"], TEXT.replace('\n    "x": {"command": "x"} // last', "")),
        ('{"a": 1, "b": 2}', ["b"], '{"a": 1}'),
        ('{"a": 1, "b": 2}', ["a"], '{"b": 2}'),
        ('{\n  "a": 1,\n  "b": 2,\n}', ["b"], '{\n  "a": 1,\n}'),
        ('{\n  "a": 1, // one\n  "b": 2\n}', ["b"], '{\n  "a": 1 // one\n}'),
        ('{"a": {"b": 1}}', ["a", "b"], '{"a": {}}'),
    ],
)
def test_remove(text: str, path: list[str], expected: str) -> None:
    assert remove_member(text, path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "no JSON object"),
        ('{"a": 1 "b": 2}', "line 1: , or } should stand in the place of '\"'"),
        ('{\n"a": }', "line 2: a value should stand"),
        ('{"a": 1} {', "line 1: there is something behind the end"),
        ('{"w": 1}', "line 1: 'w' should be an object"),
        ('{"a": 1', "the end of the file"),
        ("{a: 1}", 'a key in "..." or }'),
        ('{"a": ' + "[" * 300, "nested too deeply"),
    ],
)
def test_what_is_no_object_is_left_alone_and_named(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        set_member(text, ["w", "x"], 1)
    assert message in str(caught.value)


def test_what_is_not_there_cannot_be_removed() -> None:
    for path in (["b"], ["b", "c"]):
        with pytest.raises(KeyError):
            remove_member('{"a": 1}', path)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(tables, keys, values, st.sampled_from([None, 2, "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_any_table_is_set_removed_and_left_as_it_was(
    table: dict[str, Any], key: str, value: Any, indent: int | str | None, newline: str
) -> None:
    text = json.dumps(table, indent=indent, ensure_ascii=False).replace("\n", newline) + newline
    changed = set_member(text, [key], value)
    assert _parse(changed)[0] == {**table, key: value}
    removed = remove_member(changed, [key])
    assert _parse(removed)[0] == {name: each for name, each in table.items() if name != key}
    if key not in table:
        assert removed == text
    for name in table:
        assert _parse(remove_member(text, [name]))[0] == {n: each for n, each in table.items() if n != name}
