"""One store, two kinds: the same tests on both."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from labkit.services import control, open_store
from labkit.services.service import ServiceError
from labkit.services.store import SWEEP_EVERY, MemoryStore, Store

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield open_store("memory://")
    else:
        store = open_store(control.up(request.getfixturevalue("redis"))[0].url)
        for key in ("a", "b"):
            await store.delete(key)
        yield store
        await store.close()


async def gone(store: Store, key: str) -> None:
    with anyio.fail_after(5):
        while await store.get(key) is not None:
            await anyio.sleep(0.01)


async def test_what_is_set_can_be_had_and_deleted(store: Store) -> None:
    assert await store.get("a") is None
    await store.set("a", "Zoë\n")
    assert await store.get("a") == "Zoë\n"
    await store.set("a", "")
    assert await store.get("a") == ""
    assert (await store.delete("a"), await store.delete("a"), await store.get("a")) == (True, False, None)


async def test_what_is_set_for_a_time_goes(store: Store) -> None:
    await store.set("a", "short", ttl=0.05)
    await store.set("b", "long", ttl=60)
    await gone(store, "a")
    assert await store.get("b") == "long"
    await store.set("b", "short", ttl=0.05)  # the expiry is that of the last value
    await gone(store, "b")


async def test_a_counter_counts_and_expires_from_its_first_call(store: Store) -> None:
    assert [await store.add("a", ttl=0.2), await store.add("a", 5, ttl=60), await store.add("a", -2)] == [1, 6, 4]
    assert await store.get("a") == "4"
    await gone(store, "a")
    assert await store.add("a") == 1


async def test_many_callers_lose_no_count(store: Store) -> None:
    seen: list[int] = []

    async def one() -> None:
        seen.append(await store.add("a"))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(one)
    assert sorted(seen) == list(range(1, 51))


async def test_bad_input_is_told(store: Store) -> None:
    await store.set("a", "text")
    with pytest.raises(ServiceError, match="'a' holds no number, so nothing can be added to it"):
        await store.add("a")
    for ttl in (0, -1):
        with pytest.raises(ServiceError, match="ttl is in seconds and more than 0"):
            await store.set("a", "b", ttl=ttl)
        with pytest.raises(ServiceError, match="ttl is in seconds and more than 0"):
            await store.add("b", ttl=ttl)
    assert await store.get("a") == "text"


async def test_a_redis_that_goes_and_comes_back(redis: str) -> None:
    store = open_store(control.up(redis)[0].url)
    await store.set("a", "kept")
    control.down(redis)
    with pytest.raises(ServiceError, match=r"Redis at 127\.0\.0\.1:\d+ is out of reach: .* labkit services up redis"):
        await store.get("a")
    control.up(redis)
    assert await store.get("a") == "kept"
    await store.close()
    assert await store.get("a") == "kept"
    await store.close()


async def test_a_wrong_password_is_told_and_not_repeated(redis: str) -> None:
    store = open_store(f"redis://:guess@127.0.0.1:{control.up(redis)[0].port}/0")
    with pytest.raises(ServiceError, match="does not let us in: .* Correct REDIS_URL") as refused:
        await store.get("a")
    assert "guess" not in str(refused.value)
    await store.close()


async def test_keys_that_expired_do_not_pile_up_in_memory() -> None:
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])
    for number in range(SWEEP_EVERY - 1):
        await store.add(str(number), ttl=1)
    now[0] = 2.0
    await store.set("last", "")
    assert len(store) == 1


def test_the_url_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert isinstance(open_store(), MemoryStore)
    monkeypatch.setenv("REDIS_URL", "mongodb://root:secret@host")
    with pytest.raises(ServiceError, match="no store for a URL that begins with 'mongodb'") as refused:
        open_store()
    assert "secret" not in str(refused.value)
