"""Another configuration while clients are at work: no call is dropped, and what goes, goes when it has finished."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import labkit as lab
from labkit.errors import GatewayConfigError, LabError
from labkit.gateway import Gateway, GatewayConfig
from labkit.patterns.failures import Unavailable
from labkit.patterns.ledger import Ledger
from labkit.patterns.ledger_reading import search, verify
from labkit.session.serving import ThreadServer

from .conftest import ERAS, LONG, MODERN, until
from .faulty import State, install
from .front_case import Http, Json, call, everything, message, opened_gateway, small

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]


@pytest.fixture(autouse=True)
def states(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def config(servers: Json, policy: Json | None = None) -> GatewayConfig:
    return GatewayConfig.of(servers, policy)


async def names(http: Http) -> set[str]:
    return {tool["name"] for tool in (await http.ask(message("tools/list"))).result["tools"]}


class Load:
    """Clients that call one tool over and over, and note whatever is no right answer."""

    def __init__(self, url: str, tool: str, clients: int) -> None:
        self.url, self.tool = url, tool
        self.answered = 0
        self.wrong: list[Any] = []
        self._stop = False
        self._tasks = [asyncio.ensure_future(self._client(n)) for n in range(clients)]

    async def _client(self, who: int) -> None:
        http = Http(self.url)
        step = 0
        while not self._stop:
            step += 1
            n = who * 1_000_000 + step
            answer = await http.ask(call(self.tool, {"n": n}, id=n))
            message = answer.messages[-1]
            if message.get("id") != n or message.get("result", {}).get("content") != [{"type": "text", "text": str(n)}]:
                self.wrong.append(message)
            self.answered += 1
        await http.close()

    async def more(self, calls: int) -> None:
        """Wait for so many further answers."""
        wanted = self.answered + calls
        await until(lambda: self.answered >= wanted or any(task.done() for task in self._tasks))

    async def end(self) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)


async def test_no_call_is_dropped_while_everything_else_changes(tmp_path: Path) -> None:
    kept, other, third = State(), State(), State()
    audit = str(tmp_path / "audit")
    configs = [
        config({"kept": {"server": kept}}, {"audit": audit}),
        config({"kept": {"server": kept}, "other": {"server": other}}, {"audit": audit, "deadline": 20}),
        config({"other": {"server": other}, "kept": {"server": kept, "gateway": {"timeout": 9}}}, {"audit": audit}),
        config({"kept": {"server": kept}, "third": {"server": third}}, {"audit": audit, "page": 5, "breaker": {}}),
    ]
    gateway = Gateway(configs[0])
    load = Load(await gateway.start(), "kept.give", clients=8)
    await load.more(50)
    for n in range(12):
        await gateway.reload(configs[n % len(configs)])
        await load.more(20)
    await load.end()
    await gateway.close()
    assert load.wrong == []
    assert kept.opened == 1
    assert len(list(search(audit, outcome="ok"))) == load.answered
    assert verify(audit).ok


async def test_calls_of_a_backend_that_gets_new_settings_go_to_the_old_one_or_the_new(tmp_path: Path) -> None:
    old, new = State(), State()
    gateway = Gateway(config({"b": {"server": old}}))
    load = Load(await gateway.start(), "b.give", clients=8)
    await load.more(50)
    for state in (new, old, new):
        await gateway.reload(config({"b": {"server": state}}))
        await load.more(50)
    await load.end()
    assert load.wrong == []
    assert sum(old.calls.values()) + sum(new.calls.values()) == load.answered
    assert min(sum(old.calls.values()), sum(new.calls.values())) >= 50
    await gateway.close()


async def test_a_removed_backend_ends_when_its_calls_have(tmp_path: Path) -> None:
    gone, stays = small(), State()
    gateway = Gateway(config({"gone": gone, "stays": {"server": stays}}))
    url = await gateway.start()
    slow, http = Http(url), Http(url)
    held = asyncio.ensure_future(slow.ask(call("gone.hold", {"number": 1, "of": 2})))
    await until(lambda: gateway.backends["gone"].in_flight == 1)
    backend = gateway.backends["gone"]
    done = await gateway.reload(config({"stays": {"server": stays}}))
    assert done == ["gone: removed"]
    assert await names(http) == {"stays.give"}
    assert (await http.ask(call("gone.journal"))).error["code"] == -32602
    assert backend.state == "ready"
    assert not held.done()
    await backend.request("tools/call", {"name": "hold", "arguments": {"number": 0, "of": 2}})  # lets both end
    assert (await held).text == "1"
    await until(lambda: backend.state == "closed" and not gateway._leaving)
    await slow.close()
    await http.close()
    await gateway.close()


async def test_a_gateway_that_closes_takes_along_what_still_drains() -> None:
    stays = State()
    gateway = await Gateway(config({"gone": small(), "stays": {"server": stays}})).open()
    backend = gateway.backends["gone"]
    waits = asyncio.ensure_future(backend.request("tools/call", {"name": "wait", "arguments": {"key": "x"}}))
    await until(lambda: backend.in_flight == 1)
    await gateway.reload(config({"stays": {"server": stays}}))
    assert backend.state == "ready"
    await gateway.close(patience=0.05)
    assert backend.state == "closed"
    with pytest.raises(Unavailable):
        await waits


async def test_clients_of_both_eras_hear_that_the_list_is_another() -> None:
    state, more = State(), State()
    async with opened_gateway({"a": {"server": state}}) as gateway:
        for era in ERAS:
            conn = await lab.connect(gateway.server, era=era, listing=False)
            subscription = await conn.subscribe(tools=True)
            await until(lambda era=era: era == MODERN or len(gateway.sessions))
            await gateway.reload(config({"a": {"server": state}, "b": {"server": more}}))
            assert (await subscription.next(timeout=LONG)).kind == "tools"
            assert {tool["name"] for tool in (await conn.send("tools/list", {}))["tools"]} == {"a.give", "b.give"}
            await conn.close()
            await gateway.reload(config({"a": {"server": state}}))


@pytest.mark.parametrize("era", ERAS)
async def test_who_watches_a_resource_still_does_when_its_server_is_another(era: str) -> None:
    async with opened_gateway({"every": everything()}) as gateway:
        conn = await lab.connect(gateway.server, era=era, listing=False)
        watching = await conn.subscribe("everything://counter")
        await gateway.reload(config({"every": everything()}))
        await conn.send("tools/call", {"name": "every.count_up", "arguments": {}})
        assert (await watching.next(timeout=LONG)).uri == "everything://counter"
        await conn.close()


async def test_a_session_that_does_not_listen_keeps_nobody_from_hearing() -> None:
    state = State()

    class Deaf:
        def __init__(self) -> None:
            self.state: Json = {}
            self.outbound = self

        async def notify(self, method: str, params: Any) -> None:
            await asyncio.sleep(LONG)

    deaf: Any = [Deaf() for _ in range(8)]
    async with opened_gateway({"a": {"server": state}}) as gateway:
        gateway.sessions.update(deaf)
        conn = await lab.connect(gateway.server, era=ERAS[1], listing=False)
        subscription = await conn.subscribe(tools=True)
        await until(lambda: len(gateway.sessions) == 9)
        await gateway.reload(config({"a": {"server": state}, "b": {"server": State()}}))
        assert (await subscription.next(timeout=LONG)).kind == "tools"
        await conn.close()


async def test_what_is_wrong_with_the_new_one_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    pins, busy = tmp_path / "pins.json", tmp_path / "busy"
    pins.write_text("{", encoding="utf-8")
    state, fresh = State(), State()
    with Ledger(busy):
        async with opened_gateway({"a": {"server": state}}, {"deadline": 9}) as gateway:
            http = Http(await gateway.start())
            before = gateway.config, gateway.rules
            for policy, error in (({"pins": str(pins)}, GatewayConfigError), ({"audit": str(busy)}, LabError)):
                with pytest.raises(error):
                    await gateway.reload(config({"a": {"server": state}, "b": {"server": fresh}}, policy))
                assert (gateway.config, gateway.rules) == before
                assert await names(http) == {"a.give"}
                assert (await http.ask(call("a.give", {"n": 7}))).text == "7"
                assert not fresh.peers
            await http.close()


async def test_a_new_backend_that_cannot_be_reached_keeps_nobody_waiting_for_the_others() -> None:
    state, down = State(), State()
    down.down = True
    async with opened_gateway({"a": {"server": state}}) as gateway:
        http = Http(await gateway.start())
        await gateway.reload(config({"a": {"server": state}, "b": {"server": down}}))
        assert (await http.ask(call("a.give", {"n": 1}))).text == "1"
        down.down = False
        await until(lambda: gateway.registry.route("tools", "b.give"))
        assert (await http.ask(call("b.give", {"n": 2}))).text == "2"
        await http.close()


async def test_limits_that_are_not_changed_go_on_counting() -> None:
    state = State()
    limits: Json = {"limits": {"calls": "3/hour"}}
    async with opened_gateway({"a": {"server": state}}, limits) as gateway:
        http = Http(await gateway.start())

        async def refused() -> bool:
            return bool((await http.ask(call("a.give", {"n": 1}))).result.get("isError"))

        assert [await refused() for _ in range(3)] == [False] * 3
        await gateway.reload(config({"a": {"server": state}}, {**limits, "page": 7}))
        assert await refused()
        await gateway.reload(config({"a": {"server": state}}, {"limits": {"calls": "2/hour"}}))
        assert [await refused() for _ in range(3)] == [False, False, True]
        await http.close()


async def test_a_call_on_its_way_is_written_into_the_log_that_it_began_with(tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    server = small()
    async with opened_gateway({"s": server}, {"audit": first}) as gateway:
        http, other = Http(await gateway.start()), Http(await gateway.start())
        held = asyncio.ensure_future(http.ask(call("s.hold", {"number": 1, "of": 2})))
        await until(lambda: gateway.backends["s"].in_flight == 1)
        await gateway.reload(config({"s": server}, {"audit": second}))
        assert (await other.ask(call("s.hold", {"number": 0, "of": 2}))).text == "0"
        assert (await held).text == "1"
        await until(lambda: not gateway._former)
        Ledger(first).close()  # it was let go
        for session in (http, other):
            await session.close()
    assert [each["arguments"]["number"] for each in search(first)] == [1]
    assert [each["arguments"]["number"] for each in search(second)] == [0]


async def test_a_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    far = ThreadServer("far", small(), via="http", port=0)
    await far.start()

    def write(prefix: str) -> GatewayConfig:
        servers = {"far": {"url": far.url, "gateway": {"prefix": prefix}}}
        path.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
        return GatewayConfig.read(path)

    async with Gateway(write("one")) as gateway:
        http = Http(await gateway.start())
        assert "one.journal" in await names(http)
        backend = gateway.backends["far"]
        assert await gateway.reload(write("two")) == ["policy only"]
        assert gateway.backends["far"] is backend
        assert "two.journal" in await names(http) and "one.journal" not in await names(http)
        write("three")
        gateway.reload_soon(path)
        await until(lambda: gateway.registry.route("tools", "three.journal"))
        path.write_text("{", encoding="utf-8")
        gateway.reload_soon(path)
        assert "three.journal" in await names(http)
        await http.close()
    await far.stop()
