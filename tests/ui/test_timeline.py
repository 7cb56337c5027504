"""The Python half of the timeline: rows, frames on demand, news told sparingly, and the still."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import threading
import weakref
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

import labkit as lab
from labkit.catalog import LAB_ROOT
from labkit.errors import LabError
from labkit.ui import timeline_news
from labkit.ui.timeline import LONGEST, NEWEST, STILL_CHARS, STILL_FRAMES, Timeline

KEYS = ["n", "at", "sent", "kind", "id", "method", "label", "size", "latency", "request", "status"]


def request(tape: lab.Tape, id: Any, method: str, **params: object) -> None:
    tape.record("sent", json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))


def answer(tape: lab.Tape, id: Any, **body: object) -> None:
    tape.record("received", json.dumps({"jsonrpc": "2.0", "id": id, **(body or {"result": {}})}))


@pytest.fixture
def tape() -> lab.Tape:
    tape = lab.Tape("calculator", transport="stdio", era="2026-07-28")
    request(tape, 1, "tools/call", name="add")
    request(tape, "x", "tools/list")
    answer(tape, 1, result={"content": [{"type": "text", "text": "a Needle"}]})
    tape.record("received", "", status=202, headers={"content-type": "text/plain"}, note="accepted")
    return tape


def told(panel: Timeline, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(panel, "tell", lambda what, **_: heard.append(what))
    return heard


async def settle(condition: Any, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.anyio
async def test_rows_say_what_a_list_shows(tape: lab.Tape) -> None:
    got = await lab.timeline(tape).respond("wire", {})
    rows = [dict(zip(KEYS, row, strict=True)) for row in got["rows"]]
    assert [(r["n"], r["sent"], r["kind"], r["id"], r["label"]) for r in rows] == [
        (1, True, "request", "1", "tools/call add"),
        (2, True, "request", '"x"', "tools/list"),
        (3, False, "response", "1", "result tools/call add"),
        (4, False, "http", None, "accepted"),
    ]
    assert rows[2]["request"] == 1 and rows[2]["latency"] == rows[0]["latency"] > 0 and rows[1]["latency"] is None
    assert (got["title"], got["transport"], got["era"], got["dropped"]) == ("calculator", "stdio", "2026-07-28", 0)


@pytest.mark.anyio
async def test_only_new_rows_travel_and_a_dropped_frame_is_told(tape: lab.Tape) -> None:
    tape.max_frames = 4
    panel = lab.timeline(tape)
    first = await panel.respond("wire", {})
    answer(tape, "x")
    second = await panel.respond("wire", {"tape": first["tape"], "after": 4})
    assert [row[0] for row in second["rows"]] == [5]
    assert (second["first"], second["dropped"]) == (2, 1)
    tape.clear()
    third = await panel.respond("wire", {"tape": first["tape"], "after": 5})
    assert (third["rows"], third["first"]) == ([], 6)


@pytest.mark.anyio
async def test_a_long_tape_comes_newest_first() -> None:
    tape = lab.Tape()
    for n in range(NEWEST + 5):
        request(tape, n, "ping")
    panel = lab.timeline(tape)
    newest = await panel.respond("wire", {})
    assert (len(newest["rows"]), newest["older"], newest["first"]) == (NEWEST, 5, 1)
    older = await panel.respond("wire_older", {"tape": newest["tape"], "before": newest["rows"][0][0]})
    assert [row[0] for row in older["rows"]] == [1, 2, 3, 4, 5]
    request(tape, "more", "ping")
    more = await panel.respond("wire", {"tape": newest["tape"], "after": NEWEST + 5})
    assert (len(more["rows"]), more["older"]) == (1, 0)


@pytest.mark.anyio
async def test_another_tape_starts_from_its_beginning(tape: lab.Tape) -> None:
    panel = Timeline(tape)
    first = await panel.respond("wire", {})
    other = lab.Tape("other")
    request(other, 1, "ping")
    panel.watch(other)
    got = await panel.respond("wire", {"tape": first["tape"], "after": 4})
    assert got["tape"] != first["tape"] and [row[6] for row in got["rows"]] == ["ping"]
    panel.watch(None)
    assert (await panel.respond("wire", {}))["rows"] == []


@pytest.mark.anyio
async def test_a_frame_comes_with_the_other_half_of_its_pair(tape: lab.Tape) -> None:
    panel = lab.timeline(tape)
    got = await panel.respond("wire_frame", {"n": 1})
    assert json.loads(got["frame"]["text"])["method"] == "tools/call" and got["other"]["row"][0] == 3
    assert (await panel.respond("wire_frame", {"n": 3}))["other"]["row"][0] == 1
    assert '\n  "jsonrpc"' in got["frame"]["pretty"] and "\n" not in got["frame"]["text"]
    plain = await panel.respond("wire_frame", {"n": 4})
    assert plain["other"] is None and plain["frame"]["headers"] == {"content-type": "text/plain"}
    assert plain["frame"]["note"] == "accepted" and plain["frame"]["row"][10] == 202
    assert (await panel.respond("wire_frame", {"n": 2}))["other"] is None


@pytest.mark.anyio
async def test_a_frame_that_left_the_ring_is_named(tape: lab.Tape) -> None:
    panel = lab.timeline(tape)
    for n in (0, 99):
        with pytest.raises(LabError, match=f"Frame {n} is no longer on the tape"):
            await panel.respond("wire_frame", {"n": n})


@pytest.mark.anyio
async def test_a_huge_frame_is_cut_and_half_a_surrogate_passes() -> None:
    tape = lab.Tape()
    tape.record("received", json.dumps({"jsonrpc": "2.0", "method": "m", "params": {"x": "y" * LONGEST}}))
    tape.record("received", "stray \udcff")
    panel = lab.timeline(tape)
    got = (await panel.respond("wire_frame", {"n": 1}))["frame"]
    assert len(got["text"]) == LONGEST and got["cut"] > 0
    json.dumps(await panel.respond("wire_frame", {"n": 2})).encode("utf-8")
    for part in (await panel.respond("wire_frame", {"n": 2}))["frame"].values():
        str(part).encode("utf-8")


@pytest.mark.anyio
async def test_search_looks_into_bodies(tape: lab.Tape) -> None:
    panel = lab.timeline(tape)
    first = await panel.respond("wire_search", {"text": "nEEDle"})
    assert first["found"] == [3]
    request(tape, 9, "ping", word="needle")
    assert (await panel.respond("wire", {"tape": first["tape"], "after": 4, "text": "needle"}))["found"] == [5]


@pytest.mark.anyio
async def test_news_is_told_once_until_the_browser_asks_again(tape: lab.Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Timeline(tape)
    heard = told(panel, monkeypatch)
    assert tape.listeners == [], "nobody looks, nobody listens"
    await panel.respond("wire", {})
    assert len(tape.listeners) == 1
    for n in range(1000):
        request(tape, n, "ping")
    await settle(lambda: heard)
    assert heard == ["wire"] and tape.listeners == []
    request(tape, 1, "ping")
    for _ in range(5):
        await asyncio.sleep(0)
    assert heard == ["wire"]
    await panel.respond("wire", {})
    request(tape, 2, "ping")
    await settle(lambda: len(heard) == 2)


@pytest.mark.anyio
async def test_news_keeps_its_distance(tape: lab.Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Timeline(tape)
    times: list[float] = []
    clock = asyncio.get_running_loop().time
    monkeypatch.setattr(panel, "tell", lambda *_, **__: times.append(clock()))
    for n in range(3):
        await panel.respond("wire", {})
        request(tape, n, "ping")
        await settle(lambda n=n: len(times) == n + 1)
    assert min(b - a for a, b in pairwise(times)) >= timeline_news.BEAT * 0.9


@pytest.mark.anyio
async def test_frames_recorded_on_other_threads_are_told(tape: lab.Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Timeline(tape)
    heard = told(panel, monkeypatch)
    await panel.respond("wire", {})
    threads = [threading.Thread(target=lambda: [request(tape, 1, "ping") for _ in range(300)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await settle(lambda: heard)
    assert heard == ["wire"] and tape.listeners == []


@pytest.mark.anyio
async def test_the_listener_goes_with_the_panel_and_with_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    conn = await lab.connect("calculator")
    first, second = Timeline(conn), Timeline(conn)
    for panel in (first, second):
        await panel.respond("wire", {})
    assert len(conn.tape.listeners) == 2
    first.close()
    assert len(conn.tape.listeners) == 1
    heard = told(second, monkeypatch)
    await conn.close()
    second.redraw()  # runs at the end of the cell that closed it
    assert conn.tape.listeners == [] and "wire" in heard
    assert (await second.respond("wire", {}))["closed"] is True
    assert conn.tape.listeners == []
    second.close()


@pytest.mark.anyio
async def test_a_timeline_keeps_no_connection_open() -> None:
    conn = await lab.connect("calculator")
    gone = weakref.ref(conn)
    panel = Timeline(conn)
    del conn
    gc.collect()
    assert gone() is None
    assert (await panel.respond("wire", {}))["closed"] is True and len(panel.shown) > 0
    panel.close()


@pytest.mark.anyio
async def test_what_has_no_tape_is_refused() -> None:
    with pytest.raises(LabError, match="not 'int'"):
        lab.timeline(3)


def test_the_still_is_bounded_and_shows_the_last_frames() -> None:
    tape = lab.Tape("big")
    for n in range(300):
        request(tape, n, "tools/call", name=f"tool{n}", text="<b>" + "z" * (10 if n < 290 else 50_000))
    still = Timeline(tape).still()
    assert "tool299" in still and "tool1 " not in still and "<b>zzz" not in still
    assert still.count("<details") <= STILL_FRAMES and len(still) < 3 * STILL_CHARS
    assert re.search(r"<script|<style|on\w+=", still) is None
    small = lab.Tape("small")
    for n in range(300):
        request(small, n, "ping")
    assert Timeline(small).still().count("<details") == STILL_FRAMES
    assert "300 frames" in Timeline(small).text()


def test_a_still_is_not_drawn_again_when_nothing_came(tape: lab.Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Timeline(tape)
    drawn: list[int] = []
    monkeypatch.setattr(panel, "_handle", object())
    monkeypatch.setattr(panel, "_still", lambda: drawn.append(1) or {"text/html": "", "text/plain": ""})
    for _ in range(3):
        panel.redraw()
    assert len(drawn) == 1
    request(tape, 8, "ping")
    panel.redraw()
    assert len(drawn) == 2


def test_an_exported_notebook_shows_the_frames(tmp_path: Path) -> None:
    cells = [
        "import labkit as lab\nconn = await lab.connect('calculator', era='2025-11-25')",
        "lab.timeline(conn)",
        "r = await conn.call('add', a=20, b=22)\nawait conn.close()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(LAB_ROOT)}}).execute()
    page, _ = HTMLExporter().from_notebook_node(notebook)
    outputs = page.partition("application/vnd.jupyter.widget-state")[0]
    still = outputs[outputs.index('class="labkit-still"') :]
    for shown in ("initialize", "tools/call add", "era 2025-11-25", '"structuredContent"'):
        assert shown in still, shown
