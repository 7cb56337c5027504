"""Every call leaves one record: who, what, with what, what came of it, and how long it took."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import labkit as lab
from labkit.patterns import correlation
from labkit.patterns.audit import Audit
from labkit.patterns.calls import Call, CallMiddleware, Proceed, refusal
from labkit.patterns.ledger_reading import search, verify
from labkit.patterns.logs import Logs

pytestmark = pytest.mark.anyio
ERAS = ("2026-07-28", "2025-11-25")


class Policy(CallMiddleware):
    """Refuses one tool and breaks another."""

    async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
        if call.arguments.get("text") == "forbidden":
            return refusal(call, "No.", reason="policy")
        if call.arguments.get("text") == "crash":
            raise KeyError("password=hunter2")
        return await proceed()


def shop(audit: Audit) -> MCPServer:
    server = MCPServer("shop", middleware=[audit, Policy()])

    @server.tool()
    async def pay(text: str, card: dict[str, str] | None = None) -> str:
        """Pay."""
        if text == "broke":
            raise ToolError("no money, token=abc123")
        if text == "slow":
            await asyncio.Event().wait()
        return f"paid {text} {correlation.current()}"

    return server


@pytest.fixture
async def audit(tmp_path: Path) -> AsyncIterator[Audit]:
    kept = Audit(tmp_path)
    yield kept
    kept.close()


def records(audit: Audit, **wanted: Any) -> list[dict[str, Any]]:
    return list(search(audit.ledger.folder, **wanted))


@pytest.mark.parametrize("era", ERAS)
async def test_each_outcome_is_recorded(audit: Audit, era: str) -> None:
    async with await lab.connect(shop(audit), era=era) as conn:
        await conn.call("pay", text="ada", card={"number": "4711", "cvc": "123"})
        for text in ("broke", "forbidden"):
            await conn.call("pay", text=text, check=False)
        with pytest.raises(lab.RpcError):
            await conn.call("pay", text="crash")
        await conn.call("nothing", check=False)
    found = records(audit)
    assert [each["outcome"] for each in found] == ["ok", "error", "refused", "failed", "error"]
    assert found[0]["arguments"] == {"text": "ada", "card": {"number": "4711", "cvc": "***"}}
    assert "no money, token=***" in found[1]["error"]
    assert found[2]["reason"] == "policy" and "KeyError" in found[3]["error"] and "hunter2" not in str(found)
    assert {each["client"] for each in found} == {found[0]["client"]} != {""}
    assert all(each["ms"] >= 0 and each["at"].endswith("Z") and each["correlation"] for each in found)
    assert verify(audit.ledger.folder, head=audit.head).ok and audit.stats().written == 5


async def test_a_call_that_is_cancelled_is_recorded(audit: Audit) -> None:
    async with await lab.connect(shop(audit)) as conn:
        with pytest.raises(lab.CallTimeoutError):
            await conn.call("pay", text="slow", timeout=0.2)
        await conn.call("pay", text="after")
    assert [each["outcome"] for each in records(audit)] == ["cancelled", "ok"]


async def test_who_is_what_the_token_proves_not_what_the_call_says(audit: Audit) -> None:
    user = AuthenticatedUser(AccessToken(token="t", client_id="app", scopes=[], subject="ada"))
    token = auth_context_var.set(user)
    try:
        async with await lab.connect(shop(audit)) as conn:
            await conn.call("pay", text="eve")
    finally:
        auth_context_var.reset(token)
    assert records(audit)[0]["who"] == "ada"


async def test_results_are_kept_only_when_asked_for_and_masked(tmp_path: Path) -> None:
    for preview in (0, 12):
        audit = Audit(tmp_path / str(preview), preview=preview)
        async with await lab.connect(shop(audit)) as conn:
            await conn.call("pay", text="password=hunter2 and much more")
        (found,) = records(audit)
        assert found["result"].startswith("paid password=***... (") if preview else "result" not in found
        assert "hunter2" not in str(found)
        audit.close()


async def test_other_events_are_masked_too(audit: Audit) -> None:
    assert audit.write({"did": "logged in", "password": "hunter2"})
    (found,) = records(audit)
    assert found["did"] == "logged in" and found["password"] == "***" and found["at"]


class Full:
    """A disk that is full for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def fill(self) -> None:
        def refuse(fd: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        self.monkeypatch.setattr("labkit.patterns.ledger.os.write", refuse)

    def empty(self) -> None:
        self.monkeypatch.undo()


@pytest.mark.parametrize("required", [False, True])
async def test_when_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, required: bool) -> None:
    audit, disk = Audit(tmp_path, required=required), Full(monkeypatch)
    async with await lab.connect(shop(audit)) as conn:
        disk.fill()
        assert not (await conn.call("pay", text="1")).is_error, "it was done: the caller is told so"
        second = await conn.call("pay", text="2", check=False)
        disk.empty()
        assert not (await conn.call("pay", text="3")).is_error
    assert second.is_error == required
    assert audit.stats().lost == (1 if required else 2) and audit.stats().refused == required
    assert [each["arguments"]["text"] for each in records(audit)] == ["3"]
    assert verify(tmp_path).ok
    audit.close()


async def test_calls_side_by_side_have_ids_of_their_own(audit: Audit) -> None:
    async with await lab.connect(shop(audit)) as conn:
        answers = await asyncio.gather(*(conn.call("pay", text=str(n)) for n in range(20)))
    told = {str(answer.data).split()[1]: str(answer.data).split()[2] for answer in answers}
    assert told == {each["arguments"]["text"]: each["correlation"] for each in records(audit)}
    assert len(set(told.values())) == 20 and correlation.current() == ""


async def test_the_id_ends_with_the_call_even_in_one_task(audit: Audit) -> None:
    ctx: Any = SimpleNamespace(
        params={"name": "pay"}, meta={}, request=None, session=SimpleNamespace(client_params=None)
    )

    async def proceed(arguments: Any = None) -> dict[str, Any]:
        return {}

    for _ in range(2):
        await audit.around(Call(ctx), proceed)
        assert correlation.current() == ""
    assert len({each["correlation"] for each in records(audit)}) == 2


@pytest.mark.parametrize(
    ("given", "taken"), [("errand-7", True), ("x" * 65, False), ("two words", False), ("a\nb", False), (7, False)]
)
async def test_an_id_that_comes_with_the_call_is_kept_if_it_is_one(audit: Audit, given: Any, taken: bool) -> None:
    async with await lab.connect(shop(audit)) as conn:
        await conn.send(
            "tools/call", {"name": "pay", "arguments": {"text": "x"}, "_meta": {correlation.META_CORRELATION: given}}
        )
    assert (records(audit)[0]["correlation"] == given) == taken


async def test_log_and_audit_use_one_id(audit: Audit) -> None:
    stream = io.StringIO()
    server = shop(audit)
    server.middleware.insert(0, Logs(stream))
    async with await lab.connect(server) as conn:
        await conn.call("pay", text="ada")
    assert json.loads(stream.getvalue())["correlation"] == records(audit)[0]["correlation"]
