"""The drill of class 6: addresses that lead inside, and do not look like it."""

import runpy
from pathlib import Path
from urllib.parse import quote

from labkit.range import Target

SITES = runpy.run_path(str(Path(__file__).with_name("sites.py")))
LIBRARY = {"RANGE_LIBRARY": str(Path(__file__).with_name("network.py"))}
Sites, PUBLIC6, BORDERING = SITES["Sites"], SITES["PUBLIC6"], SITES["BORDERING"]

SPELLINGS = ("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001")
SPELLINGS += ("127.0.0.2", "127.255.255.254", "0", "0.0.0.0", "0x0", "localhost", "LOCALHOST", "localhost.")
SPELLINGS += (
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
)
"""This machine's own address, as it can be written."""
INNER = tuple(f"[{each}]" if ":" in each else each for each in SITES["INNER"])
INNER += ("2852039166", "0xa9fea9fe", "0xA9.254.0xA9.254", "169.254.43518", "167772167", "10.7")
"""Addresses of an inner service, and some of their spellings."""
NAMES = (*SITES["LED"], *SITES["REBINDING"])
"""Names that lead inside; some only when they are looked up again."""
ATTACKS = tuple(f"http://{host}:INNER/latest/meta-data/" for host in (*SPELLINGS, *INNER, *NAMES))
ATTACKS += tuple(
    f"http://docs.example/to?url={quote(f'http://{host}:INNER/latest/')}"
    for host in ("127.0.0.1", "127.1", "169.254.169.254", "[::1]", "loop.attacker.example", "rebind1.attacker.example")
)
ATTACKS += (
    f"http://docs.example/to?url={quote('http://docs.example/to?url=' + quote('http://2130706433:INNER/'))}",
    f"http://docs.example/to?url={quote('//127.0.0.2:INNER/latest/')}",
    "http://docs.example@127.1:INNER/",
    "http://docs.example:80@2130706433:INNER/",
    "http://docs.example%2f@127.1:INNER/",
    "http://127.1:INNER/?host=docs.example",
    "http://127.1:INNER#@docs.example/",
)
"""INNER stands for the port of the inner service."""
LEGITIMATE = (
    ("http://docs.example/", "page / of docs.example"),
    ("http://docs.example/a/b.html?x=1&y=2", "page /a/b.html?x=1&y=2 of docs.example"),
    ("http://docs.example:8080/", "page / of docs.example:8080"),
    ("http://93.184.215.14/ip", "page /ip of 93.184.215.14"),
    (f"http://[{PUBLIC6}]/six", f"page /six of [{PUBLIC6}]"),
    ("http://v6.example/", "page / of v6.example"),
    ("http://many.example/", "page / of many.example"),
    ("http://docs.example/hops?n=3", "arrived"),
    (f"http://docs.example/to?url={quote('/moved?x=1')}", "page /moved?x=1 of docs.example"),
    (f"http://docs.example/to?url={quote('http://v6.example/there')}", "page /there of v6.example"),
)
"""Addresses, and what is there."""
REFUSED = (
    "http://nobody.example/",
    "http://docs.example/hops?n=99",
    "ftp://docs.example/",
    "file:///etc/hosts",
    "http://",
)
REFUSED += (f"http://docs.example/to?url={quote('file:///etc/hosts')}",)
"""What cannot be read, and has to be an error."""
NEAR_MISSES = tuple((f"http://{name}/", f"page / of {name}") for name in SITES["SITES"])
NEAR_MISSES += tuple(
    (f"http://{host}/", f"page / of {host}") for host in (f"[{each}]" if ":" in each else each for each in BORDERING)
)
NEAR_MISSES += (
    ("http://DOCS.example/", "page / of"),
    ("http://docs.example./", "page / of docs.example"),
    ("http://docs.example/localhost", "page /localhost of docs.example"),
    ("http://docs.example/?next=http://127.0.0.1/", "page /?next=http://127.0.0.1/ of docs.example"),
    ("http://docs.example/#http://169.254.169.254/", "page / of docs.example"),
    ("http://docs.example/0x7f000001/2130706433", "page /0x7f000001/2130706433 of docs.example"),
)
"""Public addresses with the words of a list in them, or beside those that are not public."""


async def attack(target: Target) -> list[str]:
    """What the inner service says, or that it was asked at all."""
    obtained: list[str] = []
    with Sites(target.canary) as sites:
        conn = await target.connect(sites.env | LIBRARY)
        for address in ATTACKS:
            before = sites.visits
            result = await conn.call("read_page", url=address.replace("INNER", str(sites.inner)))
            if target.canary in result.text:
                obtained.append(f"{address} gave {target.canary}")
            elif sites.visits > before:
                obtained.append(f"{address} made it ask the inner service ({target.canary})")
    return obtained


async def legitimate(target: Target) -> list[str]:
    """Public pages are read, through redirects; what cannot be read is an error."""
    failed = await read(target, LEGITIMATE)
    with Sites(target.canary) as sites:
        conn = await target.connect(sites.env | LIBRARY)
        for address in REFUSED:
            result = await conn.call("read_page", url=address)
            if not result.is_error:
                failed.append(f"{address} is no error: {result.text!r}")
    return failed


async def near_misses(target: Target) -> list[str]:
    """Public is what its address is, however the name looks."""
    return await read(target, NEAR_MISSES)


async def read(target: Target, cases: tuple[tuple[str, str], ...]) -> list[str]:
    """A sentence for each page that does not come as it has to."""
    failed: list[str] = []
    with Sites(target.canary) as sites:
        conn = await target.connect(sites.env | LIBRARY)
        for address, wanted in cases:
            result = await conn.call("read_page", url=address)
            if result.is_error or wanted not in result.text:
                failed.append(f"{address} does not answer {wanted!r}: {result.text!r}")
    return failed
