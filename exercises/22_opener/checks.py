"""Checks of 22_opener. Hosts, paths and parameters come from the seed."""

import random
from typing import Any
from urllib.parse import urlencode

from labkit.grading.checks import check, expect, expect_true, show
from labkit.grading.submission import Submission


def word(rng: random.Random, length: int = 7) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=length))


class Bridge:
    """What is tried, with parameters of this run."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.submission, self.rng = submission, rng
        self.host, self.path = f"{word(rng)}.example", word(rng)
        self.params = {"response_type": "code", "client_id": word(rng), "state": f"{word(rng)} &;$"}

    def tried(self, endpoint: Any) -> dict[str, Any]:
        return self.submission.call("rehearse", {"authorization_endpoint": endpoint}, self.params)

    def refused(self, *endpoints: str) -> None:
        for endpoint in endpoints:
            found = self.tried(endpoint)
            expect(found["started"], [], f"what is started for {endpoint!r}")
            expect_true(
                found["refused"] is not None and found.get("url", 1) is None,
                f"{endpoint!r} is not refused: {show(found)}",
            )

    def opened(self, *endpoints: str) -> None:
        opener = self.submission.value("OPENER")
        for endpoint in endpoints:
            url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(self.params)}"
            found = self.tried(endpoint)
            expect_true(found["refused"] is None, f"{endpoint!r} is refused: {found['refused']!r}")
            expect(found["started"], [[*opener, url]], f"what is started for {endpoint!r}")
            expect(found["url"], url, f"the address that sign_in returns for {endpoint!r}")


@check(
    "attack: no part of an address is a command",
    points=4,
    reason="A shell reads a line before it runs a program: every address with a ; in it has two commands.",
    about="sign_in",
)
def test_shell(submission: Submission, rng: random.Random) -> None:
    bridge = Bridge(submission, rng)
    page, evil = f"https://{bridge.host}/{bridge.path}", word(rng)
    found = bridge.tried(page)["started"]
    expect_true(len(found) == 1 and isinstance(found[0], list), f"for {page} a shell is asked: {show(found)}")
    for text in (
        f";{evil};",
        f"&{evil}&",
        f"|{evil}|",
        f"$({evil})",
        f"`{evil}`",
        f"'{evil}",
        f'"{evil}',
        f"'$({evil})'",
    ):
        started = bridge.tried(page + text)["started"]
        ran = [each for each in started if isinstance(each, str)]
        expect(ran, [], f"the lines that a shell reads for {page + text!r}")


@check(
    "attack: other schemes are not opened",
    points=4,
    reason="The opener hands each scheme to its program: a page that is open, an editor, an installer.",
    about="sign_in",
)
def test_schemes(submission: Submission, rng: random.Random) -> None:
    bridge = Bridge(submission, rng)
    host, path = bridge.host, bridge.path
    bridge.refused(
        f"javascript:{path}()", f"JavaScript://{host}/%0a{path}()", f"data:text/html,{path}", f"vbscript:{path}"
    )
    bridge.refused(
        f"file:///etc/{path}",
        f"FILE:///{path}",
        f"file://{host}/{path}",
        f"ftp://{host}/{path}",
        f"ssh://{host}/{path}",
    )
    bridge.refused(
        f"{word(rng)}:{path}",
        f"https{word(rng)}://{host}/{path}",
        f"view-source:https://{host}/{path}",
        f"ms-{path}:/x",
    )
    bridge.refused(
        f"//{host}/{path}", f"/{path}", path, f"-{path}", f"--{path}=1", "", f"\\\\{host}\\{path}", f"https:{path}"
    )
    bridge.refused(f"https:///{path}", "https://", f"https://:443/{path}")


@check(
    "attack: an address is what it looks like",
    points=3,
    reason="Programs drop what they do not like: then the address that was checked is not the one that is opened.",
    about="sign_in",
)
def test_looks(submission: Submission, rng: random.Random) -> None:
    bridge = Bridge(submission, rng)
    host, path, evil = bridge.host, bridge.path, f"{word(rng)}.example"
    bridge.refused(
        f"java\tscript:{path}()", f"\x01javascript:{path}()", f" javascript:{path}()", f"https://{host}/{path}\r\nx: y"
    )
    bridge.refused(
        f" https://{host}/{path}", f"https://{host}/{path}\n", f"https://{host}/a {path}", f"https://{host}/\x00{path}"
    )
    bridge.refused(
        f"https://{host}\t/{path}", f"https://{host}/ü{path}", f"https://{host}/\x7f", f"\ufeffhttps://{host}/{path}"
    )
    bridge.refused(f"https://{host}@{evil}/{path}", f"https://{host}:{path}@{evil}/", f"http://127.0.0.1@{evil}/")
    bridge.refused(
        f"https://@{evil}/{path}",
        f"https://{host}:{rng.randint(70000, 99999)}/",
        f"https://{host}:{path}/",
        f"https://[{host}/",
    )
    bridge.refused(
        f"http://{host}/{path}",
        f"http://127.0.0.1.{evil}/",
        f"http://localhost.{evil}/",
        "http://127.0.0.2/",
        "http://10.0.0.1/",
    )


@check(
    "use: sign-in pages are opened",
    points=3,
    reason="A bridge that opens nothing connects nobody.",
    about="sign_in",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    bridge = Bridge(submission, rng)
    host, path, port = bridge.host, bridge.path, rng.randint(1024, 9999)
    bridge.opened(
        f"https://{host}/{path}", f"https://{host}:{port}/{path}/authorize", f"https://{host}/{path}?tenant={word(rng)}"
    )
    bridge.opened(f"http://127.0.0.1:{port}/{path}", f"http://localhost:{port}/{path}", f"http://[::1]:{port}/{path}")
    session = submission.made({"RANGE_SHOW": "1"})
    stays = [submission.value("OPENER")[1:], session.tools()["connect_account"]["annotations"].get("readOnlyHint")]
    expect(
        stays, [["-c", "import sys; print('opened:', *sys.argv[1:])"], True], "the opener, and the tool's annotation"
    )
    page = f"https://{host}/{path}"
    reply = session.call("connect_account", authorization_endpoint=page)
    shown = repr([*submission.value("OPENER"), f"{page}?response_type=code&client_id=bridge"])
    expect([reply.is_error, reply.text], [False, shown], "what connect_account would start")
    bad = session.call("connect_account", authorization_endpoint=f"file:///{path}")
    told = bad.text.removeprefix("Error executing tool connect_account").strip(" :")
    expect_true(bad.is_error and len(told) > 10, f"connect_account for another scheme says: {bad.text!r}")


@check(
    "near miss: odd addresses of the web are opened, too",
    points=2,
    reason="Without a shell there are no dangerous letters: who refuses them refuses pages that people need.",
    about="sign_in",
)
def test_near_misses(submission: Submission, rng: random.Random) -> None:
    bridge = Bridge(submission, rng)
    host, path = bridge.host, bridge.path
    bridge.opened(
        f"HTTPS://{host.upper()}/{path}",
        f"https://{host}",
        f"https://{host}/it's(not)an*attack!",
        f"https://{host}/{path}@b",
    )
    bridge.opened(
        f"https://{host}/?a=1&b=$x;c=d",
        f"https://{host}/%3Becho%20{path}%0a",
        f"https://{host}/?next=javascript:void(0)",
    )
    bridge.opened(
        f"https://javascript.{host}/file:{path}",
        "https://127.0.0.1/",
        "https://192.0.2.7/",
        "https://xn--bcher-kva.example/",
    )
    bridge.opened(f"http://LOCALHOST:8400/{path}", f"https://{host}/{path}?u=http://x@y")
