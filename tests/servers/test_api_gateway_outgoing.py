"""What the gateway may ask, and how it asks: the list of endpoints, path tricks, keys, redirects, cookies, limits."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from labkit.patterns.failures import Unavailable, is_transient
from servers.api_gateway import outgoing
from servers.api_gateway.endpoints import PART, Endpoint, EndpointError, Key, load
from servers.api_gateway.outgoing import Outgoing

from .conftest import SERVERS, environment

pytestmark = pytest.mark.anyio
LISTED = SERVERS / "api_gateway" / "endpoints.toml"
SECRET = 'canary-"key"-of-the-gateway'


class Echo(http.server.BaseHTTPRequestHandler):
    """Repeats what it is sent, or behaves badly, by path. Notes each request."""

    seen: ClassVar[list[tuple[str, str, dict[str, str]]]] = []
    held: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        key = self.headers.get("X-Key", "")
        path = self.path.partition("?")[0]
        answers: dict[str, tuple[int, dict[str, str], bytes]] = {
            "/echo": (200, {}, json.dumps({"said": key, key: [f"a {key} b"], "body": body.decode()}).encode()),
            "/refuses": (403, {}, json.dumps({"error": f"{key} is not enough"}).encode()),
            "/moved": (302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""),
            "/large": (200, {}, b'"' + b"x" * outgoing.MAX_BYTES + b'"'),
            "/page": (200, {}, b"<html>"),
            "/nan": (200, {}, b"NaN"),
            "/deep": (200, {}, b"[" * 100_000),
            "/nothing": (204, {}, b""),
            "/busy": (503, {"Retry-After": "7"}, b"busy"),
            "/later": (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"[]"),
            "/forever": (503, {"Retry-After": "1e99"}, b"{}"),
            "/gone": (404, {}, b'{"detail": "no such thing"}'),
        }
        if path == "/slow":
            self.held.wait(10)
        status, headers, data = answers.get(path, (404, {}, b"null"))
        self.send_response(status)
        self.send_header("Set-Cookie", "session=somebody; Path=/")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def changed(endpoint: Endpoint, **settings: Any) -> Endpoint:
    return endpoint.model_copy(update=settings)


@contextmanager
def echoing() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        Echo.held.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def echo() -> Iterator[Endpoint]:
    with echoing() as url:
        paths = tuple(
            f"/{name}" for name in ("echo", "refuses", "moved", "large", "page", "nan", "deep", "nothing", "slow")
        )
        more = ("/busy", "/later", "/forever", "/gone", "/things/{id}")
        yield Endpoint(name="echo", url=url, get=paths + more, post=("/echo",), key=Key(env="ECHO_KEY", header="X-Key"))


@pytest.fixture(autouse=True)
def secret() -> Iterator[None]:
    Echo.seen.clear()
    Echo.held.clear()
    with environment({"ECHO_KEY": SECRET}):
        yield


@pytest.fixture
async def out() -> AsyncIterator[Outgoing]:
    made = Outgoing()
    yield made
    await made.close()


async def test_a_request_carries_the_key_and_the_answer_does_not(out: Outgoing, echo: Endpoint) -> None:
    reply = await out.send(echo, "GET", "/echo", {"text": "a&b=c#d", "yes": True, "n": 1.5})
    assert reply.data == {"said": "[hidden]", "[hidden]": ["a [hidden] b"], "body": ""}
    ((method, path, headers),) = Echo.seen
    assert (method, path) == ("GET", "/echo?text=a%26b%3Dc%23d&yes=true&n=1.5") and headers["x-key"] == SECRET
    with pytest.raises(EndpointError, match=r"echo /refuses answered 403: \[hidden\] is not enough") as raised:
        await out.send(echo, "GET", "/refuses")
    assert raised.value.reason == "http-403" and SECRET not in str(raised.value)


async def test_a_body_is_sent_as_json(out: Outgoing, echo: Endpoint) -> None:
    reply = await out.send(echo, "POST", "/echo", body={"a": [1, "ü"]}, headers={"idempotency-key": "once"})
    assert json.loads(reply.data["body"]) == {"a": [1, "ü"]}
    assert Echo.seen[0][2]["content-type"] == "application/json" and Echo.seen[0][2]["idempotency-key"] == "once"


async def test_no_cookie_comes_back(out: Outgoing, echo: Endpoint) -> None:
    for _ in range(2):
        await out.send(echo, "GET", "/echo")
    assert [headers.get("cookie") for _, _, headers in Echo.seen] == [None, None]


@pytest.mark.parametrize(
    ("path", "reason", "retry_after", "says"),
    [
        ("/busy", "unavailable", 7.0, "answered 503: Service Unavailable"),
        ("/later", "overloaded", None, "answered 429: Too Many Requests"),
        ("/forever", "unavailable", 3600.0, "answered 503: Service Unavailable"),
    ],
)
async def test_what_may_be_answered_later(
    out: Outgoing, echo: Endpoint, path: str, reason: str, retry_after: float | None, says: str
) -> None:
    with pytest.raises(Unavailable) as raised:
        await out.send(echo, "GET", path)
    error = raised.value
    assert (error.reason, error.retry_after, str(error)) == (reason, retry_after, f"echo {path} {says}")
    assert is_transient(error)


@pytest.mark.parametrize(
    ("path", "reason", "says"),
    [
        ("/moved", "moved", "points to another address, which is not followed"),
        ("/large", "too-large", "answers with more than 250000 bytes: ask for less"),
        ("/page", "not-json", "did not answer with JSON"),
        ("/nan", "not-json", "did not answer with JSON"),
        ("/deep", "not-json", "did not answer with JSON"),
        ("/gone", "http-404", "answered 404: no such thing"),
    ],
)
async def test_what_will_be_no_better_later(out: Outgoing, echo: Endpoint, path: str, reason: str, says: str) -> None:
    with pytest.raises(EndpointError) as raised:
        await out.send(echo, "GET", path)
    assert (raised.value.reason, str(raised.value)) == (reason, f"echo {path} {says}")
    assert not is_transient(raised.value)


async def test_nothing_at_all_is_an_answer(out: Outgoing, echo: Endpoint) -> None:
    reply = await out.send(echo, "GET", "/nothing")
    assert (reply.status, reply.data) == (204, None)


async def test_a_slow_endpoint_is_not_waited_for(out: Outgoing, echo: Endpoint) -> None:
    with pytest.raises(Unavailable, match=r"echo /slow was stopped: it took longer than 0.1 s") as raised:
        await out.send(changed(echo, seconds=0.1), "GET", "/slow")
    assert raised.value.reason == "timeout"


async def test_an_endpoint_that_is_not_there(out: Outgoing, echo: Endpoint) -> None:
    with echoing() as gone:
        pass
    with pytest.raises(Unavailable, match=r"echo cannot be reached \(ConnectError\)") as raised:
        await out.send(changed(echo, url=gone), "GET", "/echo")
    assert raised.value.reason == "unavailable"


TRICKS = [
    "", "/", "echo", "//echo", "/echo/", "/echo/..", "/echo/../echo", "/./echo", "/echo?x=1", "/echo#x", "/echo;x", "/ECHO", " /echo",
    "/echo\n", "/echo\r\nX: y", "/echo%2f", "/%65cho", "/things/..", "/things/.", "/things/.hidden", "/things/%2e%2e", "/things/a%2fb",
    "/things/a/b", "/things/", "/things/a\\b", "/things/..\\x", "/things/a;b", "/things/a?b", "/things/ä", "/things/\uff0e\uff0e", "/things/a\x00",
    "/things/" + "x" * 101, "@127.0.0.1:1/echo", ":1/echo", ".evil.example/echo", "http://127.0.0.1:1/echo", "/\\127.0.0.1:1/echo", "/_control",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
async def test_no_other_path_can_be_asked(out: Outgoing, echo: Endpoint, path: str) -> None:
    with pytest.raises(EndpointError, match=r"is no path of echo for GET: use /echo or .*/things/\{id\}, where"):
        await out.send(echo, "GET", path)
    assert Echo.seen == []


@pytest.mark.parametrize("part", ["A-100", "38.58,-121.49", "a..b", "user@host", "2026-11-22T10:00:00+01:00", "~me"])
async def test_what_may_stand_between_slashes(out: Outgoing, echo: Endpoint, part: str) -> None:
    with pytest.raises(EndpointError, match="answered 404"):
        await out.send(echo, "GET", f"/things/{part}")
    assert Echo.seen[0][1] == f"/things/{part}"


async def test_a_path_is_registered_for_a_method(out: Outgoing, echo: Endpoint) -> None:
    with pytest.raises(EndpointError, match="'/page' is no path of echo for POST: use /echo, where"):
        await out.send(echo, "POST", "/page", body={})
    with pytest.raises(EndpointError, match="echo takes no POST: list_endpoints shows what it takes"):
        await out.send(changed(echo, post=()), "POST", "/echo", body={})
    assert Echo.seen == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "the endpoint needs a key: whoever runs the gateway has to set ECHO_KEY"),
        ("a\r\nX: y", "the key in ECHO_KEY has characters that"),
        ("ä", "no header may have"),
    ],
)
async def test_without_a_good_key_nothing_is_asked(out: Outgoing, echo: Endpoint, value: str, says: str) -> None:
    with environment({"ECHO_KEY": value}), pytest.raises(EndpointError, match=says) as raised:
        await out.send(echo, "GET", "/echo")
    assert raised.value.reason == "no-key" and Echo.seen == []


async def test_the_key_is_read_anew_each_time(out: Outgoing, echo: Endpoint) -> None:
    for key in ("first", "second"):
        with environment({"ECHO_KEY": key}):
            await out.send(echo, "GET", "/echo")
    assert [headers["x-key"] for _, _, headers in Echo.seen] == ["first", "second"]


async def test_services_of_the_lab_start_when_they_are_asked_and_end(out: Outgoing) -> None:
    bank = load(LISTED)["bank"]
    with environment({bank.key.env if bank.key else "": "demo-token-of-ada"}):
        reply = await out.send(bank, "GET", "/accounts")
    assert [account["id"] for account in reply.data["accounts"]] == ["A-100", "A-101"]
    child = out._services["bank"]._child
    assert child.poll() is None
    await out.close()
    assert child.poll() is not None
    with pytest.raises(
        EndpointError, match="bank is at local:nothing, which the lab does not have: use local:weather or local:bank"
    ):
        await out.send(changed(bank, url="local:nothing", key=None), "GET", "/accounts")


async def test_the_list_of_the_lab(out: Outgoing) -> None:
    listed = load(LISTED)
    assert list(listed) == ["weather", "bank"] and listed["bank"].key == Key(
        env="API_GATEWAY_BANK_KEY", prefix="Bearer "
    )
    with pytest.raises(EndpointError, match="'wheather' is not registered: use weather or bank"):
        listed.find("wheather")
    with environment({"API_GATEWAY_WEATHER_URL": "http://127.0.0.1:1/"}):
        assert await out.base(load(LISTED)["weather"]) == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[Weather]", r"\[Weather\] name: String should match pattern"),
        ("x = 1", r"\[x\] Value error, url has to be"),
        ("[x", "Expected"),
        ("[x]\npaths = []", r"\[x\] paths: Extra inputs are not permitted"),
        ('[x]\nget = ["/a"]', "url has to be local:NAME, https://HOST or http://127.0.0.1:PORT"),
        ('[x]\nget = ["/a"]\nurl = "ftp://x"', "url has to be"),
        ('[x]\nget = ["/a"]\nurl = "https://"', "url has to be"),
        ('[x]\nget = ["/a"]\nurl = "local:../x"', "url has to be"),
        ('[x]\nget = ["/a"]\nurl = "http://me:canary@127.0.0.1"', "url has to be"),
        ('[x]\nget = ["/a"]\nurl = "http://127.0.0.1:99999"', "url has to be"),
        ('[x]\nget = ["/a"]\nurl = "http://127.0.0.1/?x"', "url has to be"),
        ('[x]\nurl = "https://api.example"', "there are no paths: write get or post"),
        ('[x]\nurl = "https://api.example"\nget = "/a"', "get: Input should be a valid tuple"),
        ('[x]\nurl = "https://api.example"\nget = ["/a/../b"]', "get.0: String should match"),
        ('[x]\nurl = "https://api.example"\nget = ["/a?b"]', "get.0: String should match"),
        ('[x]\nurl = "https://api.example"\npost = ["a"]', "post.0: String should match"),
        ('[x]\nurl = "http://api.example"\nget = ["/a"]\nkey = {env = "K"}', "http to another machine: all on the way could read the key"),
        ('[x]\nurl = "http://127.0.0.1"\nget = ["/a"]\nkey = {env = "my-canary"}', "key.env: String should match"),
        ('[x]\nurl = "http://127.0.0.1"\nget = ["/a"]\nkey = {env = "K", header = "a b"}', "key.header: String should match"),
        ('[x]\nurl = "http://127.0.0.1"\nget = ["/a"]\nkey = {env = "K", secret = "canary"}', "key.secret: Extra inputs"),
        ('[x]\nurl = "http://127.0.0.1"\nget = ["/a"]\nkey = {}', "key.env: Field required"),
        ('[x]\nurl = "http://127.0.0.1"\nget = ["/a"]\nkey = "canary"', "key: Input should be a valid dict"),
        ('[x]\nurl = "http://127.0.0.1"\nget = ["/a"]\nkeep = -1', "keep: Input should be greater than or equal to 0"),
        ('[x]\nurl = "http://127.0.0.1"\nget = ["/a"]\nseconds = 0', "seconds: Input should be greater than 0"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_used_is_explained(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "list.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(EndpointError, match=says) as raised:
        load(file)
    assert str(raised.value).startswith(f"{file} cannot be used: ") and "canary" not in str(raised.value)
    with pytest.raises(EndpointError, match="cannot be used"):
        load(tmp_path / "missing.toml")


def test_what_fits_a_part_has_nothing_to_decode() -> None:
    assert not set("%;\\/?# \t") & {c for c in map(chr, range(0x250)) if re.fullmatch(PART, c)}
    assert all(ord(c) < 128 for c in map(chr, range(0x3000)) if re.fullmatch(PART, c))
