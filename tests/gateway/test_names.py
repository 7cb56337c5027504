"""The registry: every name has one owner, leads back to it, and is met once on the pages of a list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import CollisionError, RpcError
from labkit.gateway.building import KINDS, META_DEPRECATED, META_VERSION, Route, normal_template
from labkit.gateway.config import BackendConfig, Filter, GatewayConfig
from labkit.gateway.config_reading import TOOL_NAME
from labkit.gateway.names import Registry
from labkit.gateway.uris import forms


def config_of(*backends: BackendConfig, separator: str = ".") -> GatewayConfig:
    return GatewayConfig({backend.name: backend for backend in backends}, separator=separator)


def backend(name: str, prefix: str | None = None, **options: Any) -> BackendConfig:
    return BackendConfig(name, command="x", prefix=name if prefix is None else prefix, **options)


def tools(*names: Any) -> dict[str, Any]:
    return {"tools": [{"name": name, "inputSchema": {"type": "object", "title": str(name)}} for name in names]}


def resources(*uris: str, templates: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "resources": [{"uri": uri, "name": uri} for uri in uris],
        "templates": [{"uriTemplate": text, "name": text} for text in templates],
    }


def registry(lists: dict[str, Any], *backends: BackendConfig, **options: Any) -> Registry:
    return Registry.build(lists, config_of(*(backends or [backend(name) for name in lists])), **options)


def names(found: Registry, kind: Any = "tools") -> list[str]:
    key = {"resources": "uri", "templates": "uriTemplate"}.get(kind, "name")
    return [item[key] for item in found.items(kind)]


def test_names_get_the_prefix_of_their_backend() -> None:
    found = registry({"calc": {**tools("add"), "prompts": [{"name": "Ask nicely"}]}, "notes": tools("add")})
    assert names(found) == ["calc.add", "notes.add"] and names(found, "prompts") == ["calc.Ask nicely"]
    assert found.route("tools", "notes.add") == Route("notes", "add")
    assert found.route("prompts", "calc.Ask nicely") == Route("calc", "Ask nicely")
    assert found.route("tools", "calc.Ask nicely") is None
    assert found.route("tools", "add") is None


def test_a_name_is_never_taken_apart() -> None:
    found = registry({"a": tools("b.c"), "a.b": tools("d")}, backend("a"), backend("a.b"))
    assert found.route("tools", "a.b.c") == Route("a", "b.c")
    assert found.route("tools", "a.b.d") == Route("a.b", "d")


def test_an_empty_prefix_leaves_names_as_they_are() -> None:
    found = registry({"calc": tools("add")}, backend("calc", ""))
    assert found.route("tools", "add") == Route("calc", "add")


def test_a_rename_is_the_whole_name() -> None:
    found = registry({"calc": tools("add", "sub")}, backend("calc", tools=Filter(rename={"add": "sum"})))
    assert names(found) == ["calc.sub", "sum"] and found.route("tools", "sum") == Route("calc", "add")
    assert found.route("tools", "calc.add") is None
    assert found.name_of("tools", "calc", "add") == "sum"


def test_the_rest_of_an_item_stays_as_it_is() -> None:
    item = {"name": "add", "title": "Add", "inputSchema": {"type": "object"}, "x-unknown": [1]}
    found = registry({"calc": {"tools": [item]}})
    assert found.items("tools") == [{**item, "name": "calc.add"}] and item["name"] == "add"
    assert found.input_schema("calc.add") == {"type": "object"} and found.input_schema("add") is None


def test_a_version_and_its_end_are_told() -> None:
    old = backend("v1", version="v1", deprecated="use v2")
    item = registry({"v1": {"tools": [{"name": "add", "description": "Adds."}]}}, old).items("tools")[0]
    assert item["description"] == "Deprecated: use v2. Adds."
    assert item["_meta"] == {META_VERSION: "v1", META_DEPRECATED: "use v2"}


def test_a_filter_decides_what_is_offered() -> None:
    only = backend("calc", tools=Filter(("add*", "sub"), ("add_secret",)))
    found = registry({"calc": tools("add", "add_secret", "add_two", "sub", "SUB", "subtle")}, only)
    assert names(found) == ["calc.add", "calc.add_two", "calc.sub"]
    assert found.route("tools", "calc.add_secret") is None


@pytest.mark.parametrize("word", ["allow", "deny", "rename"])
def test_a_filter_for_a_tool_that_is_not_there_is_reported(word: str) -> None:
    filters = {"allow": Filter(("ad", "*")), "deny": Filter(deny=("ad",)), "rename": Filter(rename={"ad": "sum"})}
    (problem,) = registry({"calc": tools("add")}, backend("calc", tools=filters[word])).problems
    assert f"'calc' has no tool 'ad' to {word}. Did you mean 'add'?" in problem


@pytest.mark.parametrize("name", ["two words", "ümlaut", "a" * 125, "a/b", "a\n"])
def test_a_tool_whose_name_no_tool_may_have_is_left_out(name: str) -> None:
    found = registry({"calc": tools(name, "add")})
    assert names(found) == ["calc.add"]
    assert "'calc': no tool may be called" in found.problems[0] and "'rename'" in found.problems[0]


def test_a_rename_saves_a_tool_with_a_bad_name() -> None:
    found = registry({"calc": tools("two words")}, backend("calc", tools=Filter(rename={"two words": "two"})))
    assert found.route("tools", "two") == Route("calc", "two words") and not found.problems


@pytest.mark.parametrize("item", [{}, {"name": ""}, {"name": 7}, None, "add"])
def test_an_item_without_a_name_is_left_out(item: Any) -> None:
    found = registry({"calc": {"tools": [item, {"name": "add"}]}})
    assert names(found) == ["calc.add"] and "without 'name'" in found.problems[0]


def test_a_collision_names_both_owners_the_name_and_what_to_write() -> None:
    with pytest.raises(
        CollisionError, match=r"'a' and 'b' both offer the tool 'add': give one .* 'prefix', or 'rename'"
    ):
        registry({"a": tools("add"), "b": tools("add")}, backend("a", ""), backend("b", ""))


def test_all_collisions_are_said_at_once() -> None:
    with pytest.raises(CollisionError, match=r"(?s)'add'.*'sub'"):
        registry({"a": tools("add", "sub"), "b": tools("add", "sub")}, backend("a", ""), backend("b", ""))


def test_a_rename_cannot_hide_a_tool_of_the_same_backend() -> None:
    with pytest.raises(CollisionError, match=r"'a' offers both 'add' and 'sub' as the tool 'sub'"):
        registry({"a": tools("add", "sub")}, backend("a", "", tools=Filter(rename={"add": "sub"})))


def test_two_owners_of_a_uri_collide() -> None:
    with pytest.raises(CollisionError, match=r"'a' and 'b' both offer the resource 'x://1': write .* 'deny'"):
        registry({"a": resources("x://1"), "b": resources("x://1")})


def test_templates_that_differ_only_in_names_collide() -> None:
    with pytest.raises(CollisionError, match="the template 'x://{name}'"):
        registry({"a": resources(templates=("x://{id}",)), "b": resources(templates=("x://{name}",))})
    assert (
        normal_template("x://{?a,b*}/{+c}") == normal_template("x://{?long,y*}/{+d}") != normal_template("x://{?a}/{c}")
    )


def test_a_list_with_a_name_twice_is_reported_and_its_first_one_kept() -> None:
    found = registry({"a": {"tools": [{"name": "add", "title": "1"}, {"name": "add", "title": "2"}]}})
    assert found.items("tools") == [{"name": "a.add", "title": "1"}] and "twice" in found.problems[0]


def test_while_running_the_newcomer_goes_without_and_is_reported() -> None:
    both = (backend("a", ""), backend("b", ""))
    first = registry({"b": tools("add")}, *both)
    second = registry({"a": tools("add", "sub"), "b": tools("add")}, *both, previous=first)
    assert second.route("tools", "add") == Route("b", "add")  # though "a" stands first in the file
    assert second.route("tools", "sub") == Route("a", "sub")
    (problem,) = second.problems
    assert "'b' and 'a' both offer the tool 'add'" in problem and "'a' goes without it" in problem
    third = registry({"a": tools("add", "sub"), "b": tools()}, *both, previous=second)
    assert third.route("tools", "add") == Route("a", "add") and not third.problems


def test_of_two_newcomers_the_first_of_the_file_has_the_name() -> None:
    both = (backend("a", ""), backend("b", ""))
    found = registry({"b": tools("add"), "a": tools("add")}, *both, previous=Registry.empty(config_of(*both)))
    assert found.route("tools", "add") == Route("a", "add")


def test_which_lists_have_changed() -> None:
    first = registry({"a": {**tools("x"), **resources("r://1")}})
    second = registry({"a": {**tools("x"), **resources("r://2")}}, previous=first)
    assert second.changes(first) == ["resources"] and first.changes(first) == []


def test_a_uri_leads_to_who_lists_it_then_to_the_most_specific_template_then_to_the_only_one_with_its_scheme() -> None:
    lists = {
        "a": resources("notes://all", templates=("notes://{id}", "notes://{id}/parts/{n}", "file:///{+path}")),
        "b": resources("notes://1", templates=("notes://special/{id}", "file:///srv/{+path}")),
        "c": resources("log://today"),
    }
    found = registry(lists)
    expected = {
        "notes://all": "a",
        "notes://1": "b",
        "notes://2": "a",
        "notes://2/parts/3": "a",
        "notes://special/9": "b",
        "file:///elsewhere/x": "a",
        "file:///srv/x/y": "b",
        "log://yesterday/unlisted": "c",
        "notes://2/other": None,
        "mail://1": None,
        "nothing": None,
    }
    assert {uri: (route := found.route("resources", uri)) and route.owner for uri in expected} == expected
    assert found.route("templates", "notes://{id}") == Route("a", "notes://{id}")


def test_a_template_that_begins_with_a_variable_takes_only_what_nobody_knows() -> None:
    found = registry({"a": resources(templates=("{+any}",)), "b": resources("log://today")})
    assert found.route("resources", "log://other") == Route("b", "log://other")
    assert found.route("resources", "mail://1") == Route("a", "mail://1")


def test_a_template_that_the_sdk_cannot_read_is_known_by_its_beginning() -> None:
    found = registry({"a": resources("x://1", templates=("x://cut/{name:3}",)), "b": resources("x://2")})
    assert found.route("resources", "x://cut/abc") == Route("a", "x://cut/abc")
    assert found.route("resources", "x://other") is None


SECRETS = ["n://secret/1", "n://%73ecret/1", "n://%2573ecret/1", "N://secret/1", "n://SECRET/1", "n://open/../secret/1",
           "n://./secret/1", "n://open/%2e%2e/secret/1", "n://secret%2f1", "n://open\\..\\secret\\1"]  # fmt: skip


@pytest.mark.parametrize("uri", SECRETS)
def test_a_uri_that_is_denied_is_denied_however_it_is_written(uri: str) -> None:
    lists = {"a": resources("n://secret/1", "n://open/1", templates=("n://{+path}",))}
    for filter in (Filter(deny=("n://secret/*",)), Filter(("n://open/*", "n://{*"))):
        assert registry(lists, backend("a", resources=filter)).route("resources", uri) is None


@pytest.mark.parametrize(
    "uri", ["n://open/1", "n://open/secret", "n://secrets", "n://open/a%20b", "n://open/..a", "n://o"]
)
def test_a_uri_that_only_looks_like_a_denied_one_is_not_denied(uri: str) -> None:
    lists = {"a": resources(templates=("n://{+path}",))}
    assert registry(lists, backend("a", resources=Filter(deny=("n://secret/*",)))).route("resources", uri)


def test_a_pattern_with_capitals_in_its_host_is_of_use() -> None:
    lists = {"a": resources("n://Work/1", templates=("n://{+path}",))}
    found = registry(lists, backend("a", resources=Filter(("n://Work/*",))))
    assert found.route("resources", "n://Work/1") and found.route("resources", "n://Work/2")
    assert not found.route("resources", "n://WORK/2")


def test_an_ordinary_uri_has_one_form() -> None:
    assert forms("notes://todo/1?q=a") == ("notes://todo/1?q=a",)


CURSORS = [
    "",
    "x",
    "dG9vbHM",
    "!!!",
    "dG9vbHM6",
    "a" * 4000,
    "tools:add",
    "ü",
    "dG9vbHM6YQ==",
    "cHJvbXB0czphLmE",
    7,
    ["x"],
]


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_no_page_ended_with_is_refused(cursor: Any) -> None:
    with pytest.raises(RpcError, match="without a cursor") as caught:
        registry({"a": tools(*"abc")}).page("tools", cursor, 2)
    assert caught.value.code == -32602


def test_a_cursor_of_one_list_is_none_of_another() -> None:
    found = registry({"a": {**tools(*"abc"), "prompts": [{"name": n} for n in "abc"]}})
    _, cursor = found.page("tools", None, 1)
    with pytest.raises(RpcError):
        found.page("prompts", cursor, 1)


def test_a_cursor_survives_a_change_of_the_list() -> None:
    first = registry({"a": tools("a", "b", "d", "e")})
    items, cursor = first.page("tools", None, 2)
    second = registry({"a": tools("a", "c", "d", "e")}, previous=first)
    rest, end = second.page("tools", cursor, 9)
    assert [i["name"] for i in [*items, *rest]] == ["a.a", "a.b", "a.c", "a.d", "a.e"] and end is None


NAME = st.text("abA_.-", min_size=1, max_size=4)
ANY_NAME = st.one_of(NAME, st.text(min_size=1, max_size=6), st.just("\ud800x"))
OWNERS = st.dictionaries(
    st.sampled_from(["a", "a.a", "b", "ab"]), st.lists(NAME, unique=True, max_size=6), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=70)
@given(
    all_names=st.lists(ANY_NAME, unique=True, max_size=25),
    size=st.integers(1, 12),
    hidden=st.sets(st.integers(0, 24)),
    kind=st.sampled_from(["prompts", "resources"]),
)
def test_pages_meet_every_visible_item_exactly_once(
    all_names: list[str], size: int, hidden: set[int], kind: Any
) -> None:
    key = {"prompts": "name", "resources": "uri"}[kind]
    lists = {"a": {kind: [{key: name} for name in all_names]}}
    shown = set(all_names) - {name for n, name in enumerate(all_names) if n in hidden}
    for visible in (None, shown.__contains__):
        met: list[str] = []
        cursor: str | None = None
        for _ in range(len(all_names) + 1):
            found = registry(lists, backend("a", ""))  # an equal registry for each page
            items, cursor = found.page(kind, cursor, size, visible)
            assert len(items) <= size and (items or cursor is None)
            met += [item[key] for item in items]
            if cursor is None:
                break
        assert cursor is None
        assert met == sorted(all_names if visible is None else shown)


@settings(deadline=None, max_examples=70)
@given(owners=OWNERS, separator=st.sampled_from([".", "_", "", "--"]), bare=st.booleans())
def test_names_lead_there_and_back_and_no_two_owners_share_one(
    owners: dict[str, list[str]], separator: str, bare: bool
) -> None:
    backends = [backend(name, "" if bare else None) for name in owners]
    config = config_of(*backends, separator=separator)
    found = Registry.build({o: tools(*n) for o, n in owners.items()}, config, previous=Registry.empty(config))
    routes = {name: found.route("tools", name) for name in names(found)}
    assert len(set(routes.values())) == len(routes) == len(names(found))
    for name, route in routes.items():
        assert route is not None and route.name in owners[route.owner]
        assert found.name_of("tools", route.owner, route.name) == name
        assert name == (route.name if bare else f"{route.owner}{separator}{route.name}") and TOOL_NAME.fullmatch(name)
    # What is not offered was reported; nothing gets lost in silence.
    missing = sum(len(n) for n in owners.values()) - len(routes)
    assert len(found.problems) == missing


def test_an_empty_registry_has_nothing() -> None:
    found = Registry.empty(config_of(backend("a")))
    assert all(found.items(kind) == [] and found.page(kind, None, 5) == ([], None) for kind in KINDS)
