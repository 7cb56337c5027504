"""Inputs from schemas, the search for harmful ones, and that it ends, repeats itself and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.catalog import SERVERS
from labkit.testbench import certify, search
from labkit.testbench.bench import Bench, Options
from labkit.testbench.fuzz import right_inputs
from labkit.testbench.fuzz_sequence import values_of, with_earlier
from labkit.testbench.inputs import extremes, wrong
from labkit.testbench.raw import Answer
from labkit.testbench.schemas import misfit
from labkit.testbench.search import Hunt, hunt
from labkit.testbench.strategies import Impossible, right

BROKEN = SERVERS / "broken"
TREE = {
    "type": "object",
    "$defs": {
        "Node": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}
    },
    "properties": {"root": {"$ref": "#/$defs/Node"}},
    "required": ["root"],
    "additionalProperties": False,
}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3, "maximum": 5}}, "required": ["a"]},
    {
        "type": "object",
        "properties": {"a": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}},
        "required": ["a"],
    },
    {"type": "object", "properties": {"a": {"type": "string", "minLength": 2, "maxLength": 3}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-c]{2}-x$"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "string", "format": "date"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"enum": [1, "x"]}]}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"oneOf": [{"type": "integer"}, {"minimum": 5}]}}, "required": ["a"]},
    {
        "type": "object",
        "properties": {"a": {"type": "array", "uniqueItems": True, "minItems": 2, "items": {"type": "integer"}}},
    },
    {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"const": 1}, {"type": "string"}]}}},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "object", "allOf": [{"properties": {"a": {"const": 1}}}, {"required": ["a"]}]},
    {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "dependentRequired": {"a": ["b"]}},
    {"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]},
    TREE,
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_right_arguments_fit(schema: dict[str, Any]) -> None:
    seen: list[Any] = []

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(right(schema))
    def look(value: Any) -> None:
        seen.append(value)
        assert misfit(schema, value) == ""
        json.dumps(value, allow_nan=False)

    look()
    assert seen


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "no arguments that could be made"),
        (
            {"type": "object", "properties": {"a": {"$ref": "https://example.org/x"}}},
            "refers to 'https://example.org/x'",
        ),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "a pattern that Python does not understand"),
        ({"type": "object", "properties": {"a": {"type": "array", "minItems": 99_999}}}, "asks for minItems 99999"),
        ({"type": "object", "required": 3}, "nothing can be made from its schema"),
    ],
)
def test_what_cannot_be_made_is_said(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(Impossible, match=why.replace("(", r"\(")):
        right(schema)


def test_times_to_wait_stay_short() -> None:
    schema = {"type": "object", "properties": {"seconds": {"type": "number", "minimum": 0}}, "required": ["seconds"]}

    @settings(max_examples=30, deadline=None, database=None)
    @given(right(schema))
    def look(value: Any) -> None:
        assert 0 <= value["seconds"] <= 0.01

    look()
    assert list(extremes(schema, {"seconds": 0})) == []


def test_wrong_arguments_do_not_fit_and_say_why() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 9},
            "s": {"type": "string", "minLength": 2, "maxLength": 4},
            "e": {"enum": ["a", "b"]},
        },
        "required": ["n"],
        "additionalProperties": False,
    }
    made = dict(wrong(schema, {"n": 5}))
    assert all(misfit(schema, arguments) for arguments in made.values())
    assert made["'n' is left out"] == {} and made["'n' is beyond its minimum"] == {"n": 0}
    assert made["'s' is too long"] == {"n": 5, "s": "xxxxx"} and made["'e' is none of its choices"]
    assert made["there is an argument of another name"] == {"n": 5, "testbenchUnknown": 1}
    open_one = {"type": "object", "properties": {"a": {"description": "Anything."}}}
    assert list(wrong(open_one, {})) == []


def test_extremes_fit_where_the_schema_sets_no_limit() -> None:
    schema = {"type": "object", "properties": {"s": {"type": "string", "maxLength": 10}, "n": {"type": "integer"}}}
    made = [(name, value) for name, value, _ in extremes(schema, {})]
    assert all(not misfit(schema, {name: value}) for name, value in made)
    assert ("s", "a\x00b") in made and ("s", "x" * 10) in made and ("n", 10**400) in made
    harsh = {value for _, value, must in extremes(schema, {}) if not must}
    assert "\ud800" in harsh


async def hunted(trial: Any, strategy: Any = None, seconds: float = 20.0, **changes: Any) -> Hunt:
    options: dict[str, Any] = {"number": 0, "most": 50, "least": 50} | changes
    end = time.monotonic() + seconds
    return await hunt(st.integers() if strategy is None else strategy, trial, until=end, latest=end, **options)


@pytest.mark.anyio
async def test_a_search_that_ends_at_two_places_at_once_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """hypothesis, told twice to end, raises both as a group."""

    def ended() -> None:
        raise BaseExceptionGroup("two", [search._Enough(), search._Enough()])

    monkeypatch.setattr(search, "seed", lambda number: lambda test: ended)
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    found = await hunted(lambda value: None)
    gc.collect()
    await asyncio.sleep(0)
    assert found.found == {} and told == []


@pytest.mark.anyio
async def test_what_is_found_is_shrunk_by_kind() -> None:
    async def trial(value: int) -> str:
        return "big" if value > 1000 else "negative" if value < -7 else ""

    found = (await hunted(trial)).found
    assert found["big"][0] == 1001 and found["negative"][0] == -8


@pytest.mark.anyio
async def test_the_loop_stays_free_and_a_search_that_is_cancelled_ends() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def trial(_: int) -> str:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    task = asyncio.create_task(hunted(trial))
    await asyncio.wait_for(asked.wait(), 20)  # this loop went on while hypothesis waits for the answer
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.anyio
async def test_a_search_ends_in_time_though_one_input_hangs() -> None:
    async def trial(_: int) -> str:
        await asyncio.Event().wait()
        return ""

    began = time.monotonic()
    assert (await hunted(trial, seconds=0.5)).tried == 0
    assert time.monotonic() - began < 10


@pytest.mark.anyio
async def test_nothing_that_fits_is_a_reason() -> None:
    async def trial(_: int) -> str:
        return ""

    made = await hunted(trial, st.integers().filter(lambda _: False))
    assert made.tried == 0 and "no arguments could be made" in made.why


SAME = """
import asyncio, hashlib, json, sys, time
sys.path[:0] = json.loads(sys.argv[2])
{more}
from labkit.testbench.search import hunt
from labkit.testbench.strategies import right

