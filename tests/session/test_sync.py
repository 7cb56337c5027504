"""`lab.sync`: the same face without await."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

import labkit as lab

from .conftest import PROBE


def test_the_whole_face() -> None:
    with lab.sync.connect(PROBE, via="memory") as conn:
        assert conn.call("add", a=2, b=3).data == 5 and conn.tools.add(a=1, b=1).data == 2
        assert conn.read("note://welcome").text == "# hello"
        assert conn.prompt("review", code="x").text == "Review this python: x"
        assert conn.complete("review", "lang", "pe").values == ["perl"]
        assert "tools" in conn.send("tools/list")
        events = conn.subscribe(tools=True)
        conn.call("grow", name="extra")
        assert events.next(10).kind == "tools"
        events.close()
        assert list(events) == []
        assert (conn.transport, conn.era, conn.name) == ("memory", "2026-07-28", "probe_server")
        assert len(conn.tape) > 5 and "probe" in conn._repr_html_()
    assert conn.closed


def test_both_faces_have_the_same_names() -> None:
    def names(thing: object) -> set[str]:
        return {name for name in dir(thing) if not name.startswith("_")}

    with lab.sync.connect("calculator") as conn, conn.subscribe(tools=True) as events:
        inner = conn._inner
        assert names(conn) == names(inner)
        assert names(events) == names(events._inner) - {"open"}  # `subscribe` has opened it
        assert conn.session is inner.session
        assert (events.kinds, events.honored, events.uris) == ({"tools"}, {"tools"}, ())
        assert (events.dropped, events.closed) == (0, False)
    assert events.closed


def test_it_works_while_a_loop_runs() -> None:
    async def cell() -> int:
        with lab.sync.connect("calculator") as conn:
            return conn.call("add", a=2, b=3).data

    assert asyncio.run(cell()) == 5


def test_many_threads_share_one_connection() -> None:
    with lab.sync.connect(PROBE, via="memory") as conn:
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda n=n: found.append(conn.call("add", a=n, b=0).data)) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == list(range(20))


def test_serve_and_close_all() -> None:
    with lab.sync.serve(PROBE) as running:
        conn = lab.sync.connect(running.url)
        assert conn.call("add", a=1, b=1).data == 2 and running.pid
        assert lab.sync.close_all() == 1
    assert conn.closed


def test_errors_are_the_same() -> None:
    with pytest.raises(lab.CatalogError, match="Did you mean 'calculator'"):
        lab.sync.connect("calculater")


def test_a_handler_that_would_wait_for_itself_is_told() -> None:
    with lab.sync.connect(PROBE, via="memory", on_elicit=lambda m, s: conn.call("add", a=1, b=1).data) as conn:
        with pytest.raises(lab.RpcError, match="it would wait for itself"):
            conn.call("delete", path="/x")


def test_a_script_with_nested_loops_allowed_ends_by_itself() -> None:
    script = (
        "import asyncio, labkit as lab\nlab.allow_nested_loops(); lab.allow_nested_loops()\n"
        "async def inner():\n  async with await lab.connect('calculator') as c: return (await c.call('add', a=1, b=2)).data\n"
        "async def main(): return asyncio.run(inner())\nprint(asyncio.run(main()))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert out.stdout.strip() == "3", out.stderr
