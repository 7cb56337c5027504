"""The everything server: each feature, over every transport, in both eras."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import mcp_types as types
import pytest
from mcp import Client, MCPError, StdioServerParameters

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

MODERN = "2026-07-28"


class Answers:
    """What the client answers when the server asks; a test may change it."""

    def __init__(self) -> None:
        self.logs: list[tuple[str, Any]] = []
        self.changes: list[str] = []
        self.action = "accept"

    async def elicit(self, context: Any, params: types.ElicitRequestFormParams) -> types.ElicitResult:
        if self.action != "accept":
            return types.ElicitResult(action=self.action)
        known: dict[str, Any] = {
            "name": "Ada",
            "guests": 3,
            "time": "21:00",
            "window": True,
            "sure": True,
            "color": "red",
        }
        fields = params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content={field: known[field] for field in fields})

    async def sample(self, context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        said = types.TextContent(text=f"You said: {params.messages[0].content.text}")  # type: ignore[union-attr]
        return types.CreateMessageResult(role="assistant", content=said, model="parrot", stop_reason="endTurn")

    async def roots(self, context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri="file:///lab")])

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logs.append((params.level, params.data))

    async def message(self, message: Any) -> None:
        self.changes.append(message.method)


@pytest.fixture(scope="module")
def answers(way: tuple[str, str]) -> Answers:
    return Answers()


@pytest.fixture(scope="module")
async def everything(connect: Any, way: tuple[str, str], answers: Answers) -> AsyncIterator[Client]:
    async with connect(
        "everything",
        way,
        elicitation_callback=answers.elicit,
        sampling_callback=answers.sample,
        list_roots_callback=answers.roots,
        logging_callback=answers.log,
        message_handler=answers.message,
        log_level="debug",
    ) as client:
        await client.list_tools()
        yield client


def modern(client: Client) -> bool:
    return client.protocol_version == MODERN


async def call(client: Client, tool: str, **arguments: Any) -> types.CallToolResult:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result


async def said(client: Client, tool: str, **arguments: Any) -> str:
    return (await call(client, tool, **arguments)).content[0].text  # type: ignore[union-attr]


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text  # type: ignore[union-attr]


async def eventually(condition: Callable[[], bool]) -> None:
    """Notifications may arrive just after the answer that they belong to."""
    with anyio.fail_after(5):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_text_arrives_as_it_was_sent(everything: Client) -> None:
    text = 'naïve 你好 👩‍🔬 𝄞 e\u0301 \u2028 \x00 \\ " end'
    assert await said(everything, "echo", text=text) == text


async def test_arguments_of_every_kind_arrive(everything: Client) -> None:
    sent = {"text": "hi", "number": 7, "choice": "blue", "flag": True, "tags": ["a"], "point": {"x": 1.5, "y": 2.0}}
    assert (await call(everything, "arguments", **sent)).structured_content == sent


@pytest.mark.parametrize(
    "wrong", [{"text": "x"}, {"number": 11}, {"choice": "pink"}, {"tags": ["a"] * 6}, {"point": {"x": 1}}]
)
async def test_arguments_are_checked(everything: Client, wrong: dict[str, Any]) -> None:
    assert next(iter(wrong)) in await refusal(everything, "arguments", **{"text": "ok", **wrong})


@pytest.mark.parametrize(
    ("tool", "kinds"),
    [
        ("image", ["image"]),
        ("audio", ["audio"]),
        ("resource_link", ["resource_link"]),
        ("embedded_resource", ["resource"]),
        ("mixed_content", ["text", "image", "audio", "resource_link"]),
    ],
)
async def test_content_of_every_kind(everything: Client, tool: str, kinds: list[str]) -> None:
    content = (await call(everything, tool)).content
    assert [part.type for part in content] == kinds
    starts = {"image": b"\x89PNG\r\n\x1a\n", "audio": b"RIFF"}
    for part in content:
        if isinstance(part, types.ImageContent | types.AudioContent):
            assert base64.b64decode(part.data).startswith(starts[part.type])


async def test_metadata_and_structure_travel_beside_the_text(everything: Client) -> None:
    result = await call(everything, "with_meta")
    assert result.structured_content == {"rows": 7}
    assert result.meta and result.meta["lab.example/query-plan"] == "index scan"


async def test_a_big_result_is_as_big_as_asked(everything: Client) -> None:
    assert len(await said(everything, "big_result", kilobytes=300)) == 300 * 1024


async def test_an_argument_can_be_a_header(everything: Client) -> None:
    assert await said(everything, "region", name="eu-Zürich") == "region eu-Zürich"


async def test_three_ways_to_fail(everything: Client) -> None:
    assert "quota is used up" in await refusal(everything, "fail", how="tool")
    assert await refusal(everything, "fail", how="crash") == "Error executing tool fail"
    with pytest.raises(MCPError, match="refused as a whole") as raised:
        await everything.call_tool("fail", {"how": "protocol"})
    assert (raised.value.code, raised.value.data) == (-32602, {"how": "protocol"})


async def test_slow_work_reports_each_step(everything: Client) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    result = await everything.call_tool("slow", {"seconds": 0.05, "steps": 5}, progress_callback=on_progress)
    assert not result.is_error
    await eventually(lambda: len(seen) == 5)
    assert seen[0] == (1, 5, "step 1 of 5") and seen[-1] == (5, 5, "step 5 of 5")


async def test_slow_work_can_be_given_up(everything: Client) -> None:
    with pytest.raises(MCPError) as raised:
        await everything.call_tool("slow", {"seconds": 60, "steps": 1}, read_timeout_seconds=0.2)
    assert raised.value.code == types.REQUEST_TIMEOUT
    assert await said(everything, "echo", text="still here") == "still here"


async def test_log_messages_reach_the_client(everything: Client, answers: Answers) -> None:
    await call(everything, "log", message="careful", level="warning", times=2)
    await eventually(lambda: answers.logs.count(("warning", "careful")) == 2)


async def test_the_log_level_is_respected(connect: Any) -> None:
    answers = Answers()
    async with connect("everything", ("memory", "handshake"), logging_callback=answers.log) as client:
        await client.set_logging_level("error")
        assert "the client asked for error" in await said(client, "log", message="hush", level="info")
        await call(client, "log", message="loud", level="error")
        await eventually(lambda: bool(answers.logs))
        assert answers.logs == [("error", "loud")]


async def test_a_modern_client_gets_no_log_that_it_did_not_ask_for(connect: Any) -> None:
    answers = Answers()
    async with connect("everything", ("memory", "modern"), logging_callback=answers.log) as client:
        await call(client, "log", message="hush", level="emergency")
        assert answers.logs == []


async def test_the_user_fills_in_a_form(everything: Client) -> None:
    booked = await said(everything, "book_table", restaurant="Noma")
    assert booked == "Booked at Noma for Ada: 3 guests, 21:00, at the window."


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_the_user_may_refuse(everything: Client, answers: Answers, action: str) -> None:
    answers.action = action
    try:
        assert action in await said(everything, "book_table", restaurant="Noma")
        assert action in await refusal(everything, "delete_path", path="/x")
    finally:
        answers.action = "accept"


async def test_the_model_and_the_roots_of_the_client_are_asked(everything: Client) -> None:
    assert await said(everything, "ask_model", prompt="hello") == "parrot says: You said: hello"
    assert (await call(everything, "list_roots")).structured_content == {"result": ["file:///lab"]}


async def test_each_era_asks_in_its_own_way(everything: Client) -> None:
    if modern(everything):
        assert await said(everything, "ask_by_rounds") == "Ada likes red."
        assert "handshake" in await refusal(everything, "ask_pushed")
    else:
        assert await said(everything, "ask_pushed") == "Hello, Ada!"
        assert "2026-07-28" in await refusal(everything, "ask_by_rounds")


@pytest.mark.parametrize("era", ["modern", "handshake"])
async def test_a_client_that_cannot_answer_is_told_so(connect: Any, era: str) -> None:
    async with connect("everything", ("memory", era)) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("ask_model", {"prompt": "hello"})
        assert raised.value.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY


async def test_tools_come_and_go_and_clients_hear_of_it(everything: Client, answers: Answers) -> None:
    async def change() -> None:
        answers.changes.clear()
        await call(everything, "add_tool", name="guest")
        await eventually(lambda: "notifications/tools/list_changed" in answers.changes)
        assert "guest" in [tool.name for tool in (await everything.list_tools()).tools]
        assert await said(everything, "guest") == "Hello from guest."
        assert "already" in await refusal(everything, "add_tool", name="guest")
        await call(everything, "remove_tool", name="guest")
        assert "Unknown tool" in await refusal(everything, "guest")

    if modern(everything):
        async with everything.listen(tools_list_changed=True):
            await change()
    else:
        assert everything.server_capabilities.tools and everything.server_capabilities.tools.list_changed
        await change()


async def test_only_added_tools_can_be_removed(everything: Client) -> None:
    assert "none was added" in await refusal(everything, "remove_tool", name="echo")


async def test_a_watched_resource_tells_of_changes(everything: Client, answers: Answers) -> None:
    async def change() -> None:
        answers.changes.clear()
        count = (await call(everything, "count_up")).structured_content
        await eventually(lambda: "notifications/resources/updated" in answers.changes)
        read = await everything.read_resource("everything://counter")
        assert json.loads(read.contents[0].text)["counter"] == count["result"]  # type: ignore[union-attr,index]

    if modern(everything):
        async with everything.listen(resource_subscriptions=["everything://counter"]):
            await change()
    else:
        await everything.subscribe_resource("everything://counter")
        await change()
        await everything.unsubscribe_resource("everything://counter")


@pytest.mark.parametrize(
    ("uri", "start"),
    [
        ("everything://greeting", "Hello"),
        ("everything://staff/finance/dora", '{"name": "dora"'),
        ("everything://files/docs/guide.md", "# Guide"),
        ("everything://search?q=al&limit=1", '{"q": "al", "names": ["alan"]'),
    ],
)
async def test_resources_and_templates_are_read(everything: Client, uri: str, start: str) -> None:
    assert (await everything.read_resource(uri)).contents[0].text.startswith(start)  # type: ignore[union-attr]


async def test_a_binary_resource(everything: Client) -> None:
    contents = (await everything.read_resource("everything://logo")).contents[0]
    assert isinstance(contents, types.BlobResourceContents) and contents.mime_type == "image/png"


@pytest.mark.parametrize("uri", ["everything://staff/finance/nobody", "everything://files/../secret", "nope://x"])
async def test_resources_that_are_not_there(everything: Client, uri: str) -> None:
    with pytest.raises(MCPError) as raised:
        await everything.read_resource(uri)
    assert raised.value.code == -32602


async def test_prompts(everything: Client) -> None:
    review = (await everything.get_prompt("review", {"code": "x = 1", "language": "perl"})).messages
    assert [message.role for message in review] == ["user", "assistant", "user"]
    assert "perl" in review[0].content.text  # type: ignore[union-attr]
    picture = (await everything.get_prompt("explain_picture")).messages
    assert [message.content.type for message in picture] == ["image", "resource", "text"]


async def test_completion_may_depend_on_other_arguments(everything: Client) -> None:
    prompt = types.PromptReference(name="review")
    assert (await everything.complete(prompt, {"name": "language", "value": "py"})).completion.values == ["python"]
    staff = types.ResourceTemplateReference(uri="everything://staff/{department}/{name}")
    found = await everything.complete(
        staff, {"name": "name", "value": "a"}, context_arguments={"department": "engineering"}
    )
    assert found.completion.values == ["ada", "alan"]


async def test_in_memory_it_does_not_end_the_process_of_its_host(connect: Any) -> None:
    async with connect("everything", ("memory", "modern")) as client:
        assert "shares its process" in await refusal(client, "exit_process")


async def test_as_a_process_it_ends_when_asked(serve: Callable[..., StdioServerParameters]) -> None:
    parameters = serve("everything")
    frames = [
        {"id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "exit_process", "arguments": {"code": 7}}},
    ]  # fmt: skip
    lines = "".join(json.dumps({"jsonrpc": "2.0", **frame}) + "\n" for frame in frames)

    def run() -> tuple[int, str]:
        with subprocess.Popen(
            [parameters.command, *parameters.args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as server:
            assert server.stdin
            server.stdin.write(lines)  # and left open: the server must not end for lack of input
            server.stdin.flush()
            code = server.wait(timeout=30)
            return code, server.stderr.read() if server.stderr else ""

    code, stderr = await anyio.to_thread.run_sync(run)
    assert code == 7 and "exit_process: ending with code 7" in stderr
