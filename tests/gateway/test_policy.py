"""Roles: what no role allows is denied, in lists and calls alike, however a URI is written."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.defences.identity import NOBODY, Principal
from labkit.defences.identity_config import ANONYMOUS, IdentityConfig
from labkit.gateway.config import BackendConfig, GatewayConfig, Role
from labkit.gateway.names import Registry
from labkit.gateway.policy import MOST_DECISIONS, Policy

ROLES = {
    "staff": Role(tools=("calc.*", "notes.read"), resources=("notes://open/*",), prompts=("*",)),
    "admin": Role(tools=("*",), resources=("*",)),
    "empty": Role(),
    ANONYMOUS: Role(tools=("calc.add",)),
}
BACKEND = BackendConfig("calc", command="x", prefix="calc")


def policy(roles: dict[str, Role] | None = ROLES) -> Policy:
    return Policy(GatewayConfig({"calc": BACKEND}, identity=IdentityConfig(), roles=roles))


def person(*roles: str) -> Principal:
    return Principal("alice", roles, "key")


@pytest.mark.parametrize(
    ("roles", "kind", "name", "allowed"),
    [
        (["staff"], "tools", "calc.add", True),
        (["staff"], "tools", "notes.read", True),
        (["staff"], "tools", "notes.read_all", False),
        (["staff"], "tools", "notes.write", False),
        (["staff"], "tools", "Calc.add", False),
        (["staff"], "tools", "xcalc.add", False),
        (["staff"], "tools", "", False),
        (["staff"], "prompts", "anything", True),
        (["admin"], "tools", "notes.write", True),
        (["admin"], "prompts", "anything", False),
        (["staff", "admin"], "tools", "notes.write", True),
        (["empty"], "tools", "calc.add", False),
        ([], "tools", "calc.add", False),
        (["unknown"], "tools", "calc.add", False),
        (["staff"], "resources", "notes://open/1", True),
        (["staff"], "resources", "notes://secret/1", False),
        (["staff"], "templates", "notes://open/{id}", True),
        (["staff"], "templates", "notes://{kind}/{id}", False),
    ],
)
def test_a_role_allows_what_its_patterns_fit_and_nothing_else(
    roles: list[str], kind: Any, name: str, allowed: bool
) -> None:
    decider = policy()
    for _ in range(2):  # decided, and remembered
        assert decider.may(person(*roles), kind, name) is allowed


@pytest.mark.parametrize(
    "uri", ["notes://open/../secret/1", "notes://open/%2e%2e/secret/1", "notes://open/%252e%252e/secret"]
)
def test_a_uri_is_allowed_only_if_every_way_to_read_it_is(uri: str) -> None:
    assert not policy().may(person("staff"), "resources", uri)
    assert policy().may(person("admin"), "resources", uri)


def test_those_who_did_not_say_who_they_are_have_their_own_role() -> None:
    assert policy().may(NOBODY, "tools", "calc.add") and not policy().may(NOBODY, "tools", "calc.sub")


def test_without_roles_everybody_who_is_let_in_may_use_everything() -> None:
    everyone = policy(None)
    assert everyone.open and everyone.may(person(), "tools", "anything")
    assert everyone.sees(person(), "tools") is None and everyone.sight(person("staff")) == ()


def test_no_roles_at_all_is_not_the_same_as_none_configured() -> None:
    assert not policy({}).may(person("staff"), "tools", "calc.add")


def test_what_cannot_be_called_is_not_listed() -> None:
    items = [{"name": n} for n in ("add", "sub", "mul")]
    registry = Registry.build({"calc": {"tools": items}}, GatewayConfig({"calc": BACKEND}))
    decider = policy()
    listed, cursor = registry.page("tools", None, 10, decider.sees(NOBODY, "tools"))
    assert [item["name"] for item in listed] == ["calc.add"] and cursor is None
    everything, _ = registry.page("tools", None, 10, decider.sees(person("staff"), "tools"))
    assert len(everything) == 3


def test_those_who_see_the_same_can_share_a_list() -> None:
    decider = policy()
    assert decider.sight(person("staff", "unknown")) == decider.sight(Principal("bob", ("staff",), "jwt")) == ("staff",)
    assert (
        decider.sight(person("staff", "admin"))
        == decider.sight(person("admin", "staff"))
        != decider.sight(person("staff"))
    )


def test_what_callers_invent_does_not_fill_the_memory() -> None:
    decider = policy()
    for n in range(MOST_DECISIONS + 10):
        decider.may(person("staff"), "resources", f"notes://open/{n}")
    decider.may(person("staff"), "resources", "notes://open/" + "x" * 10_000)
    for n in range(300):
        decider.may(person(f"role{n}"), "tools", "calc.add")
    assert len(decider._decided) <= 256
    assert all(
        len(rule.known) <= MOST_DECISIONS and max(map(len, rule.known), default=0) < 300
        for rule in decider._decided.values()
    )
    assert decider.may(person("staff"), "resources", "notes://open/1")
