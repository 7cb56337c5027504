"""The inspector without a browser: what the page asks, what it is told, and what stays when there is no page."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver import Image

import labkit as lab
from labkit.catalog import LAB_ROOT
from labkit.ui.inspector import Inspector, inspect, name_in_notebook
from labkit.ui.inspector_content import described, plain, template_schema
from tests.ui.inspecting import call, until

PROBE = LAB_ROOT / "tests" / "session" / "probe_server.py"
ERAS = ("2026-07-28", "2025-11-25")
pytestmark = pytest.mark.anyio


class Told(list[tuple[str, dict[str, Any]]]):
    """What a panel told its page."""

    def of(self, what: str) -> list[dict[str, Any]]:
        return [data for name, data in self if name == what]


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., tuple[Inspector, Told]]]:
    """`make(target, **options)` -> an inspector, and what it tells; all are closed, and so is what they opened."""
    panels: list[Inspector] = []

    def making(target: Any = None, **options: Any) -> tuple[Inspector, Told]:
        panel, told = inspect(target, **options), Told()
        panel.tell = lambda what, /, **data: told.append((what, data))  # type: ignore[method-assign]
        panels.append(panel)
        return panel, told

    yield making
    for panel in panels:
        panel.close()
    await lab.close_all()
    assert list(lab.connections()) == []


# connecting ------------------------------------------------------------------------------------


async def test_the_form_offers_what_there_is(make: Any) -> None:
    panel, _ = make()
    state = await panel.respond("state", {})
    assert not state["connection"]["there"]
    assert {"name": "calculator", "summary": lab.servers()["calculator"].summary} in state["choices"]["catalog"]
    assert state["choices"]["eras"][0] == "auto" and "2025-11-25" in state["choices"]["eras"]
    assert state["choices"]["transports"] == ["memory", "stdio", "http", "sse"]


@pytest.mark.parametrize(
    ("form", "name", "transport"),
    [
        ({"kind": "catalog", "target": "calculator"}, "calculator", "memory"),
        (
            {"kind": "catalog", "target": "calculator", "via": "stdio", "env": [["A", "1"], ["", "x"]]},
            "calculator",
            "stdio",
        ),
        ({"kind": "command", "target": f"python {PROBE}"}, "probe_server", "stdio"),
        ({"kind": "file", "target": str(PROBE), "via": "memory", "server": "server"}, "probe_server", "memory"),
    ],
)
async def test_connecting_by_form(make: Any, form: dict[str, Any], name: str, transport: str) -> None:
    panel, told = make()
    await panel.respond("connect", {**form, "era": "2025-11-25"})
    facts = (await panel.respond("state", {}))["connection"]
    assert (facts["name"], facts["transport"], facts["era"]) == (name, transport, "2025-11-25")
    assert facts["owned"] and not facts["closed"] and facts["server"]
    assert told.of("connection")[0]["connecting"] and told.of("lists")[-1]["tools"]


async def test_a_server_of_a_host_configuration(make: Any, tmp_path: Path) -> None:
    config = tmp_path / "hosts.json"
    config.write_text(
        f'{{"mcpServers": {{"one": {{"command": "python", "args": ["{PROBE.as_posix()}"]}}, "two": {{"command": "x"}}}}}}',
        encoding="utf-8",
    )
    panel, _ = make()
    with pytest.raises(lab.HostConfigError, match="say which one"):
        await panel.respond("connect", {"kind": "config", "target": str(config)})
    assert "say which one" in panel.facts()["failure"]
    if (beside := Path(__import__("sys").executable).parent) and (beside / "python").exists():
        config.write_text(
            config.read_text(encoding="utf-8").replace('"python"', f'"{(beside / "python").as_posix()}"'),
            encoding="utf-8",
        )
    await panel.respond("connect", {"kind": "config", "target": str(config), "server": "one"})
    assert panel.facts()["name"] == "one" and panel.facts()["failure"] == ""


async def test_headers_reach_an_address(make: Any) -> None:
    running = await lab.serve("calculator")
    panel, _ = make()
    await panel.respond("connect", {"kind": "url", "target": running.url, "headers": [["X-Lab", "7"]]})
    assert any((f.headers or {}).get("x-lab") == "7" for f in panel.conn.tape.frames)
    await panel.respond("disconnect", {})
    await running.stop()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"kind": "command", "target": " "}, "Give a command line"),
        ({"kind": "url", "target": "localhost:1"}, "begins with http"),
        ({"kind": "catalog", "target": "calculater"}, "Did you mean 'calculator'"),
        ({"kind": "catalog", "target": "calculator", "env": [["A", "1"]], "via": "memory"}, "process"),
        ({"kind": "file", "target": "nowhere.py"}, "There is no file nowhere.py"),
        ({"kind": "spell", "target": "x"}, "not a kind of server"),
    ],
)
async def test_what_is_wrong_is_said_in_the_words_of_the_lab(make: Any, form: dict[str, Any], said: str) -> None:
    panel, _ = make()
    if form["kind"] == "catalog" and "env" in form:
        form = {**form, "kind": "file", "target": str(PROBE)}
    with pytest.raises(lab.LabError, match=said):
        await panel.respond("connect", form)
    assert not panel.facts()["there"]
    assert panel.facts()["form"] == form  # a page that is loaded again finds what was tried


async def test_connecting_can_be_cancelled(make: Any) -> None:
    panel, _ = make()
    async with anyio.create_task_group() as tasks:

        async def connecting() -> None:
            with pytest.raises(BaseException):  # noqa: B017
                await panel.respond("connect", {"kind": "command", "target": "python -c 'import time; time.sleep(60)'"})

        tasks.start_soon(connecting)
        await until(lambda: panel.facts()["connecting"] and lab.connections())
        with pytest.raises(lab.LabError, match="cancel that first"):
            await panel.respond("connect", {"kind": "catalog", "target": "calculator"})
        await panel.respond("stop_connecting", {})
        await until(lambda: not panel.facts()["connecting"])
        tasks.cancel_scope.cancel()
    assert "cancelled" in panel.facts()["failure"] and list(lab.connections()) == []


async def test_a_panel_closes_what_it_opened_and_nothing_else(make: Any) -> None:
    conn = await lab.connect("calculator")
    shown, _ = make(conn)
    own, _ = make("calculator", era="2025-11-25")
    await until(lambda: own.facts()["there"])
    assert own.facts()["owned"] and not shown.facts()["owned"]
    await shown.respond("disconnect", {})
    shown.close()
    own.close()
    await until(lambda: own.conn.closed)
    assert not conn.closed


async def test_another_server_after_the_first(make: Any) -> None:
    panel, _ = make("calculator")
    first = await until(lambda: panel.conn)
    await panel.respond("form", {})
    assert first.closed and not panel.facts()["there"]
    await panel.respond("connect", {"kind": "catalog", "target": "notes"})
    assert panel.facts()["name"] == "notes"


async def test_a_target_that_cannot_be_opened_is_said_at_the_form(make: Any) -> None:
    panel, _ = make("calculater", via="stdio")
    await until(lambda: panel.facts()["failure"])
    assert "Did you mean" in panel.facts()["failure"]
    assert panel.facts()["form"] == {"kind": "command", "target": "calculater", "via": "stdio"}


async def test_options_for_an_open_connection_are_refused(make: Any) -> None:
    with pytest.raises(lab.LabError, match="era= came too late"):
        make(await lab.connect("calculator"), era="2025-11-25")


async def test_the_death_of_a_server_is_told_and_it_can_be_started_again(make: Any) -> None:
    panel, told = make(PROBE, via="stdio")
    first = await until(lambda: panel.conn)
    await panel.respond("state", {})
    dead = await call(panel, "die", code=3)
    assert dead.state == "error" and "exited with code 3" in dead.error and "going down" in dead.error
    await until(lambda: any(facts.get("closed") for facts in told.of("connection")))
    facts = panel.facts()
    assert facts["closed"] and "exited with code 3" in facts["why"]
    with pytest.raises(lab.ServerDiedError):
        await panel.respond("call", {"kind": "tool", "name": "add", "arguments": {"a": 1, "b": 2}})
    await panel.respond("reconnect", {})
    assert panel.conn is not first and not panel.facts()["closed"] and panel.facts()["transport"] == "stdio"
    assert (await call(panel, "add", a=1, b=2)).data == 3
    assert len(panel.history) == 2  # of before, too


async def test_a_connection_closed_in_a_cell_is_told(make: Any) -> None:
    conn = await lab.connect("calculator")
    panel, told = make(conn)
    await panel.respond("state", {})
    await conn.close()
    facts = await until(lambda: [f for f in told.of("connection") if f["closed"]])
    assert "is closed" in facts[-1]["why"]
    await panel.respond("reconnect", {})
    assert panel.facts()["owned"]  # the new one is the panel's


async def test_a_sync_connection_is_inspected_from_here(make: Any) -> None:
    conn = await anyio.to_thread.run_sync(lambda: lab.sync.connect("calculator"))
    panel, _ = make(conn)
    entry = await call(panel, "add", a=2, b=3)
    assert (entry.state, entry.data) == ("ok", 5)
    assert await panel.respond("code", {"id": entry.id}) == "result = conn.call('add', a=2, b=3)\nresult"
    await anyio.to_thread.run_sync(conn.close)


# what a server offers --------------------------------------------------------------------------


async def test_lists_with_forms_and_hints(make: Any) -> None:
    panel, _ = make(await lab.connect("everything"))
    lists = (await panel.respond("state", {}))["lists"]
    tools = {tool["name"]: tool for tool in lists["tools"]}
    assert tools["echo"]["words"] == ["read-only", "idempotent", "closed world"]
    assert tools["delete_path"]["words"] == ["destructive"]
    assert tools["arguments"]["schema"]["required"] == ["text"] and tools["arguments"]["output"]
    template = next(t for t in lists["templates"] if "{" in t["name"])
    assert template["schema"]["properties"]
    assert all(prompt["schema"]["type"] == "object" for prompt in lists["prompts"])
    assert any(resource["name"] == "everything://logo" for resource in lists["resources"])


def test_a_template_asks_for_its_variables() -> None:
    schema = template_schema("files://{dir}/{+path}{?rev}")
    assert [*schema["properties"]] == ["dir", "path", "rev"] and schema["required"] == ["dir", "path"]
    assert template_schema("broken://{") == {"type": "object", "properties": {}}


def test_values_reach_a_page_as_they_are() -> None:
    assert plain({"big": 2**60, "nan": float("nan"), "half": "\ud83d", "ok": [1, 1.5, None, "ü"]}) == {
        "big": str(2**60),
        "nan": "NaN",
        "half": "?",
        "ok": [1, 1.5, None, "ü"],
    }


# calling ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_is_checked_before_it_is_sent(make: Any, era: str) -> None:
    panel, told = make(await lab.connect(PROBE, era=era))
    wrong = {"kind": "tool", "name": "add", "arguments": {"a": 1, "b": "x"}}
    reply = await panel.respond("call", wrong)
    assert [fault["path"] for fault in reply["faults"]] == [["b"]] and len(panel.history) == 0
    sent = await call(panel, "add", anyway=True, a=1, b="x")
    assert sent.state == "tool error" and "valid integer" in sent.said() and sent.answer["hint"] == ""
    good = await call(panel, "add", a=1, b=2)
    assert (good.state, good.data, good.answer["value"], good.answer["blocks"]) == ("ok", 3, 3, [])
    assert [entry["state"] for entry in told.of("entry")] == ["running", "tool error", "running", "ok"]
    assert [entry.id for entry in panel.history] == [good.id, sent.id]
    assert (await panel.respond("entry", {"id": good.id}))["answer"]["raw"].startswith("{")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("via", ["memory", "stdio", "http"])
async def test_a_call_is_cancelled_at_the_server_too(make: Any, via: str, era: str) -> None:
    panel, told = make(await lab.connect(PROBE, via=via, era=era))
    id = (await panel.respond("call", {"kind": "tool", "name": "slow", "arguments": {"seconds": 60}}))["id"]
    await until(lambda: told.of("progress"))
    assert told.of("progress")[0] == {"id": id, "done": 1, "total": 5, "message": "step 1"}
    await panel.respond("cancel", {"id": id})
    await until(lambda: panel.entry(id).state == "cancelled")
    if (via, era) != ("http", "2026-07-28"):  # there, closing the stream is the cancellation
        assert panel.conn.tape.filter("notifications/cancelled", direction="sent").frames
    assert (await call(panel, "add", a=1, b=1)).data == 2  # the connection lives


async def test_answers_of_every_kind(make: Any) -> None:
    panel, _ = make(await lab.connect("everything"))
    found: dict[str, list[str]] = {}
    for name in ("image", "audio", "resource_link", "embedded_resource", "mixed_content", "unicode"):
        entry = await call(panel, name)
        found[name] = [block["type"] for block in entry.answer["blocks"]]
    assert found["image"] == ["image"] and found["audio"] == ["audio"] and found["resource_link"] == ["link"]
    assert found["embedded_resource"] == ["text"] and {"text", "image"} <= set(found["mixed_content"])
    picture = (await call(panel, "image")).answer["blocks"][0]
    assert picture["source"].startswith("data:image/png;base64,") and picture["size"] > 0
    failed = await call(panel, "fail")
    assert failed.state == "tool error"


async def test_only_pictures_that_are_pictures_become_pictures(make: Any) -> None:
    server = MCPServer("shady")
    drawing = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>").decode()

    @server.tool()
    def svg() -> Image:
        return Image(data=base64.b64decode(drawing), format="svg+xml")

    panel, _ = make(await lab.connect(server))
    block = (await call(panel, "svg")).answer["blocks"][0]
    assert block["type"] == "binary" and "source" not in block


async def test_a_huge_answer_is_cut_for_the_page(make: Any) -> None:
    panel, _ = make(await lab.connect(PROBE))
    entry = await call(panel, "big", size=2_000_000)
    whole = await panel.respond("entry", {"id": entry.id})
    assert len(str(whole)) < 500_000 and "more characters" in whole["answer"]["raw"]
    assert len(panel.still()) < 20_000


@pytest.mark.parametrize("era", ERAS)
async def test_resources_templates_and_prompts(make: Any, era: str) -> None:
    panel, _ = make(await lab.connect(PROBE, era=era))
    read = await call(panel, "note://welcome", kind="resource")
    assert read.answer["blocks"] == [
        {"uri": "note://welcome", "mime": "text/markdown", "type": "text", "text": "# hello"}
    ]
    reply = await panel.respond("call", {"kind": "template", "name": "greet://{who}", "arguments": {}})
    assert reply["faults"][0]["path"] == ["who"]
    greeting = await call(panel, "greet://{who}", kind="template", who="Ada L")
    assert greeting.uri == "greet://Ada%20L" and greeting.answer["blocks"][0]["text"] == "hello Ada L"
    assert await panel.respond("complete", {"ref": "review", "argument": "lang", "value": "pe"}) == ["perl"]
    assert await panel.respond("complete", {"ref": "greet://{who}", "argument": "who", "value": "r"}) == ["rust"]
    prompt = await call(panel, "review", kind="prompt", code="x", lang="perl")
    assert prompt.answer["blocks"] == [{"type": "text", "text": "Review this perl: x", "role": "user"}]
    missing = await call(panel, "nowhere://x", kind="resource")
    assert missing.state == "error" and missing.code is not None and missing.error


async def test_no_completion_is_no_error(make: Any) -> None:
    panel, _ = make(await lab.connect("calculator"))
    assert await panel.respond("complete", {"ref": "x", "argument": "y", "value": "z"}) == []


# what a server asks ----------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
async def test_an_elicitation_is_answered_in_the_panel(make: Any, era: str) -> None:
    panel, told = make(await lab.connect(PROBE, era=era))
    id = (await panel.respond("call", {"kind": "tool", "name": "delete", "arguments": {"path": "/x"}}))["id"]
    (question,) = await until(lambda: [*panel.questions.values()])
    page = told.of("questions")[0]["rows"][0]
    assert (page["kind"], page["message"], page["call"]) == ("elicit", "Delete /x?", id)
    assert page in (await panel.respond("state", {}))["questions"]  # for a page that is loaded meanwhile
    reply = await panel.respond("reply", {"id": question.id, "action": "accept", "content": {"reason": "no"}})
    assert reply["faults"] == [{"path": ["ok"], "message": "a value is needed"}]
    await panel.respond("reply", {"id": question.id, "action": "accept", "content": {"ok": True, "reason": "asked"}})
    await until(lambda: panel.entry(id).state == "ok")
    assert panel.entry(id).data == "deleted /x asked" and told.of("questions")[-1]["rows"] == []
    with pytest.raises(lab.LabError, match="settled"):
        await panel.respond("reply", {"id": question.id, "action": "decline"})


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_cancelled_while_the_server_asks(make: Any, era: str) -> None:
    panel, _ = make(await lab.connect(PROBE, era=era))
    id = (await panel.respond("call", {"kind": "tool", "name": "delete", "arguments": {"path": "/x"}}))["id"]
    await until(lambda: panel.questions)
    await panel.respond("cancel", {"id": id})
    await until(lambda: panel.entry(id).state == "cancelled")
    assert not panel.questions
    assert (await call(panel, "add", a=1, b=1)).data == 2


async def test_declining(make: Any) -> None:
    panel, _ = make(await lab.connect(PROBE))
    id = (await panel.respond("call", {"kind": "tool", "name": "delete", "arguments": {"path": "/x"}}))["id"]
    (question,) = await until(lambda: [*panel.questions.values()])
    await panel.respond("reply", {"id": question.id, "action": "decline"})
    await until(lambda: panel.entry(id).state == "tool error")


@pytest.mark.parametrize("era", ERAS)
async def test_the_person_answers_for_the_model(make: Any, era: str) -> None:
    panel, _ = make(await lab.connect(PROBE, era=era))
    for action, text, state in (("accept", "short", "ok"), ("decline", None, "error")):
        id = (await panel.respond("call", {"kind": "tool", "name": "summary", "arguments": {"text": "a b c d"}}))["id"]
        (question,) = await until(lambda: [*panel.questions.values()])
        assert question.for_page()["message"] == "user: a b c d" and question.proposal == "a b c"
        await panel.respond("reply", {"id": question.id, "action": action, "content": text})
        await until(lambda id=id: panel.entry(id).state != "running")
        assert panel.entry(id).state in (state, "tool error")
        assert text is None or panel.entry(id).data == text


async def test_a_handler_of_the_learner_keeps_answering(make: Any) -> None:
    panel, _ = make(await lab.connect(PROBE, on_elicit=lab.scripted({"ok": True, "reason": "mine"})))
    assert (await call(panel, "delete", path="/x")).data == "deleted /x mine"


async def test_an_address_to_open_is_a_link_only_when_it_is_one(make: Any) -> None:
    from labkit.ui.inspector_call import Question

    for url, safe in (("https://example.org/x", True), ("javascript:alert(1)", False), ("data:text/html,x", False)):
        page = Question(1, 1, "elicit", "Open it", {"type": "object", "properties": {}, "url": url}).for_page()
        assert (page["kind"], page["safe"], page["url"]) == ("url", safe, url)


# what comes by itself --------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
async def test_announcements_arrive_and_lists_are_listed_again(make: Any, era: str) -> None:
    panel, told = make(await lab.connect(PROBE, era=era))
    await panel.respond("state", {})
    await panel.respond("subscribe", {"what": "the lists"})
    assert told.of("subscriptions")[-1]["keys"] == ["the lists"]
    name = f"grown_{era[:4]}"
    await call(panel, "grow", name=name)
    await until(lambda: any(name in [tool["name"] for tool in lists["tools"]] for lists in told.of("lists")))
    methods = [event["method"] for events in told.of("events") for event in events["rows"]]
    assert "notifications/tools/list_changed" in methods
    assert [event["n"] for event in panel.events] == sorted({event["n"] for event in panel.events})
    await panel.respond("unsubscribe", {"what": "the lists"})
    assert told.of("subscriptions")[-1]["keys"] == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_watched_resource_is_told(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: str) -> None:
    monkeypatch.setenv("NOTES_DB", str(tmp_path / "notes.db"))
    panel, told = make(await lab.connect("notes", era=era))
    await panel.respond("state", {})
    await call(panel, "create_note", name="milk", text="buy")
    uri = "notes://milk"
    await panel.respond("subscribe", {"what": uri})
    assert told.of("subscriptions")[-1]["keys"] == [uri] and "subscribe" in panel.facts()["can"]
    await call(panel, "update_note", name="milk", text="bought")
    await until(lambda: [e for e in panel.events if e.get("uri") == uri])
    await panel.respond("unsubscribe", {"what": uri})
    assert told.of("subscriptions")[-1]["keys"] == []


async def test_the_level_of_the_log_is_asked_for(make: Any) -> None:
    panel, _ = make(await lab.connect("everything", era="2025-11-25"))
    await panel.respond("log_level", {"level": "error"})
    (frame,) = panel.conn.tape.filter("logging/setLevel", kind="request").frames
    assert frame.message and frame.message["params"] == {"level": "error"}


async def test_another_server_begins_another_history(make: Any) -> None:
    panel, told = make("calculator")
    await until(lambda: panel.conn)
    await call(panel, "add", a=1, b=1)
    await panel.respond("connect", {"kind": "catalog", "target": "calculator", "era": "2025-11-25"})
    assert len(panel.history) == 1 and not told.of("forget")
    await panel.respond("connect", {"kind": "catalog", "target": "everything"})
    assert len(panel.history) == 0 and told.of("forget") == [{}]


async def test_log_messages_and_stderr(make: Any) -> None:
    panel, told = make(await lab.connect(PROBE, via="stdio", era="2025-11-25"))
    await panel.respond("state", {})
    await call(panel, "tell", text="said over the protocol")
    await call(panel, "shout", text="said on stderr")
    await until(lambda: any("said on stderr" in lines["lines"] for lines in told.of("stderr")))
    event = next(event for events in told.of("events") for event in events["rows"] if "level" in event)
    assert (event["level"], event["text"]) == ("info", "said over the protocol")
    again = await panel.respond("state", {})
    assert "said on stderr" in again["stderr"]["lines"] and again["stderr"]["fresh"]
    assert event in again["events"]


async def test_nothing_is_looked_at_before_a_page_asks_or_after_closing(make: Any) -> None:
    panel, _ = make(await lab.connect("calculator"))
    assert panel._watcher is None
    await panel.respond("state", {})
    watcher = panel._watcher
    panel.close()
    await until(lambda: watcher.done())


# without a page --------------------------------------------------------------------------------


async def test_the_still_has_the_server_its_tools_and_the_calls(make: Any) -> None:
    panel, _ = make(await lab.connect("calculator"))
    await call(panel, "add", a=2, b=3)
    await call(panel, "divide", a=1, b=0)
    still = panel.still()
    assert "<script" not in still and "<style" not in still
    for text in ("calculator", "memory", "subtract", "tool error", "<b>ok</b>", "{&quot;a&quot;: 2, &quot;b&quot;: 3}"):
        assert text in still, text
    assert "Inspector: calculator" in panel.text() and "add: ok  5" in panel.text()


async def test_the_still_escapes_what_a_server_says(make: Any) -> None:
    server = MCPServer("<b>shady</b>")
    server.add_tool(lambda: "<img src=x onerror=1>", name="x", description="<script>1</script>")
    panel, _ = make(await lab.connect(server))
    await call(panel, "x")
    assert "<script" not in panel.still() and "<img" not in panel.still() and "<b>shady" not in panel.still()


async def test_a_history_is_bounded(make: Any) -> None:
    from labkit.ui import history

    panel, _ = make(await lab.connect("calculator"))
    for number in range(history.ENTRIES + 5):
        entry = panel.history.add("tool", "add", {"n": number})
        panel.history.finished(entry, {"blocks": [], "raw": "x" * 400_000}, {"x": 1})
    entries = [*panel.history]
    assert len(entries) == history.ENTRIES and entries[0].arguments == {"n": history.ENTRIES + 4}
    assert entries[0].answer is not None and entries[-1].answer is None
    assert sum(entry.size for entry in entries) <= history.BYTES


def test_the_name_a_notebook_has_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython

    conn = object()
    shell = type("Shell", (), {"user_ns": {"_": conn, "calc": conn}})()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert name_in_notebook(conn) == "calc" and name_in_notebook(object()) == "conn"


def test_what_a_server_names_can_be_sent_to_a_page() -> None:
    half = "half \ud83d"
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    tool = types.Tool.model_construct(
        name=half, description=half, title=half, annotations=None, input_schema=deep, output_schema={half: half}
    )
    sent = described(tool)
    assert sent["name"] == "half ?" and sent["schema"] == "nested too deeply to be shown"
    str(sent).encode("utf-8")  # as the kernel does
