"""Each rule of labkit.deploy finds its mistake and nothing else, and does not blame what only looks like it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from labkit.cli import app
from labkit.deploy import RULES, DeployError, check_files, check_path, check_text
from labkit.deploy.images import judge_compose
from labkit.deploy.kubernetes import Object, judge
from tests.deploy.image import DEPLOY

Objects = dict[str, dict[str, Any]]
Change = Callable[[Objects], Any]


def objects() -> Objects:
    """The gateway and its policy as they are in deploy/, by kind."""
    texts = [
        (DEPLOY / "kubernetes" / name).read_text(encoding="utf-8") for name in ("gateway.yaml", "network-policy.yaml")
    ]
    read = [each for text in texts for each in yaml.safe_load_all(text)]
    return {each["kind"]: each for each in read if each["metadata"]["name"] == "gateway"}


def rules_of(found: Objects) -> set[str]:
    return {finding.rule.id for finding in check_text(yaml.safe_dump_all(found.values()))}


def box(found: Objects) -> dict[str, Any]:
    return found["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def pod(found: Objects) -> dict[str, Any]:
    return found["Deployment"]["spec"]["template"]["spec"]


def env(found: Objects, name: str, value: str) -> None:
    box(found)["env"].append({"name": name, "value": value})


def fixed(found: Objects, count: int) -> None:
    """No autoscaler, so many replicas."""
    del found["HorizontalPodAutoscaler"]
    found["Deployment"]["spec"]["replicas"] = count


FAULTS: list[tuple[str, Change]] = [
    ("image-tag", lambda o: box(o).update(image="mcp-lab/gateway")),
    ("image-tag", lambda o: box(o).update(image="registry.example:5000/gateway")),
    ("image-tag", lambda o: box(o).update(image="mcp-lab/gateway:latest")),
    ("runs-as-root", lambda o: pod(o).pop("securityContext")),
    ("runs-as-root", lambda o: box(o)["securityContext"].update(runAsUser=0)),
    ("runs-as-root", lambda o: box(o)["securityContext"].update(runAsNonRoot=False)),
    ("runs-as-root", lambda o: box(o)["securityContext"].pop("allowPrivilegeEscalation")),
    ("writable-root", lambda o: box(o)["securityContext"].pop("readOnlyRootFilesystem")),
    ("no-memory-limit", lambda o: box(o)["resources"].pop("limits")),
    ("secret-literal", lambda o: env(o, "API_KEY", "sk-1")),
    ("secret-literal", lambda o: env(o, "DATABASE_URL", "postgresql://lab:hunter2@db/lab")),
    ("secret-literal", lambda o: o.update(S={"apiVersion": "v1", "kind": "Secret", "data": {"url": "aHVudGVyMg=="}})),
    ("secret-literal", lambda o: o.update(C={"apiVersion": "v1", "kind": "ConfigMap", "data": {"DB_PASSWORD": "x"}})),
    ("no-readiness", lambda o: box(o).pop("readinessProbe")),
    ("no-readiness", lambda o: (box(o).pop("readinessProbe"), box(o).pop("ports"), o["Service"]["spec"].pop("ports"))),
    ("no-liveness", lambda o: box(o).pop("livenessProbe")),
    ("liveness-asks-others", lambda o: box(o)["livenessProbe"]["httpGet"].update(path="/ready")),
    ("liveness-asks-others", lambda o: box(o).update(livenessProbe={"exec": {"command": ["pg_isready", "-h", "db"]}})),
    ("liveness-before-start", lambda o: (box(o).pop("startupProbe"), box(o)["livenessProbe"].update(periodSeconds=3))),
    ("unknown-port", lambda o: box(o)["readinessProbe"]["httpGet"].update(port=8080)),
    ("unknown-port", lambda o: o["Service"]["spec"]["ports"][0].update(targetPort=80)),
    ("short-grace", lambda o: pod(o).update(terminationGracePeriodSeconds=20)),
    ("short-grace", lambda o: env(o, "DRAIN_SECONDS", "30")),
    ("sticky-missing", lambda o: o["Service"]["spec"].pop("sessionAffinity")),
    ("sticky-missing", lambda o: (o["Service"]["spec"].pop("sessionAffinity"), fixed(o, 2))),
    ("affinity-one-replica", lambda o: o["HorizontalPodAutoscaler"]["spec"].update(minReplicas=1)),
    ("affinity-one-replica", lambda o: o["HorizontalPodAutoscaler"]["spec"].pop("minReplicas")),
    ("hpa-without-request", lambda o: box(o)["resources"]["requests"].pop("cpu")),
    ("replicas-beside-hpa", lambda o: o["Deployment"]["spec"].update(replicas=3)),
    ("pdb-blocks-drain", lambda o: o["PodDisruptionBudget"]["spec"].update(maxUnavailable=0)),
    ("pdb-blocks-drain", lambda o: o["PodDisruptionBudget"].update(spec={**o["PodDisruptionBudget"]["spec"], "minAvailable": 2})),
    ("selector-matches-nothing", lambda o: o["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].update(app="gate")),
    ("no-network-policy", lambda o: o.pop("NetworkPolicy")),
]  # fmt: skip

FINE: list[Change] = [
    lambda o: None,
    lambda o: box(o).update(image="registry.example:5000/gateway:1.2.3"),
    lambda o: box(o).update(image="mcp-lab/gateway@sha256:" + "0" * 64),
    lambda o: (box(o)["securityContext"].update(runAsNonRoot=True), pod(o).pop("securityContext")),
    lambda o: env(o, "TOKEN_URL", "https://auth.example/token"),
    lambda o: env(o, "TOKEN_BUCKET_SIZE", "20"),
    lambda o: env(o, "REQUIRE_TOKEN", "true"),
    lambda o: env(o, "API_KEY_FILE", "/run/secrets/key"),
    lambda o: env(o, "DATABASE_URL", "postgresql://lab:$(DB_PASSWORD)@db/lab"),
    lambda o: box(o)["livenessProbe"]["httpGet"].update(path="/livez"),
    lambda o: box(o).update(livenessProbe={"exec": {"command": ["pg_isready"]}}, image="postgres:17.5"),
    lambda o: box(o).pop("startupProbe"),  # liveness waits for 30 s
    lambda o: box(o)["readinessProbe"]["httpGet"].update(port=8000),
    lambda o: o["Service"]["spec"]["ports"][0].update(targetPort=8000),
    lambda o: (env(o, "MCP_STATELESS", "1"), o["Service"]["spec"].pop("sessionAffinity")),
    lambda o: (o["Service"]["spec"].pop("sessionAffinity"), fixed(o, 1)),
    lambda o: fixed(o, 3),
    lambda o: (box(o).pop("readinessProbe"), box(o).pop("ports"), o.pop("Service")),
    lambda o: (fixed(o, 3), o["PodDisruptionBudget"].update(spec={"minAvailable": 2, "selector": {"matchLabels": {"app": "gateway"}}})),
    lambda o: o.pop("PodDisruptionBudget"),
    lambda o: o["PodDisruptionBudget"]["spec"].update(selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
    lambda o: (box(o)["resources"]["requests"].pop("cpu"), box(o)["resources"]["limits"].update(cpu=1)),
    lambda o: o["NetworkPolicy"]["spec"].update(podSelector={}),
    lambda o: (o["Service"]["spec"].pop("sessionAffinity"), box(o).update(envFrom=[{"configMapRef": {"name": "c"}}]),
               o.update(C={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"MCP_STATELESS": "1"}})),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "change"), FAULTS, ids=[f"{n}-{rule}" for n, (rule, _) in enumerate(FAULTS)])
def test_a_mistake_is_found_and_nothing_else(rule: str, change: Change) -> None:
    found = objects()
    change(found)
    assert rules_of(found) == {rule}


@pytest.mark.parametrize("change", FINE)
def test_what_only_looks_like_a_mistake_is_not_blamed(change: Change) -> None:
    found = objects()
    change(found)
    assert rules_of(found) == set()


GOOD = """
FROM python:3.12.11-slim AS build
RUN pip install --target /opt x
FROM python:3.12.11-slim
COPY --from=build /opt /opt
USER 10001
HEALTHCHECK CMD ["python", "-c", "pass"]
CMD ["python", "-m", "server"]
"""
COMPOSE = """
services:
  server:
    build: .
    image: mcp-lab/x
    read_only: true
    mem_limit: 256m
    environment: {DB_PASSWORD: "${DB_PASSWORD:?set it}", DATABASE_URL_FILE: /run/secrets/url}
    ports: ["127.0.0.1:8080:8000"]