seen = []
async def main():
    async def trial(value):
        seen.append(value)
        return ""
    schema = {{"type": "object", "properties": {{"s": {{"type": "string"}}, "n": {{"type": "integer"}}, "p": {{"pattern": "^a+b?$"}}}},
              "required": ["n", "p", "s"]}}
    end = time.monotonic() + 60
    await hunt(right(schema), trial, number=int(sys.argv[1]), most=30, least=30, until=end, latest=end)
asyncio.run(main())
print(hashlib.sha256(json.dumps(seen).encode()).hexdigest(), len(seen))
"""


def test_one_seed_one_set_of_inputs_wherever_it_runs_and_no_files(tmp_path: Path) -> None:
    def run(seed: int, more: str) -> str:
        code = SAME.format(more=more)
        path = json.dumps([str(SERVERS.parent), str(tmp_path)])
        command = [sys.executable, "-c", code, str(seed), path]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=100, check=True)
        assert done.stderr == ""
        return done.stdout

    (tmp_path / "local_code.py").write_text("NUMBERS = [123456789, 424242]\nTEXT = 'a constant'\n", encoding="utf-8")
    first = run(0, "")
    assert run(0, "import local_code") == first != run(1, "")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["local_code.py"]


@pytest.mark.anyio
async def test_a_counterexample_is_small_and_can_be_copied() -> None:
    target = [sys.executable, str(BROKEN / "crashes_on_empty.py")]
    before = threading.active_count()
    certificate = await certify(target, only=["fuzz.valid"], allow_destructive=True, seed=3)
    (_, finding), *others = certificate.findings
    assert not others and finding.call == "await conn.call('mean', {'numbers': []}, check=False)"
    assert finding.message.startswith("the server ended (seed 3, ") and finding.subject == "tool mean"
    assert '"numbers": []' in finding.sent
    assert threading.active_count() <= before + 2  # the loop's own threads


@pytest.mark.anyio
async def test_a_sequence_is_shrunk_to_what_it_takes() -> None:
    target = [sys.executable, str(BROKEN / "forgets_what_it_deleted.py")]
    certificate = await certify(target, only=["fuzz.sequence"], allow_destructive=True)
    (_, finding), *others = certificate.findings
    lines = finding.call.splitlines()
    assert not others and len(lines) >= 3 and "'read_note'" in lines[-1]
    assert any("'delete_note'" in line for line in lines) and any("'create_note'" in line for line in lines)


@pytest.mark.anyio
async def test_only_read_only_tools_are_called_unless_more_is_allowed() -> None:
    target = [sys.executable, str(BROKEN / "crashes_on_empty.py")]
    certificate = await certify(target, only=["fuzz"])
    assert {r.status for r in certificate.results} == {"skipped"}
    assert all("--allow-destructive only" in r.reason for r in certificate.results)


@pytest.mark.anyio
async def test_each_tool_gets_its_inputs() -> None:
    async with Bench("calculator", Options()) as bench:
        run = await right_inputs(bench)
    assert set(run.hunts) >= {"add", "divide", "evaluate"} and run.skipped == {}
    assert all(made.tried for made in run.hunts.values()) and not any(made.found for made in run.hunts.values())


def test_values_of_results_are_used_again() -> None:
    result = {"content": [{"type": "text", "text": "Created note: n-7"}], "structuredContent": {"id": 12, "ok": True}}
    answer = Answer("result", "", message={"result": result})
    assert list(values_of(answer)) == ["Created note: n-7", "note", "n-7", 12]
    tool = {"inputSchema": {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}}
    given = with_earlier(tool, {"id": 1, "name": "x"}, ["n-7", 12], [(0, 0), (0, 1), (1, 1)])
    assert given == {"id": 12, "name": "n-7"}  # a text is no id


REMOTE = """
import sys
sys.path.insert(0, {folder!r})
from _plain import Plain

schema = {{"type": "object", "properties": {{"a": {{"$ref": "https://example.org/a.json"}}}}, "required": ["a"]}}
Plain({{"remote": (schema, lambda arguments: "done")}}).run()
"""


@pytest.mark.anyio
async def test_a_schema_that_nothing_can_be_made_from_is_told(tmp_path: Path) -> None:
    file = tmp_path / "remote.py"
    file.write_text(REMOTE.format(folder=str(BROKEN)), encoding="utf-8")
    certificate = await certify([sys.executable, str(file)], only=["fuzz"], allow_destructive=True)
    (_, finding), *others = certificate.findings
    assert not others and finding.severity == "info" and finding.subject == "tool remote"
    assert finding.message == "not tried: its schema refers to 'https://example.org/a.json'"
