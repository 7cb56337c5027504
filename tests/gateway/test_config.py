"""A gateway's configuration: what is read, and that everything wrong with it is said at once, with what to write."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from labkit.defences.identity_config import ANONYMOUS
from labkit.errors import GatewayConfigError, HostConfigError
from labkit.gateway.config import BackendConfig, Filter, GatewayConfig
from labkit.hosts import read_host_file

SECRET = "s" * 32
KEY = hashlib.sha256(b"alice's key").hexdigest()

FULL = """{
  // the servers, as in any host's file
  "mcpServers": {
    "calc": {"command": "python", "args": ["calc.py"], "env": {"K": "${LAB_K}"}},
    "other": {"catalog": "calculator", "disabled": false, "autoApprove": ["add"]},
    "off": {"command": "x", "disabled": true},
    "notes": {
      "url": "http://127.0.0.1:9000/mcp", "headers": {"Authorization": "Bearer ${LAB_T}"},
      "gateway": {
        "prefix": "n", "era": "2025-11-25", "timeout": 30, "start": "eager", "balance": "least_loaded",
        "tools": {"allow": ["add*"], "deny": ["add_secret"], "rename": {"add": "sum"}},
        "resources": {"deny": ["notes://secret/*"]}, "prompts": {"rename": {"ask": "Ask nicely"}},
        "replicas": ["http://127.0.0.1:9001/mcp"], "fallback": "other", "pin": "strict", "version": "v1",
        "deprecated": "use v2",
      },
    },
  },
  "gateway": {
    "name": "company", "separator": "_", "instructions": "Be brief.",
    "identity": {
      "keys": [{"principal": "alice", "sha256": "THE_HASH", "roles": ["staff"]}],
      "jwt": {"issuer": "https://id.example", "audience": "gw", "secret": "${LAB_S}", "roles_claim": "realm.roles"},
      "resource_metadata": "http://127.0.0.1:1/.well-known/oauth-protected-resource",
    },
    "roles": {"staff": {"tools": ["calc_*"], "resources": ["*"]}},
    "sign": {"secret": "${LAB_S}", "seconds": 20},
    "limits": {"calls": "100/minute", "per": "tool"}, "cache": {"calc_add": 60}, "audit": "log/audit.jsonl",
    "deadline": 30, "breaker": {"failures": 3}, "pins": "pins.json", "page": 50,
  },
}""".replace("THE_HASH", KEY)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(config: Any) -> Path:
        path = tmp_path / "gateway.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
        return path

    return write


@pytest.fixture
def full(write: Any, monkeypatch: pytest.MonkeyPatch) -> GatewayConfig:
    for name, value in {"LAB_K": "k", "LAB_T": "t", "LAB_S": SECRET}.items():
        monkeypatch.setenv(name, value)
    return GatewayConfig.read(write(FULL))


def mistakes_of(config: Any, write: Any) -> tuple[str, ...]:
    with pytest.raises(GatewayConfigError) as caught:
        GatewayConfig.read(write(config))
    assert isinstance(caught.value, HostConfigError)
    assert "gateway.json" in str(caught.value)
    assert all(mistake in str(caught.value) for mistake in caught.value.mistakes)
    return caught.value.mistakes


def with_gateway(**gateway: Any) -> dict[str, Any]:
    return {"mcpServers": {"a": {"command": "x"}}, "gateway": gateway}


def with_options(**options: Any) -> dict[str, Any]:
    return {"mcpServers": {"a": {"url": "http://127.0.0.1:1/mcp", "gateway": options}}}


def test_all_of_a_file_is_read(full: GatewayConfig, tmp_path: Path) -> None:
    assert list(full.backends) == ["calc", "other", "notes"]
    calc, notes = full.backends["calc"], full.backends["notes"]
    assert (calc.command, calc.args, dict(calc.env), calc.prefix) == ("python", ("calc.py",), {"K": "k"}, "calc")
    assert full.backends["other"].catalog == "calculator"
    assert (notes.prefix, notes.era, notes.timeout, notes.start) == ("n", "2025-11-25", 30, "eager")
    assert notes.tools == Filter(("add*",), ("add_secret",), {"add": "sum"})
    assert notes.prompts.rename == {"ask": "Ask nicely"}
    assert (notes.replicas, notes.fallback, notes.pin) == (("http://127.0.0.1:9001/mcp",), "other", "strict")
    assert dict(notes.headers) == {"Authorization": "Bearer t"}
    assert full.identity and full.identity.jwt and full.identity.keys[0].sha256 == KEY
    assert full.identity.jwt.algorithms == ("HS256",)
    assert full.roles and full.roles["staff"].tools == ("calc_*",) and full.roles["staff"].prompts == ()
    assert full.limits and full.limits.per == "tool"
    assert full.breaker and (full.breaker.failures, full.breaker.recover) == (3, 10)
    assert (full.page, full.deadline, full.cache) == (50, 30, {"calc_add": 60})
    assert (full.audit, full.pins) == (tmp_path / "log" / "audit.jsonl", tmp_path / "pins.json")


def test_commands_start_in_the_folder_of_the_file(write: Any, tmp_path: Path) -> None:
    servers = {"a": {"command": "x"}, "b": {"command": "x", "cwd": "sub"}}
    config = GatewayConfig.read(write({"mcpServers": servers}))
    assert [config.backends[name].cwd for name in "ab"] == [str(tmp_path), str(tmp_path / "sub")]


def test_a_file_of_pins_means_that_tools_are_pinned(write: Any) -> None:
    assert GatewayConfig.read(write(with_gateway(pins="p.json"))).backends["a"].pin is True
    assert GatewayConfig.read(write(with_gateway())).backends["a"].pin is False


def test_a_file_of_a_host_without_policy_is_enough(write: Any) -> None:
    config = GatewayConfig.read(write({"mcpServers": {"a": {"command": "x", "alwaysAllow": []}}, "inputs": []}))
    assert config.identity is None and config.roles is None and config.page == 100


def test_equal_files_make_equal_configurations(full: GatewayConfig) -> None:
    assert full.path and GatewayConfig.read(full.path) == full


def test_secrets_do_not_show(full: GatewayConfig) -> None:
    assert SECRET not in repr(full) and KEY not in repr(full) and "Bearer" not in repr(full)


def test_what_a_connection_depends_on_is_told_apart_from_policy(write: Any) -> None:
    def connection(**options: Any) -> Any:
        return GatewayConfig.read(write(with_options(**options))).backends["a"].connection

    assert connection() == connection(prefix="b", tools={"deny": ["x"]}, timeout=3)
    assert connection() != connection(era="2025-11-25")
    assert connection() != connection(replicas=["http://127.0.0.1:2/mcp"])


def test_servers_of_this_process_come_from_python() -> None:
    server = MCPServer("mine")
    config = GatewayConfig.of(
        {
            "mine": server,
            "far": "http://127.0.0.1:1/mcp",
            "lab": "calculator",
            "table": {"server": server, "gateway": {"prefix": "t"}},
            "made": BackendConfig("other", command="x"),
        },
        {"separator": "_"},
    )
    assert config.backends["mine"].server is server and config.backends["table"].prefix == "t"
    assert config.backends["far"].url.startswith("http") and config.backends["lab"].catalog == "calculator"
    assert config.backends["made"].name == "made" and config.separator == "_"


def test_a_server_object_cannot_come_from_a_file(write: Any) -> None:
    assert "there is no such key" in mistakes_of({"mcpServers": {"a": {"command": "x", "server": "y"}}}, write)[0]


def test_all_mistakes_of_a_file_are_said_at_once(write: Any) -> None:
    mistakes = mistakes_of(
        {
            "mcpServers": {
                "a": {"command": "x", "url": "http://127.0.0.1:1"},
                "b": {"url": "http://127.0.0.1:1/mcp", "gateway": {"balnce": "x", "era": "new"}},
                "c": {"command": "x", "args": "y"},
            },
            "gateway": {"page": 0, "roles": {"staff": {"tool": []}}},
            "gatway": {},
        },
        write,
    )
    assert len(mistakes) == 8, mistakes
    told = "\n".join(mistakes)
    for part in (
        "server 'a'",
        "gateway.balnce",
        "gateway.era",
        "server 'c'",
        "gateway.page",
        "roles.staff.tool",
        "gatway",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"balnce": "x"}, "server 'a', gateway.balnce: there is no such key. Did you mean 'balance'?"),
        ({"balance": "fair"}, 'gateway.balance: found "fair"; write "round_robin" or "least_loaded".'),
        ({"era": "new"}, 'gateway.era: found "new"; write "auto", "2026-07-28", '),
        ({"timeout": -1}, "gateway.timeout: found -1; write a number of seconds above 0"),
        ({"timeout": True}, "gateway.timeout: found true; write a number of seconds"),
        ({"start": None}, 'gateway.start: found null; write "lazy" or "eager"'),
        ({"prefix": "a b"}, 'gateway.prefix: found "a b"; write at most 64 letters'),
        ({"tools": {"alow": []}}, "gateway.tools.alow: there is no such key. Did you mean 'allow'?"),
        ({"tools": {"allow": "add*"}}, 'gateway.tools.allow: found "add*"; write a list of patterns, such as ["add*"]'),
        ({"tools": {"rename": {"add": "a sum"}}}, 'gateway.tools.rename.add: found "a sum"; write'),
        ({"resources": {"rename": {}}}, "gateway.resources.rename: there is no such key"),
        ({"replicas": ["ftp://x"]}, "gateway.replicas[0]: that is no URL"),
        ({"instances": 2}, "gateway.instances: they are for a command"),
        ({"fallback": "aa"}, "server 'a', gateway.fallback: there is no server 'aa'"),
        ({"fallback": "a"}, "a -> a goes round in a circle"),
        ({"pin": "yes"}, 'gateway.pin: found "yes"; write true, false or "strict"'),
        ("v1", "server 'a', gateway: found \"v1\"; write an object"),
    ],
)
def test_a_mistake_in_the_options_of_a_server(options: Any, expected: str, write: Any) -> None:
    config = with_options(**options) if isinstance(options, dict) else with_options()
    if not isinstance(options, dict):
        config["mcpServers"]["a"]["gateway"] = options
    (mistake,) = mistakes_of(config, write)
    assert expected in mistake


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"comand": "x"}, "server 'a', comand: there is no such key. Did you mean 'command'?"),
        ({"command": "x", "catalog": "calculator"}, "found 'command' and 'catalog'; write exactly one of"),
        ({}, "server 'a': it says not how to reach the server; write exactly one of 'command', 'url' and 'catalog'."),
        ({"catalog": "calculato"}, "server 'a', catalog: The catalog has no server 'calculato'. Did you mean 'calc"),
        ({"command": "x", "env": {"K": "${LAB_NOT_SET}"}}, "no LAB_NOT_SET, which 'env.K' asks for"),
        ({"url": "127.0.0.1:9000"}, "server 'a', url: that is no URL; write it as http://"),
        ({"url": "http://127.0.0.1:99999/"}, "server 'a', url: that is no URL"),
        ({"url": "http://127.0.0.1:1/sse", "type": "sse"}, "server 'a', type: found \"sse\"; write \"http\""),
        ({"command": "x", "type": "http"}, "server 'a', type: found \"http\"; write \"stdio\""),
        (7, "server 'a': found 7; write an object"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_entry_of_a_server(entry: Any, expected: str, write: Any) -> None:
    assert expected in "\n".join(mistakes_of({"mcpServers": {"a": entry}}, write))


JWT = {"issuer": "https://id.example", "audience": "gw"}


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ({"separator": "/"}, 'gateway.separator: found "/"; write'),
        ({"page": "all"}, 'gateway.page: found "all"; write a whole number from 1 to'),
        ({"deadline": float("inf")}, "gateway.deadline: found Infinity"),
        ({"limits": {"calls": "many"}}, "gateway.limits.calls: 'many' is no rate: write it as '100/minute'"),
        ({"limits": {}}, "gateway.limits.calls: it is missing; write a rate"),
        ({"cache": {"calc.add": "long"}}, 'gateway.cache.calc.add: found "long"; write'),
        ({"sign": {"secret": "short-secret"}}, "gateway.sign.secret: found something else; write at least 32"),
        ({"sign": {"secret": "${LAB_NOT_SET}"}}, "gateway.sign.secret: the environment has no LAB_NOT_SET; set it"),
        ({"identity": {}, "roles": {}}, "gateway.identity: nobody could identify themselves"),
        ({"identity": []}, "gateway.identity: found []; write an object"),
        ({"identity": {"required": True}}, "gateway.identity: nobody could identify themselves; write 'keys' or 'jwt'"),
        ({"identity": {"keys": [{"principal": "a", "sha256": "abc"}]}}, "identity.keys[0].sha256: found something else"),
        ({"identity": {"keys": [{"principal": "a", "key": "x"}]}}, "identity.keys[0].key: there is no such key"),
        ({"identity": {"keys": [{"principal": p, "sha256": KEY} for p in "ab"]}}, "keys[1].sha256: another entry has"),
        ({"identity": {"jwt": {**JWT}}}, "gateway.identity.jwt: found neither; write either 'jwks'"),
        ({"identity": {"jwt": {**JWT, "secret": "s" * 31}}}, "gateway.identity.jwt.secret: found something else"),
        ({"identity": {"jwt": {**JWT, "secret": SECRET, "algorithms": ["none"]}}}, "cannot go with 'none'"),
        ({"identity": {"jwt": {**JWT, "secret": SECRET, "algorithms": ["RS256"]}}}, "a shared secret cannot go with"),
        ({"identity": {"jwt": {**JWT, "secret": SECRET, "algorithms": []}}}, "algorithms: the list is empty"),
        ({"identity": {"jwt": {**JWT, "jwks": "https://id/k", "algorithms": ["HS256"]}}}, "public keys cannot go with"),
        ({"identity": {"jwt": {**JWT, "jwks": "http://id.example/keys"}}}, "jwt.jwks: keys that come over plain http"),
        ({"identity": {"jwt": {**JWT, "jwks": "keys.json"}}}, "jwt.jwks: there is no file"),
        ({"identity": {"jwt": {"audience": "gw", "secret": SECRET}}}, "gateway.identity.jwt.issuer: it is missing"),
        ({"roles": {"staff": {}}}, "gateway.roles: nobody could have one; write 'identity'"),
        (
            {"identity": {"keys": [{"principal": "a", "sha256": KEY, "roles": ["staf"]}]}, "roles": {"staff": {}}},
            "gateway.identity.keys[0].roles: no role 'staf'. Did you mean 'staff'?",
        ),
        (
            {"identity": {"keys": [{"principal": "a", "sha256": KEY}]}, "roles": {ANONYMOUS: {}}},
            "gateway.roles.anonymous: nobody could have it",
        ),
        ({"brekaer": {}}, "gateway.brekaer: there is no such key. Did you mean 'breaker'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_policy(gateway: Any, expected: str, write: Any) -> None:
    assert expected in "\n".join(mistakes_of(with_gateway(**gateway), write))


def test_a_secret_that_is_wrong_is_not_repeated(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SHORT", "hunter2")
    (mistake,) = mistakes_of(with_gateway(sign={"secret": "${LAB_SHORT}"}), write)
    assert "hunter2" not in mistake
    (mistake,) = mistakes_of(with_options(version=["${LAB_SHORT}"]), write)
    assert "hunter2" not in mistake and "${LAB_SHORT}" in mistake


def test_fallbacks_that_go_round_in_a_circle(write: Any) -> None:
    names = ("a", "b", "c")
    servers = {n: {"command": "x", "gateway": {"fallback": f}} for n, f in zip(names, ("b", "c", "b"), strict=True)}
    mistakes = mistakes_of({"mcpServers": servers}, write)
    assert [m.partition(":")[0] for m in mistakes] == ["server 'b', gateway.fallback", "server 'c', gateway.fallback"]


def test_a_key_that_stands_twice_is_no_server_lost_in_silence(write: Any) -> None:
    (mistake,) = mistakes_of('{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}', write)
    assert "'a' stands twice" in mistake


@pytest.mark.parametrize("text", ["{", "[]", '{"mcpServers": {}}', '{"mcpServers": []}', ""])
def test_a_file_without_servers_is_named(text: str, write: Any) -> None:
    assert len(mistakes_of(text, write)) == 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GatewayConfigError, match=r"nowhere\.json"):
        GatewayConfig.read(tmp_path / "nowhere.json")


def test_all_entries_of_a_host_file(write: Any) -> None:
    file = read_host_file(write({"mcpServers": {"a": {"command": "x"}, "b": {"url": "http://127.0.0.1:1"}}, "more": 1}))
    assert [entry.name for entry in file.entries().values()] == ["a", "b"]
    assert file.whole["more"] == 1
    with pytest.raises(HostConfigError, match="no server 'c'"):
        file.entry("c")


def test_where_lines_go_and_whether_there_is_a_status(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"
    servers = {"mcpServers": {"a": {"command": "x"}}}
    file.write_text(json.dumps({**servers, "gateway": {"log": "calls.jsonl", "admin": True}}), encoding="utf-8")
    config = GatewayConfig.read(file)
    assert (config.log, config.admin) == (str(tmp_path / "calls.jsonl"), True)
    assert GatewayConfig.of({"a": "calculator"}, {"log": "stderr"}).log == "stderr"
    assert (GatewayConfig.of({"a": "calculator"}).log, GatewayConfig.of({"a": "calculator"}).admin) == ("", False)
    with pytest.raises(GatewayConfigError, match="admin"):
        GatewayConfig.of({"a": "calculator"}, {"admin": "yes"})
