"""Checks of 00_first_call."""

import random
import string

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

SERVER = """
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("given")


@server.tool()
def add(a: int, b: int) -> int:
    return a + b + {offset}


@server.tool()
def divide(a: int, b: int) -> int:
    if b == {refused}:
        raise ToolError("I do not divide by {refused} today.")
    return a // b


for name in {names}:
    server.add_tool(lambda: name, name=name)


@server.resource("lab://motto")
def motto() -> str:
    return "{motto}"
"""


def given(rng: random.Random) -> tuple[str, dict]:
    words = ["".join(rng.choices(string.ascii_lowercase, k=7)) for _ in range(5)]
    facts = {
        "offset": rng.randint(100, 999),
        "refused": rng.randint(2, 9),
        "names": words[:3],
        "motto": " ".join(words),
    }
    return SERVER.format(**facts), facts


@check(
    "tool_names lists what the server offers",
    points=2,
    reason="A client finds out what there is by asking; the list differs from server to server.",
    about="tool_names",
)
def test_tool_names(submission: Submission, rng: random.Random) -> None:
    for _ in range(2):
        server, facts = given(rng)
        expect(submission.drive("tool_names", server), sorted(["add", "divide", *facts["names"]]), "tool_names(conn)")


@check(
    "total is what the server says",
    points=2,
    reason="The tool decides what add means. Python's own + never asked it.",
    about="total",
)
def test_total(submission: Submission, rng: random.Random) -> None:
    for era in ("2025-11-25", "2026-07-28"):
        server, facts = given(rng)
        a, b = rng.randint(1, 99), rng.randint(1, 99)
        expect(
            submission.drive("total", server, a, b, era=era), a + b + facts["offset"], f"total(conn, {a}, {b}), {era}"
        )


@check(
    "quotient gives None for a failed call",
    points=2,
    reason="A tool that fails answers with is_error, and its text is not a number to go on with.",
    about="quotient",
)
def test_quotient(submission: Submission, rng: random.Random) -> None:
    server, facts = given(rng)
    a, fine = rng.randint(100, 999), facts["refused"] + rng.randint(1, 9)
    expect(submission.drive("quotient", server, a, fine), a // fine, f"quotient(conn, {a}, {fine})")
    expect(submission.drive("quotient", server, 0, fine), 0, f"quotient(conn, 0, {fine})")
    refused = facts["refused"]
    expect(
        submission.drive("quotient", server, a, refused),
        None,
        f"quotient(conn, {a}, {refused}), which the tool refuses",
    )


@check(
    "motto reads the resource",
    points=2,
    reason="A resource is read by address, not called; its text is all that is wanted.",
    about="motto",
)
def test_motto(submission: Submission, rng: random.Random) -> None:
    server, facts = given(rng)
    expect(submission.drive("motto", server), facts["motto"], "motto(conn)")
