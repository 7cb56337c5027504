"""Backends that die, hang, are slow, lie or restart: no wrong answer, no lost call, and nobody else is bothered."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from labkit.gateway import Gateway, backend, relay_answer
from labkit.patterns.ledger_reading import search, verify

from .conftest import LONG, Asked, ScriptedHttp, until
from .faulty import State, install
from .front_case import GIVING, Answer, Http, Json, call, headers_of, message, process

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backends of this process, and attempts to reach lost ones in quick succession."""
    install(monkeypatch)
    monkeypatch.setattr(backend, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(backend, "MAX_PAUSE", 0.1)


@dataclass
class Place:
    gateway: Gateway
    url: str
    states: dict[str, State]
    https: list[Http] = field(default_factory=list[Http])

    def client(self) -> Http:
        self.https.append(Http(self.url))
        return self.https[-1]

    async def close(self) -> None:
        for http in self.https:
            await http.close()
        await self.gateway.close(patience=0.1)


async def placed(policy: Json | None = None, timeout: float = 0.5, **more: Any) -> Place:
    states = {"bad": State(), "good": State()}
    servers = {name: {"server": state, "gateway": {"timeout": timeout}} for name, state in states.items()}
    gateway = Gateway.of({**servers, **more}, policy)
    url = await gateway.start()
    await gateway.awake()
    return Place(gateway, url, states)


def outcome(answer: Answer, n: int) -> str:
    """What became of a call: "right", or how it failed. Anything else is a wrong answer."""
    said = answer.messages[-1]
    assert said["id"] == n, "the answer to another request"
    if "error" in said:
        return "error"
    result = said["result"]
    if result.get("isError"):
        return "tool error" if "_meta" not in result or "labkit/reason" not in result["_meta"] else "refused"
    assert result.get("content") == [{"type": "text", "text": str(n)}], f"a wrong answer: {result}"
    return "right"


# lies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("wrong id", "right"),
        ("nobody's id", "right"),
        ("twice", "right"),
        ("garbage", "right"),
        ("slow", "right"),
        ("die answered", "right"),
        ("tool error", "tool error"),
        ("error", "error"),
        ("no result", "refused"),
        ("neither", "refused"),
        ("bad content", "error"),
        ("hang", "refused"),
        ("die", "refused"),
    ],
)
@pytest.mark.parametrize("short", [True, False], ids=["short", "long"])
async def test_a_lie_is_never_taken_for_an_answer(fault: str, expected: str, short: bool) -> None:
    state = State()
    gateway = Gateway.of({"bad": {"server": state, "gateway": {"timeout": 0.4}}})
    http = Http(await gateway.start(relay=short))
    await gateway.awake()
    assert outcome(await http.ask(call("bad.give", {"n": 5, "fault": fault}, id=5)), 5) == expected
    await until(lambda: gateway.backends["bad"].state == "ready")
    assert outcome(await http.ask(call("bad.give", {"n": 6}, id=6)), 6) == "right"
    assert state.cancelled == (fault == "hang")
    await http.close()
    await gateway.close()


async def test_a_liar_behind_http_is_found_out() -> None:
    server = ScriptedHttp()
    lies: dict[str, Any] = {
        "wrong id": lambda asked: asked.json({"jsonrpc": "2.0", "id": 987_654, "result": {"content": []}}),
        "no JSON": lambda asked: asked.send(b"<html>", "200 OK", "Content-Type: application/json"),
        "HTML": lambda asked: asked.send(b"<html>", "502 Bad Gateway", "Content-Type: text/html"),
        "nothing": lambda asked: asked.send(b"", "200 OK", "Content-Type: application/json"),
        "accepted": lambda asked: asked.send(b"", "202 Accepted"),
        "a batch": lambda asked: asked.json([{"jsonrpc": "2.0", "id": asked.message["id"], "result": {}}]),
        "half": lambda asked: asked.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
        "an empty stream": lambda asked: asked.events(),
        "another's answer in a stream": lambda asked: asked.events(
            {"jsonrpc": "2.0", "id": 987_654, "result": {"content": [{"type": "text", "text": "WRONG"}]}}
        ),
    }

    async def script(asked: Asked) -> None:
        if asked.message["method"] == "tools/list":
            await asked.result({"tools": [{"name": "give", "inputSchema": {"type": "object"}}]})
            return
        arguments = asked.message["params"]["arguments"]
        if lie := lies.get(arguments.get("fault", "")):
            await lie(asked)
            if arguments["fault"] == "half":
                asked.close()
        else:
            await asked.result({"content": [{"type": "text", "text": str(arguments["n"])}]})

    server.script = script
    await server.start()
    gateway = Gateway.of({"bad": {"url": server.url, "gateway": {"timeout": 5}}})
    http = Http(await gateway.start())
    await gateway.awake()
    for n, fault in enumerate(lies, 1):
        found = outcome(await http.ask(call("bad.give", {"n": n, "fault": fault}, id=n)), n)
        assert found in ("error", "refused"), fault
        assert outcome(await http.ask(call("bad.give", {"n": -n}, id=-n)), -n) == "right", fault
    await http.close()
    await gateway.close()
    await server.stop()


