"""API gateway: HTTP endpoints that were registered, for a model, with a key that it never sees.

Run it by itself (it speaks MCP on stdin and stdout):

    API_GATEWAY_BANK_KEY=demo-token-of-ada python servers/api_gateway/server.py

API_GATEWAY_ENDPOINTS  the list of endpoints; endpoints.toml beside this file if unset. It says how to write one
API_GATEWAY_NAME_URL   where the endpoint NAME is, in place of what the list says
API_GATEWAY_BANK_KEY   the key for the bank: each endpoint of the list names the variable of its own

Worth noticing:
- no tool takes an address: an endpoint is a name, a path has to fit one of those registered for it (endpoints.py), and
  redirects are not followed. There is nothing to filter out, because nothing was let in;
- keys come from the environment, go into one header, and are taken out of answers that repeat them (outgoing.py);
- the key is the gateway's: whoever may call this server acts with it. Register what all of its callers may do;
- kept answers, retries, breakers, places and limits are those of labkit.patterns, put in order (gateway.py);
- a POST is never repeated here. With an idempotency key the caller can do so;
- in a batch each request has its own outcome, and counts as one against the limit of its endpoint.
"""

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from labkit.patterns.deadline import Deadline
from labkit.patterns.failures import Unavailable
from labkit.patterns.rate_limit import RateLimit
from labkit.patterns.stack import stack
from servers.api_gateway.endpoints import EndpointError, Endpoints, load
from servers.api_gateway.gateway import Answer, Gateway, Guarded
from servers.api_gateway.models import (
    MOST_IN_BATCH,
    ApiAnswer,
    Batch,
    CacheInfo,
    DeedKey,
    EndpointInfo,
    EndpointList,
    EndpointStats,
    GatewayStats,
    GetRequest,
    Name,
    Outcome,
    Query,
    UrlPath,
)


@asynccontextmanager
async def lifespan(server: MCPServer[Gateway]) -> AsyncGenerator[Gateway]:
    gateway = Gateway(endpoints)
    try:
        yield gateway
    finally:
        with anyio.CancelScope(shield=True):
            await gateway.close()


endpoints: Endpoints = load(Path(os.environ.get("API_GATEWAY_ENDPOINTS") or Path(__file__).with_name("endpoints.toml")))
CALLERS = {"api_get": "300/minute", "api_post": "60/minute", "batch_get": "60/minute"}
"""What one caller may do, so that none uses up the limits of the endpoints, which are for all."""
server = MCPServer(
    "api_gateway",
    title="API gateway",
    version="1.0.0",
    instructions="HTTP APIs that were registered: list_endpoints tells their names and paths. No others can be asked.",
    log_level="WARNING",
    lifespan=lifespan,
    middleware=stack(Deadline(20), RateLimit(CALLERS)),
)

HERE = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=True)
SEND = types.ToolAnnotations(destructive_hint=True, idempotent_hint=False, open_world_hint=True)


@contextmanager
def refusals() -> Generator[None]:
    """Turn what is not asked, or not answered well, into an error that reaches the caller.

    Unavailable passes: the middleware makes of it an error with the reason and the seconds to wait.
    """
    try:
        yield
    except EndpointError as error:
        raise ToolError(str(error)) from error


def gateway_of(ctx: Context) -> Gateway:
    return cast(Gateway, ctx.request_context.lifespan_context)


def api_answer(endpoint: str, path: str, answer: Answer) -> ApiAnswer:
    return ApiAnswer(
        endpoint=endpoint,
        path=path,
        status=answer.status,
        data=answer.data,
        source="kept" if answer.kept else "endpoint",
        age_seconds=round(answer.age, 3),
    )


def listed() -> EndpointList:
    return EndpointList(
        endpoints=[
            EndpointInfo(
                name=each.name,
                summary=each.summary,
                get=list(each.get),
                post=list(each.post),
                key="none" if each.key is None else "set" if each.key.is_set else "missing",
                keep_seconds=each.keep,
                limit=each.limit,
            )
            for each in endpoints.values()
        ]
    )


@server.tool(title="List endpoints", annotations=HERE)
async def list_endpoints() -> EndpointList:
    """List the APIs that may be asked, and the paths of each."""
    return listed()


