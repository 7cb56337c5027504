"""Arguments that cannot become JSON are named before anything is sent: on every transport, in both eras."""

from __future__ import annotations

import datetime
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labkit as lab
from labkit.session import sync
from labkit.session.listing import explain_arguments
from labkit.session.sendable import check_sendable, cut

NAN, HALF = float("nan"), "1+\ud800"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@dataclass
class Point:
    x: float


class Table:
    """What a pandas DataFrame has."""

    def to_dict(self, orient: str) -> list[Any]:
        return [orient]


class Odd(Enum):
    """An enumeration is as good as its values."""

    FINE = 1
    WORDLESS = object()


def refusal(**values: Any) -> str:
    with pytest.raises(lab.ArgumentsError) as caught:
        check_sendable(values, "Not sent")
    assert caught.value.__suppress_context__, "a script shows one error"
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.int64(2), "a is a numpy.int64, which JSON has no word for: convert it, int(a)."),
        (np.float32(2), "a is a numpy.float32, which JSON has no word for: convert it, float(a)."),
        (np.bool_(True), "which JSON has no word for: convert it, bool(a)."),
        (np.datetime64("2026-01-01"), "convert it, str(a)."),
        (np.array([1]), "a is a numpy.ndarray, which JSON has no word for: convert it, a.tolist()."),
        (Table(), "convert it, a.to_dict('records')."),
        (object(), "a is an object, which JSON has no word for: make it of text, numbers,"),
        (range(3), "a is a range, which JSON has no word for: convert it, list(a)."),
        ((n for n in range(3)), "a is a generator, which JSON has no word for: convert it, list(a)."),
        (Odd.WORDLESS, "which JSON has no word for: make it of text"),
        (len, "give a value, not what makes one."),
        (b"\xff", "give text, such as base64.b64encode(a).decode()."),
        ({"rows": [{"price": np.int64(2)}]}, "a['rows'][0]['price'] is a numpy.int64"),
        ({"x y": ["fine", HALF]}, "a['x y'][1] has half a character, U+D800, at index 2 (a lone surrogate)"),
        ({HALF: 1}, "a name in a, '1+\\ud800', has half a character"),
        ({(1, object()): 1}, "is a tuple, and JSON has only text there"),
        (NAN, "a is nan, and JSON has no such number (it would arrive as null): leave it out"),
        ([1, -float("inf")], "a[1] is -inf, and JSON has no such number"),
        (np.float64("nan"), "a is nan, and"),
        (Point(NAN), "a['x'] is nan, and"),
        ({1.0, NAN}, "is nan, and"),
        (10**5000, "a is an integer with more digits than Python writes: give it as text, hex(a)."),
        (endless(), "a[0] contains itself"),
        (nested(300), "levels deep, and the SDK writes no more: give it as text."),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_json_has_no_word_for_is_named_with_what_to_do(value: Any, said: str) -> None:
    told = refusal(fine="x", a=value)
    assert told.startswith("Not sent: ") and said in told and len(told) < 400


def test_a_generator_is_not_used_up_by_looking() -> None:
    given = iter([1, 2])
    refusal(a=[given])
    assert list(given) == [1, 2]


def test_a_place_without_a_python_name_is_still_shown() -> None:
    assert "arguments['my-a'] is a numpy.int64" in refusal(**{"my-a": np.int64(1)})
    assert "Not sent: the name '1+\\ud800' has half a character" in refusal(**{HALF: 1})
    for name in ("x " * 9999, "x" * 9999):
        assert len(refusal(**{name: [object()]})) < 400


def test_what_the_sdk_can_write_is_let_through() -> None:
    many: dict[str, Any] = OrderedDict(
        a=(1, 2), b={1}, c=datetime.date(2026, 1, 1), d=Path("x"), e=Point(1.0), f=b"text", g=10**400
    )
    check_sendable(
        {**many, "h": {1: None, None: True}, "i": np.float64(2), "j": "\x00é🎉", "k": nested(240), "l": Odd.FINE}, "no"
    )


def test_every_depth_is_sent_or_refused() -> None:
    """The SDK writes the request around the arguments too: nothing that the look lets through may be too deep."""
    from mcp_types import CallToolRequest, CallToolRequestParams

    kept = 0
    for levels in range(240, 262):
        try:
            check_sendable({"a": nested(levels)}, "Not sent")
        except lab.ArgumentsError:
            continue
        kept += 1
        params = CallToolRequestParams(name="add", arguments={"a": nested(levels)})
        CallToolRequest(params=params).model_dump(mode="json", by_alias=True)
    assert 0 < kept < 22