"""
NGINX = """
server {
    proxy_set_header Host $http_host;   # of the client
    location /mcp { proxy_pass http://up; proxy_buffering off; proxy_read_timeout 1h; proxy_next_upstream error; }
}
"""
UNIT = (DEPLOY / "systemd" / "mcp-hr.service").read_text(encoding="utf-8")
TEXTS: list[tuple[str, str, str, str, str]] = [
    ("image-tag", "Dockerfile", GOOD, "FROM python:3.12.11-slim\n", "FROM python\n"),
    ("runs-as-root", "Dockerfile", GOOD, "USER 10001\n", ""),
    ("runs-as-root", "Dockerfile", GOOD, "USER 10001\n", "USER 10001\nUSER root\n"),
    ("secret-literal", "Dockerfile", GOOD, "USER 10001\n", "USER 10001\nENV API_TOKEN=abc\n"),
    ("shell-command", "Dockerfile", GOOD, 'CMD ["python", "-m", "server"]', "CMD python -m server"),
    ("health-needs-tool", "Dockerfile", GOOD, 'CMD ["python", "-c", "pass"]', "CMD curl -f http://localhost || exit 1"),
    ("image-tag", "compose.yaml", COMPOSE, "    build: .\n    image: mcp-lab/x\n    read_only: true\n", "    image: redis\n"),
    ("secret-literal", "compose.yaml", COMPOSE, "${DB_PASSWORD:?set it}", "${DB_PASSWORD:-hunter2}"),
    ("secret-literal", "compose.yaml", COMPOSE, "${DB_PASSWORD:?set it}", "hunter2"),
    ("no-memory-limit", "compose.yaml", COMPOSE, "    mem_limit: 256m\n", ""),
    ("writable-root", "compose.yaml", COMPOSE, "    read_only: true\n", ""),
    ("port-for-all", "compose.yaml", COMPOSE, "127.0.0.1:8080:8000", "8080:8000"),
    ("port-for-all", "compose.yaml", COMPOSE, "127.0.0.1:8080:8000", "0.0.0.0:8080:8000"),
    ("health-needs-tool", "compose.yaml", COMPOSE, "    build: .\n", "    build: .\n    healthcheck: {test: [CMD, curl, x]}\n"),
    ("proxy-buffering", "nginx.conf", NGINX, "proxy_buffering off;", ""),
    ("proxy-host", "nginx.conf", NGINX, "proxy_set_header Host $http_host;", ""),
    ("proxy-host", "nginx.conf", NGINX, "proxy_pass", "proxy_set_header X-Real-IP $remote_addr; proxy_pass"),
    ("proxy-retries-calls", "nginx.conf", NGINX, "proxy_next_upstream error", "proxy_next_upstream error non_idempotent"),
    ("proxy-read-timeout", "nginx.conf", NGINX, "proxy_read_timeout 1h;", ""),
    ("unit-as-root", "a.service", UNIT, "DynamicUser=yes\n", ""),
    ("unit-as-root", "a.service", UNIT, "DynamicUser=yes\n", "DynamicUser=no\nUser=root\n"),
    ("secret-literal", "a.service", UNIT, "DATABASE_URL_FILE=%d/database_url", 'API_KEY=x "DATABASE_URL=sqlite:///a b"'),
    ("shell-command", "a.service", UNIT, "ExecStart=/opt", "ExecStart=/bin/sh -c '/opt"),
    ("no-memory-limit", "a.service", UNIT, "MemoryMax=512M\n", "MemoryMax=512M\nMemoryMax=\n"),
    ("unit-no-restart", "a.service", UNIT, "Restart=on-failure\n", ""),
    ("short-grace", "a.service", UNIT, "TimeoutStopSec=35", "TimeoutStopSec=20s"),
    ("short-grace", "a.service", UNIT, "GRACE_SECONDS=20", "GRACE_SECONDS=60"),
    ("unit-open", "a.service", UNIT, "ProtectSystem=strict\n", "ProtectSystem=full\n"),
    ("unit-open", "a.service", UNIT, "CapabilityBoundingSet=\n", ""),
    ("unit-open", "a.service", UNIT, "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"), [("Dockerfile", GOOD), ("compose.yaml", COMPOSE), ("nginx.conf", NGINX), ("a.service", UNIT)]
)
def test_good_files_are_not_blamed(name: str, text: str) -> None:
    assert [str(finding) for finding in check_text(text, name)] == []


@pytest.mark.parametrize(
    ("rule", "name", "text", "old", "new"), TEXTS, ids=[f"{n}-{t[0]}" for n, t in enumerate(TEXTS)]
)
def test_mistakes_of_images_compose_and_nginx_are_found(rule: str, name: str, text: str, old: str, new: str) -> None:
    assert old in text
    assert {finding.rule.id for finding in check_text(text.replace(old, new), name)} == {rule}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Dockerfile", GOOD.replace("RUN pip", "RUN apt-get install -y curl\nRUN pip")),
        ("Dockerfile", GOOD.replace('CMD ["python", "-m", "server"]', "CMD exec python -m server --port $PORT")),
        ("Dockerfile", "ARG V=3\n" + GOOD.replace("python:3.12.11-slim", "python:${V}")),
        ("Dockerfile", GOOD.replace("FROM python:3.12.11-slim\nCOPY", "FROM build\nCOPY")),
        ("compose.yaml", COMPOSE.replace("127.0.0.1:8080:8000", "[::1]:8080:8000")),
        ("compose.yaml", COMPOSE.replace("mem_limit: 256m", "deploy: {resources: {limits: {memory: 256m}}}")),
        ("nginx.conf", NGINX.replace("$http_host", "$host")),
        ("nginx.conf", NGINX.replace("location /mcp", 'location ~ "^/mcp/(a|b){1,2}$"')),
        ("a.service", UNIT.replace("DynamicUser=yes", "User=mcp-hr").replace("TimeoutStopSec=35\n", "")),
        ("a.service", UNIT.replace("TimeoutStopSec=35", "TimeoutStopSec=1min 5s").replace("=yes", "=true")),
        ("a.service", UNIT.replace("ExecStart=/opt", "ExecStart=/bin/sh -c 'exec /opt").replace("ver.py", "ver.py'")),
        ("a.service", UNIT.replace("ExecStart=", "ExecStart=\\\n  ").replace("=on-failure", "=always")),
    ],
)
def test_other_ways_to_write_it_well_are_not_blamed(name: str, text: str) -> None:
    assert [str(finding) for finding in check_text(text, name)] == []


def test_every_rule_has_a_mistake_here_and_says_what_to_do() -> None:
    assert {rule for rule, _ in FAULTS} | {text[0] for text in TEXTS} == set(RULES)
    assert all(rule.goes_wrong.endswith(".") and rule.instead.endswith(".") for rule in RULES.values())


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*path, key)
        yield from places(below, (*path, key))


def strange(base: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same with one value of another kind, for every value."""
    for path in places(base):
        for value in (None, "x", 7, [], {}, [None], {"a": None}):
            changed = copy.deepcopy(base)
            place: Any = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            yield changed


def test_no_field_of_another_kind_ends_it() -> None:
    for changed in strange(objects()):
        judge([Object("f", each) for each in changed.values() if isinstance(each, dict)])
    for changed in strange(yaml.safe_load(COMPOSE)):
        list(judge_compose(changed))


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"a.yaml": "kind: [", "b.yaml": ""}, "no YAML"),
        ({"notes.yaml": "a: 1"}, "no Dockerfile, Compose"),
        ({"Dockerfile": "RUN x"}, "begins with FROM"),
        ({"Dockerfile": "# nothing"}, "no FROM"),
        ({"nginx.conf": "server { proxy_pass x; "}, "inside a block"),
        ({"nginx.conf": "server { proxy_pass x; } }"}, "too many"),
        ({"a.service": "ExecStart=x"}, r"\[Section\] and KEY=VALUE, and not 'ExecStart=x'"),
        ({"a.service": "[Service]\nExecStart"}, "KEY=VALUE"),
        ({"a.service": "[Unit]\nDescription=x"}, "no ExecStart"),
        ({"a.service": "[Service]\nExecStart=x\nEnvironment='A=1"}, "Close its quotes"),
    ],
)
def test_what_cannot_be_read_is_said(files: dict[str, str], match: str) -> None:
    with pytest.raises(DeployError, match=match):
        check_files(files)


def test_a_path_that_has_no_manifest_is_said(tmp_path: Any) -> None:
    with pytest.raises(DeployError, match="There is no"):
        check_path(tmp_path / "absent")
    with pytest.raises(DeployError, match="has no Dockerfile"):
        check_path(tmp_path)


def test_the_command_says_what_it_found_and_ends_accordingly(tmp_path: Any) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(GOOD.replace("USER 10001\n", ""), encoding="utf-8")
    runner = CliRunner()
    told = runner.invoke(app, ["deploy", "check", str(file)])
    assert (told.exit_code, "runs-as-root" in told.stdout, "1 errors, 0 warnings" in told.stdout) == (1, True, True)
    rows = json.loads(runner.invoke(app, ["deploy", "check", str(tmp_path), "--json"]).stdout)
    assert [(row["rule"], row["severity"], row["file"]) for row in rows] == [("runs-as-root", "error", "Dockerfile")]
    file.write_text(GOOD, encoding="utf-8")
    assert runner.invoke(app, ["deploy", "check", str(file)]).exit_code == 0
    assert runner.invoke(app, ["deploy", "check", str(tmp_path / "absent")]).exit_code == 2
    assert "short-grace (error)" in runner.invoke(app, ["deploy", "rules"]).stdout