# a bad neighbour -------------------------------------------------------------------------------------


async def test_a_dead_backend_takes_only_its_own_tools_along() -> None:
    place = await placed()
    http = place.client()
    place.states["bad"].down = True
    place.states["bad"].kill()
    began = time.monotonic()
    for n in range(20):
        assert outcome(await http.ask(call("bad.give", {"n": n}, id=n)), n) == "refused"
        assert outcome(await http.ask(call("good.give", {"n": n}, id=n)), n) == "right"
    assert time.monotonic() - began < LONG
    refused = (await http.ask(call("bad.give", {"n": 1}))).result
    assert refused["_meta"]["labkit/reason"] == "unavailable"
    assert "labkit/retryAfter" in refused["_meta"]
    listed = {tool["name"] for tool in (await http.ask(message("tools/list"))).result["tools"]}
    assert "good.give" in listed
    place.states["bad"].down = False
    await until(lambda: place.gateway.backends["bad"].state == "ready")
    assert outcome(await http.ask(call("bad.give", {"n": 3}, id=3)), 3) == "right"
    assert place.gateway.health()[0].restarts == 1
    await place.close()


async def test_a_slow_or_hung_backend_does_not_delay_the_others() -> None:
    place = await placed(timeout=LONG)
    hung = [asyncio.ensure_future(place.client().ask(call("bad.give", {"n": n, "fault": "hang"}))) for n in range(100)]
    await until(lambda: place.gateway.backends["bad"].in_flight == 100)
    http = place.client()
    for n in range(50):
        assert outcome(await http.ask(call("good.give", {"n": n}, id=n)), n) == "right"
    assert not any(task.done() for task in hung)  # the others were answered while these waited
    for task in hung:
        task.cancel()
    await asyncio.wait(hung)
    await place.close()


async def test_a_backend_that_does_not_start_does_not_delay_the_others() -> None:
    never = process("import time; time.sleep(60)")
    gateway = Gateway.of({"good": {"server": State(), "gateway": {"start": "eager"}}, "never": never})
    http = Http(await gateway.start())
    async with asyncio.timeout(LONG):
        assert outcome(await http.ask(call("good.give", {"n": 1}, id=1)), 1) == "right"
    await http.close()
    await gateway.close(patience=0.1)


async def test_a_backend_that_dies_at_its_first_steps_is_tried_again() -> None:
    """Also when the failed attempt takes longer to clean up than the pause before the next."""
    state = State()
    state.stumbles, state.slow_end = 2, 0.2
    gateway = Gateway.of({"bad": {"server": state}})
    http = Http(await gateway.start())
    await gateway.awake()
    await until(lambda: gateway.backends["bad"].state == "ready")
    assert outcome(await http.ask(call("bad.give", {"n": 1}, id=1)), 1) == "right"
    assert state.opened == 3
    await http.close()
    await gateway.close()


async def test_an_open_breaker_spares_a_backend_that_hangs() -> None:
    place = await placed({"breaker": {"failures": 3, "recover": 0.2}}, timeout=0.05)
    http = place.client()
    for n in range(10):
        await http.ask(call("bad.give", {"n": n, "fault": "hang"}, id=n))
    assert sum(place.states["bad"].calls.values()) == 3
    refused = (await http.ask(call("bad.give", {"n": 1}))).result
    assert refused["_meta"]["labkit/reason"] == "circuit-open"
    assert outcome(await http.ask(call("good.give", {"n": 1}, id=1)), 1) == "right"
    await asyncio.sleep(0.25)  # until it may be tried again: the breaker's own clock
    assert outcome(await http.ask(call("bad.give", {"n": 2}, id=2)), 2) == "right"
    await place.close()