@pytest.mark.anyio
async def test_nothing_is_sent_and_the_connection_goes_on(probe: Any) -> None:
    mark = probe.tape.count
    odd: list[dict[Any, Any]]
    odd = [{"a": np.int64(2)}, {"a": NAN}, {"a": HALF}, {"a": 10**5000}, {"a": object()}, {1: 2}]
    for wrong in odd:
        for check in (True, False):
            with pytest.raises(lab.ArgumentsError, match=r"^Tool 'add' was not called: .*\.$"):
                await probe.call("add", {**wrong, "b": 1}, check=check)
    for wrong in ({"code": HALF}, {1: "x"}):
        with pytest.raises(lab.ArgumentsError, match="^Prompt 'review' was not asked for: "):
            await probe.prompt("review", wrong)
    for doing in (
        lambda: probe.call(None),
        lambda: probe.call(3, check=False),
        lambda: probe.call(HALF, check=False),
        lambda: probe.prompt(None),
        lambda: probe.read(HALF),
        lambda: probe.read(None),
        lambda: probe.complete("review", "language", HALF),
        lambda: probe.complete("review", "language", "p", {"code": 1}),
        lambda: probe.subscribe(HALF),
        lambda: probe.send("tools/call", {"name": "add", "arguments": {"a": NAN}}),
        lambda: probe.send("tools/list", [1]),
        lambda: probe.notify("notifications/x", {"a": object()}),
    ):
        with pytest.raises(lab.ArgumentsError):
            await doing()
    assert [frame.method for frame in probe.tape.since(mark) if frame.direction == "sent"] == []
    assert (await probe.call("add", a=2, b=1)).data == 3


@pytest.mark.anyio
async def test_a_name_that_is_no_text_is_a_sentence(memory: Any) -> None:
    with pytest.raises(lab.ArgumentsError, match="^No tool was called: the name of a tool is text, not None.$"):
        await memory.call(None)
    with pytest.raises(lab.ArgumentsError, match="its arguments have text for names, and 1 is an int.$"):
        await memory.call("add", {1: 2})
    with pytest.raises(lab.UnknownNameError, match="has no tool None"):
        memory.tools[None]


@pytest.mark.anyio
async def test_a_result_or_a_call_not_awaited_says_what_was_meant(memory: Any) -> None:
    result = await memory.call("add", a=1, b=1)
    with pytest.raises(lab.ArgumentsError, match=r"a is a labkit\S*Result, .*: give what it holds, a\.data\.$"):
        await memory.call("add", a=result, b=1)
    early = memory.call("add", a=1, b=1)
    with pytest.raises(lab.ArgumentsError, match=r"a is a coroutine, .*: await it first, await a\.$"):
        await memory.call("add", a=early, b=1)
    early.close()


def test_the_face_without_await_says_the_same() -> None:
    with sync.connect("calculator") as conn:
        with pytest.raises(lab.ArgumentsError, match=r"convert it, int\(a\)"):
            conn.call("add", a=np.int64(2), b=1)
        with pytest.raises(lab.ArgumentsError, match="the name of a tool is text"):
            conn.call(None)  # type: ignore[arg-type]


# what is long -----------------------------------------------------------------------------------


def test_cutting_keeps_both_ends_and_counts_the_rest() -> None:
    assert cut("x" * 300) == "x" * 300
    shown = cut("begin" + "x" * 40_000 + "end")
    assert shown.startswith("begin") and shown.endswith("end") and "... 39,708 more characters ..." in shown
    assert len(shown) < 350


@pytest.mark.anyio
async def test_a_long_argument_is_not_repeated_in_full(memory: Any) -> None:
    result = await memory.call("add", a="1+" * 20_000, b=1)
    assert "is not of type 'integer'" in result.hint and "more characters" in result.hint and len(result.hint) < 1_000
    for wrong in (
        lambda: memory.call("add", a=1, b=1, **{"n" * 40_000: 1}),
        lambda: memory.call("t" * 40_000),
        lambda: memory.call("add", "v" * 40_000),
    ):
        with pytest.raises(lab.LabError) as caught:
            await wrong()
        assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"maxLength": 9}, "x" * 40_000),
        ({"enum": ["a" * 30_000, "b"]}, "c"),
        ({"additionalProperties": False}, {"k" * 40_000: 1}),
        ({"additionalProperties": {"type": "integer"}}, {"k" * 40_000: "x"}),
        ({"items": {"type": "string"}}, [list(range(9_000))] * 5),
    ],
    ids=["text", "enum", "names", "place", "lists"],
)
def test_no_sentence_of_the_explanation_is_long(schema: dict[str, Any], value: Any) -> None:
    from mcp_types import Tool

    tool = Tool(name="t", input_schema={"type": "object", "properties": {"a": schema}})
    hint = explain_arguments(tool, {"a": value})
    assert hint and max(map(len, hint.splitlines())) < 4_200 and max(map(len, hint.splitlines()[:-1])) < 800
