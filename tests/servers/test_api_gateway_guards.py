"""What stands in front of an endpoint, with a clock that tests turn and an endpoint that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.failures import Unavailable
from servers.api_gateway.endpoints import Endpoint, EndpointError, Endpoints, Key
from servers.api_gateway.gateway import AT_ONCE, LONGEST_WAIT, Gateway
from servers.api_gateway.outgoing import Outgoing, Reply

from .conftest import environment

pytestmark = pytest.mark.anyio
Behaviour = Callable[[int], Any]


class Scripted(Outgoing):
    """Takes the place of HTTP. `behave` is given the number of the request; what it returns is raised or answered."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, Any]] = []
        self.behave: Behaviour = lambda number: number

    async def send(
        self, endpoint: Endpoint, method: Any, path: str, params: Any = None, body: Any = None, headers: Any = None
    ) -> Reply:
        self.asked.append((method, path, dict(headers or {})))
        outcome = self.behave(len(self.asked))
        if asyncio.isfuture(outcome):
            outcome = await outcome
        if isinstance(outcome, Exception):
            raise outcome
        return Reply(200, outcome)


class Lab:
    """A gateway with one endpoint, `shop`."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.out = VirtualClock(), Scripted()
        shop = Endpoint(name="shop", url="http://127.0.0.1:1", get=("/a", "/b"), post=("/a",), **settings)
        self.gateway = Gateway(Endpoints(shop=shop), out=self.out, clock=self.clock)
        self.shop = self.gateway.guarded["shop"]

    async def get(self, path: str = "/a", **options: Any) -> Any:
        """What comes of a call; retries wait for no time."""
        task = asyncio.create_task(self.gateway.get("shop", path, **options))
        await self.clock.advance(3)
        with suppress(EndpointError, Unavailable):
            return (await task).data
        return task.exception()


@pytest.fixture
async def lab() -> AsyncIterator[Callable[..., Lab]]:
    made: list[Lab] = []

    def make(**settings: Any) -> Lab:
        made.append(Lab(**settings))
        return made[-1]

    yield make
    for each in made:
        await each.gateway.close()


def down(number: int) -> Exception:
    return Unavailable(f"down for the {number}. time")


async def test_an_answer_is_kept_for_its_time(lab: Any) -> None:
    here = lab(keep=10)
    assert [await here.get() for _ in range(3)] == [1, 1, 1]
    assert await here.get("/b") == 2
    assert await here.get(params={"x": 1}) == 3
    await here.clock.advance(10)
    assert await here.get() == 4
    assert await here.get(kept=False) == 5
    stats = here.gateway.cache.stats()
    assert (stats.hits, stats.misses, stats.bypassed, here.shop.sent) == (2, 4, 1, 5)


async def test_what_is_not_there_is_remembered_for_a_moment(lab: Any) -> None:
    here = lab(keep=60)
    here.out.behave = lambda number: EndpointError("not there", "http-404")
    for _ in range(2):
        assert str(await here.get()) == "not there"
    assert len(here.out.asked) == 1
    await here.clock.advance(5)
    here.out.behave = lambda number: "there now"
    assert await here.get() == "there now"


async def test_other_refusals_are_not_remembered(lab: Any) -> None:
    here = lab(keep=60)
    here.out.behave = lambda number: EndpointError("no", "http-403") if number == 1 else "yes"
    assert str(await here.get()) == "no"
    assert await here.get() == "yes"


async def test_an_answer_for_one_key_is_not_given_for_another(lab: Any) -> None:
    here = lab(keep=60, key=Key(env="SHOP_KEY"))
    with environment({"SHOP_KEY": "ada"}):
        assert [await here.get(), await here.get()] == [1, 1]
    with environment({"SHOP_KEY": "ben"}):
        assert await here.get() == 2
    with environment({"SHOP_KEY": ""}):
        assert "needs a key" in str(await here.get())
    assert here.shop.sent == 2


async def test_many_who_want_the_same_ask_once(lab: Any) -> None:
    here = lab(keep=60)
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    here.out.behave = lambda number: answer
    tasks = [asyncio.create_task(here.gateway.get("shop", "/a")) for _ in range(10)]
    await settle()
    answer.set_result("once")
    assert {(await task).data for task in tasks} == {"once"} and len(here.out.asked) == 1


async def test_a_hiccup_is_tried_again_and_a_refusal_is_not(lab: Any) -> None:
    here = lab()
    here.out.behave = lambda number: number if number == 3 else down(number)
    assert await here.get() == 3 and here.shop.retrying.stats.retries == 2
    here.out.behave = lambda number: EndpointError("no", "http-400")
    assert str(await here.get()) == "no" and len(here.out.asked) == 4


async def test_a_post_is_sent_once_and_says_that_it_may_have_been_done(lab: Any) -> None:
    here = lab(keep=60)
    assert await here.get() == 1
    here.out.behave = down
    with pytest.raises(Unavailable, match="It may have been done: look before you repeat it"):
        await here.gateway.post("shop", "/a", {})
    with pytest.raises(Unavailable, match="repeat it with the same idempotency_key"):
        await here.gateway.post("shop", "/a", {}, idempotency_key="once")
    assert here.out.asked[1:] == [("POST", "/a", {}), ("POST", "/a", {"idempotency-key": "once"})]
    here.out.behave = lambda number: "anew"
    assert await here.get() == "anew"  # what was kept is forgotten, because it may be wrong now


async def test_what_was_on_its_way_when_a_post_came_is_not_kept(lab: Any) -> None:
    here = lab(keep=60)
    old: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    here.out.behave = lambda number: old if number == 1 else number
    reading = asyncio.create_task(here.gateway.get("shop", "/a"))
    await settle()
    await here.gateway.post("shop", "/a", {})
    old.set_result("before the post")
    assert (await reading).data == "before the post"
    assert await here.get() == 3


async def test_the_limit_counts_what_goes_out(lab: Any) -> None:
    here = lab(keep=60, limit="3/minute")
    assert [await here.get(), await here.get(), await here.get("/b")] == [1, 1, 2]
    assert await here.get(kept=False) == 3
    refused = await here.get(kept=False)
    assert isinstance(refused, Unavailable) and refused.reason == "rate-limited"
    assert refused.retry_after == pytest.approx(48.0, abs=3)
    assert "shop is asked no more than 3/minute: try again in" in str(refused)
    assert await here.get() == 1  # kept answers cost nothing
    with pytest.raises(Unavailable, match="no more than 3/minute: try again in [0-9.]+ s$"):
        await here.gateway.post("shop", "/a", {})  # it was surely not done
    assert (here.shop.sent, here.shop.over_limit, here.shop.breaker.stats().failed) == (3, 2, 0)
    await here.clock.advance(60)
    assert await here.get(kept=False) == 4


async def test_retries_count_against_the_limit_too(lab: Any) -> None:
    here = lab(limit="2/minute")
    here.out.behave = down
    assert "asked no more than 2/minute" in str(await here.get())
    assert len(here.out.asked) == 2


async def test_an_endpoint_that_is_down_is_left_alone_and_found_again(lab: Any) -> None:
    here = lab(keep=60, limit="1000/minute")
    assert await here.get("/b") == 1
    here.out.behave = down
    assert "down for the 4. time" in str(await here.get())  # three attempts, and two more open the breaker
    assert "'shop' has failed too often" in str(await here.get())
    with pytest.raises(Unavailable) as raised:
        await here.gateway.get("shop", "/a")
    assert raised.value.reason == "circuit-open" and (raised.value.retry_after or 0) > LONGEST_WAIT
    assert len(here.out.asked) == 6 and here.shop.breaker.state == "open"
    assert await here.get("/b") == 1  # what is kept is given all the same
    await here.clock.advance(5)
    here.out.behave = lambda number: "well"
    assert await here.get() == "well" and here.shop.breaker.state == "closed"


async def test_what_an_endpoint_refuses_opens_no_breaker(lab: Any) -> None:
    here = lab()
    here.out.behave = lambda number: EndpointError("no", "http-404")
    for _ in range(20):
        await here.get()
    assert here.shop.breaker.state == "closed"


async def test_places_are_bounded_and_given_back_by_those_who_are_cancelled(lab: Any) -> None:
    here = lab(limit="1000/minute", seconds=60)
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    here.out.behave = lambda number: never
    tasks = [asyncio.create_task(here.gateway.get("shop", "/a")) for _ in range(AT_ONCE + 3)]
    await settle()
    assert (here.shop.slots.running, here.shop.slots.waiting, here.shop.sent) == (AT_ONCE, 3, AT_ONCE)
    for task in tasks:
        task.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*tasks, return_exceptions=True)
    )
    assert (here.shop.slots.running, here.shop.slots.waiting) == (0, 0)
    assert here.shop.breaker.stats().failed == 0 and here.shop.retrying.stats.retries == 0
    here.out.behave = lambda number: "free"
    assert await here.get() == "free"


async def test_a_caller_who_leaves_does_not_take_the_answer_from_the_others(lab: Any) -> None:
    here = lab(keep=60)
    answers = [asyncio.get_running_loop().create_future() for _ in range(2)]
    here.out.behave = lambda number: answers[number - 1]
    first, second = (asyncio.create_task(here.gateway.get("shop", "/a")) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    answers[1].set_result("for the second")
    assert (await second).data == "for the second"


def test_a_limit_that_is_none_is_found_when_the_gateway_is_made() -> None:
    with pytest.raises(EndpointError, match=r"\[shop\] limit: 'often' is no rate"):
        Lab(limit="often")
