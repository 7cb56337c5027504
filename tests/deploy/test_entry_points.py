"""What the images run, run as they say, with what they contain: probes, a call through nginx and gateway, the end."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import anyio
import pytest
import yaml

import labkit as lab
from labkit.deploy.images import Stage
from labkit.services.place import free_port
from tests.deploy import image
from tests.deploy.watched import expressions, series_of

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="a folder of links needs rights there; images are Linux"
)


@dataclass
class Running:
    """A container, so to speak."""

    stage: Stage
    root: Path
    process: subprocess.Popen[str]
    url: str

    def get(self, path: str, host: str = "") -> tuple[int, str]:
        return get(self.url.replace("/mcp", path), host)


def get(url: str, host: str = "") -> tuple[int, str]:
    """Status and body; (0, "") when nobody answers."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def compose(service: str) -> dict[str, str]:
    body = yaml.safe_load((image.DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return {name: str(value) for name, value in body["services"][service]["environment"].items()}


@pytest.fixture(scope="module")
def hr(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """The image of hr, with a SQLite file for the PostgreSQL of compose.yaml."""
    root = image.build(stage := image.stages("microservices")["hr"], tmp_path_factory.mktemp("hr"))
    secret = root / "database_url"
    secret.write_text(f"sqlite:///{(root / 'hr.db').as_posix()}\n", encoding="utf-8")
    told = compose("hr") | {"DATABASE_URL_FILE": str(secret), "DRAIN_SECONDS": "0"}
    del told["REDIS_URL_FILE"]
    process, url = image.start(stage, root, told, root / "log")
    yield Running(stage, root, process, url)
    assert image.end(process) == 0, (root / "log").read_text(encoding="utf-8")


KEY = secrets.token_hex(16)


@pytest.fixture(scope="module")
def gateway(hr: Running, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with a_gateway(hr, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@contextmanager
def a_gateway(hr: Running, folder: Path) -> Generator[Running]:
    """The image of the gateway, with hr where its configuration says hr, and nobody where the others would be."""
    root = image.build(stage := image.stages("gateway")[""], folder)
    text = (image.DEPLOY / "gateway" / "microservices.json").read_text(encoding="utf-8")
    text = text.replace("http://hr:8000/mcp", hr.url)
    (root / "gateway.json").write_text(re.sub(r"http://[a-z-]+:8000", "http://127.0.0.1:9", text), encoding="utf-8")
    assert isinstance(stage.cmd, list) and stage.cmd[-1] == "/etc/mcp/gateway.json"
    stage.cmd[-1] = str(root / "gateway.json")
    files = {"GATEWAY_KEY_SHA256": sha256(KEY.encode()).hexdigest(), "GATEWAY_SIGNING_SECRET": secrets.token_hex(24)}
    told = compose("gateway") | {"DRAIN_SECONDS": "60"}
    for name, value in files.items():
        (root / name).write_text(value, encoding="utf-8")
        told[f"{name}_FILE"] = str(root / name)
    process, url = image.start(stage, root, told, root / "log")
    try:
        yield Running(stage, root, process, url)
    finally:
        process.kill()  # unless a test has ended it: it would drain for a minute
        image.end(process)


def test_it_says_that_it_lives_and_is_ready_and_what_it_counts(hr: Running) -> None:
    assert hr.get("/health") == (200, '{"alive":true}')
    assert hr.get("/ready")[0] == 200
    assert "mcp_tool_calls_in_progress 0.0" in hr.get("/metrics")[1]


def test_the_health_check_of_the_image_passes_and_fails_with_the_server(hr: Running) -> None:
    command = image.argv(hr.stage.healthcheck)
    env = image.environment(hr.stage, hr.root)
    port = re.search(r":(\d+)/", hr.url)
    assert port is not None
    fine = subprocess.run(command, env=env | {"PORT": port[1]}, capture_output=True, timeout=60, check=False)
    assert fine.returncode == 0, fine.stderr
    gone = subprocess.run(command, env=env | {"PORT": str(free_port())}, capture_output=True, timeout=60, check=False)
    assert gone.returncode == 1


def test_it_answers_to_the_names_that_compose_gives_it(hr: Running) -> None:
    allowed = compose("hr")["MCP_ALLOWED_HOSTS"]
    assert hr.get("/mcp", allowed)[0] not in (0, 421)
    assert hr.get("/mcp", "evil.example")[0] == 421
    assert hr.get("/health", "10.1.2.3:8000")[0] == 200, "a kubelet asks by address"


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_call_goes_through_nginx_and_the_gateway_to_the_server(gateway: Running, nginx: str, era: str) -> None:
    async with await lab.connect(nginx, headers={"X-API-Key": KEY}, era=era) as conn:
        found = await conn.call("hr.list_employees", limit=1)
        assert not found.is_error, found
    assert 'mcp_tool_calls_total{outcome="ok",tool="hr.list_employees"}' in gateway.get("/metrics")[1]


@pytest.mark.anyio
async def test_both_export_every_series_that_is_watched(gateway: Running, hr: Running) -> None:
    async with await lab.connect(gateway.url, headers={"X-API-Key": KEY}) as conn:
        await conn.call("hr.list_employees", limit=1)  # a counter of calls is there when there has been one
    wanted = {name for _, expression in expressions() for name in series_of(expression)} - {"up"}
    for each in (gateway, hr):
        shown = set(re.findall(r"^([a-z_]+)", each.get("/metrics")[1], re.M))
        assert {name for name in wanted if sys.platform == "linux" or not name.startswith("process_")} <= shown


@pytest.mark.anyio
async def test_nobody_comes_in_without_a_key(gateway: Running) -> None:
    with pytest.raises(lab.LabError, match="401"):
        await lab.connect(gateway.url)


@pytest.fixture(scope="module")
def nginx(gateway: Running, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The configuration of deploy/nginx, with other ports and folders, in front of the gateway."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not on the PATH: sudo apt install nginx")
    folder = tmp_path_factory.mktemp("nginx")
    listen, port = free_port(), gateway.url.split(":")[2].removesuffix("/mcp")
    text = (image.DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listen 8080;", f"listen 127.0.0.1:{listen};"),
        ("set $gateway gateway;", "set $gateway 127.0.0.1;"),
        (":8000;", f":{port};"),
        ("/tmp/", f"{folder}/"),
        ("/dev/stdout", f"{folder}/calls"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    command = [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + image.SECONDS
    while get(f"http://127.0.0.1:{listen}/healthz")[0] != 200:
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text(encoding="utf-8")
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listen}/mcp"
    process.terminate()
    process.wait(image.SECONDS)


def test_nginx_shows_clients_nothing_but_mcp(nginx: str) -> None:
    for path in ("/ready", "/metrics", "/health"):
        assert get(nginx.replace("/mcp", path))[0] == 404


@pytest.mark.anyio
async def test_told_to_stop_it_is_not_ready_and_still_answers_and_ends_well(hr: Running, tmp_path: Path) -> None:
    with a_gateway(hr, tmp_path) as own:
        async with await lab.connect(own.url, headers={"X-API-Key": KEY}) as conn:
            assert own.get("/ready")[0] == 200
            own.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + image.SECONDS
            while (found := own.get("/ready"))[0] == 200 and time.monotonic() < deadline:
                await anyio.sleep(0.02)
            assert (found[0], json.loads(found[1])["why"]) == (503, "draining")
            assert not (await conn.call("hr.list_employees", limit=1)).is_error
            assert own.get("/health")[0] == 200
        own.process.send_signal(signal.SIGTERM)  # skips the rest of DRAIN_SECONDS
        assert image.end(own.process) == 0
