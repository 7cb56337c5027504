"""Calling, reading, prompting, completing, sending: on every transport, in both eras."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

import labkit as lab

pytestmark = pytest.mark.anyio


async def test_a_result_has_data_text_raw_and_views(probe: Any) -> None:
    result = await probe.call("add", {"a": 2}, b=3)
    assert (result.data, result.text, result.is_error) == (5, "5", False)
    assert result.raw["structuredContent"] == {"result": 5} and result.structured == {"result": 5}
    assert "add: ok" in repr(result) and "&#10003; ok" in result._repr_html_()
    assert result.seconds > 0


async def test_content_blocks_are_shown(probe: Any) -> None:
    result = await probe.call("picture")
    assert [block.type for block in result.content] == ["text", "image"]
    assert "<img src='data:image/png;base64," in result._repr_html_() and "<image>" in repr(result)


async def test_large_answers_arrive_whole(probe: Any) -> None:
    assert len((await probe.call("big", size=2_000_000)).data) == 2_000_000


async def test_tool_errors_are_results(probe: Any) -> None:
    quota, crash = await probe.call("quota"), await probe.call("crash")
    assert quota.is_error and "quota exceeded" in quota.text and "tool error" in repr(quota)
    assert crash.is_error and "secret detail" not in crash.text


async def test_arguments_of_the_wrong_type_come_back_with_the_schema(probe: Any) -> None:
    result = await probe.call("add", a="two", b=3)
    assert result.is_error
    assert "a: 'two' is not of type 'integer'" in result.hint and '"type": "integer"' in result.hint
    assert result.hint in repr(result)


async def test_a_wrong_tool_name_names_the_closest(memory: Any) -> None:
    mark = memory.tape.count
    with pytest.raises(lab.UnknownNameError, match="has no tool 'ad'. Did you mean 'add'"):
        await memory.call("ad", a=1, b=2)
    assert "tools/call" not in [f.method for f in memory.tape.since(mark)], "it was never sent"


async def test_wrong_argument_names_show_the_schema(memory: Any) -> None:
    with pytest.raises(lab.ArgumentsError) as caught:
        await memory.call("add", a=1, bb=2)
    said = str(caught.value)
    assert "it needs 'b'" in said and "does not take 'bb' (Did you mean 'b'" in said and '"required"' in said


async def test_arguments_given_by_place_are_answered_with_the_signature(memory: Any) -> None:
    write = re.escape("'add' takes its arguments by name: it is add(*, a: int, b: int). Write call('add', a=2, b=3)")
    for wrong in (lambda: memory.call("add", 2, 3), lambda: memory.tools.add(2, 3)):
        with pytest.raises(lab.ArgumentsError, match=write):
            await wrong()
    with pytest.raises(lab.ArgumentsError, match=re.escape("Write prompt('review', code='x')")):
        await memory.prompt("review", "x")


async def test_a_server_without_prompts_says_so(connect: Any) -> None:
    calculator = await connect("calculator")
    with pytest.raises(lab.UnknownNameError, match="The server 'calculator' has no prompts"):
        await calculator.prompt("nope")


async def test_check_false_sends_what_is_given(memory: Any) -> None:
    assert "Unknown tool: ad" in (await memory.call("ad", a=1, check=False)).text


async def test_a_tool_argument_named_like_an_option_goes_in_the_dict(memory: Any) -> None:
    assert (await memory.call("timeout", {"timeout": 7}, timeout=5)).data == 7
    with pytest.raises(lab.ArgumentsError) as caught:
        await memory.call("timeout", timeout=7)
    assert "pass the tool's own in a dict" in caught.value.__notes__[0]


async def test_a_tool_that_appears_later_is_found(memory: Any) -> None:
    await memory.call("grow", name="newborn")
    assert (await memory.call("newborn")).data == "newborn" and "newborn" in memory.tools


async def test_a_result_against_the_tools_own_schema_is_an_error(probe: Any) -> None:
    result_or_error: Any
    try:
        result_or_error = await probe.call("liar")
    except lab.ResultError as error:
        result_or_error = error
    assert "liar" in repr(result_or_error)


async def test_timeout_cancels_the_request_and_keeps_the_connection(probe: Any) -> None:
    with pytest.raises(lab.CallTimeoutError, match="did not answer tools/call slow in time"):
        await probe.call("slow", seconds=30, timeout=0.2)
    assert (await probe.call("add", a=1, b=1)).data == 2


async def test_progress_goes_to_the_callback(probe: Any) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    await probe.call("slow", seconds=0.1, progress=report)
    assert seen[0] == (1, 5, "step 1") and (5, 5, "step 5") in seen
    assert len(probe.tape.filter("notifications/progress")) == 5


async def test_cancelling_the_caller_cancels_only_the_call(probe: Any) -> None:
    task = asyncio.ensure_future(probe.call("slow", seconds=30))
    while not probe.tape.filter("tools/call"):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert "still open" in caught.value._render_traceback_()[0]  # type: ignore[attr-defined]
    assert (await probe.call("add", a=1, b=1)).data == 2


async def test_calls_run_side_by_side(probe: Any) -> None:
    results = await asyncio.gather(*(probe.call("add", a=n, b=1) for n in range(30)))
    assert [r.data for r in results] == list(range(1, 31))


async def test_read(probe: Any) -> None:
    note = await probe.read("note://welcome")
    assert (note.text, note.mime_type, note.data) == ("# hello", "text/markdown", b"# hello")
    assert (await probe.read("greet://Ada")).text == "hello Ada"
    with pytest.raises(lab.RpcError) as caught:
        await probe.read("note://welcom")
    assert caught.value.code == -32602 and caught.value.__notes__ == ["Did you mean 'note://welcome'?"]


async def test_prompt(probe: Any) -> None:
    filled = await probe.prompt("review", code="x = 1")
    assert filled.text == "Review this python: x = 1" and filled.messages[0].role == "user"
    with pytest.raises(lab.ArgumentsError, match="needs 'code', does not take 'cod'"):
        await probe.prompt("review", cod="x")
    with pytest.raises(lab.UnknownNameError, match="Did you mean 'review'"):
        await probe.prompt("revue", code="x")


async def test_complete(probe: Any) -> None:
    found = await probe.complete("review", "lang", "p")
    assert found.values == ["python", "perl"] and found.total == 3
    assert (await probe.complete("greet://{who}", "who", "r")).values == ["rust"]


async def test_send_is_raw_json_rpc(probe: Any) -> None:
    listing = await probe.send("tools/list", {})
    assert "add" in [tool["name"] for tool in listing["tools"]]
    with pytest.raises(lab.RpcError) as caught:
        await probe.send("no/such", {"a": 1})
    assert caught.value.code == -32601 and "no/such: the server answered with error -32601" in str(caught.value)


async def test_ping_where_the_era_has_it(probe: Any) -> None:
    if probe.era == "2026-07-28":
        with pytest.raises(lab.LabError, match="2026-07-28 has no ping"):
            await probe.ping()
    else:
        assert 0 < await probe.ping() < 10


async def test_without_its_envelope_a_modern_request_is_refused(connect: Any) -> None:
    conn = await connect(via="stdio", era="2026-07-28")
    with pytest.raises(lab.RpcError):
        await conn.send("tools/list", {}, envelope=False)


async def test_handles_call_and_document_themselves(memory: Any) -> None:
    assert (await memory.tools.add(a=1, b=2)).data == 3
    assert (await memory.prompts.review(code="y")).text == "Review this python: y"
    handle = memory.tools["add"]
    assert str(handle.__signature__) == "(*, a: int, b: int)" and handle.__doc__.startswith("Add two integers.")
    assert "add" in dir(memory.tools) and "add" in memory.tools._ipython_key_completions_()
    with pytest.raises(AttributeError, match="Did you mean 'add'"):
        memory.tools.ad  # noqa: B018


async def test_tables_show_what_the_server_offers(memory: Any) -> None:
    assert "add(*, a: int, b: int)" in memory.tools._repr_html_()
    assert memory.resources.names == ["note://welcome"] and memory.templates.names == ["greet://{who}"]
    assert memory.prompts.names == ["review"] and "review" in repr(memory.prompts)
    assert "probe" in memory._repr_html_() and memory.era in repr(memory)
