"""What stands between callers and endpoints: kept answers, and for each endpoint retries, a breaker, places, a limit.

For a GET, from the outside in, and why there:

- kept answers first: what is known costs nobody anything, and holds while the endpoint is down;
- retries around the breaker, so that each attempt is judged, and none is made once it is open;
- the breaker around places and limit: who is refused there says nothing of the endpoint, and uses up neither;
- the limit last, because it counts requests that truly go out.

A POST is made once: an answer that was lost does not mean that nothing was done. Knows nothing of MCP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.patterns.breaker import Breaker
from labkit.patterns.bulkhead import Slots
from labkit.patterns.cache_backend import EVERYTHING
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.failures import Unavailable, is_blamed
from labkit.patterns.rate_limit import REASON, in_process
from labkit.patterns.read_through import Freshness, ReadThrough, cache_key
from labkit.patterns.retry import Retrying
from servers.api_gateway.endpoints import Endpoint, EndpointError, Endpoints, Method
from servers.api_gateway.outgoing import Outgoing, Params, Reply

AT_ONCE = 4
"""Requests to one endpoint at the same time; this many more wait."""
NOT_THERE = ("http-404", "http-410")
NOT_THERE_SECONDS = 5.0
"""For how long it is remembered that something is not there."""
LONGEST_WAIT = 2.0
"""Seconds that a retry waits because the endpoint, its breaker or its limit says so; for longer, the caller decides."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered, and where it came from."""

    status: int
    data: Any
    kept: bool = False
    age: float = 0.0
    """Seconds since it was fetched."""


class Guarded:
    """One endpoint, and all that stands in front of it."""

    def __init__(self, endpoint: Endpoint, out: Outgoing, clock: Clock) -> None:
        self.endpoint = endpoint
        try:
            self.limit = in_process(endpoint.limit, clock=clock)
        except ValueError as error:
            raise EndpointError(f"[{endpoint.name}] limit: {error}", "settings") from None
        self.breaker = Breaker(endpoint.name, failures=5, cooldown=5, counts=_is_its_fault, clock=clock)
        self.slots = Slots(AT_ONCE, queue=5 * AT_ONCE, wait=endpoint.seconds, name=endpoint.name, clock=clock)
        self.retrying = Retrying(3, longest=LONGEST_WAIT, clock=clock)
        self.sent = self.over_limit = 0
        self._out = out

    async def get(self, path: str, params: Params) -> Reply:
        """Ask, and ask again when that may help. Raises EndpointError or Unavailable."""
        return await self.retrying.run(lambda: self._once("GET", path, params))

    async def post(self, path: str, params: Params, body: Any, headers: Mapping[str, str]) -> Reply:
        """Ask once. Raises EndpointError or Unavailable."""
        return await self._once("POST", path, params, body, headers)

    async def _once(self, method: Method, path: str, params: Params, body: Any = None, headers: Any = None) -> Reply:
        with self.breaker.admit():
            async with self.slots:
                verdict = self.limit.take("")
                if not verdict:
                    self.over_limit += 1
                    asked = f"{self.endpoint.name} is asked no more than {self.endpoint.limit}"
                    text = f"{asked}: try again in {verdict.wait:.1f} s"
                    raise Unavailable(text, reason=REASON, retry_after=verdict.wait)
                self.sent += 1
                return await self._out.send(self.endpoint, method, path, params, body, headers)


class Gateway:
    """All endpoints. Close it."""

    def __init__(self, endpoints: Endpoints, *, out: Outgoing | None = None, clock: Clock = SYSTEM) -> None:
        self._out = out or Outgoing()
        self.endpoints = endpoints
        self.guarded = {name: Guarded(endpoint, self._out, clock) for name, endpoint in endpoints.items()}
        self.cache = ReadThrough(clock=clock)

    async def get(self, name: str, path: str, params: Params | None = None, *, kept: bool = True) -> Answer:
        """Ask an endpoint, or give what it answered before. Raises EndpointError or Unavailable."""
        endpoint, secret, params = *self._checked(name, "GET", path), params or {}
        guarded = self.guarded[name]
        if not kept or not endpoint.keep:
            self.cache.bypassed += 1
            reply = await guarded.get(path, params)
            return Answer(reply.status, reply.data)

        async def fetch() -> dict[str, Any]:
            try:
                reply = await guarded.get(path, params)
            except EndpointError as error:
                if error.reason not in NOT_THERE:
                    raise
                return {"missing": str(error), "reason": error.reason}
            return {"status": reply.status, "data": reply.data}

        def judge(value: dict[str, Any]) -> Freshness:
            missing = "missing" in value
            return Freshness(min(endpoint.keep, NOT_THERE_SECONDS) if missing else endpoint.keep, negative=missing)

        # Callers share what is kept: to the endpoint they are all the gateway. With another key it is somebody else.
        found = await self.cache.get(cache_key(name, secret, path, params), fetch, judge, (EVERYTHING, name))
        if "missing" in found.value:
            raise EndpointError(found.value["missing"], found.value["reason"])
        return Answer(found.value["status"], found.value["data"], found.state in ("hit", "stale"), found.age)

    async def post(
        self, name: str, path: str, body: Any, params: Params | None = None, *, idempotency_key: str = ""
    ) -> Answer:
        """Send to an endpoint, and forget what it answered before. Raises EndpointError or Unavailable."""
        self._checked(name, "POST", path)
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        try:
            reply = await self.guarded[name].post(path, params or {}, body, headers)
        except Unavailable as error:
            if error.reason in ("unavailable", "timeout", "deadline"):
                again = "repeat it with the same idempotency_key" if idempotency_key else "look before you repeat it"
                raise Unavailable(f"{error}. It may have been done: {again}", reason=error.reason) from error
            raise
        finally:
            # Also when it failed: nobody knows what was done. Shielded, because who is cancelled has perhaps sent it.
            await asyncio.shield(self.cache.drop(name))
        return Answer(reply.status, reply.data)

    def _checked(self, name: str, method: Method, path: str) -> tuple[Endpoint, str]:
        """The endpoint and its key: what cannot be sent takes no place and counts against no limit."""
        endpoint = self.endpoints.find(name)
        endpoint.check(method, path)
        return endpoint, endpoint.key.secret() if endpoint.key else ""

    async def close(self) -> None:
        """Close connections, and end the services that were started."""
        try:
            await self.cache.close()
        finally:
            await self._out.close()


def _is_its_fault(error: BaseException) -> bool:
    # Not what an endpoint refuses in so many words: whoever asks for what is not there would close it to all others.
    return isinstance(error, Unavailable) and is_blamed(error)
