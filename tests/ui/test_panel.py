"""What every panel does, whatever it shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from labkit.ui.panel import Panel


def test_a_question_to_a_panel_whose_loop_has_ended_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(Panel, "send", lambda self, message, buffers=None: sent.append(message))

    async def made() -> Panel:
        return Panel("a panel")

    panel = asyncio.run(made())
    panel._heard(panel, {"ask": "ask-1", "name": "anything"}, None)
    (answer,) = [message for message in sent if "answer" in message]
    assert answer["answer"] == "ask-1" and "Run its cell again" in answer["error"]
