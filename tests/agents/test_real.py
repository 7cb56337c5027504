"""The adapters of real models, over real HTTP, against a local server that speaks the two wire formats."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import labkit as lab
from labkit.agents import Message, ModelBusyError, ModelError, Reply, Tool, ToolCall, Usage, model_from_environment, run
from labkit.agents.real import AnthropicModel, OpenAIModel
from labkit.agents.stage import Prop, tool

from .model_service import Service, anthropic_answer, openai_answer

pytestmark = pytest.mark.anyio
KEY = "canary-key-of-nobody"


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.close()


def installed(name: str) -> None:
    pytest.importorskip(name, reason=f"python -m pip install {name}")


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}


async def sums(model: Any) -> Any:
    """Two calls in one reply, one of which fails, and an answer."""
    prop = Prop(
        "calc", [tool("add", "Add.", a="integer", b="integer")], lambda name, given: str(given["a"] + given["b"])
    )
    async with await lab.connect(prop.server) as calc:
        told = await run(model, "Add.", {"calc": calc}, system="Be short.")
    await model.close()
    return told


async def test_anthropic(service: Service) -> None:
    installed("anthropic")
    service.answers = [
        anthropic_answer(
            {"type": "text", "text": "I add."},
            {"type": "tool_use", "id": "t1", "name": "calc_add", "input": {"a": 2, "b": 3}},
            {"type": "tool_use", "id": "t2", "name": "calc_sub", "input": {}},
        ),
        anthropic_answer({"type": "text", "text": "It is 5."}),
    ]
    model = model_from_environment({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": service.url, "LAB_MODEL": "m-1"})
    assert isinstance(model, AnthropicModel)
    told = await sums(model)
    assert (told.text, told.ended, told.model) == ("It is 5.", "answered", "m-1")
    assert told.usage == Usage(2, 2)
    (path, headers, first), (_, _, second) = service.asked
    assert path.startswith("/v1/messages") and KEY in (headers.get("x-api-key", "") + headers.get("authorization", ""))
    assert (first["model"], first["system"]) == ("m-1", "Be short.")
    assert first["tools"] == [{"name": "calc_add", "description": "Add.", "input_schema": SCHEMA}]
    assert first["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Add."}]}]
    assistant, results = second["messages"][1:]
    assert [block["type"] for block in assistant["content"]] == ["text", "tool_use", "tool_use"]
    assert assistant["content"][1] == {"type": "tool_use", "id": "t1", "name": "calc_add", "input": {"a": 2, "b": 3}}
    fine, failed = results["content"]
    assert results["role"] == "user" and fine == {
        "type": "tool_result", "tool_use_id": "t1", "content": "5", "is_error": False}  # fmt: skip
    assert (failed["tool_use_id"], failed["is_error"]) == ("t2", True) and "no tool 'calc_sub'" in failed["content"]


async def test_openai(service: Service) -> None:
    installed("openai")
    calls = ("t1", "calc_add", '{"a": 2, "b": 3}'), ("t2", "calc_add", "{not json")
    service.answers = [openai_answer(None, *calls), openai_answer("It is 5.")]
    del service.answers[1][1]["usage"]  # not every service that speaks this protocol says it
    model = model_from_environment({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{service.url}/v1"})
    assert isinstance(model, OpenAIModel)
    told = await sums(model)
    assert (told.text, told.ended, told.usage) == ("It is 5.", "answered", Usage(3, 2))
    (path, headers, first), (_, _, second) = service.asked
    assert path == "/v1/chat/completions" and headers["authorization"] == f"Bearer {KEY}"
    assert first["messages"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Add."}]
    function = {"name": "calc_add", "description": "Add.", "parameters": SCHEMA}
    assert first["tools"] == [{"type": "function", "function": function}]
    assistant, fine, failed = second["messages"][2:]
    assert assistant["tool_calls"][0]["function"] == {"name": "calc_add", "arguments": '{"a": 2, "b": 3}'}
    assert fine == {"role": "tool", "tool_call_id": "t1", "content": "5"}
    assert failed["tool_call_id"] == "t2" and failed["content"].startswith("Error: ")


KINDS = [(AnthropicModel, "anthropic", ""), (OpenAIModel, "openai", "/v1")]


@pytest.mark.parametrize(("kind", "package", "way"), KINDS, ids=[kind[1] for kind in KINDS])
async def test_an_error_of_the_service_is_told_without_the_key(
    service: Service, kind: Any, package: str, way: str
) -> None:
    installed(package)
    error = {"type": "error", "error": {"type": "authentication_error", "message": "invalid key"}}
    service.answers = [(401, error)]
    model = kind(KEY, base_url=service.url + way)
    with pytest.raises(ModelError, match=r"gave no answer: AuthenticationError.*invalid key") as caught:
        await model.reply([Message("user", "Hi")], [])
    assert KEY not in str(caught.value) + repr(model)
    assert "tools" not in service.asked[0][2]
    await model.close()


@pytest.mark.parametrize(("kind", "package", "way"), KINDS, ids=[kind[1] for kind in KINDS])
async def test_what_may_pass_is_told_apart_and_asked_once(service: Service, kind: Any, package: str, way: str) -> None:
    installed(package)
    error = {"type": "error", "error": {"type": "overloaded", "message": "later"}}
    model = kind(KEY, base_url=service.url + way)
    for status, header, seconds in [(429, "7", 7.0), (529, "soon", None), (500, "-1", None), (408, "0.5", 0.5)]:
        service.answers, service.headers = [(status, error)], {"retry-after": header}
        with pytest.raises(ModelBusyError, match="Ask again later") as caught:
            await model.reply([Message("user", "Hi")], [])
        assert (caught.value.retry_after, service.answers) == (seconds, [])
    for status, code in [(400, "invalid"), (429, "insufficient_quota")]:
        if package == "openai" or status != 429:
            service.answers = [(status, {"error": {"message": "no", "code": code}})]
            with pytest.raises(ModelError, match="Check the key") as refused:
                await model.reply([Message("user", "Hi")], [])
            assert not isinstance(refused.value, ModelBusyError)
    await model.close()
    away = kind(KEY, base_url="http://127.0.0.1:9")
    with pytest.raises(ModelBusyError, match="Connection error"):
        await away.reply([Message("user", "Hi")], [])
    await away.close()


@pytest.mark.parametrize(("kind", "package", "way"), KINDS, ids=[kind[1] for kind in KINDS])
async def test_names_that_the_service_does_not_take(service: Service, kind: Any, package: str, way: str) -> None:
    installed(package)
    tools = [Tool("a.b"), Tool("a_b"), Tool("é" * 80), Tool("gone")]
    answer: Any = anthropic_answer({"type": "tool_use", "id": "t", "name": "a_b_2", "input": {}})
    service.answers = [answer if package == "anthropic" else openai_answer(None, ("t", "a_b_2", ""))]
    model = kind(KEY, base_url=service.url + way)
    past = [
        Message("user", "Hi"),
        Message("assistant", "", (ToolCall("u", "gone.by", {}),)),
        Message("tool", "x", call_id="u"),
    ]
    assert await model.reply(past, tools) == Reply("", (ToolCall("t", "a_b", {}),))
    names = [each.get("name") or each["function"]["name"] for each in service.asked[0][2]["tools"]]
    assert names == ["a_b", "a_b_2", "_" * 60, "gone"]
    assert "gone_by" in json.dumps(service.asked[0][2]["messages"])
    await model.close()


def test_without_a_key_there_is_no_model() -> None:
    assert model_from_environment({}) is None
    assert model_from_environment({"ANTHROPIC_API_KEY": "", "OPENAI_BASE_URL": "http://x"}) is None


@pytest.mark.parametrize("package", ["anthropic", "openai"])
def test_a_missing_package_is_told_with_how_to_get_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=rf"'{package}' is not installed: python -m pip install {package}\.") as caught:
        model_from_environment({f"{package.upper()}_API_KEY": KEY})
    assert KEY not in str(caught.value)
