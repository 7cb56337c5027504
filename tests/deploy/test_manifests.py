"""The files of deploy/: valid by schema and lint, kept by the lab's own rules, and agreed with each other and the code."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.catalog import LAB_ROOT
from labkit.deploy import check_path
from labkit.deploy.app import ALIVE, METRICS, READY
from labkit.deploy.nginx import passing, read_nginx, seconds
from labkit.deploy.run import KEEP_ALIVE
from labkit.deploy.settings import SECRETS, Settings, take_secrets
from labkit.deploy.systemd import read_unit
from labkit.gateway import GatewayConfig
from labkit.patterns.calls import OUTCOMES
from labkit.patterns.metrics import Metrics
from tests.deploy import image
from tests.deploy.watched import expressions, series_of

DEPLOY = image.DEPLOY
PACKAGINGS = tomllib.loads((LAB_ROOT / "servers" / "packagings.toml").read_text(encoding="utf-8"))
EXTRAS = "python start.py setup --extras"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def objects() -> list[dict[str, Any]]:
    return [each for file in KUBERNETES for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects() if each["kind"] == kind}


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment["spec"]["template"]["spec"]["containers"][0]


def run(*command: str | Path, cwd: Path | None = None) -> str:
    found = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=100,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


def program(name: str, way: str) -> str:
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: {way}")
    return found


def module(name: str) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: {EXTRAS}")


# schemas and lint


def test_kubernetes_objects_fit_the_schema() -> None:
    module("kubernetes_validate")
    import kubernetes_validate

    for each in objects():
        kubernetes_validate.validate(each, "1.32", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**objects()[0], "spec": {"finalizer": 1}}, "1.32", strict=True)


def test_compose_fits_the_schema() -> None:
    module("check_jsonschema")
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_dockerfiles_pass_hadolint() -> None:
    run(program("hadolint", EXTRAS), "--failure-threshold", "style", *sorted((DEPLOY / "images").glob("*.Dockerfile")))


def test_prometheus_accepts_its_configuration_and_alerts_fire_when_they_should() -> None:
    promtool = program("promtool", "sudo apt install prometheus")
    folder = DEPLOY / "prometheus"
    run(promtool, "check", "config", folder / "prometheus.yml")
    run(promtool, "test", "rules", "alerts.test.yml", cwd=folder)
    tested = set(re.findall(r"alertname: (\w+)", (folder / "alerts.test.yml").read_text(encoding="utf-8")))
    rules = yaml.safe_load((folder / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    assert tested == {rule["alert"] for rule in rules}
    assert all({"summary", "look"} <= rule["annotations"].keys() and rule["labels"]["severity"] for rule in rules)


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    nginx = program("nginx", "sudo apt install nginx")
    text = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    (tmp_path / "nginx.conf").write_text(text.replace("/tmp/", f"{tmp_path.as_posix()}/"), encoding="utf-8")
    run(nginx, "-t", "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf")


def test_the_lab_s_own_rules_find_nothing() -> None:
    assert [str(finding) for finding in check_path(DEPLOY)] == []


# images


def test_the_lock_of_the_images_is_cut_out_of_the_lab_s_own() -> None:
    spec = importlib.util.spec_from_file_location("images_lock", DEPLOY / "images" / "lock.py")
    assert spec is not None and spec.loader is not None
    lock = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lock)
    committed = (DEPLOY / "images" / "requirements.lock").read_text(encoding="utf-8")
    assert committed == lock.locked(), "run: python deploy/images/lock.py"
    assert len(image.locked()) < 60, "an image holds what its server needs, not the course"


def test_each_packaging_has_a_dockerfile_with_a_stage_for_each_server() -> None:
    for name, packaging in PACKAGINGS.items():
        found = image.stages(name)
        for server in packaging["servers"]:
            stage = found[server] if len(packaging["servers"]) > 1 else found[""]
            assert stage.command == ["python", "-m", "labkit.deploy.run", "server", f"servers/{server}/server.py"]


def imported(path: Path, seen: set[str]) -> set[str]:
    """Files of servers/ that a file imports, and those import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("servers"):
            continue
        base = LAB_ROOT / str(node.module).replace(".", "/")
        for file in (base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)):
            name = file.relative_to(LAB_ROOT).as_posix()
            if file.is_file() and name not in seen:
                seen.add(name)
                imported(file, seen)
    return seen


