"""`%mcp` in a real shell: what each verb does, and what it says when it cannot."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import anyio
import pytest
from IPython.core.error import UsageError

import labkit as lab
from labkit.magics.mcp import DOC, VERBS

from .conftest import Shell


def test_every_verb_is_documented(shell: Shell) -> None:
    documented = set(re.findall(r"^    %mcp (\w+)", DOC, re.MULTILINE))
    assert documented == {verb for verb in VERBS if verb}
    assert shell.ip.find_line_magic("mcp").__doc__ == DOC


def test_connect_call_and_read_without_await(menu: Shell) -> None:
    assert menu.run("result = %mcp call echo whole=2 text=2 flag=true\nresult.data['whole'], result.data['text']") == (
        2,
        "2",
    )
    assert menu.run("result.data['flag']") is True
    assert menu.run("%mcp read menu://today").text == "soup"
    assert "Review this rust: x = 1" in str(menu.run('%mcp prompt review code="x = 1" language=rust'))
    assert menu.run("menu.call('echo', whole=5).data['whole']") == 5, "the connection needs no await either"
    assert menu.run("%mcp tools").names[0] == "echo"
    assert "Give back the arguments." in repr(menu.run("%mcp doc echo"))
    assert "Review code." in repr(menu.run("%mcp doc review"))
    assert len(menu.run("%mcp tape").filter("tools/call", kind="request")) == 2
    assert "calculator" in menu.run("%mcp servers")
    assert "echo" in menu.run("%mcp inspect").text()


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ('tags=["a b", "c"]', {"tags": ["a b", "c"]}),
        ('place={"city": "New York", "zip": 10001}', {"place": {"city": "New York", "zip": 10001}}),
        ("either=7 free=[1]", {"either": 7, "free": [1]}),
        ("either=seven free=text", {"either": "seven", "free": "text"}),
        ("mode='very slow' level=2", {"mode": "very slow", "level": 2}),
        ("text={braces} whole=1", {"text": "{braces}", "whole": 1}),
        ("text='$x'", {"text": "$x"}),
        ("place=$spot", {"place": {"city": "Oslo"}}),
    ],
)
def test_arguments_arrive_as_the_schema_types_them(menu: Shell, words: str, sent: dict[str, Any]) -> None:
    menu.run("spot = {'city': 'Oslo'}")
    menu.run(f"%mcp call echo {words}")
    assert menu.run("%mcp tape").filter("tools/call", kind="request")[-1].message["params"]["arguments"] == sent


def test_the_cell_form_sends_json_as_it_is(menu: Shell) -> None:
    body = {"whole": "not a number", "place": {"city": "Oslo"}}
    assert menu.run(f"%%mcp call echo\n{json.dumps(body, indent=2)}").is_error
    assert menu.run("%mcp tape").filter("tools/call", kind="request")[-1].message["params"]["arguments"] == body
    assert menu.run('x = 1\nget_ipython().run_cell_magic("mcp", "call echo", \'{"whole": 3}\').data["whole"]') == 3


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%mcp cal echo", "%mcp has no 'cal'. Did you mean 'call'"),
        ("%mcp call", "Write %mcp call NAME"),
        ("%mcp call echo whole=two", "'whole' takes a whole number"),
        ("%mcp call echo whole = 2", "'whole': write NAME=VALUE, without spaces"),
        ("%mcp call echo text=$missing", "there is no variable 'missing'"),
        ('%mcp call echo text="open', "the quote is not closed"),
        ("%%mcp call echo\n{'whole': 2}", "is not JSON"),
        ("%%mcp call echo\n[1]", "has to be a JSON object"),
        ("%%mcp call echo whole=1\n{}", "not in both"),
        ("%%mcp tools\nx", "%%mcp is for calls"),
        ("%mcp read", "Write %mcp read URI"),
        ("%mcp read a b", "Write %mcp read URI"),
        ("%mcp prompt review rust", "review takes code, language"),
        ("%mcp use menus", "There is no connection 'menus'. Did you mean 'menu'"),
        ("%mcp tape menu other", "One connection at a time"),
        ("%mcp connect", "Connect to what"),
        ("%mcp connect calculator vai=stdio", "no option 'vai'. Did you mean 'via'"),
        ("%mcp connect calculator as 2", "the name of a variable"),
        ("%mcp connect calculator timeout=soon", "'timeout' takes a number"),
        ("%mcp connect calculator headers=x", "headers=$NAME"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_in_one(menu: Shell, cell: str, said: str) -> None:
    error = menu.error(cell)
    assert isinstance(error, UsageError) and said in str(error), repr(error)
    assert len(lab.connections()) == 1


def test_what_the_server_refuses_is_the_labs_own_error(menu: Shell) -> None:
    assert "Did you mean 'echo'" in str(menu.error("%mcp call ecko"))
    assert isinstance(menu.error("%mcp call ecko"), lab.UnknownNameError)
    assert isinstance(menu.error("%mcp prompt review"), lab.ArgumentsError)
    assert isinstance(menu.error("%mcp connect calculater"), lab.CatalogError)
    assert "write $MENU" in "".join(menu.error("%mcp connect MENU").__notes__)


def test_a_tool_that_came_later_is_found(menu: Shell) -> None:
    menu.run("%mcp call grow")
    assert menu.run("%mcp call latecomer").data == "late"


def test_two_connections_and_which_one_is_meant(shell: Shell) -> None:
    assert "No connection yet" in shell.run("%mcp")
    assert "There is no connection" in str(shell.error("%mcp tools"))
    shell.run("%mcp connect calculator")
    shell.run("%mcp connect $MENU as menu via=memory era=2025-11-25")
    assert shell.run("menu.era") == "2025-11-25"
    state = shell.run("%mcp").splitlines()
    assert [line[:12] for line in state] == ["  calculator", "* menu  <con"]
    assert "add" in shell.run("%mcp tools calculator").names
    shell.run("%mcp use calculator")
    assert shell.run("%mcp call add a=2 b=3").data == 5
    shell.run("%mcp close")
    assert shell.run("%mcp tools").names[0] == "echo", "one is left, so that one is meant"
    shell.run("%mcp close menu")
    assert "No connection yet" in shell.run("%mcp")


def test_without_a_choice_it_asks(shell: Shell) -> None:
    shell.run("a = lab.sync.connect('calculator'); b = lab.sync.connect('calculator')")
    assert "Which connection? Say %mcp use NAME: a, b" in str(shell.error("%mcp tools"))


def test_connecting_again_lets_the_first_go(shell: Shell) -> None:
    for _ in range(3):
        shell.run("%mcp connect calculator")
    shell.run("import gc; gc.collect()")
    lab.sync.run(_until_one_is_left())
    assert shell.run("%mcp call add a=1 b=1").data == 2


async def _until_one_is_left() -> None:
    with anyio.fail_after(10):
        while len(lab.connections()) > 1:
            await anyio.sleep(0.01)


def test_what_ended_can_still_be_read(menu: Shell) -> None:
    menu.run("%mcp close")
    assert len(menu.run("%mcp tape menu")) > 2
    assert isinstance(menu.error("%mcp use menu\n%mcp call echo"), lab.ConnectionClosedError)


def test_the_log_of_a_server(shell: Shell) -> None:
    shell.run("%mcp connect $MENU as menu via=stdio")
    assert shell.run("%mcp log") == "(nothing yet)"
    shell.run("%mcp call mutter text='hello there'")
    deadline = time.monotonic() + 10  # stderr takes a way of its own
    while shell.run("%mcp log") == "(nothing yet)" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert shell.run("%mcp log") == "hello there"


def test_options_and_commands(shell: Shell) -> None:
    shell.run("import sys; answers = lab.scripted({'sure': False})")
    shell.run("%mcp connect $MENU as menu via=memory on_elicit=$answers timeout=7")
    assert shell.run("%mcp call remove path=/x").data == "kept"
    assert shell.run("menu._inner._link.timeout") == 7
    shell.run("command = [sys.executable, MENU]\n%mcp connect $command as far")
    assert shell.run("far.transport, far.call('echo', whole=1).data['whole']") == ("stdio", 1)


def test_an_awaited_connection_is_awaited_by_the_line(shell: Shell) -> None:
    shell.run("conn = await lab.connect(MENU, via='memory')")
    assert shell.run("%mcp call echo whole=4").data["whole"] == 4
    assert shell.run("x = %mcp call echo whole=6\nx.data['whole']") == 6
    assert shell.run("%mcp read menu://today").text == "soup"
    assert shell.run(
        "got = []\nfor n in range(2):\n    r = %mcp call echo whole=$n\n    got.append(r.data['whole'])\ngot"
    ) == [0, 1]
    assert shell.run('%%mcp call echo\n{"whole": 8}').data["whole"] == 8
    in_function = "async def ask(n):\n    r = %mcp call echo whole=$n\n    return await r\n(await ask(9)).data['whole']"
    assert shell.run(in_function) == 9
    assert shell.run("say = 'ü'\n%mcp call echo text=$say").data["text"] == "ü"
    assert shell.run("%mcp close") is None
    assert list(lab.connections()) == []


@pytest.mark.parametrize("around", ["%time ", "%%time\n", "%timeit -n1 -r1 ", "%%timeit -n1 -r1\n", "%%capture out\n"])
def test_a_line_can_stand_below_another_magic(menu: Shell, around: str) -> None:
    menu.run(f"{around}%mcp call echo whole=4")
    assert len(menu.run("%mcp tape").filter("tools/call", kind="request")) == 1


def test_a_line_in_a_plain_function_says_that_nothing_was_sent(shell: Shell) -> None:
    shell.run("conn = await lab.connect(MENU, via='memory')")
    left = shell.run("def ask():\n    r = %mcp call echo\n    return r\nask()")
    assert "nothing was sent" in repr(left)
    assert len(shell.run("conn.tape").filter("tools/call")) == 0
    shell.run("await conn.close()")
