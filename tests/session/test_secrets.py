"""Credentials in headers, addresses and command lines: not on the tape, in no table, page, name or message."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lab
from labkit.wire import mask_headers, mask_url, mask_words

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/mcp"),
        ("https://me:pw@host.example/mcp?api_key=K&x=1#part", "https://***@host.example/mcp?api_key=***&x=***#part"),
        ("https://token@host.example/a@b", "https://***@host.example/a@b"),
        ("https://host.example/mcp?flag", "https://host.example/mcp?flag"),
        ("", ""),
    ],
)
def test_addresses(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--token", "K", "pkg"], ["--token", "***", "pkg"]),
        (["--api-key=K", "-y"], ["--api-key=***", "-y"]),
        (["-e", "GITHUB_TOKEN=K"], ["-e", "GITHUB_TOKEN=***"]),
        (["--header", "Authorization: Bearer K"], ["--header", "Authorization: ***"]),
        (["https://host.example/?k=K"], ["https://host.example/?k=***"]),
        (["--no-auth", "--verbose", "server.py"], ["--no-auth", "--verbose", "server.py"]),
        (["-c", "import auth; x = 1"], ["-c", "import auth; x = 1"]),
    ],
)
def test_command_lines(words: list[str], shown: list[str]) -> None:
    assert mask_words(words) == shown


def test_a_redirection_to_an_address_with_a_key() -> None:
    assert mask_headers({"Location": "https://host.example/?code=K"})["location"] == "https://host.example/?code=***"


@pytest.mark.anyio
async def test_an_address_with_credentials_is_shown_without(connect: Callable[..., Any], tmp_path: Path) -> None:
    async with await lab.serve("calculator") as running:
        conn = await connect(running.url.replace("//", f"//me:{SECRET}@") + f"?key={SECRET}")
        assert (await conn.call("add", a=1, b=2)).data == 3, "and it is used all the same"
        saved = conn.tape.save(tmp_path / "tape.jsonl").read_text(encoding="utf-8")
        shown = [conn.name, repr(conn), conn._repr_html_(), conn.tape.html(), saved, repr(lab.connections())]
        assert not [text for text in shown if SECRET in text]
    with pytest.raises(lab.ConnectionClosedError) as caught:
        await conn.call("add", a=1, b=2)
    assert SECRET not in str(caught.value) and "key=***" in str(caught.value)


@pytest.mark.anyio
async def test_a_command_with_credentials_is_shown_without(connect: Callable[..., Any]) -> None:
    for command in (["no-such-program", "--token", SECRET], [sys.executable, "-c", "", "--token", SECRET]):
        with pytest.raises(lab.ConnectError) as caught:
            await connect(command)
        assert SECRET not in str(caught.value) and "--token" in str(caught.value)


@pytest.mark.anyio
async def test_headers_reach_a_server_that_the_lab_starts_and_are_masked(connect: Callable[..., Any]) -> None:
    conn = await connect("calculator", via="http", headers={"Authorization": f"Bearer {SECRET}"})
    assert conn.tape[0].headers["authorization"] == "Bearer ***" and SECRET not in conn.tape.html()
