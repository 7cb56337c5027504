"""The dynamic server: tools come and go, clients of both eras hear of it, and no definition becomes code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client

from .conftest import call, refusal

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]
CHANGED = "notifications/tools/list_changed"
FIXED = ["add_formula", "add_text", "load_toolbox", "remove_tools"]


@pytest.fixture(scope="module")
def heard() -> asyncio.Queue[str]:
    return asyncio.Queue()


@pytest.fixture(scope="module")
async def running(connect: Any, way: tuple[str, str], heard: asyncio.Queue[str]) -> AsyncIterator[Client]:
    async def note(message: Any) -> None:
        heard.put_nowait(message.method)

    async with connect("dynamic", way, message_handler=note) as client:
        yield client


@pytest.fixture
async def dynamic(running: Client) -> Client:
    """The server, with nothing added."""
    added = json.loads((await running.read_resource("dynamic://tools", cache_mode="bypass")).contents[0].text)["tools"]  # type: ignore[union-attr]
    if added:
        await call(running, "remove_tools", names=[tool["name"] for tool in added])
    return running


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]


@asynccontextmanager
async def listening(client: Client) -> AsyncIterator[None]:
    if client.protocol_version == "2026-07-28":
        async with client.listen(tools_list_changed=True):
            yield
    else:
        assert client.server_capabilities.tools and client.server_capabilities.tools.list_changed
        yield


async def told(heard: asyncio.Queue[str]) -> None:
    with anyio.fail_after(5):
        while await heard.get() != CHANGED:
            pass


PRICE = {
    "name": "final_price", "description": "Price with tax.", "formula": "price * (1 + rate)",
    "parameters": {"price": "Net price.", "rate": "Tax, 0.2 for 20 percent."},
}  # fmt: skip


async def test_the_contract(dynamic: Client, contract: Any) -> None:
    await contract(dynamic, "dynamic")


async def test_a_tool_comes_and_goes_and_clients_hear_of_both(dynamic: Client, heard: asyncio.Queue[str]) -> None:
    while not heard.empty():
        heard.get_nowait()
    async with listening(dynamic):
        assert await call(dynamic, "add_formula", **PRICE) == {
            "added": ["final_price"],
            "removed": [],
            "defined": ["final_price"],
        }
        await told(heard)
        assert await names(dynamic) == [*FIXED, "final_price"]
        assert await call(dynamic, "final_price", price=100, rate=0.5) == {"result": 150}
        await call(dynamic, "remove_tools", names=["final_price"])
        await told(heard)
        assert await names(dynamic) == FIXED
        assert "Unknown tool: final_price" in await refusal(dynamic, "final_price", price=1, rate=1)


async def test_a_toolbox_comes_with_one_announcement(dynamic: Client, heard: asyncio.Queue[str]) -> None:
    while not heard.empty():
        heard.get_nowait()
    async with listening(dynamic):
        change = await call(dynamic, "load_toolbox", toolbox="temperature")
        assert change["added"] == ["celsius_to_fahrenheit", "fahrenheit_to_celsius"]
        await told(heard)
        await call(dynamic, "load_toolbox", toolbox="temperature")  # nothing new, nothing to tell
        await call(dynamic, "load_toolbox", toolbox="geometry")
        await told(heard)
        assert [heard.get_nowait() for _ in range(heard.qsize())].count(CHANGED) == 0
    assert await call(dynamic, "celsius_to_fahrenheit", c=100) == {"result": 212}
    assert await call(dynamic, "hypotenuse", a=3, b=4) == {"result": 5}


async def test_a_new_tool_has_schemas_like_any_other(dynamic: Client) -> None:
    await call(dynamic, "add_formula", **PRICE)
    tool = next(tool for tool in (await dynamic.list_tools(cache_mode="bypass")).tools if tool.name == "final_price")
    assert tool.description == "Price with tax." and tool.annotations and tool.annotations.read_only_hint
    assert tool.input_schema["required"] == ["price", "rate"]
    assert tool.input_schema["properties"]["rate"] == {
        "description": "Tax, 0.2 for 20 percent.", "title": "Rate", "type": "number",
    }  # fmt: skip
    assert tool.output_schema and tool.output_schema["properties"]["result"]["type"] == "number"
    assert "rate\n  Field required" in await refusal(dynamic, "final_price", price=1)
    assert "price" in await refusal(dynamic, "final_price", price="1", rate=1)


async def test_numbers_are_put_in_as_wholes(dynamic: Client) -> None:
    await call(dynamic, "add_formula", name="square", description="x", formula="x ** 2", parameters={"x": "x"})
    assert await call(dynamic, "square", x=-3) == {"result": 9}
    await call(dynamic, "add_formula", name="inverse", description="x", formula="1 / (x - 1)", parameters={"x": "x"})
    assert "cannot divide 1 by zero" in await refusal(dynamic, "inverse", x=1)
    await call(dynamic, "add_formula", name="root", description="x", formula="sqrt(x - 5)", parameters={"x": "x"})
    assert "square root of -4" in await refusal(dynamic, "root", x=1)
    await call(dynamic, "add_formula", name="tower", description="x", formula="x ** x ** x", parameters={"x": "x"})
    assert "too large" in await refusal(dynamic, "tower", x=9)


async def test_a_text_fills_its_gaps_with_anything(dynamic: Client) -> None:
    await call(dynamic, "add_text", name="greet", description="x", text="Hello {name}, {{braces}} for {name}")
    assert await call(dynamic, "greet", name="{name.__class__}") == {
        "result": "Hello {name.__class__}, {braces} for {name.__class__}"
    }
    assert "more than 10000: fill in less" in await refusal(dynamic, "greet", name="x" * 6000)


async def test_tools_removed_together_go_together_or_stay(dynamic: Client) -> None:
    await call(dynamic, "load_toolbox", toolbox="letters")
    assert await refusal(dynamic, "remove_tools", names=["thanks", "nope"]) == (
        "'nope' cannot be removed, as it was not added here: there are invitation, thanks"
    )
    assert (await call(dynamic, "remove_tools", names=["thanks", "invitation", "thanks"]))["defined"] == []


async def test_there_is_a_limit(dynamic: Client) -> None:
    for number in range(50):
        await call(dynamic, "add_text", name=f"t{number}", description="x", text="x")
    assert await refusal(dynamic, "add_text", name="more", description="x", text="x") == (
        "there are 50 tools of 50 already: remove some first"
    )


TAKEN = "use lower-case letters, digits and _, and none of abs, e, max, min, pi, round, sqrt, tau"
NAME = "is no name for a tool: use lower-case letters, digits and _, a letter first"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("add_formula", {"name": "Bad Name"}, f"'Bad Name' {NAME}"),
    ("add_formula", {"name": "add_text"}, "there is a tool 'add_text' already: choose another name, or remove it first"),
    ("add_formula", {"formula": "price * tax"}, "the formula uses tax, which is no parameter: describe it in parameters"),
    ("add_formula", {"formula": "price"}, "the formula does not use rate: leave it out of parameters"),
    ("add_formula", {"formula": "price *** rate"}, "the formula cannot be computed: cannot read '(1) *** (1)': invalid syntax"),
    ("add_formula", {"formula": "price.real + rate"}, "the formula cannot be computed: '1 .real' is not arithmetic: use numbers, + - * / // % **, parentheses, pi, e, tau and sqrt, abs, round, min, max"),
    ("add_formula", {"formula": "__import__('os') + price + rate"}, "the formula uses __import__, os, which is no parameter: describe it in parameters"),
    ("add_formula", {"formula": "pi * e", "parameters": {"e": "x"}}, f"'e' is no name for a parameter: {TAKEN}"),
    ("add_formula", {"formula": "class + 1", "parameters": {"class": "x"}}, f"'class' is no name for a parameter: {TAKEN}"),
    ("add_formula", {"formula": "+".join(f"p{n}" for n in range(11)), "parameters": {f"p{n}": "" for n in range(11)}}, "a tool takes at most 10 parameters, not 11"),
    ("add_text", {"text": "{x.__class__}"}, "the text has a gap {x.__class__} that is not just a name: write it {like_this}"),
    ("add_text", {"text": "{x[0]}"}, "the text has a gap {x[0]} that is not just a name: write it {like_this}"),
    ("add_text", {"text": "{x!r}"}, "the text has a gap {x} that is not just a name: write it {like_this}"),
    ("add_text", {"text": "{x:>999999999}"}, "the text has a gap {x} that is not just a name: write it {like_this}"),
    ("add_text", {"text": "{}"}, "the text has a gap {} that is not just a name: write it {like_this}"),
    ("add_text", {"text": "{open"}, "the text cannot be read: expected '}' before end of string. Write {{ and }} for braces"),
    ("add_text", {"text": "{_x}"}, f"'_x' is no name for a parameter: {TAKEN}"),
    ("load_toolbox", {"toolbox": "nope"}, "there is no toolbox 'nope': there are temperature, geometry, letters"),
    ("remove_tools", {"names": ["add_text"]}, "'add_text' cannot be removed, as it was not added here: none was added yet"),
]  # fmt: skip


async def test_bad_input_gets_its_message(dynamic: Client) -> None:
    good: dict[str, dict[str, Any]] = {"add_formula": PRICE, "add_text": {"name": "t", "description": "x"}}
    said = [await refusal(dynamic, tool, **(good.get(tool, {}) | wrong)) for tool, wrong, _ in BAD]
    assert said == [message for _, _, message in BAD]
    assert await names(dynamic) == FIXED
    assert "names\n  List should have at least 1 item" in await refusal(dynamic, "remove_tools", names=[])
    assert "formula\n  String should have at most 300" in await refusal(
        dynamic, "add_formula", **PRICE | {"formula": "1" * 301}
    )


async def test_a_name_keeps_its_meaning(dynamic: Client) -> None:
    await call(dynamic, "add_text", name="greet", description="x", text="Hello")
    assert "already" in await refusal(dynamic, "add_text", name="greet", description="x", text="Give me your password")
    assert await call(dynamic, "greet") == {"result": "Hello"}


async def test_definitions_can_be_read(dynamic: Client) -> None:
    await call(dynamic, "add_formula", **PRICE)
    read = await dynamic.read_resource("dynamic://tools", cache_mode="bypass")
    assert json.loads(read.contents[0].text)["tools"] == [  # type: ignore[union-attr]
        {
            "name": "final_price",
            "description": "Price with tax.",
            "kind": "formula",
            "body": "price * (1 + rate)",
            "parameters": PRICE["parameters"],
        }
    ]


async def test_servers_do_not_share_their_tools(connect: Any) -> None:
    async with connect("dynamic", ("memory", "modern")) as one, connect("dynamic", ("memory", "modern")) as two:
        await call(one, "load_toolbox", toolbox="letters")
        assert await names(two) == FIXED
