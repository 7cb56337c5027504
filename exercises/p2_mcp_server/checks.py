"""Checks of p2_mcp_server."""

import json
import random
import string

from labkit.grading.checks import check, expect, expect_fault, expect_names, expect_true
from labkit.grading.submission import Submission


def item_name(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=8))


@check(
    "the server introduces itself",
    points=2,
    reason="Name and version tell a host what it talks to; the instructions tell a model how to use it.",
    about="server",
)
def test_introduction(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        meta = session.hello.get("_meta", {})
        info = session.hello.get("serverInfo") or meta.get("io.modelcontextprotocol/serverInfo", {})
        expect(info.get("name"), "stockroom", f"the name ({session})")
        expect(info.get("version"), "1.0.0", f"the version ({session})")
        expect_true((session.hello.get("instructions") or "").strip(), f"there are no instructions ({session})")


@check("put adds up", points=3, reason="What was put before is still there: each answer is the new count.", about="put")
def test_put(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        item, first, second = item_name(rng), rng.randint(1, 50), rng.randint(1, 50)
        expect(
            session.call("put", item=item, count=first).data, {"result": first}, f"put({item!r}, {first}) ({session})"
        )
        wanted = {"result": first + second}
        expect(session.call("put", item=item, count=second).data, wanted, f"then put({item!r}, {second}) ({session})")


@check(
    "put and take work on the same shelf",
    points=1,
    reason="Two tools share one state; a copy in each function would drift apart.",
    about="take",
)
def test_known_items(submission: Submission, rng: random.Random) -> None:
    session = submission.fresh("process")
    for item, start in (("bolt", 40), ("nut", 12)):
        more = rng.randint(1, 9)
        expect(session.call("put", item=item, count=more).data, {"result": start + more}, f"put({item!r}, {more})")
        expect(session.call("take", item=item, count=1).data, {"result": start + more - 1}, f"then take({item!r}, 1)")


@check("take removes", points=2, reason="Each answer is what is left; the last one may go.", about="take")
def test_take(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        item, there = item_name(rng), rng.randint(10, 50)
        session.call("put", item=item, count=there)
        part = rng.randint(1, 9)
        expect(session.call("take", item=item, count=part).data, {"result": there - part}, f"take({part}) of {there}")
        expect(session.call("take", item=item, count=there - part).data, {"result": 0}, "taking all that are left")


@check(
    "too few is an error that says how many there are",
    points=3,
    reason="A model can only correct itself by what it reads: raise ToolError with the count; others are withheld.",
    about="take",
)
def test_too_few(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        item, there = item_name(rng), rng.randint(101, 199)
        session.call("put", item=item, count=there)
        reply = session.call("take", item=item, count=there + 7)
        expect_true(reply.is_error, f"taking {there + 7} of {there} succeeded: {reply.text!r} ({session})")
        expect_true(item in reply.text, f"the error does not name {item}: {reply.text!r}")
        expect_true(str(there) in reply.text, f"the error does not say that there are {there}: {reply.text!r}")
        expect(session.call("take", item=item, count=1).data, {"result": there - 1}, "a refused take removed something")
        nothing = session.call("take", item=item_name(rng), count=1)
        expect_true(nothing.is_error and "0" in nothing.text, f"taking what never was there: {nothing.text!r}")


@check(
    "the schema says that counts start at 1",
    points=2,
    reason="With the bound in the schema the model knows it before the first try, and the SDK refuses the rest.",
    about="put",
)
def test_counts(submission: Submission, rng: random.Random) -> None:
    session = submission.session()
    tools = session.tools()
    expect_names(tools, ["put", "take"], "the tools")
    for name in ("put", "take"):
        count = tools[name]["inputSchema"]["properties"].get("count", {})
        expect(count.get("type"), "integer", f"the type of count in {name}'s schema")
        expect_true(
            count.get("minimum") == 1 or count.get("exclusiveMinimum") == 0, f"{name}'s schema has no minimum of 1"
        )
        for bad in (0, -rng.randint(1, 9)):
            expect_true(session.call(name, item="bolt", count=bad).is_error, f"{name}('bolt', {bad}) was accepted")


@check(
    "stock://all is JSON of what is there",
    points=3,
    reason="A resource shows the state of now; the type tells the client to parse it.",
    about="everything",
)
def test_all(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        expect_names(session.resources(), ["stock://all"], f"the fixed resources ({session})")
        item, gone, count = item_name(rng), item_name(rng), rng.randint(1, 50)
        session.call("put", item=item, count=count)
        session.call("put", item=gone, count=1)
        session.call("take", item=gone, count=1)
        content = session.read("stock://all")["contents"][0]
        expect(content.get("mimeType"), "application/json", "the type of stock://all")
        stock = json.loads(content["text"])
        expect(stock.get(item), count, f"the count of {item} in stock://all after putting {count}")
        expect_true(gone not in stock, f"{gone} was taken away and is still in stock://all")
        expect_names(stock, ["bolt", "nut"], "the items in stock://all")


@check(
    "stock://item/{item} is one count, or error -32602",
    points=2,
    reason="An address that leads nowhere is a protocol error, so that the client need not read prose to know.",
    about="one",
)
def test_item(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        expect_names(session.templates(), ["stock://item/{item}"], f"the resource templates ({session})")
        item, count = item_name(rng), rng.randint(1, 50)
        session.call("put", item=item, count=count)
        expect(session.read(f"stock://item/{item}").text.strip(), str(count), f"stock://item/{item} ({session})")
        never = item_name(rng)
        fault = expect_fault(-32602, "an item that was never there", session.read, f"stock://item/{never}")
        # The SDK puts the address into `data`; the message is the answer's own.
        expect_true(never in fault.message, f"the error does not name {never}: {fault.message!r}")
        session.call("take", item=item, count=count)
        expect_fault(-32602, "an item that is used up", session.read, f"stock://item/{item}")


@check(
    "the prompt names the item and its count",
    points=2,
    reason="A prompt is filled when it is asked for, with the state of that moment.",
    about="reorder",
)
def test_reorder(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        expect_names(session.prompts(), ["reorder"], f"the prompts ({session})")
        item, count = item_name(rng), rng.randint(1000, 9999)
        session.call("put", item=item, count=count)
        reply = session.prompt("reorder", item=item)
        expect([message["role"] for message in reply["messages"]], ["user"], f"the roles of the messages ({session})")
        expect_true(item in reply.text, f"the message does not name {item}: {reply.text!r}")
        expect_true(str(count) in reply.text, f"the message does not say that there are {count}: {reply.text!r}")
        never = item_name(rng)
        expect_true(
            "0" in session.prompt("reorder", item=never).text, "for an item that never was there the count is 0"
        )