# many clients ----------------------------------------------------------------------------------------


class Crowd:
    """64 clients that call until told to stop."""

    def __init__(self, url: str, tool: str, clients: int = 64) -> None:
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._stop = False
        self._tasks = [asyncio.ensure_future(self._client(url, tool, who)) for who in range(clients)]

    async def _client(self, url: str, tool: str, who: int) -> None:
        http = Http(url)
        step = 0
        while not self._stop:
            step += 1
            n = who * 1_000_000 + step
            try:
                self.outcomes[outcome(await http.ask(call(tool, {"n": n}, id=n)), n)] += 1
            except AssertionError as error:
                self.wrong.append(str(error))
        await http.close()

    async def has(self, kind: str, more: int) -> None:
        wanted = self.outcomes[kind] + more
        await until(lambda: self.outcomes[kind] >= wanted)

    async def end(self) -> None:
        self._stop = True
        async with asyncio.timeout(LONG):
            await asyncio.gather(*self._tasks)


async def test_a_backend_that_restarts_under_64_clients_gives_nobody_a_wrong_answer(
    record_property: Any, tmp_path: Path
) -> None:
    server = ScriptedHttp()

    async def script(asked: Asked) -> None:
        if asked.message["method"] == "tools/list":
            await asked.result({"tools": [{"name": "give", "inputSchema": {"type": "object"}}]})
        else:
            text = str(asked.message["params"]["arguments"]["n"])
            await asked.result({"content": [{"type": "text", "text": text}]})

    server.script = script
    await server.start()
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    gateway = Gateway.of({"b": {"url": server.url, "gateway": {"timeout": 10}}}, {"audit": str(tmp_path)})
    url = await gateway.start()
    await gateway.awake()
    crowd = Crowd(url, "b.give")
    await crowd.has("right", 200)
    recovered: list[float] = []
    for _ in range(3):
        await server.stop()
        await crowd.has("refused", 64)
        began = time.perf_counter()
        await server.start(port)
        await crowd.has("right", 1)
        recovered.append(time.perf_counter() - began)
        await crowd.has("right", 200)
    await crowd.end()
    await gateway.close()
    await server.stop()
    record_property("recovered after seconds", recovered)
    assert crowd.wrong == []
    assert crowd.outcomes.keys() <= {"right", "refused"}
    records = list(search(tmp_path))
    assert Counter(each["outcome"] for each in records) == {
        "ok": crowd.outcomes["right"],
        "refused": crowd.outcomes["refused"],
    }


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
async def test_processes_that_are_killed_under_64_clients_come_back(record_property: Any) -> None:
    gateway = Gateway.of({"p": {**process(), "gateway": {"instances": 2}}, "good": {"server": State()}})
    url = await gateway.start()
    await gateway.awake()
    await until(lambda: len(gateway.health()[0].pids) == 2)
    crowd, good = Crowd(url, "p.give"), Crowd(url, "good.give", clients=2)
    await crowd.has("right", 200)
    recovered: list[float] = []
    for victims in (1, 2, 2):
        began, before = time.perf_counter(), gateway.health()[0]
        for pid in before.pids[:victims]:
            os.kill(pid, signal.SIGKILL)
        await until(lambda before=before, victims=victims: gateway.health()[0].restarts >= before.restarts + victims)
        await until(lambda: gateway.health()[0].ready == 2)
        recovered.append(time.perf_counter() - began)
        await crowd.has("right", 200)
    await crowd.end()
    await good.end()
    record_property("recovered after seconds", recovered)
    assert crowd.wrong == good.wrong == []
    assert crowd.outcomes.keys() <= {"right", "refused"}
    assert good.outcomes.keys() == {"right"}
    assert gateway.health()[0].restarts >= 5
    await gateway.close()


