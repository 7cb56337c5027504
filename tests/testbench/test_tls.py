"""A server with a CA of its own, which lets in who shows a certificate: certified, replayed against, called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

import labkit as lab
from labkit.cli import app
from labkit.services.certificates import Authority
from labkit.testbench import Cassette
from tests.tls_server import serving_tls

ONE = "protocol.ids"


class Guarded(NamedTuple):
    url: str
    ca: Path
    cert: Path
    key: Path

    @property
    def tls(self) -> dict[str, Path]:
        return {"ca": self.ca, "cert": self.cert, "key": self.key}

    @property
    def options(self) -> list[str]:
        return ["--ca", str(self.ca), "--cert", str(self.cert), "--key", str(self.key)]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    with serving_tls(authority.issue("server"), authority.ca) as url:
        yield Guarded(url, authority.ca, *authority.issue("client"))


@pytest.mark.anyio
async def test_it_is_certified_over_every_wire_and_connection(guarded: Guarded) -> None:
    some = [ONE, "doctor.http-origin", "security.sessions", "fuzz.valid", "load.in-flight"]
    certificate = await lab.certify(guarded.url, tls=guarded.tls, only=some, allow_destructive=True)
    ran = {each.check.id for each in certificate.results if each.status in ("passed", "failed")}
    assert certificate.eras == ["2025-11-25", "2026-07-28"] and ran == set(some)
    assert not [each for each in certificate.results if each.status == "broken"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("names", "match"),
    [
        ((), "cannot be reached: its certificate is of no CA that is trusted here: .*--ca FILE"),
        (("ca",), "cannot be reached: .* wants a client certificate, and none was shown: .*--cert FILE"),
    ],
)
async def test_why_nothing_was_tested_is_told(guarded: Guarded, names: tuple[str, ...], match: str) -> None:
    tls = {name: guarded.tls[name] for name in names}
    with pytest.raises(lab.ConnectError, match=match):
        await lab.certify(guarded.url, tls=tls or None, only=[ONE])


@pytest.mark.anyio
async def test_an_open_connection_is_certified_with_the_files_it_was_opened_with(guarded: Guarded) -> None:
    async with await lab.connect(guarded.url, tls=guarded.tls) as conn:
        assert (await lab.certify(conn, only=[ONE])).passed


@pytest.mark.anyio
async def test_a_cassette_is_compared_with_it(guarded: Guarded) -> None:
    async with await lab.connect(guarded.url, tls=guarded.tls) as conn:
        await conn.call("add", a=2, b=3)
        cassette = Cassette.from_tape(conn.tape)
    assert (await cassette.check(guarded.url, tls=guarded.tls)).ok


def test_the_commands_take_the_files(guarded: Guarded, tmp_path: Path) -> None:
    run = CliRunner()
    called = run.invoke(app, ["call", guarded.url, "add", "-a", "a=2", "-a", "b=3", *guarded.options])
    assert (called.exit_code, json.loads(called.stdout)) == (0, 5), called.output
    certified = run.invoke(app, ["certify", guarded.url, *guarded.options, "--only", ONE])
    assert certified.exit_code == 0, certified.output

    with lab.sync.connect(guarded.url, tls=guarded.tls) as conn:
        conn.call("add", a=2, b=3)
        file = Cassette.from_tape(conn.tape).save(tmp_path / "session.jsonl")
    replayed = run.invoke(app, ["replay", str(file), "--against", guarded.url, *guarded.options])
    assert replayed.exit_code == 0, replayed.output


@pytest.mark.parametrize("command", [["certify"], ["call", "add"], ["replay", "--against"]])
def test_files_that_cannot_be_meant_are_wrong_usage(guarded: Guarded, tmp_path: Path, command: list[str]) -> None:
    cassette = tmp_path / "one.jsonl"
    line = {"method": "tools/call", "params": {}, "result": {}}
    cassette.write_text(f'{{"cassette": 1}}\n{json.dumps(line)}\n', encoding="utf-8")

    def said(url: str, *options: str) -> str:
        name, *rest = command
        words = [name, str(cassette), *rest, url] if name == "replay" else [name, url, *rest]
        ended = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, *options])
        assert ended.exit_code == 2, ended.output
        return ended.output

    assert "begins with https" in said("http://127.0.0.1:9/mcp", "--ca", str(guarded.ca))
    assert "name that too, with --cert" in said(guarded.url, "--key", str(guarded.key))
    assert "does not exist" in said(guarded.url, "--ca", "no/such/file.pem")
