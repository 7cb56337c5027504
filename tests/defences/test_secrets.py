"""Secrets: seen nowhere on the way, kept for a while and not longer, and a rotation is seen."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from labkit.defences.secrets import (
    Environment,
    Files,
    Secret,
    SecretError,
    SecretNotFoundError,
    Secrets,
    SecretUnavailableError,
)
from labkit.defences.vault import Vault, VaultError
from labkit.patterns.clock import VirtualClock
from labkit.patterns.masking import masked
from servers.upstreams import vault_api
from servers.upstreams.vault_api import VaultServer

CANARY = "canary-5f2d-secret"
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")


@dataclass
class Settings:
    key: Secret


def test_a_secret_is_in_no_text_of_itself() -> None:
    secret = Secret(CANARY, name="bank")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}", "%s %r" % (secret, secret)]  # noqa: UP031
    shown += [repr([secret]), repr(Settings(secret)), repr(asdict(Settings(secret))), repr(masked({"k": secret}))]
    shown += [repr(dir(secret)), repr(copy.deepcopy({"k": secret})), "{0} {0!r}".format(secret)]  # noqa: UP032
    assert not any(CANARY in text for text in shown)
    assert "***" in repr(secret) and secret.reveal() == CANARY
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize(
    "act", [pickle.dumps, json.dumps, lambda s: json.dumps({"k": s}), hash, lambda s: s + "x", bytes]
)
def test_a_secret_does_not_become_something_else(act: Any) -> None:
    with pytest.raises(TypeError) as caught:
        act(Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_secret_is_not_in_a_log_or_a_traceback_with_its_variables() -> None:
    stream, log = io.StringIO(), logging.getLogger("test_secrets")
    handler = logging.StreamHandler(stream)
    log.addHandler(handler)
    try:
        key = Secret(CANARY, name="bank")
        try:
            raise ValueError(f"cannot use {key}", key)
        except ValueError as error:
            log.exception("failed with %s and %r", key, key)
            stream.write("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    finally:
        log.removeHandler(handler)
    assert "key = Secret('bank', ***)" in stream.getvalue() and CANARY not in stream.getvalue()


def test_secrets_can_be_compared() -> None:
    assert Secret("a") == Secret("a") and Secret("a") != Secret("b") and Secret("a") != "a"


class Shelf:
    """A provider that can be away, and counts."""

    def __init__(self, **texts: str) -> None:
        self.texts, self.asked, self.away, self.lasts = texts, 0, False, None

    async def fetch(self, name: str) -> Secret:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise SecretUnavailableError("away")
        if name not in self.texts:
            raise SecretNotFoundError(f"no {name}")
        return Secret(self.texts[name], name=name, lasts=self.lasts)


async def text(secrets: Secrets, name: str = "key") -> str:
    return (await secrets.get(name)).reveal()


@pytest.mark.anyio
async def test_a_rotation_is_seen_after_the_ttl_and_not_before() -> None:
    clock, shelf = VirtualClock(), Shelf(key="old")
    secrets = Secrets(shelf, ttl=60, clock=clock)
    assert await text(secrets) == "old"
    shelf.texts["key"] = "new"
    clock.jump(59)
    assert (await text(secrets), shelf.asked) == ("old", 1)
    clock.jump(1)
    assert (await text(secrets), shelf.asked) == ("new", 2)


@pytest.mark.anyio
async def test_a_secret_that_was_refused_is_asked_for_anew() -> None:
    shelf = Shelf(key="old")
    secrets = Secrets(shelf, ttl=1e9)
    await text(secrets)
    shelf.texts["key"] = "new"
    secrets.forget("key")
    assert await text(secrets) == "new"


@pytest.mark.anyio
async def test_a_lease_ends_before_the_ttl_and_is_never_stale() -> None:
    clock, shelf = VirtualClock(), Shelf(key="a")
    shelf.lasts = 10  # type: ignore[assignment]
    secrets = Secrets(shelf, ttl=60, stale=1000, clock=clock)
    await text(secrets)
    shelf.away = True
    clock.jump(9)
    assert await text(secrets) == "a"
    clock.jump(1)
    with pytest.raises(SecretUnavailableError):
        await text(secrets)


@pytest.mark.anyio
async def test_an_old_one_is_used_while_the_place_is_away_only_where_that_is_allowed() -> None:
    for stale, wanted in ((0, None), (30, "a")):
        clock, shelf = VirtualClock(), Shelf(key="a")
        secrets = Secrets(shelf, ttl=60, stale=stale, clock=clock)
        await text(secrets)
        shelf.away = True
        clock.jump(80)
        try:
            assert await text(secrets) == wanted
        except SecretUnavailableError:
            assert wanted is None
        clock.jump(10)
        with pytest.raises(SecretUnavailableError):
            await text(secrets)


@pytest.mark.anyio
async def test_one_that_was_taken_away_is_gone() -> None:
    clock, shelf = VirtualClock(), Shelf(key="a")
    secrets = Secrets(shelf, ttl=60, stale=1000, clock=clock)
    await text(secrets)
    del shelf.texts["key"]
    clock.jump(60)
    with pytest.raises(SecretNotFoundError):
        await text(secrets)
    shelf.away = True
    with pytest.raises(SecretUnavailableError):
        await text(secrets)


@pytest.mark.anyio
async def test_the_next_place_is_asked_for_what_is_not_there_and_not_for_what_cannot_be_reached() -> None:
    first, second = Shelf(), Shelf(key="b")
    assert await text(Secrets(first, second)) == "b"
    first.away = True
    with pytest.raises(SecretUnavailableError):
        await text(Secrets(first, second))


@pytest.mark.anyio
async def test_many_who_ask_at_once_ask_once() -> None:
    shelf = Shelf(key="a")
    secrets = Secrets(shelf)
    assert await asyncio.gather(*(text(secrets) for _ in range(20))) == ["a"] * 20
    assert shelf.asked == 1 and "a" not in repr(secrets).split("kept")[1]


def test_secrets_need_a_place() -> None:
    with pytest.raises(ValueError, match="say where"):
        Secrets()


@pytest.mark.anyio
async def test_the_environment_is_read_each_time() -> None:
    environ = {"LAB_KEY": "a", "KEY": "other", "LAB_EMPTY": ""}
    place = Environment("LAB_", environ)
    assert (await place.fetch("KEY")).reveal() == "a"
    environ["LAB_KEY"] = "b"
    assert (await place.fetch("KEY")).reveal() == "b"
    for name in ("NONE", "EMPTY", "", "a/b", "../KEY", "a..b", "a b", "K" * 200):
        with pytest.raises(SecretNotFoundError):
            await place.fetch(name)


def put(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    """Write a secret as it should be rotated: a new file, renamed over the old one."""
    new = folder / f".{name}.new"
    new.write_text(text, encoding="utf-8")
    new.chmod(mode)
    return new.replace(folder / name)


@pytest.mark.anyio
async def test_a_file_is_read_and_its_rotation_seen(tmp_path: Path) -> None:
    clock = VirtualClock()
    secrets = Secrets(Files(tmp_path), ttl=60, clock=clock)
    put(tmp_path, "key", "old\n")
    assert await text(secrets) == "old"
    put(tmp_path, "key", " new ")
    clock.jump(60)
    assert await text(secrets) == " new "


@pytest.mark.anyio
@posix
async def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    for mode in (0o640, 0o604, 0o620, 0o777):
        put(tmp_path, "key", CANARY, mode)
        with pytest.raises(SecretUnavailableError, match="chmod 600") as caught:
            await Files(tmp_path).fetch("key")
        assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.anyio
@posix
async def test_a_link_is_followed_within_the_folder_and_not_out_of_it(tmp_path: Path) -> None:
    folder, outside = tmp_path / "secrets", put(tmp_path, "outside", CANARY)
    (folder / "..2026").mkdir(parents=True)
    put(folder / "..2026", "key", "mounted")
    (folder / "..data").symlink_to("..2026")
    (folder / "key").symlink_to("..data/key")
    (folder / "evil").symlink_to(outside)
    assert (await Files(folder).fetch("key")).reveal() == "mounted"
    with pytest.raises(SecretUnavailableError, match="out of its folder"):
        await Files(folder).fetch("evil")


@pytest.mark.anyio
async def test_what_is_no_secret_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "empty", "\n")
    (tmp_path / "folder").mkdir(mode=0o700)
    put(tmp_path, "large", "x" * 70_000)
    put(tmp_path, "binary", "")
    (tmp_path / "binary").write_bytes(b"\xff" + CANARY.encode())
    for name in ("empty", "none", "../x", ".", "", "a/b"):
        with pytest.raises(SecretNotFoundError):
            await Files(tmp_path).fetch(name)
    for name in ("folder", "large", "binary"):
        with pytest.raises(SecretUnavailableError) as caught:
            await Files(tmp_path).fetch(name)
        assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[VaultServer, list[float]]]:
    now = [1000.0]
    with VaultServer(clock=lambda: now[0]) as server:
        yield server, now


@pytest.fixture
def vault(served: tuple[VaultServer, list[float]]) -> VaultServer:
    served[0].state.mode = "ok"
    served[0].put("bank", value=CANARY)
    return served[0]


@pytest.mark.anyio
async def test_a_vault_gives_the_newest_version(vault: VaultServer) -> None:
    async with Vault(vault.url, vault.token) as client:
        first = await client.fetch("bank")
        assert first.reveal() == CANARY
        number = vault.put("bank", value="next")
        again = await client.fetch("bank")
        assert (again.reveal(), again.version) == ("next", str(number))
        for name in ("none", "bank/x", "../sys/health", "", "a//b"):
            with pytest.raises(SecretNotFoundError):
                await client.fetch(name)


@pytest.mark.anyio
async def test_a_rotation_in_the_vault_is_seen(vault: VaultServer) -> None:
    clock = VirtualClock()
    async with Vault(vault.url, Secret(vault.token)) as client:
        secrets = Secrets(client, ttl=60, clock=clock)
        assert await text(secrets, "bank") == CANARY
        vault.put("bank", value="rotated")
        clock.jump(60)
        assert await text(secrets, "bank") == "rotated"


@pytest.mark.anyio
async def test_a_lease_is_renewed_and_ended(served: Any, vault: VaultServer) -> None:
    _, now = served
    async with Vault(vault.url, vault.token) as client:
        login = await client.lease("database/creds/reader")
        assert login.lasts == vault_api.LEASE_SECONDS and login.lease and CANARY not in login.reveal()
        now[0] += 50
        assert (await client.renew(login, 1000)).lasts == vault_api.LEASE_SECONDS
        now[0] += 50
        await client.revoke(login)
        with pytest.raises(SecretUnavailableError):
            await client.renew(login)


@pytest.mark.anyio
async def test_a_token_ends_and_can_be_renewed(served: Any, vault: VaultServer) -> None:
    _, now = served
    made = httpx2.post(
        f"{vault.url}/v1/auth/token/create",
        json={"ttl": "60s"},
        headers={"X-Vault-Token": vault.token},
        trust_env=False,
    ).json()["auth"]["client_token"]
    async with Vault(vault.url, made) as client:
        now[0] += 50
        assert await client.renew_token() == vault_api.TOKEN_SECONDS
        now[0] += 3000
        assert (await client.fetch("bank")).reveal() == CANARY
        now[0] += 601
        with pytest.raises(SecretUnavailableError, match="has ended"):
            await client.fetch("bank")


@pytest.mark.anyio
async def test_no_failure_of_a_vault_shows_its_token_or_what_is_in_it(vault: VaultServer) -> None:
    told: list[str] = []
    failing = [(vault.url, "sealed"), (vault.url, "broken"), ("http://127.0.0.1:9", "ok")]
    for url, mode in failing:
        vault.state.mode = mode
        async with Vault(url, vault.token) as client:
            with pytest.raises(SecretUnavailableError) as caught:
                await client.fetch("bank")
            frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            told += ["".join(traceback.format_exception(caught.value)), repr(client), "".join(frames.format())]
    vault.state.mode = "ok"
    async with Vault(vault.url, "wrong") as client:
        with pytest.raises(SecretUnavailableError, match="has ended, or may not"):
            await client.fetch("bank")
    assert not any(vault.token in text or CANARY in text for text in told)


@pytest.mark.anyio
async def test_a_token_is_sent_to_no_other_place() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(302, headers={"location": "https://evil.example/v1/secret/data/key"})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        with pytest.raises(SecretUnavailableError, match="302"):
            await Vault("https://vault.example", "t", client=http).fetch("key")
    assert [request.url.host for request in asked] == ["vault.example"]
    for url in (
        "http://vault.example",
        "ftp://x",
        "https://u:p@vault.example",
        "http://127.0.0.1.evil.example",
        "http://u@localhost",
    ):
        with pytest.raises(VaultError):
            Vault(url, "t")


def test_the_vault_runs_as_a_program() -> None:
    command = [sys.executable, str(Path(vault_api.__file__))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        told = json.loads(child.stdout.readline())
        answer = httpx2.get(f"{told['url']}/v1/sys/health", trust_env=False, timeout=30)
        child.stdin.close()
        assert child.wait(30) == 0
    assert answer.json() == {"initialized": True, "sealed": False}


def test_the_vault_keeps_versions(vault: VaultServer) -> None:
    with httpx2.Client(base_url=f"{vault.url}/v1", headers={"X-Vault-Token": vault.token}, trust_env=False) as http:
        for number in (1, 2):
            made = http.post("/secret/data/kept", json={"data": {"value": str(number)}, "options": {"cas": number - 1}})
            assert made.json() == {"data": {"version": number}}
        assert http.post("/secret/data/kept", json={"data": {}, "options": {"cas": 0}}).status_code == 400
        assert http.get("/secret/data/kept?version=1").json()["data"]["data"] == {"value": "1"}
        http.delete("/secret/data/kept")
        assert http.get("/secret/data/kept").status_code == 404
        found = http.get("/secret/metadata/kept").json()["data"]
        assert (found["current_version"], found["versions"]["2"]["deletion_time"]) == (2, "deleted")
        assert http.post("/secret/data/kept", content=b"[").status_code == 400


def test_secret_errors_are_of_one_family() -> None:
    assert issubclass(SecretNotFoundError, SecretError) and issubclass(SecretUnavailableError, SecretError)


@pytest.mark.anyio
async def test_no_error_carries_the_one_that_has_the_bytes(tmp_path: Path) -> None:
    put(tmp_path, "binary", "").write_bytes(CANARY.encode() + b"\xff")
    with pytest.raises(SecretUnavailableError) as caught:
        await Files(tmp_path).fetch("binary")
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.anyio
async def test_a_client_that_follows_redirects_does_not_take_the_token_along() -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.host)
        return httpx2.Response(307, headers={"Location": "https://evil.example/v1/x"})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), follow_redirects=True)
    async with Vault("https://vault.example", "canary-token", client=client) as vault:
        with pytest.raises(SecretUnavailableError, match="307"):
            await vault.fetch("bank")
    assert seen == ["vault.example"]


@pytest.mark.anyio
async def test_a_vault_that_has_ended_answers_nobody() -> None:
    server = VaultServer()
    server.put("bank", value=CANARY)
    server.start()
    async with Vault(server.url, server.token) as client:
        assert (await client.fetch("bank")).reveal() == CANARY
        server.stop()
        with pytest.raises(SecretUnavailableError):  # on the connection that was kept open, too
            await client.fetch("bank")
    server.stop()
    VaultServer().stop()  # never started