@pytest.mark.parametrize(("name", "server"), [(n, s) for n, each in PACKAGINGS.items() for s in each["servers"]])
def test_an_image_holds_what_its_server_imports_and_no_other_server(name: str, server: str) -> None:
    found = image.stages(name)
    stage = found.get(server, found[""])
    copied = {source for sources, _, other in stage.copies if not other for source in sources}
    needed = imported(LAB_ROOT / "servers" / server / "server.py", {f"servers/{server}/server.py"})
    missing = {file for file in needed if not any(file == each or file.startswith(f"{each}/") for each in copied)}
    assert missing == set()
    spare = {each for each in copied if each.startswith("servers/") and each.count("/") == 1 and "." not in each}
    assert {each for each in spare if not any(file.startswith(f"{each}/") for file in needed)} == set()


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of builds: the last line that fits it, or a folder above it, decides."""
    out = False
    for line in (LAB_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        above = [path, *(parent.as_posix() for parent in Path(path).parents)]
        if any(fnmatch(each, pattern) and each != "." for each in above):
            out = not line.startswith("!")
    return out


def test_builds_see_what_they_copy_and_no_secrets() -> None:
    for packaging in [*PACKAGINGS, "gateway"]:
        for stage in image.stages(packaging).values():
            for sources, _, other in stage.copies:
                for source in sources if not other else ():
                    assert (LAB_ROOT / source).exists() and not ignored(source), source
    for kept in ("deploy/secrets/client_key", "deploy/.env", ".git/config", "work/hr.db", "servers/vulnerable/paths"):
        assert ignored(kept), kept


def all_images() -> Iterator[tuple[str, str]]:
    for name, service in compose()["services"].items():
        yield f"compose.yaml {name}", service["image"]
    for name, each in of("Deployment").items():
        yield f"kubernetes {name}", container(each)["image"]
    for file in (DEPLOY / "images").glob("*.Dockerfile"):
        for base in re.findall(r"^FROM (\S+:\S+)", file.read_text(encoding="utf-8"), re.M):
            yield file.name, base


def test_images_are_named_by_version_and_without_a_registry() -> None:
    for where, name in all_images():
        assert re.fullmatch(r"[a-z-]+(/[a-z_]+)?:v?\d+\.\d+(\.\d+)?(-[a-z]+)*", name), f"{where}: {name}"
    assert len({name for _, name in all_images() if name.startswith("python:")}) == 1


# agreement


def test_compose_builds_what_kubernetes_runs() -> None:
    services = compose()["services"]
    for name, deployment in of("Deployment").items():
        service = services[name]
        assert service["image"] == container(deployment)["image"]
        target = service["build"].get("target", "")
        packaging = Path(service["build"]["dockerfile"]).name.removesuffix(".Dockerfile")
        assert target in image.stages(packaging)
        assert (DEPLOY / service["build"]["context"]).resolve() == LAB_ROOT


def known_settings() -> set[str]:
    source = (LAB_ROOT / "labkit" / "deploy" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'environ(?:\.get\(|, )"([A-Z_]+)"', source))
    assert {"HOST", "PORT", "MCP_STATELESS", "DRAIN_SECONDS"} <= read
    return read | set(SECRETS) | {f"{name}_FILE" for name in SECRETS}


def test_every_variable_is_one_that_the_program_reads() -> None:
    known = known_settings()
    for name, service in compose()["services"].items():
        if "build" in service:
            assert set(service["environment"]) <= known, name
    for name, deployment in of("Deployment").items():
        said = {each["name"]: each.get("value") for each in container(deployment)["env"]}
        assert set(said) <= known, name
        Settings.read({key: value for key, value in said.items() if value})
    for packaging in [*PACKAGINGS, "gateway"]:
        for stage in image.stages(packaging).values():
            assert set(stage.env) <= known | {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def test_ports_and_probes_are_those_of_the_program() -> None:
    for packaging in [*PACKAGINGS, "gateway"]:
        stage = image.stages(packaging)[""]
        assert (stage.env["PORT"], stage.exposes, stage.user) == ("8000", ["8000"], "10001:10001")
        assert f'{READY}"' in " ".join(stage.healthcheck)
    for deployment in of("Deployment").values():
        here = container(deployment)
        assert here["ports"] == [{"name": "mcp", "containerPort": 8000}]
        probes = {kind: here[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {kind: each["path"] for kind, each in probes.items()} == {
            "startup": ALIVE,
            "liveness": ALIVE,
            "readiness": READY,
        }
        assert {each["port"] for each in probes.values()} == {"mcp"}
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        assert (annotations["prometheus.io/port"], annotations["prometheus.io/path"]) == ("8000", METRICS)


@pytest.mark.parametrize("packaging", PACKAGINGS)
def test_the_gateway_finds_each_server_under_a_name_that_it_answers_to(
    packaging: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_KEY_SHA256", "0" * 64)
    monkeypatch.setenv("GATEWAY_SIGNING_SECRET", "s" * 40)
    backends = GatewayConfig.read(DEPLOY / "gateway" / f"{packaging}.json").backends
    assert list(backends) == PACKAGINGS[packaging]["servers"]
    services = compose()["services"]
    for backend in backends.values():
        address = re.fullmatch(r"http://(([a-z-]+):8000)/mcp", backend.url)
        assert address is not None
        service = services[address[2]]
        assert packaging in service["profiles"]
        assert service["environment"]["MCP_ALLOWED_HOSTS"] == address[1]
        assert set(service["networks"]) & set(services["gateway"]["networks"])
    running = {name for name, each in services.items() if packaging in each.get("profiles", [])}
    assert len(running) == len(backends)


def test_kubernetes_has_the_microservices_each_like_the_others() -> None:
    texts = {
        name: (DEPLOY / "kubernetes" / f"{name}.yaml")
        .read_text(encoding="utf-8")
        .replace(f"mcp-lab/{server}:", "IMAGE")
        for server in PACKAGINGS["microservices"]["servers"]
        for name in [server.replace("_", "-")]
    }
    assert len({re.sub(rf"(?<![\w/-]){name}(?![\w/-])", "NAME", text) for name, text in texts.items()}) == 1
    for name, service in of("Service").items():
        allowed = {each["name"]: each.get("value") for each in container(of("Deployment")[name])["env"]}
        assert f"{name}:{service['spec']['ports'][0]['port']}" in str(allowed["MCP_ALLOWED_HOSTS"]).split(",")


def test_secrets_are_referred_to_and_made_by_the_script(tmp_path: Path) -> None:
    made = run(sys.executable, DEPLOY / "make_secrets.py", tmp_path)
    files = {file.name for file in tmp_path.iterdir()}
    assert {Path(each["file"]).name for each in compose()["secrets"].values()} <= files
    for each in of("Deployment").values():
        for variable in container(each)["env"]:
            if "valueFrom" in variable:
                assert variable["valueFrom"]["secretKeyRef"]["key"] in files
    password = (tmp_path / "postgres_password").read_text(encoding="utf-8")
    assert password in (tmp_path / "database_url").read_text(encoding="utf-8")
    assert password not in made
    assert "nothing" in run(sys.executable, DEPLOY / "make_secrets.py", tmp_path)
    tracked = subprocess.run(["git", "ls-files", DEPLOY / "secrets"], cwd=LAB_ROOT, capture_output=True, check=False)
    assert set(tracked.stdout.decode().split()) <= {"deploy/secrets/.gitignore"}


def test_each_secret_that_a_service_reads_is_mounted_into_it() -> None:
    body = compose()
    for name, service in body["services"].items():
        read = {Path(value).name for key, value in service.get("environment", {}).items() if key.endswith("_FILE")}
        assert read == set(service.get("secrets", [])), name
        assert read <= set(body["secrets"])


def test_idle_connections_are_closed_by_nginx_and_not_by_the_server() -> None:
    here, where = next(passing(read_nginx((DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8"))))
    assert where == "http://$gateway:8000"
    kept = next((seconds(each.args[0]) for each in here if each.name == "keepalive_timeout"), 60)
    assert kept < KEEP_ALIVE
    published = compose()["services"]["nginx"]["ports"]
    assert [
        each.args
        for block in read_nginx((DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8"))
        for part in block.block
        for each in part.block
        if each.name == "listen"
    ] == [["8080"]]
    assert published == ["127.0.0.1:8080:8080"]


def test_containers_get_the_time_that_an_end_takes() -> None:
    needed = Settings().drain + Settings().grace
    for name, service in compose()["services"].items():
        if "build" in service:
            assert seconds(service["stop_grace_period"]) > needed, name
    for each in of("Deployment").values():
        assert each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > needed


# what is watched


def exported() -> dict[str, set[str]]:
    """The names of all series that a server or gateway shows, with their labels."""
    metrics = Metrics()
    for outcome in OUTCOMES:
        metrics.record("t", outcome, 0.1)
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{([^}]*)\})? ", metrics.text().decode(), re.M):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    if sys.platform != "linux":  # the collector of the process's own figures reads /proc
        for name in ("resident_memory_bytes", "cpu_seconds_total", "start_time_seconds"):
            found[f"process_{name}"] = set()
    return found


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_alerts_and_panels_name_what_is_exported(where: str, expression: str) -> None:
    series = exported()
    names = series_of(expression)
    assert names and names <= series.keys() | {"up"}, where
    labels = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", group)}
    labels |= {label for group in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)\s*=", group)}
    own = {label for name in names for label in series.get(name, set())}
    assert labels <= own | {"job", "instance"}, where
    for values in re.findall(r'outcome=~?"([^"]+)"', expression):
        assert set(values.split("|")) <= set(OUTCOMES), where


def test_the_dashboard_finds_its_source_and_its_file() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))[
        "datasources"
    ][0]
    provider = yaml.safe_load((provisioning / "dashboards" / "files.yml").read_text(encoding="utf-8"))["providers"][0]
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "mcp.json").read_text(encoding="utf-8"))
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090" and "prometheus" in compose()["services"]
    mounts = dict(each.split(":")[:2] for each in compose()["services"]["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert all((DEPLOY / place).exists() for place in mounts if place.startswith("./"))
    cells = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(cells)) == len(cells)


def test_prometheus_looks_for_the_services_that_there_are() -> None:
    body = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    found = {each["job_name"]: each["dns_sd_configs"][0] for each in body["scrape_configs"]}
    services = compose()["services"]
    assert set(found["servers"]["names"]) == {name for name, each in services.items() if "profiles" in each}
    assert found["gateway"]["names"] == ["gateway"]
    assert {each["port"] for each in found.values()} == {8000}
    for name in [*found["servers"]["names"], "gateway"]:
        assert set(services[name]["networks"]) & set(services["prometheus"]["networks"])


def test_the_unit_starts_what_there_is_with_settings_that_are_some(tmp_path: Path) -> None:
    service = read_unit((DEPLOY / "systemd" / "mcp-hr.service").read_text(encoding="utf-8"))["Service"]
    (command,) = service["ExecStart"]
    python, *arguments = command.split()
    assert arguments[:3] == ["-m", "labkit.deploy.run", "server"] and (LAB_ROOT / arguments[3]).is_file()
    assert python == service["WorkingDirectory"][0] + "/.venv/bin/python"
    told = dict(word.split("=", 1) for line in service["Environment"] for word in line.split())
    secret = service["LoadCredential"][0].split(":")[0]
    (tmp_path / secret).write_text("sqlite:///hr.db", encoding="utf-8")
    told = {name: value.replace("%d", str(tmp_path)) for name, value in told.items()}
    take_secrets(told)
    settings = Settings.read(told)
    assert (settings.host, settings.port, settings.database_url) == ("127.0.0.1", 8001, "sqlite:///hr.db")


def test_systemd_takes_the_unit_and_finds_little_left_open(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "it comes with systemd")
    text = (DEPLOY / "systemd" / "mcp-hr.service").read_text(encoding="utf-8")
    unit = tmp_path / "mcp-hr.service"
    unit.write_text(text.replace("/opt/mcp-lab/.venv/bin/python", sys.executable), encoding="utf-8")
    assert "ignoring" not in run(analyze, "verify", "--man=no", unit), "systemd ignores a key that it does not know"
    run(analyze, "security", "--offline=true", "--no-pager", "--threshold=20", unit)  # tenths; 96 without any line
