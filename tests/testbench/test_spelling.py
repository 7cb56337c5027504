"""Schemas of two SDKs written in one way: spelling goes, substance stays."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.testbench import snapshot
from labkit.testbench.spelling import plain, plain_schema

PYDANTIC = {
    "$defs": {"Day": {"title": "Day", "type": "object", "properties": {"title": {"title": "Title", "type": "string"}}}},
    "properties": {
        "rain": {"anyOf": [{"type": "number"}, {"type": "null"}], "title": "Rain"},
        "days": {"items": {"$ref": "#/$defs/Day"}, "title": "Days", "type": "array"},
    },
    "required": ["rain"],
    "title": "Forecast",
    "type": "object",
}
ZOD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "rain": {"type": ["null", "number"]},
        "days": {"type": "array", "items": {"type": "object", "properties": {"title": {"type": "string"}}}},
    },
    "required": ["rain"],
}


def test_two_spellings_of_one_schema_are_equal_and_a_member_called_title_stays() -> None:
    assert plain_schema(PYDANTIC) == plain_schema(ZOD)
    assert plain_schema(ZOD)["properties"]["days"]["items"]["properties"] == {"title": {"type": "string"}}


@pytest.mark.parametrize(
    "changed",
    [
        {**ZOD, "additionalProperties": False},
        {**ZOD, "properties": {**ZOD["properties"], "rain": {"type": "number"}}},  # type: ignore[dict-item]
        {**ZOD, "properties": {**ZOD["properties"], "rain": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}}},  # type: ignore[dict-item]
        {**ZOD, "required": []},
        {**ZOD, "description": "Another."},
    ],
)  # fmt: skip
def test_what_changes_the_values_or_the_words_stays(changed: Any) -> None:
    assert plain_schema(changed) != plain_schema(PYDANTIC)


def test_a_snapshot_is_compared_without_its_hashes() -> None:
    def taken(schema: Any) -> Any:
        return snapshot.of_items({"tools/list": [{"name": "forecast", "inputSchema": schema}]}, "Ask.")

    ours, theirs = taken(PYDANTIC), taken(ZOD)
    assert snapshot.diff(ours, theirs) and snapshot.diff(plain(ours), plain(theirs)) == []
    assert "hash" in ours["tools"]["forecast"], "the one given is left as it is"
    assert [change.path for change in snapshot.diff(plain(ours), plain(taken({**ZOD, "required": []})))] == [
        "inputSchema.required"
    ]
