"""The server of a miniature, in memory and in threads: state, identity, eras, and what stands on other parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import labkit as lab
from labkit.clinic.part import KEY, make_server
from labkit.defences.signing import HEADER, sign

pytestmark = pytest.mark.anyio
SECRET = "a secret of the gateway, long enough for it"


def family(**more: Any) -> dict[str, Any]:
    return {"hold": 0.0, "wait": 0.0, "bytes": 3, "keeps": True, "uses": "", "url": ""} | more


async def test_a_file_is_found_by_another_replica_and_memory_is_not(tmp_path: Path) -> None:
    for store, seen in ((str(tmp_path / "all.db"), "text"), (str(tmp_path / "{replica}.db"), ""), ("memory", "")):
        plan = {"name": "p", "families": {"notes": family()}, "store": store}
        async with await lab.connect(make_server(0, plan)) as one, await lab.connect(make_server(1, plan)) as two:
            await one.call("notes_keep", key="draft", text="text")
            assert (await one.call("notes_find", key="draft")).data == "text"
            assert (await two.call("notes_find", key="draft")).data == seen, store


async def test_one_era_only() -> None:
    eras = {"modern": "2026-07-28", "handshake": "2025-11-25"}
    for era, served in eras.items():
        server = make_server(0, {"name": "p", "families": {"notes": family()}, "eras": era})
        async with await lab.connect(server, era=served) as conn:
            assert (await conn.call("notes")).data == "..."
        with pytest.raises(lab.LabError):
            other = next(each for each in eras.values() if each != served)
            async with await lab.connect(server, era=other, listing=False) as conn:
                await conn.call("notes")


async def test_what_stands_on_another_part_falls_with_it() -> None:
    below = await lab.serve(make_server(0, {"name": "low", "families": {"rows": family()}}), via="http")
    plan = {"name": "high", "families": {"report": family(uses="rows", url=below.url)}}
    async with await lab.connect(make_server(0, plan)) as conn:
        assert (await conn.call("report")).data == "..."
        await below.stop()
        refused = await conn.call("report", check=False)
    assert refused.is_error and "rows gives no answer" in refused.text


@pytest.mark.parametrize("secret", ["", SECRET], ids=["by key", "by a gateway's signature"])
async def test_who_calls_decides_whose_text_it_is(secret: str) -> None:
    keys = {"key-a": "a", "key-b": "b"}
    plan = {"name": "p", "families": {"notes": family()}, "identity": True, "keys": keys, "secret": secret}
    running = await lab.serve(make_server(0, plan), via="http")

    async def call(tenant: str, tool: str, **arguments: str) -> Any:
        proof = {HEADER: sign(secret, tenant, [], audience="p")} if secret else {KEY: f"key-{tenant}"}
        headers = proof if tenant else {}
        async with await lab.connect(running.url, headers=headers, listing=False, era="2026-07-28") as conn:
            return await conn.call(tool, arguments, check=False, progress=False)

    assert not (await call("a", "notes_keep", key="draft", text="mine")).is_error
    assert (await call("a", "notes_find", key="draft")).data == "mine"
    assert (await call("b", "notes_find", key="draft")).data == ""
    assert (await call("", "notes_find", key="draft")).is_error
    await running.stop()
