"""Checks of 20_ssrf. A public site and an inner service are on loopback; names and paths come from the seed."""

import json
import random
import runpy
import string
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from labkit.grading.checks import check, expect_true
from labkit.grading.spec import RANGE
from labkit.grading.submission import Submission
from labkit.grading.talk import Reply

SITES = runpy.run_path(str(RANGE / "ssrf" / "sites.py"))
PUBLIC, PUBLIC6 = SITES["PUBLIC"], SITES["PUBLIC6"]
LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.2",
    "0",
)
LOOPBACK += (
    "0.0.0.0",
    "localhost",
    "LOCALHOST.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "127。0。0。1",
)


class Desk:
    """A server in the network of a drill, and the two hosts there."""

    def __init__(self, submission: Submission, rng: random.Random, sites: Any) -> None:
        self._rng, self.sites = rng, sites
        self.host, self.path = f"{self.word()}.example", f"/{self.word()}"
        self.world: dict[str, Any] = sites.world
        self.world["names"][self.host] = [[PUBLIC]]
        library = (RANGE / "ssrf" / "network.py").read_text(encoding="utf-8")
        for name in ("network.py", "library.py"):
            (submission.folder / name).write_text(library, encoding="utf-8")
        self._submission, self._library = submission, (submission.folder / "library.py").as_posix()

    def word(self) -> str:
        return "".join(self._rng.choices(string.ascii_lowercase, k=6))

    def led(self, *answers: list[str]) -> str:
        """A name that leads there, each time that it is looked up."""
        name = f"{self.word()}.attacker.example"
        self.world["names"][name] = list(answers)
        return name

    def ask(self, url: str) -> Reply:
        env = {"RANGE_NETWORK": json.dumps(self.world), "RANGE_LIBRARY": self._library}
        return self._submission.made(env).call("read_page", url=url)

    def stays_out(self, host: str) -> None:
        """Neither what the inner service says, nor that it was asked."""
        self.stays_out_of(f"http://{host}:{self.sites.inner}{self.path}")

    def stays_out_of(self, url: str, said: str = "not public") -> None:
        before = self.sites.visits
        reply = self.ask(url)
        expect_true(
            self.sites.visits == before, f"read_page({url!r}) asks a service inside, and answers {reply.text!r}"
        )
        expect_true(reply.is_error, f"read_page({url!r}) is no error, it answers {reply.text!r}")
        told = said in reply.text or "too many redirects" in reply.text
        expect_true(told, f"the error of read_page({url!r}) lacks {said!r}: {reply.text!r}")

    def reads(self, url: str, wanted: str) -> None:
        reply = self.ask(url)
        right = not reply.is_error and reply.text == wanted
        expect_true(right, f"read_page({url!r}) answers {reply.text!r}, not {wanted!r}")

    def to(self, url: str) -> str:
        """A public page that redirects there."""
        return f"http://{self.host}/to?url={quote(url, safe='')}"


@contextmanager
def desk(submission: Submission, rng: random.Random) -> Iterator[Desk]:
    with SITES["Sites"]("".join(rng.choices(string.ascii_lowercase, k=12))) as sites:
        yield Desk(submission, rng, sites)


def brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@check(
    "attack: no spelling of this machine is fetched",
    points=3,
    reason="An address is a number. There are more ways to write it than anybody lists; the system knows them all.",
    about="make",
)
def test_loopback(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        for host in (*LOOPBACK, f"127.{rng.randint(1, 254)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"):
            it.stays_out(host)
        it.stays_out_of(f"http://{it.host}@127.1:{it.sites.inner}/")
        it.stays_out_of(f"http://127.1:{it.sites.inner}/?host={it.host}#@{it.host}/")


@check(
    "attack: no address of an inner network is fetched",
    points=3,
    reason="Inner services have many kinds of addresses; those of clouds are the first that an attacker tries.",
    about="make",
)
def test_inner(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        for address in SITES["INNER"]:
            it.stays_out(brackets(address))
        for spelled in ("2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "167772167"):
            it.stays_out(spelled)


@check(
    "attack: no name leads inside",
    points=3,
    reason="The owner of a name decides where it leads, and may answer otherwise at the next question.",
    about="make",
)
def test_name(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        hosts = [
            it.led([address]) for address in ("127.0.0.1", "::1", "10.0.0.7", "169.254.169.254", "100.100.100.200")
        ]
        hosts += [it.led([PUBLIC, "127.0.0.1"]), it.led(["127.0.0.1", PUBLIC]), it.led([PUBLIC6, PUBLIC, "::1"])]
        for host in hosts:
            it.stays_out(host)


@check(
    "attack: a name is looked up once",
    points=3,
    reason="What was looked at is an address. Whoever connects to the name asks again, and may be told another.",
    about="make",
)
def test_once(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        host, second, third = (it.led(*[[PUBLIC]] * n, ["127.0.0.1"]) for n in (1, 2, 3))
        it.reads(f"http://{host}:{it.sites.inner}{it.path}", f"page {it.path} of {host}:{it.sites.inner}")
        for name in (second, third):
            url = f"http://{name}:{it.sites.inner}{it.path}"
            before = it.sites.visits
            it.ask(url)  # of one that asks twice, it gets a public page or nothing
            expect_true(it.sites.visits == before, f"read_page({url!r}) asks a service inside")


@check(
    "attack: no redirect leads inside",
    points=3,
    reason="A Location is written by whoever runs the page. It is looked at like the first address, each time.",
    about="make",
)
def test_redirect(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        port, named = it.sites.inner, it.led(["127.0.0.1"])
        for target in (
            f"http://127.0.0.1:{port}/",
            f"http://127.1:{port}/",
            f"http://[::1]:{port}/",
            f"//127.0.0.2:{port}/",
            f"http://{named}:{port}/",
            "http://169.254.169.254/latest/",
            it.to(f"http://2130706433:{port}/"),
        ):
            it.stays_out_of(it.to(target))
        for target in ("file:///etc/hosts", f"ftp://{it.host}/", f"https://{it.host}/"):
            it.stays_out_of(it.to(target), "http://HOST")


@check(
    "use: public pages are read",
    points=2,
    reason="The site has to be told for which of its names you come, although you connect to an address.",
    about="make",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        port = rng.randint(1000, 9000)
        it.reads(f"http://{it.host}{it.path}?x=1&y=2", f"page {it.path}?x=1&y=2 of {it.host}")
        it.reads(f"http://{it.host}:{port}", f"page / of {it.host}:{port}")
        it.reads(f"http://{PUBLIC}{it.path}", f"page {it.path} of {PUBLIC}")
        it.reads(f"http://[{PUBLIC6}]{it.path}", f"page {it.path} of [{PUBLIC6}]")
        for answers in ([PUBLIC6], [PUBLIC, PUBLIC6, "11.0.0.1"]):
            name = it.led(answers)
            it.reads(f"http://{name}{it.path}", f"page {it.path} of {name}")


@check(
    "use: redirects are followed, and end",
    points=1,
    reason="Pages move. Those that move for ever keep whoever follows.",
    about="make",
)
def test_hops(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        other = it.led([PUBLIC6])
        it.reads(it.to(f"{it.path}?x=1"), f"page {it.path}?x=1 of {it.host}")
        it.reads(it.to(f"http://{other}{it.path}"), f"page {it.path} of {other}")
        for hops in (1, 5):
            it.reads(f"http://{it.host}/hops?n={hops}", "arrived")
        for n in (6, 60):
            reply = it.ask(f"http://{it.host}/hops?n={n}")
            expect_true(
                reply.is_error and "too many redirects" in reply.text, f"{n} redirects are answered: {reply.text!r}"
            )
        expect_true(it.ask("http://nobody.example/").is_error, "a page of a host that does not exist is no error")
        for url in (f"https://{it.host}/", f"ftp://{it.host}/", it.host, "http:///x", "http://"):
            reply = it.ask(url)
            said = f"read_page({url!r}) is no error that says how to write one: {reply.text!r}"
            expect_true(reply.is_error and "http://HOST" in reply.text, said)
        alone = submission.made({}).call("read_page", url=f"http://{it.host}/")
        expect_true(alone.is_error and "no host" in alone.text, f"without settings, a name is answered: {alone.text!r}")


@check(
    "near miss: public is public, whatever is in the name",
    points=2,
    reason="Names have numbers and words in them, and public addresses lie beside those that are not.",
    about="make",
)
def test_near(submission: Submission, rng: random.Random) -> None:
    with desk(submission, rng) as it:
        word = it.word()
        names = [
            "shop10.{}.example",
            "localhost.{}.example",
            "127.0.0.1.{}.example",
            "10.0.0.{}.example",
            "{}-169.254.example",
        ]
        for form in (*names, "metadata.{}.example", "{}0x7f.example", "192.168.{}.example"):
            name = form.format(word)
            it.world["names"][name] = [[PUBLIC]]
            it.reads(f"http://{name}{it.path}", f"page {it.path} of {name}")
        for address in SITES["BORDERING"]:
            it.reads(f"http://{brackets(address)}{it.path}", f"page {it.path} of {brackets(address)}")
        for path in ("/localhost", "/127.0.0.1/10.0.0.1", "/?next=http://127.0.0.1/", "/x@169.254.169.254"):
            it.reads(f"http://{it.host}{path}", f"page {path} of {it.host}")
        it.reads(f"http://{it.host}{it.path}#http://127.0.0.1/", f"page {it.path} of {it.host}")
