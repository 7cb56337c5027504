"""Permissions: nothing without a rule, nothing by a wildcard's accident, and lists that show what may be used."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client, MCPError
from mcp.server import MCPServer

from labkit.defences.permission_guard import META_SCOPE, PermissionGuard, asked
from labkit.defences.permissions import NOBODY, Caller, Permissions, PermissionsError
from labkit.patterns.calls import META_REASON

POLICY = Permissions(
    {
        "tools": {"read_file": "files:read", "write_file": ["files:read", "files:write"], "about": [], "admin_*": "admin:all"},
        "resources": {"note://*": "notes:read", "note://secret": "admin:all", "file:///pub/*": []},
        "prompts": {"review": "files:read"},
    },
    roles={"editor": ["files:*", "notes:read"], "reader": "files:read", "admin": ["admin:all", "notes:read"]},
)  # fmt: skip
READER, EDITOR = Caller(roles=("reader",)), Caller(roles=("editor",))


def allowed(kind: Any, name: str, caller: Caller) -> bool:
    return POLICY.check(kind, name, caller).allowed


def test_a_role_gives_what_it_holds() -> None:
    assert allowed("tools", "read_file", READER) and not allowed("tools", "write_file", READER)
    assert allowed("tools", "write_file", EDITOR) and not allowed("tools", "admin_wipe", EDITOR)


def test_what_has_no_rule_is_refused_to_everybody() -> None:
    everything = Caller(scopes=("files:read", "files:write", "admin:all", "notes:read"))
    for name in ("delete_file", "", "read_file ", "READ_FILE", "read_file\x00"):
        assert not allowed("tools", name, everything)
    assert not POLICY.check("tools", "delete_file", everything).ruled


def test_open_has_to_be_written() -> None:
    assert allowed("tools", "about", NOBODY)
    assert not Permissions({}).check("tools", "about", NOBODY).allowed


def test_role_and_scopes_both_have_to_allow() -> None:
    assert not allowed("tools", "write_file", Caller(("editor",), ("files:read",)))
    assert not allowed("tools", "write_file", Caller(("reader",), ("files:read", "files:write")))
    assert allowed("tools", "write_file", Caller(("editor",), ("files:read", "files:write")))
    assert not allowed("tools", "read_file", Caller(("editor",), ()))


def test_a_scope_of_a_token_is_a_text() -> None:
    for scopes in (("files:*",), ("*",), ("files",), ("files:readx",), ("FILES:READ",)):
        assert not allowed("tools", "read_file", Caller(scopes=scopes))


def test_an_unknown_role_holds_nothing() -> None:
    assert not allowed("tools", "read_file", Caller(roles=("nobody", "files:read")))


def test_a_wildcard_of_a_role_ends_at_the_colon() -> None:
    policy = Permissions({"tools": {"a": "files:read", "b": "filesystem:read", "c": "files"}}, roles={"r": "files:*"})
    assert [policy.check("tools", name, Caller(("r",))).allowed for name in "abc"] == [True, False, False]


@pytest.mark.parametrize(
    "uri", ["note://secret", "note://Secret", "NOTE://SECRET", "note://%73ecret", "note://%2573ecret", "note://ｓecret"]
)
def test_a_rule_that_needs_more_catches_other_spellings(uri: str) -> None:
    assert not allowed("resources", uri, EDITOR)


def test_a_wildcard_lets_in_what_it_covers() -> None:
    for uri in ("note://a", "note://secrets", "note://a/b", "note://x..y"):
        assert allowed("resources", uri, EDITOR)
    assert not allowed("resources", "note://a", READER)


@pytest.mark.parametrize(
    "uri", ["file:///pub/../etc", "file:///pub/%2e%2e/etc", "file:///pub/a/%252e%252e/b", "file:///pub/..\\x", "file:///pubx"]
)  # fmt: skip
def test_a_wildcard_does_not_climb(uri: str) -> None:
    assert allowed("resources", "file:///pub/a.txt", NOBODY)
    assert not allowed("resources", uri, NOBODY)


@pytest.mark.parametrize(
    ("needs", "roles"),
    [
        ({"tool": {}}, {}),
        ({"tools": {"a*b": "x"}}, {}),
        ({"tools": {"": "x"}}, {}),
        ({"tools": {"a": "files:*"}}, {}),
        ({"tools": {"a": "two words"}}, {}),
        ({"tools": {"a": ""}}, {}),
        ({}, {"r": "*"}),
        ({}, {"r": "fi*"}),
        ({}, {"r": "a:*:b"}),
    ],
)
def test_a_table_that_is_not_clear_is_refused(needs: Any, roles: Any) -> None:
    with pytest.raises(PermissionsError):
        Permissions(needs, roles=roles)


def test_a_refusal_says_what_is_missing() -> None:
    refused = POLICY.check("tools", "write_file", READER)
    assert refused.missing == ("files:write",) and "files:write" in refused.reason
    assert refused.challenge() == 'Bearer error="insufficient_scope", scope="files:read files:write"'
    assert refused.challenge("https://x.example/m").endswith(', resource_metadata="https://x.example/m"')


def test_the_least_that_is_enough() -> None:
    assert POLICY.least("tools", ["about", "read_file"]) == ("files:read",)
    assert POLICY.uncovered("tools", ["about", "delete_file"]) == ["delete_file"]
    with pytest.raises(PermissionsError, match="delete_file"):
        POLICY.least("tools", ["delete_file"])


names = st.text("abc*:/.%_", min_size=1, max_size=8)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.dictionaries(st.sampled_from(["a", "ab", "a*", "*", "b_*", "ab/*"]), st.sampled_from(["s:1", "s:2"])), names)
def test_another_rule_never_gives_more(rules: dict[str, str], name: str) -> None:
    """Adding a rule for a name that has one can only ask for more."""
    caller = Caller(scopes=("s:1",))
    before = Permissions({"tools": rules}).check("tools", name, caller)
    after = Permissions({"tools": {**rules, "*": "s:2"}}).check("tools", name, caller)
    assert before.allowed or not after.allowed


def served(caller: Caller) -> MCPServer:
    server = MCPServer("files", log_level="ERROR", middleware=[PermissionGuard(POLICY, lambda ctx: caller)])

    def make(name: str) -> None:
        server.add_tool(lambda: name, name=name, description=name)

    for name in ("read_file", "write_file", "about", "admin_wipe", "forgotten"):
        make(name)

    @server.resource("note://{name}")
    def note(name: str) -> str:
        return f"note {name}"

    @server.resource("note://secret")
    def secret() -> str:
        return "the secret"

    @server.prompt()
    def review() -> str:
        return "Review."

    return server


@contextlib.asynccontextmanager
async def client(caller: Caller, mode: str = "auto") -> AsyncIterator[Client]:
    async with Client(served(caller), mode=mode) as opened:  # type: ignore[arg-type]
        yield opened


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_lists_show_what_may_be_used_and_nothing_else(mode: str) -> None:
    for caller in (NOBODY, READER, EDITOR, Caller(("admin",))):
        async with client(caller, mode) as c:
            listed = {tool.name for tool in (await c.list_tools()).tools}
            for name in ("read_file", "write_file", "about", "admin_wipe", "forgotten"):
                assert (name in listed) == (not (await c.call_tool(name, {})).is_error), (name, caller)
            prompts = {each.name for each in (await c.list_prompts()).prompts}
            assert prompts == ({"review"} if caller in (READER, EDITOR) else set())


@pytest.mark.anyio
async def test_what_depends_on_the_caller_is_private() -> None:
    async with client(READER) as c:
        assert (await c.list_tools()).cache_scope == "private"


@pytest.mark.anyio
async def test_a_refused_tool_names_the_scope_and_an_unruled_one_is_unknown() -> None:
    async with client(READER) as c:
        refused = await c.call_tool("write_file", {})
        assert refused.is_error and "files:write" in refused.content[0].text  # type: ignore[union-attr]
        meta = refused.meta or {}
        assert (meta[META_REASON], meta[META_SCOPE]) == ("insufficient_scope", "files:read files:write")
        said = [(await c.call_tool(name, {})).content[0].text for name in ("forgotten", "not_there")]  # type: ignore[union-attr]
        assert said == ["Unknown tool: forgotten", "Unknown tool: not_there"]


@pytest.mark.anyio
async def test_resources_and_prompts_are_refused_as_errors() -> None:
    async with client(EDITOR) as c:
        assert [each.uri for each in (await c.list_resources()).resources] == []
        assert [each.uri_template for each in (await c.list_resource_templates()).resource_templates] == [
            "note://{name}"
        ]
        assert (await c.read_resource("note://a")).contents[0].text == "note a"  # type: ignore[union-attr]
        for uri, code in (("note://secret", -32003), ("other://x", -32602)):
            with pytest.raises(MCPError) as caught:
                await c.read_resource(uri)
            assert caught.value.code == code
    async with client(NOBODY) as c:
        with pytest.raises(MCPError) as caught:
            await c.get_prompt("review")
        assert caught.value.data == {"reason": "insufficient_scope", "scope": "files:read"}


@pytest.mark.anyio
async def test_a_method_that_is_not_known_is_refused() -> None:
    async with client(EDITOR) as c:
        with pytest.raises(MCPError) as caught:
            await c.session._dispatcher.send_raw_request("lab/anything", {"_meta": {}}, {})  # pyright: ignore
        assert caught.value.code == -32601


@pytest.mark.parametrize(
    ("method", "params", "wants"),
    [
        ("tools/call", {"name": "a"}, [("tools", "a")]),
        ("tools/call", {"name": 7}, [("tools", "")]),
        ("tools/call", None, [("tools", "")]),
        ("resources/subscribe", {"uri": "n://x"}, [("resources", "n://x")]),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, [("prompts", "p")]),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "n://{x}"}}, [("resources", "n://{x}")]),
        ("completion/complete", {"ref": "p"}, [("resources", "")]),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["a", 7]}}, [("resources", "a"), ("resources", "")]),
        ("subscriptions/listen", {"notifications": {"resource_subscriptions": ["a"]}}, [("resources", "a")]),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["a"], "resource_subscriptions": ["b"]}}, [("resources", "a"), ("resources", "b")]),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": {"a": 1}}}, [("resources", "")]),
        ("tools/list", {}, []),
    ],
)  # fmt: skip
def test_what_a_request_asks_for(method: str, params: Any, wants: list[tuple[str, str]]) -> None:
    assert asked(method, params) == wants


def test_whose_last_role_is_taken_away_has_less_and_not_more() -> None:
    scopes = ("files:read", "files:write")
    assert not allowed("tools", "write_file", Caller((), scopes))
    assert allowed("tools", "write_file", Caller(None, scopes))


@pytest.mark.parametrize(
    "uri",
    ["note:///secret", "note:\\\\secret", "note://se\u200bcret", "note://%E2%80%8Bsecret", "note://secret\t"],
)  # fmt: skip
def test_a_rule_catches_what_some_server_takes_for_the_same_place(uri: str) -> None:
    policy = Permissions({"resources": {"note:*": "notes:read", "note://secret": "admin:all"}})
    assert policy.needs("resources", uri) in (("admin:all", "notes:read"), None), uri


def test_a_folder_is_caught_however_its_slash_is_written() -> None:
    policy = Permissions({"resources": {"file:///*": "r", "file:///secret/*": "admin"}})
    for uri in (
        "file:////secret/x",
        "file:///secret\\x",
        "file:///secret%5cx",
        "file:///secret./x",
        "file:///secret /x",
    ):
        assert policy.needs("resources", uri) == ("admin", "r"), uri
    assert policy.needs("resources", "file:///secrets/x") == ("r",)


@pytest.mark.anyio
@pytest.mark.parametrize("member", ["resourceSubscriptions", "resource_subscriptions"])
async def test_nobody_listens_to_a_resource_that_may_not_be_read(member: str) -> None:
    async with client(EDITOR) as c:
        with pytest.raises(MCPError, match="admin:all"):
            with anyio.fail_after(20):
                meta = {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                }
                wanted = {"notifications": {member: ["note://secret"]}}
                await c.session._dispatcher.send_raw_request("subscriptions/listen", {**wanted, "_meta": meta}, {})  # pyright: ignore
