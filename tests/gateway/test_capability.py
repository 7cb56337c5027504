"""Tools found by what they do, and calls spread over backends that offer the same one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server import MCPServer

from labkit.errors import UnknownNameError
from labkit.gateway import Gateway
from labkit.gateway.capability import Need, Offer, Router, find, hint, may_repeat, offered, tags_of

from .front_case import Json

TEXT: Json = {"type": "string"}


def tool(name: str, *arguments: str, required: tuple[str, ...] = (), **more: Any) -> Json:
    schema = {"type": "object", "properties": dict.fromkeys(arguments, TEXT), "required": list(required)}
    return {"name": name, "inputSchema": schema, **more}


SEARCH = tool("search_docs", "query", "limit", required=("query",), description="Find a page.")
READ = tool("read_page", "url", annotations={"readOnlyHint": True}, _meta={"labkit/tags": ["docs", "web"]})
DROP = tool("drop_page", "url", annotations={"destructiveHint": True}, title="Remove")
ADD = tool("add_page", "url", "text", annotations={"destructiveHint": False, "openWorldHint": False})
ALL = [SEARCH, READ, DROP, ADD]


@pytest.mark.parametrize(
    ("need", "found"),
    [
        (Need(), ALL),
        (Need(name="*page"), [READ, DROP, ADD]),
        (Need(name="SEARCH*"), [SEARCH]),
        (Need(name="page"), []),
        (Need(words=["page", "find"]), [SEARCH]),
        (Need(words=["remove"]), [DROP]),
        (Need(tags=["docs"]), [READ]),
        (Need(tags=["docs", "mail"]), []),
        (Need(arguments=["url"]), [READ, DROP, ADD]),
        (Need(arguments=["url", "text"]), [ADD]),
        (Need(arguments=["limit"], only=True), []),
        (Need(arguments=["query"], only=True), [SEARCH]),
        (Need(read_only=True), [READ]),
        (Need(read_only=False), [SEARCH, DROP, ADD]),
        (Need(destructive=False), [READ, ADD]),
        (Need(destructive=True), [SEARCH, DROP]),
        (Need(idempotent=True), [READ]),
        (Need(open_world=False), [ADD]),
        (Need(name="*page", read_only=False, destructive=True), [DROP]),
    ],
)
def test_a_need_is_met_by_all_that_it_says(need: Need, found: list[Json]) -> None:
    assert [offer.tool for offer in find(need, {"b": ALL})] == found


@pytest.mark.parametrize(
    "meta", [{"labkit/tags": ["a"]}, {"tags": ["a"]}, {"fastmcp": {"tags": ["a"]}}, {"_fastmcp": {"tags": ["a"]}}]
)
def test_tags_are_found_where_servers_write_them(meta: Json) -> None:
    assert tags_of({"_meta": meta}) == {"a"}


@pytest.mark.parametrize("meta", [None, [], {"tags": "a"}, {"tags": [1]}, {"fastmcp": ["a"]}])
def test_what_are_no_tags_are_none(meta: Any) -> None:
    assert tags_of({"_meta": meta}) == set()


def test_a_hint_is_what_the_specification_says_when_the_tool_is_silent() -> None:
    assert not hint({}, "readOnlyHint")
    assert hint({}, "destructiveHint")
    assert not may_repeat({})
    assert not may_repeat({"annotations": {"idempotentHint": "true"}})
    assert may_repeat({"annotations": {"readOnlyHint": True}})
    assert not hint({"annotations": {"readOnlyHint": True, "destructiveHint": True}}, "destructiveHint")


# whose turn it is --------------------------------------------------------------------------------


def picks(router: Router, need: Need, times: int, **more: Any) -> list[str]:
    return [router.pick(need, **more).owner for _ in range(times)]


def test_equal_tools_take_turns() -> None:
    router = Router(lambda: {key: [SEARCH] for key in "abc"})
    assert picks(router, Need(name="search*"), 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_tools_that_only_fit_as_well_do_not() -> None:
    wider = tool("search_docs", "query", "limit", "language")
    router = Router(lambda: {"a": [SEARCH], "b": [wider], "c": [SEARCH]})
    assert picks(router, Need(name="search*"), 4) == ["a", "c", "a", "c"]


def test_each_tool_has_turns_of_its_own() -> None:
    router = Router(lambda: dict.fromkeys("ab", ALL))
    for name in ("search_docs", "read_page"):
        assert picks(router, Need(name=name), 2) == ["a", "b"]


def test_the_least_loaded_is_taken_and_equals_take_turns() -> None:
    load = {"a": 2, "b": 0, "c": 0}
    router = Router(lambda: {key: [SEARCH] for key in "abc"}, balance="least_loaded", load=load.__getitem__)
    assert picks(router, Need(), 4) == ["b", "c", "b", "c"]
    load["a"] = -1
    assert picks(router, Need(), 2) == ["a", "a"]


def test_who_is_gone_is_passed_over_and_back_again_later() -> None:
    well = {key: [SEARCH] for key in "abc"}
    router = Router(lambda: well)
    assert picks(router, Need(), 2) == ["a", "b"]
    del well["c"]
    assert picks(router, Need(), 2) == ["a", "b"]
    well["c"] = [SEARCH]
    assert picks(router, Need(), 2) == ["c", "a"]
    assert picks(router, Need(), 3, without={"b"}) == ["c", "a", "c"]


def test_nobody_is_named_with_what_was_wanted() -> None:
    router = Router(lambda: {"a": [SEARCH], "b": []})
    with pytest.raises(UnknownNameError, match=r"No tool fits name='x\*', read_only=True. Asked were: a, b"):
        router.pick(Need(name="x*", read_only=True))
    with pytest.raises(UnknownNameError, match="nobody is well"):
        Router(dict).pick(Need())


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=40))
def test_whoever_comes_and_goes_only_those_who_are_well_are_picked_and_nobody_twice_in_a_row(
    days: list[set[str]],
) -> None:
    well: dict[str, list[Json]] = {}
    router = Router(lambda: well)
    last = ""
    for names in days:
        well = {name: [SEARCH] for name in sorted(names)}
        owner = router.pick(Need()).owner
        assert owner in names
        assert owner != last or len(names) == 1
        last = owner


@given(st.integers(1, 6), st.integers(1, 60))
def test_turns_are_fair(backends: int, calls: int) -> None:
    router = Router(lambda: {str(n): [SEARCH] for n in range(backends)})
    counts = Counter(picks(router, Need(), calls))
    assert max(counts.values()) - min((counts[str(n)] for n in range(backends)), default=0) <= 1


# in a gateway ------------------------------------------------------------------------------------


def server(name: str) -> MCPServer[Any]:
    made: MCPServer[Any] = MCPServer(name, log_level="CRITICAL")

    @made.tool(annotations=types.ToolAnnotations(read_only_hint=True))
    def search(query: str) -> str:
        """Search."""
        return f"{name}: {query}"

    @made.tool()
    def secret() -> str:
        """A secret."""
        return name

    return made


@pytest.mark.anyio
async def test_a_gateways_healthy_backends_are_asked_and_filters_hold() -> None:
    servers = {
        "a": server("a"),
        "b": {"server": server("b"), "gateway": {"tools": {"deny": ["secret"]}}},
        "gone": {"url": "http://127.0.0.1:9/mcp"},
        "old": {"server": server("old"), "gateway": {"prefix": "v", "version": "1"}},
        "new": {"server": server("new"), "gateway": {"prefix": "v", "version": "2"}},
    }
    async with Gateway.of(servers) as gateway:
        await gateway.awake()
        found = find(Need(read_only=True), offered(gateway))
        assert found == [Offer("a", "search", {}), Offer("b", "search", {}), Offer("new", "search", {})]
        assert [offer.owner for offer in find(Need(name="secret"), offered(gateway))] == ["a", "new"]
        router = Router(lambda: offered(gateway), load=lambda owner: gateway.backends[owner].in_flight)
        assert picks(router, Need(arguments=["query"]), 4) == ["a", "b", "new", "a"]
        await gateway.backends["a"].close()
        assert picks(router, Need(arguments=["query"]), 3) == ["b", "new", "b"]
