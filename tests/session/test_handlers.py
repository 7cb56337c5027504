"""What the client answers when a server asks: the same handlers in both eras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

import labkit as lab
from labkit.session.handlers import Defaults, answer_from_schema

from .conftest import ERAS, VIAS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("era", ERAS)
async def test_elicitation_is_answered_by_the_handler(connect: Any, via: str, era: str) -> None:
    asked: list[Any] = []

    def answer(message: str, schema: dict[str, Any]) -> dict[str, Any]:
        asked.append((message, list(schema["properties"])))
        return {"ok": True, "reason": "said so"}

    conn = await connect(via=via, era=era, on_elicit=answer)
    assert (await conn.call("delete", path="/x")).data == "deleted /x said so"
    assert asked == [("Delete /x?", ["ok", "reason"])]


async def test_without_a_handler_the_defaults_of_the_schema_are_accepted(memory: Any) -> None:
    assert (await memory.call("delete", path="/x")).data == "deleted /x because"


async def test_decline_and_cancel(connect: Any) -> None:
    for era in ERAS:
        declining = await connect(via="memory", era=era, on_elicit=lambda message, schema: None)
        assert (await declining.call("delete", path="/x")).is_error
        cancelling = await connect(via="memory", era=era, on_elicit=lambda message, schema: "cancel")
        assert (await cancelling.call("delete", path="/x")).is_error


@pytest.mark.parametrize("era", ERAS)
async def test_the_timeout_of_a_call_covers_the_time_at_a_form(connect: Any, era: str) -> None:
    async def nobody(message: str, schema: dict[str, Any]) -> None:
        await anyio.sleep_forever()

    conn = await connect(via="memory", era=era, on_elicit=nobody)
    with anyio.fail_after(30), pytest.raises(lab.CallTimeoutError, match="the connection is still open"):
        await conn.call("delete", path="/x", timeout=0.2)
    assert (await conn.call("add", a=1, b=1)).data == 2


async def test_scripted_answers_come_in_turn_and_run_out_loudly(connect: Any) -> None:
    conn = await connect(via="memory", on_elicit=lab.scripted({"ok": True}, {"ok": False}))
    assert (await conn.call("delete", path="/x")).data.startswith("deleted")
    assert (await conn.call("delete", path="/x")).data == "kept"
    with pytest.raises(lab.RpcError, match="all 2 scripted answers are used up"):
        await conn.call("delete", path="/x")


async def test_async_handlers(connect: Any) -> None:
    async def answer(message: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"ok": False}

    assert (await (await connect(via="memory", on_elicit=answer)).call("delete", path="/x")).data == "kept"


async def test_sampling_has_a_deterministic_default_and_a_handler(connect: Any) -> None:
    for era in ERAS:
        default = await connect(via="memory", era=era)
        assert (await default.call("summary", text="one two three four five")).data == "one two three ..."[:13]
        given = await connect(via="memory", era=era, on_sample=lambda messages, params: f"{params.max_tokens} tokens")
        assert (await given.call("summary", text="x")).data == "3 tokens"


async def test_a_server_is_told_of_no_folder_that_nobody_gave(memory: Any) -> None:
    assert Defaults().roots == () and (await memory.call("where")).data == []


async def test_roots(connect: Any, tmp_path: Path) -> None:
    for era in ERAS:
        conn = await connect(via="memory", era=era, on_roots=[tmp_path, "file:///else"])
        assert (await conn.call("where")).data == [tmp_path.resolve().as_uri(), "file:///else"]


async def test_log_messages_are_kept_and_handed_on(connect: Any) -> None:
    for era in ERAS:
        seen: list[Any] = []
        conn = await connect(
            via="memory", era=era, log_level="info", on_log=lambda *args, seen=seen: seen.append(args[:2])
        )
        await conn.call("tell", text="hello")
        assert seen == [("info", "hello")] and [(m.level, m.data) for m in conn.logs] == [("info", "hello")]


async def test_a_modern_server_is_silent_unless_asked(connect: Any) -> None:
    conn = await connect(via="memory", era="2026-07-28")
    await conn.call("tell", text="hello")
    assert conn.logs == []


def test_answers_from_a_schema_fit_it() -> None:
    import jsonschema

    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 30},
            "short": {"type": "string", "maxLength": 3},
            "mail": {"type": "string", "format": "email"},
            "age": {"type": "integer", "minimum": 18},
            "share": {"type": "number", "minimum": 0.5},
            "on": {"type": "boolean"},
            "colour": {"type": "string", "enum": ["red", "blue"]},
            "titled": {"type": "string", "oneOf": [{"const": "a", "title": "A"}]},
            "many": {"type": "array", "minItems": 2, "items": {"type": "string", "enum": ["x"]}},
            "given": {"type": "string", "default": "d"},
        },
        "required": ["name", "age"],
    }
    answer = answer_from_schema(schema)
    jsonschema.validate(answer, schema)
    assert answer["given"] == "d" and answer["colour"] == "red"
