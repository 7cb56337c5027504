"""A verdict on headers that is kept is the one that was given, for exactly these headers."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from labkit.gateway import relay_headers
from labkit.gateway.door import LOOPBACK
from labkit.gateway.relay_headers import Headings

from .test_relay import HEADERS_CASES, PLAIN

pytestmark = pytest.mark.anyio


def request(headers: list[tuple[str, str]]) -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    if not any(name == b"host" for name, _ in raw):
        raw.insert(0, (b"host", b"127.0.0.1:80"))
    return Request({"type": "http", "method": "POST", "path": "/mcp", "headers": raw})


def plainly(heading: Any) -> Any:
    return None if heading is None else (heading.headers.raw, heading.by_name)


async def test_what_is_kept_is_what_a_new_judge_says() -> None:
    kept = Headings(LOOPBACK)
    for _ in range(2):
        for headers, _body in HEADERS_CASES.values():
            assert plainly(await kept.of(request(headers))) == plainly(await Headings(LOOPBACK).of(request(headers)))


async def test_the_same_headers_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Request] = []
    plain = Headings._judged

    async def noted(self: Headings, asked: Request) -> Any:
        judged.append(asked)
        return await plain(self, asked)

    monkeypatch.setattr(Headings, "_judged", noted)
    headings = Headings(LOOPBACK)
    first = await headings.of(request(PLAIN))
    assert first is not None
    assert await headings.of(request(PLAIN)) is first
    assert await headings.of(request([*PLAIN, ("origin", "http://evil.test")])) is None
    assert await headings.of(request([*PLAIN, ("origin", "http://evil.test")])) is None
    assert await headings.of(request([("host", "evil.test"), *PLAIN])) is None
    assert len(judged) == 3


async def test_what_callers_send_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_headers, "MOST", 5)
    headings = Headings(LOOPBACK)
    for number in range(23):
        assert await headings.of(request([*PLAIN, ("x", str(number))])) is not None
        assert len(headings._kept) <= 5
    before = len(headings._kept)
    assert await headings.of(request([*PLAIN, ("x", "y" * 3000)])) is not None
    assert len(headings._kept) == before
