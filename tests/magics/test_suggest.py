"""Tab on a `%mcp` line."""

from __future__ import annotations

import pytest

import labkit as lab
from labkit.magics.suggest import words_for

from .conftest import Shell


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("%mcp to", ["tools"]),
        ("%mcp t", ["tape", "tools"]),
        ("x = %mcp cal", ["call"]),
        ("%mcp connect calculator_", ["calculator_lowlevel"]),
        ("%mcp connect notes v", ["via="]),
        ("%mcp connect notes via=s", ["via=sse", "via=stdio"]),
        ("%mcp connect notes via=stdio era=2026", ["era=2026-07-28"]),
        ("%mcp use m", ["menu"]),
        ("%mcp close m", ["menu"]),
        ("%mcp call ec", ["echo"]),
        ("%%mcp call ec", ["echo"]),
        ("print(1)\nx = %mcp call ec", ["echo"]),
        ("%mcp doc rev", ["review"]),
        ("%mcp call echo t", ["tags=", "text="]),
        ("%mcp call echo text=x t", ["tags="]),
        ("%mcp call echo mode=", ['mode="very slow"', "mode=fast", "mode=slow"]),
        ("%mcp call echo level=", ["level=1", "level=2", "level=3"]),
        ("%mcp call echo flag=", ["flag=false", "flag=true"]),
        ("%mcp call echo flag=t", ["flag=true"]),
        ("%mcp read menu://", ["menu://day/{name}", "menu://today"]),
        ("%mcp prompt r", ["review"]),
        ("%mcp prompt review l", ["language="]),
    ],
)
def test_tab_offers(menu: Shell, text: str, offered: list[str]) -> None:
    assert sorted(menu.tab(text)) == sorted(offered)


@pytest.mark.parametrize(
    "text",
    [
        "%mcp connect notes via=stdio v",
        "%mcp call echo whole=",
        "%mcp call nothing a",
        '%mcp call echo text="an unfinished t',
        "menu.call",
    ],
)
def test_where_nothing_fits_nothing_is_added(menu: Shell, text: str) -> None:
    assert words_for(menu.ip._labkit_mcp, text)[1] == []


def test_tab_without_a_connection_offers_what_needs_none(shell: Shell) -> None:
    assert words_for(shell.ip._labkit_mcp, "%mcp call a") == ("", [])
    assert shell.tab("%mcp conn") == ["connect"]
    assert list(lab.connections()) == []


def test_other_lines_are_left_alone(menu: Shell) -> None:
    menu.run("toolbox = 1")
    assert "toolbox" in menu.tab("toolb")
    assert "tools" not in menu.tab("%mcpx to")
