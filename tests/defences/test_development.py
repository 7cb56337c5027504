"""The development identity: three conditions, each of which alone keeps everybody out."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.defences.development import Development, DevelopmentError
from labkit.defences.oauth import Guard
from labkit.defences.providers import Providers

GOOD = {
    "LABKIT_ENVIRONMENT": "development",
    "LABKIT_DEV_USER": "ada",
    "LABKIT_DEV_ROLES": "staff admin",
    "LABKIT_DEV_SCOPES": "a b",
}
US = "http://127.0.0.1:8000/mcp"


def made(env: dict[str, str] | None = None, host: str = "127.0.0.1") -> Development:
    found = Development.from_environment(GOOD if env is None else env, host=host)
    assert found is not None
    return found


def request(*more: tuple[str, str], client: Any = ("127.0.0.1", 5), host: str = "127.0.0.1:8000") -> dict[str, Any]:
    headers = [("host", host)] if host else []
    pairs = [(name.encode(), value.encode()) for name, value in [*headers, *more]]
    return {"type": "http", "method": "GET", "path": "/mcp", "headers": pairs, "client": client}


def test_it_is_there_only_where_it_was_asked_for() -> None:
    assert Development.from_environment({}, host="127.0.0.1") is None
    assert Development.from_environment({"LABKIT_ENVIRONMENT": "development"}, host="0.0.0.0") is None


def test_it_says_so_loudly_and_who_it_is(caplog: Any) -> None:
    found = made().admit(request())
    assert found is not None and (found.id, found.roles, found.scopes) == (
        "development:ada",
        ("staff", "admin"),
        ("a", "b"),
    )
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.text.count("NO AUTHENTICATION") == 2


@pytest.mark.parametrize("changes", [
    {"LABKIT_ENVIRONMENT": ""}, {"LABKIT_ENVIRONMENT": "production"}, {"LABKIT_ENVIRONMENT": "Development"}, {"LABKIT_ENVIRONMENT": "development "},
    {"LABKIT_ENVIRONMENT": "dev"}, {"LABKIT_ENVIRONMENT": "1"}, {"ENV": "production"}, {"APP_ENV": "eu-prod-1"}, {"NODE_ENV": "PRODUCTION"},
    {"DJANGO_ENV": "live"}, {"STAGE": "prod"}, {"MY_ENVIRONMENT": "staging"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {"K_SERVICE": "x"},
    {"LABKIT_DEV_USER": "Ada"}, {"LABKIT_DEV_USER": "../x"},
])  # fmt: skip
def test_a_server_that_must_not_have_it_does_not_start(changes: dict[str, str]) -> None:
    with pytest.raises(DevelopmentError, match="LABKIT_DEV_USER"):
        Development.from_environment(GOOD | changes, host="127.0.0.1")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.1.5", "example.com", "127.0.0.1.evil.example", "10.0.0.1"]
)
def test_nor_one_that_others_can_reach(host: str) -> None:
    with pytest.raises(DevelopmentError, match=r"127\.0\.0\.1"):
        Development.from_environment(GOOD, host=host)


@pytest.mark.parametrize("harmless", [
    {"VIRTUAL_ENV": "/srv/ada/products/production/.venv"}, {"APP_ENV": "reproduction"}, {"NODE_ENV": "development"}, {"PRODUCT": "prod"},
    {"ENV": "delivery"}, {"KUBERNETES_SERVICE_HOST": ""}, {"STAGE": "local"},
])  # fmt: skip
def test_what_only_looks_like_production_is_none(harmless: dict[str, str]) -> None:
    assert made(GOOD | harmless).admit(request())


@pytest.mark.parametrize("which", [
    request(client=("203.0.113.5", 5)), request(client=("10.0.0.2", 5)), request(client=None), request(client=("", 0)), request(client=("unix", 0)),
    request(("X-Forwarded-For", "127.0.0.1")), request(("Forwarded", "for=127.0.0.1")), request(("Via", "1.1 x")), request(("x-real-ip", "127.0.0.1")),
    request(host="evil.example"), request(host="127.0.0.1.evil.example"), request(host=""), request(("host", "localhost")), request(host="[::1"),
    request(("Origin", "https://evil.example")), request(("Origin", "null")), request(("Origin", "http://localhost.evil.example")),
])  # fmt: skip
def test_no_request_of_somebody_else_is_let_in(which: dict[str, Any]) -> None:
    assert made().admit(which) is None


@pytest.mark.parametrize("which", [
    request(), request(host="localhost"), request(host="[::1]:8000"), request(("Origin", "http://localhost:3000")), request(client=("::1", 5)),
    request(("User-Agent", "via")),
])  # fmt: skip
def test_the_developer_is(which: dict[str, Any]) -> None:
    assert made().admit(which)


@pytest.mark.anyio
@pytest.mark.parametrize(("which", "status"), [
    (request(), 200), (request(client=("203.0.113.5", 5)), 401), (request(("Authorization", "Bearer x")), 401), (request(("X-API-Key", "x")), 401),
    (request(("Authorization", "")), 401),
])  # fmt: skip
async def test_a_wrong_credential_stays_wrong_in_development(which: dict[str, Any], status: int) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["user"].access_token.subject)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    await Guard(app, Providers(scopes=["a"]), US, development=made())(which, receive, send)
    assert sent[0]["status"] == status and seen == (["ada"] if status == 200 else [])


@pytest.mark.parametrize("more", [
    ("origin", "http://["), ("sec-fetch-site", "cross-site"), ("x-forwarded-port", "443"), ("x-forwarded-server", "x"), ("cf-connecting-ip", "203.0.113.9"),
])  # fmt: skip
def test_nor_is_a_page_of_the_web_or_what_comes_through_a_proxy(more: tuple[str, str]) -> None:
    assert made().admit(request(more)) is None
    assert made().admit(request(("sec-fetch-site", "same-origin"))) is not None


def test_a_proxy_without_settings_speaks_an_old_http() -> None:
    assert made().admit({**request(), "http_version": "1.0"}) is None
    assert made().admit({**request(), "http_version": "1.1"}) is not None
