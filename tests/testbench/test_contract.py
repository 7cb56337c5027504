"""The contract checks, piece by piece. That each broken server is found, and no good one blamed, is in test_verdicts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from labkit.catalog import SERVERS
from labkit.testbench import certify
from labkit.testbench.contract import skeleton, well_formed
from labkit.testbench.inputs import literal
from labkit.testbench.schemas import expand, fault, misfit

BROKEN = SERVERS / "broken"

PLAIN = """
import sys
sys.path.insert(0, {folder!r})
from _plain import Plain

class Made(Plain):
    seconds = 0

    def listing(self):
        return {tools!r}

    def capabilities(self):
        return super().capabilities() | {{"resources": {{}}}}

    def answer(self, method, params):
        import time
        if method == "resources/list":
            return {{"resources": [{{"uri": "r://x", "name": "x"}}]}}
        if method == "resources/templates/list":
            return {{"resourceTemplates": []}}
        if method == "resources/read":
            return {{"contents": [{{"uri": "r://x", "text": str({shown})}}]}}
        return super().answer(method, params)

    def call(self, params):
        if params.get("name") == "testbench-no-such-tool":
            return super().call(params)
        self.seconds += 1
        return {result!r}

Made({{}}).run()
"""


def server(tmp_path: Path, *tools: dict[str, Any], result: Any = None, shown: str = "1") -> list[str]:
    """A command that lists these tools, and answers every call alike; `shown` is the text of its one resource."""
    file = tmp_path / "made.py"
    listed = [{"name": "t", "description": "Does a thing.", "inputSchema": {"type": "object"}} | tool for tool in tools]
    answer = result or {"content": [{"type": "text", "text": "done"}]}
    source = PLAIN.format(folder=str(BROKEN), tools=listed, result=answer, shown=shown)
    file.write_text(source, encoding="utf-8")
    return [sys.executable, str(file)]


async def findings(target: Any, only: str, **options: Any) -> list[tuple[str, str]]:
    certificate = await certify(target, only=[only], **options)
    assert [r.reason for r in certificate.results if r.status == "broken"] == []
    return [(finding.severity or result.check.severity, finding.message) for result, finding in certificate.findings]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("add", "Add", True),
        ("send", "ѕеnd", True),  # Cyrillic
        ("file1", "filel", True),
        ("pay\u200b", "pay", True),
        ("cafe\u0301", "café", True),
        ("add", "sub", False),
        ("step2", "step3", False),
        ("get_user", "get_users", False),
    ],
)
def test_names_that_look_alike(one: str, other: str, alike: bool) -> None:
    assert (skeleton(one) == skeleton(other)) == alike


@pytest.mark.parametrize(
    "template", ["a://b", "a://{b}", "a://{+b,c}", "a://{b:3}/{c*}", "a{?x,y}{&z}", "a{/p}", "a{%20b}"]
)
def test_templates_that_can_be_filled_in(template: str) -> None:
    assert well_formed(template)


@pytest.mark.parametrize(
    "template", ["a://{b", "a://b}", "a://{}", "a://{b c}", "a://{{b}}", "a://{b:0}", "a b", "a://{b,}"]
)
def test_templates_that_can_not(template: str) -> None:
    assert not well_formed(template)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {}}}, ""),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{}]}, ""),
        ({"items": [{}]}, "items"),
        ({"type": "strnig"}, "type"),
        ({"required": "a"}, "required"),
        ({"properties": {"a": {"$ref": "#/$defs/B"}}}, "'#/$defs/B' leads nowhere"),
        (None, "not an object"),
        ({"minimum": "1"}, "minimum"),
    ],
)
def test_what_is_wrong_with_a_schema(schema: Any, said: str) -> None:
    assert (said in fault(schema)) if said else fault(schema) == ""


def test_a_hostile_schema_takes_no_time() -> None:
    bomb: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(20)}
    schema = {"$ref": "#/$defs/d0", "$defs": bomb | {"d20": {}}}
    assert expand(schema)
    assert misfit({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 60 + "!"}) == ""
    assert misfit({"$ref": "https://example.org/schema.json"}, 1) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, True]}, "{'a': [1, None, True]}"),
        ("x" * 100_000, "'x' * 100000"),
        ("é\ud800", r"'\xe9\ud800'"),
        ("ab" * 300, "'ab' * 300"),
    ],
)
def test_a_value_can_be_copied_into_python(value: Any, text: str) -> None:
    assert literal(value) == text and eval(text) == value


@pytest.mark.anyio
async def test_what_is_not_described_is_advice(tmp_path: Path) -> None:
    made = server(
        tmp_path,
        {"name": "a", "inputSchema": {"type": "object", "properties": {"x": {"type": "string"}}}},
        {"name": "b", "description": "B"},
        {"name": "c", "inputSchema": {"type": "object", "properties": {"x": {"description": "Whatever you like."}}}},
    )
    assert await findings(made, "contract.arguments") == [("info", "no description: x")]
    assert await findings(made, "contract.descriptions") == [("info", "the tool b says only 'B'")]
    assert [severity for severity, _ in await findings(made, "contract.free-for-all")] == ["info"]


@pytest.mark.anyio
async def test_required_members_are_looked_for_at_every_depth(tmp_path: Path) -> None:
    inner = {"type": "object", "properties": {"x": {}}, "required": ["y"]}
    either = {"type": "object", "properties": {"x": {}}, "anyOf": [{"required": ["x"]}, {"required": ["z"]}]}
    made = server(
        tmp_path,
        {"name": "a", "inputSchema": {"type": "object", "properties": {"p": {"type": "array", "items": inner}}}},
        {"name": "b", "inputSchema": either},
    )
    assert await findings(made, "contract.required") == [("error", "'y' is required, and not among the properties")]


@pytest.mark.anyio
async def test_hints_of_a_wrong_type(tmp_path: Path) -> None:
    made = server(tmp_path, {"annotations": {"readOnlyHint": "yes"}}, {"name": "b", "annotations": []})
    assert await findings(made, "contract.annotations") == [
        ("warning", "readOnlyHint is 'yes', neither true nor false"),
        ("warning", "annotations is [], not an object"),
    ]


READING = {"annotations": {"readOnlyHint": True}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("shown", "names", "blamed"),
    [
        ("self.seconds", "a", True),
        ("self.seconds", "ab", False),  # each tool changes it: it counts calls
        ("time.time()", "a", False),  # a clock
        ("int(time.time())", "a", False),
        ("1", "a", False),
    ],
)
async def test_only_what_a_tool_itself_changes_is_held_against_it(
    tmp_path: Path, shown: str, names: str, blamed: bool
) -> None:
    made = server(tmp_path, *({"name": name} | READING for name in names), shown=shown)
    found = await findings(made, "contract.read-only")
    assert [message for _, message in found] == ["readOnlyHint is true, and a call changes the resource r://x"] * blamed


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"content": [], "structuredContent": {"n": 1}}, None),
        ({"content": []}, "there is an output schema, and no structuredContent"),
        ({"content": [], "structuredContent": {"n": "1"}}, "n: '1' is not of type 'integer'"),
        ({"content": [], "isError": True}, None),
    ],
)
async def test_results_are_held_against_their_schema(tmp_path: Path, result: Any, said: str | None) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    made = server(tmp_path, {"outputSchema": schema} | READING, result=result)
    found = {message for _, message in await findings(made, "contract.output")}
    assert found == ({said} if said else set())


@pytest.mark.anyio
async def test_tools_that_change_things_are_left_alone_unless_allowed(tmp_path: Path) -> None:
    made = server(tmp_path, {"annotations": {"idempotentHint": True}}, shown="self.seconds")
    certificate = await certify(made, only=["contract.idempotent"])
    assert "--allow-destructive only" in certificate.results[0].reason
    assert len(await findings(made, "contract.idempotent", allow_destructive=True)) == 1
