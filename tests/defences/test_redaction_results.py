"""Redaction as middleware: what a client is given, that it still fits the schema, and what is said about it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from mcp import Client, MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from labkit.defences.redaction import Redactor
from labkit.defences.redaction_results import META_REDACTED, WITHHELD, Redaction
from labkit.patterns.audit import Audit
from labkit.patterns.ledger import Ledger
from labkit.patterns.ledger_reading import search, verify

pytestmark = pytest.mark.anyio

CARD = "4111111111111111"
SNAPSHOTS = Path(__file__).parents[1] / "servers" / "snapshots"


class Payment(BaseModel):
    """With what somebody has paid."""

    card: Annotated[str, Field(pattern=r"^[0-9]{16}$")]
    cents: int


class Code(BaseModel):
    """One of two: no mask fits."""

    value: Annotated[str, Field(json_schema_extra={"enum": [CARD, "5500005555555559"]})]


def shop(redaction: Redaction) -> MCPServer[Any]:
    server = MCPServer("shop", log_level="CRITICAL")

    @server.tool()
    def find(text: str) -> str:
        """Say something about a text."""
        return f"about {text}"

    @server.tool()
    def rows() -> list[dict[str, Any]]:
        """Rows."""
        return [{"name": "ada", "api_key": "k-1", "part": CARD[:8]}, {"name": "bob", "api_key": None, "part": CARD[8:]}]

    @server.tool()
    def payment() -> Payment:
        """A payment."""
        return Payment(card=CARD, cents=4111)

    @server.tool()
    def code() -> Code:
        """A code."""
        return Code(value=CARD)

    @server.tool()
    def fail() -> str:
        """Fail, and tell too much."""
        raise ToolError("cannot reach postgresql://app:s3cr3t-canary@db/shop")

    @server.tool()
    def refuse() -> str:
        """Refuse by an error of the protocol."""
        raise MCPError(-32000, f"no card {CARD}", {"password": "swordfish"})

    @server.resource("shop://note")
    def note() -> str:
        """A note."""
        return f"pay with {CARD}"

    @server.prompt()
    def ask() -> str:
        """A prompt."""
        return base64.b64encode(f"pay with {CARD}".encode()).decode()

    redaction.install(server)
    return server


async def test_results_come_without_secrets_and_say_so() -> None:
    redaction = Redaction()
    async with Client(shop(redaction)) as client:
        found = await client.call_tool("find", {"text": f"card {CARD}"})
        assert found.content[0].text == "about card [hidden: card]"  # type: ignore[union-attr]
        assert found.structured_content == {"result": "about card [hidden: card]"}
        assert (found.meta or {})[META_REDACTED] == {"card": 2}
        plain = await client.call_tool("find", {"text": "order 4111"})
        assert META_REDACTED not in (plain.meta or {})
        rows = await client.call_tool("rows", {})
        assert rows.structured_content == {
            "result": [
                {"name": "ada", "api_key": "[hidden: field]", "part": "[hidden: card]"},
                {"name": "bob", "api_key": None, "part": "[hidden]"},
            ]
        }
    assert (redaction.stats().results, redaction.stats().touched, redaction.stats().withheld) == (3, 2, 0)


async def test_resources_prompts_and_errors_are_looked_at_too() -> None:
    async with Client(shop(Redaction())) as client:
        assert (await client.read_resource("shop://note")).contents[0].text == "pay with [hidden: card]"  # type: ignore[union-attr]
        text = (await client.get_prompt("ask")).messages[0].content.text  # type: ignore[union-attr]
        assert base64.b64decode(text).decode() == "pay with [hidden: card]"
        failed = await client.call_tool("fail", {})
        assert failed.is_error and "s3cr3t-canary" not in str(failed.content)
        with pytest.raises(MCPError) as caught:
            await client.call_tool("refuse", {})
        assert (caught.value.message, caught.value.data) == ("no card [hidden: card]", {"password": "[hidden: field]"})


async def test_what_the_schema_wants_is_kept_or_nothing_is_said() -> None:
    redaction = Redaction()
    async with Client(shop(redaction)) as client:
        paid = await client.call_tool("payment", {})
        assert paid.structured_content == {"card": "0" * 16, "cents": 4111}
        assert CARD not in str(paid)
        code = await client.call_tool("code", {})
        assert code.is_error and code.content[0].text == WITHHELD  # type: ignore[union-attr]
        assert CARD not in str(code)
    assert redaction.stats().withheld == 1


async def test_both_eras_and_a_known_secret() -> None:
    redaction = Redaction(Redactor(["known"], known=["very-own-secret"]))
    for mode in ("auto", "legacy"):
        async with Client(shop(redaction), mode=mode) as client:
            found = await client.call_tool("find", {"text": f"very-own-secret {CARD}"})
            assert found.content[0].text == f"about [hidden: known] {CARD}"  # type: ignore[union-attr]


def test_no_false_alarm_on_what_the_own_servers_say() -> None:
    redactor, seen = Redactor(), 0
    for path in sorted(SNAPSHOTS.glob("*.json")):
        value = json.loads(path.read_text(encoding="utf-8"))
        assert redactor.redact(value).hidden == {}, path.name
        seen += 1
    assert seen >= 10


async def test_an_audit_may_be_given_a_redactor_and_is_searched_over_all_its_files(tmp_path: Path) -> None:
    redactor = Redactor()
    ledger = Ledger(tmp_path, max_bytes=2_000)
    audit = Audit(ledger, clean=lambda value: redactor.redact(value).value)
    server = MCPServer("shop", middleware=[audit], log_level="CRITICAL")

    @server.tool()
    def pay(card: str, order: int) -> str:
        """Pay."""
        return "paid"

    coded = base64.b64encode(f"number {CARD}".encode()).decode()
    async with Client(server) as client:
        for order in range(30):
            await client.call_tool("pay", {"card": coded, "order": order})
    audit.close()
    files = sorted(tmp_path.glob("*.jsonl"))
    assert len(files) > 2 and verify(tmp_path).ok
    assert coded not in "".join(path.read_text(encoding="utf-8") for path in files)
    assert [each["arguments"]["order"] for each in search(tmp_path, tool="pay")] == list(range(30))
    assert len(list(search(tmp_path, text='"order":7'))) == 1