@server.resource("gateway://endpoints", name="endpoints", title="Endpoints", mime_type="application/json")
async def endpoints_resource() -> str:
    """The APIs that may be asked, and the paths of each."""
    return listed().model_dump_json(indent=2)


@server.tool(title="GET from an API", annotations=READ)
async def api_get(
    endpoint: Name,
    path: UrlPath,
    ctx: Context,
    params: Query = {},  # noqa: B006
    fresh: Annotated[bool, Field(description="Ask the endpoint, even if an answer is kept.")] = False,
) -> ApiAnswer:
    """Read from a registered API. The answer may be a kept one: source and age_seconds tell."""
    with refusals():
        return api_answer(endpoint, path, await gateway_of(ctx).get(endpoint, path, params, kept=not fresh))


@server.tool(title="POST to an API", annotations=SEND)
async def api_post(
    endpoint: Name,
    path: UrlPath,
    body: Annotated[dict[str, Any], Field(description="Sent as JSON.")],
    ctx: Context,
    params: Query = {},  # noqa: B006
    idempotency_key: DeedKey = "",
) -> ApiAnswer:
    """Send to a registered API. It is sent once; what was kept of this API's answers is forgotten."""
    with refusals():
        gateway = gateway_of(ctx)
        return api_answer(
            endpoint, path, await gateway.post(endpoint, path, body, params, idempotency_key=idempotency_key)
        )


@server.tool(title="GET many", annotations=READ)
async def batch_get(
    requests: Annotated[
        list[GetRequest], Field(description="They run at the same time.", min_length=1, max_length=MOST_IN_BATCH)
    ],
    ctx: Context,
) -> Batch:
    """Read several things from registered APIs at the same time. One that fails does not stop the others."""
    gateway = gateway_of(ctx)
    outcomes: dict[int, Outcome] = {}

    async def run(number: int, request: GetRequest) -> None:
        outcomes[number] = await outcome(gateway, request)
        await ctx.report_progress(len(outcomes), len(requests))

    async with anyio.create_task_group() as group:
        for number, request in enumerate(requests):
            group.start_soon(run, number, request)
    ok = sum(each.ok for each in outcomes.values())
    return Batch(ok=ok, failed=len(requests) - ok, outcomes=[outcomes[number] for number in range(len(requests))])


async def outcome(gateway: Gateway, request: GetRequest) -> Outcome:
    endpoint, path = request.endpoint, request.path
    try:
        answer = await gateway.get(endpoint, path, request.params)
    except EndpointError as error:
        return Outcome(endpoint=endpoint, path=path, ok=False, error=str(error), reason=error.reason)
    except Unavailable as error:
        wait = error.retry_after
        return Outcome(endpoint=endpoint, path=path, ok=False, error=str(error), reason=error.reason, retry_after=wait)
    return Outcome(endpoint=endpoint, path=path, ok=True, answer=api_answer(endpoint, path, answer))


@server.tool(title="Cache and limits", annotations=HERE)
async def gateway_stats(ctx: Context) -> GatewayStats:
    """Tell how many answers were kept ones, and how much of each limit is left."""
    gateway = gateway_of(ctx)
    cache = gateway.cache.stats()
    return GatewayStats(
        cache=CacheInfo(
            kept=cache.hits + cache.stale,
            joined=cache.joined,
            fetched=cache.misses,
            bypassed=cache.bypassed,
            hit_rate=round(cache.hit_rate, 4),
        ),
        endpoints=[stats_of(each) for each in gateway.guarded.values()],
    )


def stats_of(guarded: Guarded) -> EndpointStats:
    breaker = guarded.breaker.stats()
    return EndpointStats(
        name=guarded.endpoint.name,
        sent=guarded.sent,
        retries=guarded.retrying.stats.retries,
        over_limit=guarded.over_limit,
        left=max(0, int(guarded.limit.available(""))),
        limit=guarded.endpoint.limit,
        breaker=guarded.breaker.state,
        opened=breaker.opened,
        refused=breaker.refused,
        running=guarded.slots.running,
        waiting=guarded.slots.waiting,
    )


if __name__ == "__main__":
    server.run()
