"""The drill of class 16: a line too long, an answer too large, a pattern that backtracks, parts of parts, a wait.

All of it is small enough to be harmless here. Time that is computed away is measured as processor time, and the texts
for the pattern grow until it shows: each has four times the ways of the one before it.
"""

import time

import anyio

from labkit.range import Target
from labkit.session.connection import Connection

LIMIT, STEPS = 200, 1000
COUNTS = (201, 1000, 5000, 10**9, 0, -1)
"""Lines that are asked for. `log[-0:]` is all of it, and so is `log[1:]`, nearly."""
LENGTHS = (201, 10_000, 1_000_000)
"""Characters of a line."""
TEXTS = ("a" * 40, "Week 3" * 7 + ";")
"""No headings; each is tried from its first 12 characters on."""
COMPUTED = 0.1
"""Seconds of processor time for one answer."""
PATIENCE, WAIT = 2.0, 0.05
"""Seconds that the drill waits, and that the server is told a caller may have to."""


def doubled(levels: int, last: list[str]) -> dict[str, list[str]]:
    """Words that each have the next one twice as parts: 2**levels at the end."""
    return {f"w{n}": [f"w{n + 1}"] * 2 for n in range(levels)} | {f"w{levels}": last}


PARTS = (
    (doubled(10, ["x"]), "w0"),
    (doubled(13, ["x"]), "w0"),
    (doubled(13, []), "w0"),
    ({"a": ["b"] * 40, "b": ["c"] * 40}, "a"),
    ({"a": ["a"]}, "a"),
    ({"a": ["x", "b"], "b": ["a", "y"]}, "a"),
)
"""Parts of parts: too many, too many that are nothing in the end, and such as have themselves as parts."""
LEGITIMATE = (
    ("last_lines", {}, [f"{n:05} all is well" for n in range(4990, 5000)]),
    ("last_lines", {"count": 3}, [f"{n:05} all is well" for n in range(4997, 5000)]),
    ("is_heading", {"text": "Week 3:"}, True),
    ("is_heading", {"text": "Week  3:"}, False),
    ("is_heading", {"text": "Week 3"}, False),
    ("is_heading", {"text": ":"}, False),
    ("expand", {"parts": {"tea": ["water", "leaves"], "leaves": ["sun", "rain"]}, "word": "tea"}, "water sun rain"),
    ("expand", {"parts": {}, "word": "tea"}, "tea"),
    ("wait_for", {"word": "04711"}, "04711 all is well"),
)
"""Tool, arguments, answer; words stand for a list of words."""
NEAR_MISSES = (
    ("last_lines", {"count": LIMIT}, [f"{n:05} all is well" for n in range(4800, 5000)]),
    ("last_lines", {"count": 1}, ["04999 all is well"]),
    ("write_line", {"line": "x" * LIMIT}, 5001),
    ("write_line", {"line": ""}, 5002),
    ("is_heading", {"text": "word " * 39 + "last:"}, True),
    ("is_heading", {"text": "Über_Größe 3 :"}, True),
    ("is_heading", {"text": "x" * 1000 + ":"}, True),
    ("expand", {"parts": {"a": ["x"] * (STEPS - 1)}, "word": "a"}, " ".join(["x"] * (STEPS - 1))),
    ("expand", {"parts": doubled(8, ["x"]), "word": "w0"}, " ".join(["x"] * 256)),
    ("expand", {"parts": doubled(8, []), "word": "w0"}, []),
    ("expand", {"parts": {f"w{n}": [f"w{n + 1}"] for n in range(400)}, "word": "w0"}, "w400"),
    ("expand", {"parts": {"a": ["b", "c", "b"], "b": ["d"], "c": ["d", "b"]}, "word": "a"}, "d d d d"),
)
"""As much as there may be, and what is used twice without being a part of itself."""


async def attack(target: Target) -> list[str]:
    """What was accepted, answered, computed or waited for without an end."""
    conn = await target.connect({"RANGE_SECONDS": str(WAIT)})
    obtained: list[str] = []
    for count in COUNTS:
        result = await conn.call("last_lines", count=count)
        if not result.is_error and len(result.data) > LIMIT:
            obtained.append(f"last_lines({count}) answered with {len(result.data)} lines")
    for length in LENGTHS:
        if not (await conn.call("write_line", line="x" * length)).is_error:
            obtained.append(f"write_line took a line of {length} characters")
    for text in TEXTS:
        if shown := await _backtracks(conn, text):
            obtained.append(shown)
    for parts, word in PARTS:
        result = await conn.call("expand", parts=parts, word=word)
        if not result.is_error:
            obtained.append(f"expand answered with {len(result.data)} words, of {len(parts)} with parts")
    with anyio.move_on_after(PATIENCE) as waiting:
        result = await conn.call("wait_for", word="never")
        if not result.is_error:
            obtained.append(f"wait_for('never') answered: {result.text!r}")
    if waiting.cancelled_caught:
        obtained.append(f"wait_for('never') still waits after {PATIENCE:g} s, and may for {WAIT:g} s")
    return [f"{each} ({target.canary})" for each in obtained]


async def _backtracks(conn: Connection, text: str) -> str:
    """What to say of a text for which the pattern computes for long, twice; "" where it does not."""
    for length in range(12, len(text) + 1, 2):
        spent: list[float] = []
        while len(spent) < 2 and all(each > COMPUTED for each in spent):
            before = time.process_time()
            result = await conn.call("is_heading", text=text[: length - 1] + text[-1])
            spent.append(time.process_time() - before)
        if not result.is_error and result.data is not False:
            return f"is_heading calls {text[:length]!r} a heading"
        if min(spent) > COMPUTED:
            return f"is_heading computed {min(spent):.1f} s for {length} characters: {text[:length]!r}"
    return ""


async def legitimate(target: Target) -> list[str]:
    """The tools do what they say; a wait ends with the line that is waited for."""
    failed = await called(target, LEGITIMATE)
    conn = await target.connect()
    lines: list[str] = []

    async def wait() -> None:
        lines.append((await conn.call("wait_for", word="harvest")).text)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        written = await conn.call("write_line", line="the harvest is in")
    if written.data != 5001 or lines != ["the harvest is in"]:
        failed.append(f"a line that is waited for and written: {written.text!r}, {lines}")
    return failed


async def near_misses(target: Target) -> list[str]:
    """As much as there may be is answered."""
    return await called(target, NEAR_MISSES)


async def called(target: Target, cases: tuple) -> list[str]:
    """A sentence for each call that is not answered as it has to be."""
    conn = await target.connect()
    failed: list[str] = []
    for tool, arguments, wanted in cases:
        result = await conn.call(tool, **arguments)
        wanted = wanted.split(" ") if tool == "expand" and isinstance(wanted, str) else wanted
        if result.is_error or result.data != wanted:
            failed.append(f"{tool}({str(arguments)[:60]}) is not {str(wanted)[:60]}: {result.text[:60]!r}")
    return failed
