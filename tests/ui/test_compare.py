"""Two tapes side by side: what is the same, what differs by member, and the same errand run in two eras."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import labkit as lab
from labkit.errors import EraError, LabError
from labkit.ui.compare import STILL_CHARS, Comparison
from labkit.ui.compare_members import differences
from labkit.ui.compare_steps import example_arguments
from labkit.wire import Frame


def tape(*messages: dict[str, Any], era: str = "") -> lab.Tape:
    made = lab.Tape("server", transport="stdio", era=era)
    for message in messages:
        way = "received" if "result" in message or "error" in message else "sent"
        made.record(way, json.dumps({"jsonrpc": "2.0", **message}))
    return made


def frame(text: str = "", **more: Any) -> Frame:
    return Frame(1, 0.0, "received", text, **more)


def members(left: Any, right: Any) -> list[tuple[str, str, str]]:
    found = differences(frame(json.dumps(left)), frame(json.dumps(right)))
    return [(each.path, each.left, each.right) for each in found]


def test_members_are_named_by_their_path() -> None:
    assert members({"a": {"b c": [1, 2]}, "x": 1}, {"a": {"b c": [1, 3, 4]}, "y": "z"}) == [
        ('a["b c"][1]', "2", "3"),
        ('a["b c"][2]', "", "4"),
        ("x", "1", ""),
        ("y", "", '"z"'),
    ]


def test_the_id_does_not_count_and_true_is_not_one() -> None:
    assert members({"id": 1, "method": "m"}, {"id": "other", "method": "m"}) == []
    assert members({"v": True}, {"v": 1}) == [("v", "true", "1")]
    assert members({"v": None}, {}) == [("v", "null", "")]


def test_an_envelope_that_one_side_lacks_is_told_by_its_members() -> None:
    assert members({"method": "m"}, {"method": "m", "params": {"_meta": {"a.b/c": 1}}}) == [
        ('params._meta["a.b/c"]', "", "1")
    ]


def test_headers_status_and_noise_are_compared() -> None:
    left = frame("{}", headers={"date": "today", "mcp-session-id": "12"}, status=200)
    right = frame("{}", headers={"date": "later"}, status=202)
    assert [(d.path, d.word) for d in differences(left, right)] == [
        ("HTTP status", "changed"),
        ("header mcp-session-id", "only left"),
    ]
    assert [d.path for d in differences(frame("noise"), frame("other noise"))] == ["text"]


def test_deep_and_many_differences_are_bounded() -> None:
    deep = frame('{"a":' * 900 + "1" + "}" * 900)
    assert len(differences(deep, frame('{"a":' * 900 + "2" + "}" * 900))) == 1
    many = [{str(n): n + by for n in range(5000)} for by in (0, 1)]
    assert len(members(*many)) == 200
    (found,) = differences(frame(json.dumps({"x": "a" * 10_000})), frame(json.dumps({"x": 1})))
    assert len(found.left) < 3_000 and "more characters" in found.left


@pytest.mark.anyio
async def test_pairs_are_marked_and_open_to_their_differences() -> None:
    call = {"id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1}}}
    changed = {"id": 7, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 2}}}
    left = tape({"id": 0, "method": "ping"}, {"id": 5, "method": "tools/list"}, call, era="2025-11-25")
    right = tape({"id": 9, "method": "tools/list"}, changed, {"method": "notifications/x"}, era="2026-07-28")
    panel = lab.timeline(left, right)
    got = await panel.respond("pairs", {})
    assert [(mark, bool(a), bool(b)) for mark, a, b in got["pairs"]] == [
        ("left", True, False),
        ("same", True, True),
        ("changed", True, True),
        ("right", False, True),
    ]
    assert got["words"]["left"] == "− only in 2025-11-25" and got["words"]["same"] == "= same"
    pair = await panel.respond("pair", {"at": 2})
    assert pair["differences"] == [["params.arguments.a", "1", "2"]]
    assert (await panel.respond("pair", {"at": 0}))["right"] is None
    with pytest.raises(LabError, match="no pair 4"):
        await panel.respond("pair", {"at": 4})
    assert "≠ → tools/call add" in panel.text() and "only in 2026-07-28" in panel.still()


@pytest.mark.anyio
async def test_loaded_tapes_are_compared_and_named_apart(tmp_path: Path) -> None:
    one = tape({"id": 1, "method": "ping"})
    paths = [one.save(tmp_path / f"{n}.jsonl") for n in range(2)]
    panel = lab.timeline(*(lab.Tape.load(path) for path in paths))
    assert (await panel.respond("pairs", {}))["pairs"][0][0] == "same"
    assert panel.label == "Comparison of the left and the right"


@pytest.mark.anyio
async def test_a_tape_that_grows_is_compared_anew() -> None:
    left, right = tape({"id": 1, "method": "ping"}), tape()
    panel = lab.timeline(left, right)
    assert len((await panel.respond("pairs", {}))["pairs"]) == 1
    right.record("sent", '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert [mark for mark, *_ in (await panel.respond("pairs", {}))["pairs"]] == ["same"]


def test_the_still_is_bounded_and_has_no_script() -> None:
    big = [{"id": n, "method": "tools/call", "params": {"name": f"<b>{n}", "x": "y" * 5000}} for n in range(200)]
    still = Comparison(tape(*big), tape()).still()
    assert len(still) < 1.2 * STILL_CHARS and "more pairs" in still and "<b>" not in still
    assert re.search(r"<script|<style|\son\w+=", still) is None


@pytest.mark.anyio
async def test_eras_are_compared_with_the_same_first_steps() -> None:
    panel = await lab.compare_eras("calculator")
    assert panel.results == {"2025-11-25": ["call add"], "2026-07-28": ["call add"]} and panel.notes == ()
    marks = [(mark, (b or a)[6]) for mark, a, b in (await panel.respond("pairs", {}))["pairs"]]
    assert ("left", "initialize") in marks and ("right", "server/discover") in marks
    assert ("envelope", "tools/call add") in marks and "changed" not in {mark for mark, _ in marks}
    assert lab.connections().empty if hasattr(lab.connections(), "empty") else not list(lab.connections())


@pytest.mark.anyio
async def test_own_steps_run_once_in_each_era_and_a_refusal_is_noted() -> None:
    eras: list[str] = []

    async def steps(conn: Any) -> Any:
        eras.append(conn.era)
        if conn.era == "2026-07-28":
            await conn.ping()
        return (await conn.call("add", a=2, b=3)).data

    panel = await lab.compare_eras("calculator", steps)
    assert eras == ["2025-11-25", "2026-07-28"] and panel.results == {"2025-11-25": 5}
    assert len(panel.notes) == 1 and "2026-07-28 has no ping" in panel.notes[0]
    assert panel.notes[0] in (await panel.respond("pairs", {}))["notes"]


@pytest.mark.anyio
async def test_a_server_of_one_era_leaves_the_other_column_empty() -> None:
    from mcp import MCPError
    from mcp.server import MCPServer

    async def modern_only(ctx: Any, call_next: Any) -> Any:
        if ctx.method == "initialize":
            raise MCPError(-32022, "Unsupported protocol version", {"supported": ["2026-07-28"], "requested": "?"})
        return await call_next(ctx)

    young = MCPServer("young", middleware=[modern_only], log_level="WARNING")
    panel = await lab.compare_eras(young)
    assert len(panel.left) == 0 and len(panel.right) > 0 and panel.notes[0].startswith("2025-11-25: ")
    with pytest.raises(EraError):
        await lab.compare_eras(young, eras=("2025-11-25", "2025-06-18"))


def test_example_values_satisfy_what_is_required() -> None:
    schema = {
        "type": "object",
        "required": ["n", "text", "day", "mode", "home", "tags", "maybe", "kept"],
        "$defs": {"Home": {"type": "object", "required": ["zip"], "properties": {"zip": {"type": "integer"}}}},
        "properties": {
            "n": {"type": "integer", "minimum": 10},
            "text": {"type": "string", "minLength": 9, "maxLength": 9},
            "day": {"type": "string", "format": "date"},
            "mode": {"enum": ["fast", "slow"]},
            "home": {"$ref": "#/$defs/Home"},
            "tags": {"type": "array", "minItems": 1, "items": {"type": "number", "maximum": 1}},
            "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            "kept": {"type": "string", "default": "as it is"},
            "left_out": {"type": "string"},
        },
    }
    import jsonschema

    made = example_arguments(schema)
    jsonschema.validate(made, schema)
    assert made["kept"] == "as it is" and "left_out" not in made
    assert example_arguments({"$ref": "#"}) == {} and example_arguments({"properties": 3, "required": 4}) == {}