async def test_a_hung_process_is_answered_for_when_its_time_is_up() -> None:
    hung = GIVING.replace("if id is None", "if id is None or params.get('arguments', {}).get('n') == -1")
    gateway = Gateway.of({"p": {**process(hung), "gateway": {"timeout": 0.2}}})
    http = Http(await gateway.start())
    await gateway.awake()
    refused = (await http.ask(call("p.give", {"n": -1}))).result
    assert refused["_meta"]["labkit/reason"] == "timeout"
    assert outcome(await http.ask(call("p.give", {"n": 1}, id=1)), 1) == "right"
    await http.close()
    await gateway.close()


# the audit trail -------------------------------------------------------------------------------------

FAULTS = (
    ("", 60), ("slow", 8), ("wrong id", 4), ("nobody's id", 2), ("twice", 6), ("garbage", 2), ("no result", 2),
    ("neither", 2), ("bad content", 2), ("tool error", 4), ("error", 4), ("hang", 2), ("die", 1), ("die answered", 1),
)  # fmt: skip
CALLS = 10_000


async def test_ten_thousand_calls_with_random_faults_are_accounted_for_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the clients' calls go to a backend that draws a fault for each. Some clients give up."""
    # Hardly a call takes as long as it is left unwatched: the backend dies often, and what hangs ends with it.
    monkeypatch.setattr(relay_answer, "WATCH_AFTER", 0.002)
    dice = random.Random(8)
    state = State()
    kinds, weights = zip(*FAULTS, strict=True)
    state.draw = lambda arguments: dice.choices(kinds, weights)[0]
    policy = {"audit": str(tmp_path), "deadline": 5, "cache": {"good.give": 60}, "breaker": {"failures": 1000}}
    servers = {"bad": {"server": state, "gateway": {"timeout": 0.4}}, "good": {"server": State()}}
    gateway = Gateway.of(servers, policy)
    app = gateway.app()
    async with gateway:
        await gateway.awake()
        found: dict[int, str] = {}
        numbers = iter(range(CALLS))
        await asyncio.gather(*(client(app, numbers, dice, found) for _ in range(64)))
        await until(lambda: not gateway.rules._calls)
    assert len(found) == CALLS
    wrong = {n: what for n, what in found.items() if what not in ("ok", "refused", "error", "failed", "cancelled")}
    assert wrong == {}
    records = list(search(tmp_path))
    assert verify(tmp_path).ok
    numbered = Counter(each["arguments"]["n"] for each in records)
    assert numbered == Counter(range(CALLS))
    differ = {
        n: (each["outcome"], found[n]) for each in records if each["outcome"] != found[n := each["arguments"]["n"]]
    }
    # Whoever gave up does not know whether the answer was on its way.
    assert {pair for pair in differ.values() if pair[1] != "cancelled"} == set()
    assert all(count == 1 for count in state.calls.values())
    assert {"ok", "refused", "error", "failed", "cancelled"} <= set(found.values())
    assert state.faults.keys() == set(kinds)


async def client(app: Any, numbers: Any, dice: random.Random, found: dict[int, str]) -> None:
    """Call until the numbers are used up, without sockets; and note what became of each."""
    for n in numbers:
        gives_up = dice.random() < 0.2
        body = call(("bad.give", "good.give")[n % 2], {"n": n}, id=n)
        asked = asyncio.ensure_future(exchange(app, body, dice.random() * 0.02 if gives_up else None))
        found[n] = told(await asked, n)


async def exchange(app: Any, body: Json, patience: float | None) -> list[Json]:
    """One request, given straight to the application."""
    sent: list[Json] = []
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/mcp", "raw_path": b"/mcp", "query_string": b"",
        "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in [*headers_of(body), ("host", "127.0.0.1:80")]],
    }  # fmt: skip
    given = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    over = asyncio.Event()

    async def receive() -> Json:
        if given:
            return given.pop()
        if patience is None:
            await over.wait()
        else:
            await asyncio.sleep(patience)
        return {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    await app(scope, receive, send)
    over.set()
    return sent


def told(sent: list[Json], n: int) -> str:
    if not sent:
        return "cancelled"
    said = json.loads(b"".join(event.get("body", b"") for event in sent))
    if said["id"] != n:
        return "the answer to another call"
    if "error" in said:
        return "failed"
    if said["result"].get("isError"):
        return "refused" if "labkit/reason" in (said["result"].get("_meta") or {}) else "error"
    return "ok" if said["result"].get("content") == [{"type": "text", "text": str(n)}] else "a wrong answer"
