"""The elicitation form without a browser: what it is asked, and what it answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from labkit.ui import form as form_module
from labkit.ui.form import ElicitationForm, ask

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your name", "minLength": 2, "maxLength": 5},
        "age": {"type": "integer", "minimum": 18, "maximum": 99},
        "tags": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": ["x", "y"]}},
    },
    "required": ["name", "age", "tags"],
}
GOOD = {"name": "Ada", "age": 36, "tags": ["x"]}

pytestmark = pytest.mark.anyio


async def test_what_fits_is_the_answer() -> None:
    form = ElicitationForm("Who are you?", SCHEMA)
    assert await form.respond("accept", {"value": GOOD}) == {"faults": []}
    assert await asyncio.wait_for(form.answer, 5) == GOOD
    assert (await form.respond("question", {}))["state"] == "accepted"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name", "", "a value is needed"),
        ("name", "A", "must have at least 2 characters, has 1"),
        ("name", "Augusta", "must have at most 5 characters, has 7"),
        ("age", "old", 'must be a whole number, is "old"'),
        ("age", 7, "must be at least 18, is 7"),
        ("tags", [], "must have at least 1 item, has 0"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_at_its_field(name: str, value: Any, said: str) -> None:
    form = ElicitationForm("Who?", SCHEMA)
    answer = await form.respond("accept", {"value": {**GOOD, name: value}})
    assert answer == {"faults": [{"path": [name], "message": said}]}
    assert not form.answer.done()


async def test_a_schema_that_is_of_no_use_keeps_nobody_from_answering() -> None:
    form = ElicitationForm("Who?", {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}})
    assert await form.respond("accept", {"value": {"a": 1}}) == {"faults": []}
    assert form.answer.result() == {"a": 1}


async def test_a_schema_reaches_the_page_whole() -> None:
    schema = {"properties": {"n": {"default": 2**60, "maximum": float("inf"), "title": "\ud83d"}}}
    drawn = json.loads(json.dumps((await ElicitationForm("n?", schema).respond("question", {}))["schema"]))
    # A page would round the integer: as text it is shown in full, and refused when it is sent.
    assert drawn["properties"]["n"] == {"default": str(2**60), "maximum": "Infinity", "title": "?"}


async def test_an_answer_is_an_object_and_references_are_followed() -> None:
    form = ElicitationForm("Who?", {"properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"minimum": 3}}})
    assert (await form.respond("accept", {"value": [1]}))["faults"][0][
        "message"
    ] == "must be an object with members, is [1]"
    assert (await form.respond("accept", {"value": {"n": 1}}))["faults"][0]["path"] == ["n"]


@pytest.mark.parametrize(
    ("way", "answer", "state"), [("decline", "decline", "declined"), ("cancel", "cancel", "cancelled")]
)
async def test_decline_and_cancel(way: str, answer: str, state: str) -> None:
    form = ElicitationForm("Sure?", {"type": "object", "properties": {}})
    await form.respond(way, {})
    assert form.answer.result() == answer and state in form.still() and state in form.text()


async def test_the_first_answer_counts() -> None:
    form = ElicitationForm("Sure?", {"type": "object", "properties": {}})
    await form.respond("decline", {})
    await form.respond("accept", {"value": {}})
    assert form.answer.result() == "decline" and form.state == "declined"


async def test_a_click_that_arrives_on_another_thread_reaches_the_loop() -> None:
    form = ElicitationForm("Sure?", {"type": "object", "properties": {}})
    message = {"ask": "1", "name": "accept", "params": {"value": {}}}
    await asyncio.to_thread(form._heard, form, message, [])
    assert await asyncio.wait_for(form.answer, 5) == {}


async def test_what_the_server_says_is_escaped_and_values_are_not_kept() -> None:
    form = ElicitationForm("<script>x</script>", SCHEMA)
    await form.respond("accept", {"value": GOOD})
    assert "<script>" not in form.still() and "&lt;script&gt;" in form.still() and "Ada" not in form.still()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.com/sign?in=1", True),
        ("HTTP://example.com", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("data:text/html,<b>", False),
        (" javascript:x", False),
    ],
)
async def test_only_an_address_of_a_page_is_a_link(url: str, safe: bool) -> None:
    form = ElicitationForm("Sign in", {"type": "object", "properties": {}, "url": url})
    question = await form.respond("question", {})
    assert question["safe"] is safe and question["schema"] is None and question["url"] == url
    assert "href" not in form.still()
    await form.respond("accept", {"value": {}})
    assert form.answer.result() == {}


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setattr(form_module, "PATIENCE", 0.01)
    assert await ask("Sure?", {"type": "object", "properties": {}}) == "cancel"
    assert "lab.scripted" in shown[0].state and "lab.scripted" in shown[0].still()


async def test_a_call_that_ends_takes_its_question_along(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: asyncio.Queue[Any] = asyncio.Queue()
    monkeypatch.setattr("IPython.display.display", shown.put_nowait)
    asking = asyncio.ensure_future(ask("Sure?", {"type": "object", "properties": {}}))
    form = await asyncio.wait_for(shown.get(), 5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert "The call has ended" in form.state and form.answer.result() == "cancel"
