"""Checks of p1_mcp_basics."""

import random
import string

from labkit.grading.checks import check, expect, expect_names, expect_true
from labkit.grading.submission import Submission

MOTTO = "Small steps, each one checked."


def word(rng: random.Random, length: int = 6) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=length))


@check(
    "the server starts and is called desk",
    points=1,
    reason="A host shows the name, and starts the file as a program: without run() under its main guard it just ends.",
)
def test_starts(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        if session.era == "2025-11-25":
            name = session.hello["serverInfo"]["name"]
        else:
            name = session.hello["_meta"]["io.modelcontextprotocol/serverInfo"]["name"]
        expect(name, "desk", f"the server's name ({session})")


@check("add gives the sum", points=2, reason="A tool answers with what it computed, for any numbers.", about="add")
def test_add(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        a, b = rng.randint(-999, 999), rng.randint(1000, 9999)
        expect(session.call("add", a=a, b=b).data, {"result": a + b}, f"add({a}, {b}) ({session})")


@check(
    "add says what it takes and gives",
    points=1,
    reason="A model only knows a tool by its description and schema; both come from the docstring and the types.",
    about="add",
)
def test_add_schema(submission: Submission, rng: random.Random) -> None:
    tools = submission.session().tools()
    expect_names(tools, ["add"], "the tools")
    schema = tools["add"]["inputSchema"]
    for name in ("a", "b"):
        expect(schema["properties"].get(name, {}).get("type"), "integer", f"the type of {name} in add's schema")
    expect(sorted(schema.get("required", [])), ["a", "b"], "what add's schema requires")
    given = tools["add"].get("outputSchema", {}).get("properties", {}).get("result", {}).get("type")
    expect(given, "integer", "the type of add's result in its output schema")
    expect_true(tools["add"].get("description", "").strip(), "add has no description; give the function a docstring")


@check(
    "shout repeats in capitals",
    points=2,
    reason="`times` says how often, and a call may leave it out: then it is once.",
    about="shout",
)
def test_shout(submission: Submission, rng: random.Random) -> None:
    text, times = f"{word(rng)} {word(rng)}", rng.randint(2, 5)
    for session in submission.everywhere():
        expect(session.call("shout", text=text).text, text.upper(), f"shout({text!r}) ({session})")
        wanted = " ".join([text.upper()] * times)
        expect(
            session.call("shout", text=text, times=times).text, wanted, f"shout({text!r}, times={times}) ({session})"
        )


@check(
    "the motto is a fixed resource",
    points=2,
    reason="A fixed resource is on the list, under the exact address that the task names, and reads as plain text.",
    about="motto",
)
def test_motto(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        expect_names(session.resources(), ["desk://motto"], f"the fixed resources ({session})")
        contents = session.read("desk://motto")["contents"]
        expect(contents[0].get("text"), MOTTO, f"the text of desk://motto ({session})")
        expect(contents[0].get("mimeType"), "text/plain", f"the type of desk://motto ({session})")


@check(
    "greetings are a resource template",
    points=2,
    reason="One template stands for every name; nothing but the address says who is greeted.",
    about="greeting",
)
def test_greeting(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        expect_names(session.templates(), ["greeting://{name}"], f"the resource templates ({session})")
        name = word(rng).title()
        expect(session.read(f"greeting://{name}").text, f"Hello, {name}!", f"greeting://{name} ({session})")
