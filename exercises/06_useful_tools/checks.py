"""Checks of 06_useful_tools."""

import random

from labkit.grading.checks import check, expect, expect_names, expect_true
from labkit.grading.submission import Submission

PRICE = {"stalls": 24, "circle": 18}


@check(
    "the schemas say what the arguments may be",
    points=2,
    reason="A model reads the schema before its first try; what is not in it has to be found out by failing.",
    about="find_seats",
)
def test_schema(submission: Submission, rng: random.Random) -> None:
    hello = submission.session("memory", "2025-11-25").hello
    expect(hello["serverInfo"]["name"], "box office", "the server's name")
    session = submission.session()
    tools = session.tools()
    for name in ("find_seats", "book"):
        properties = tools[name]["inputSchema"]["properties"]
        expect_names(properties, ["row", "count"], f"the arguments of {name}")
        row, count = properties["row"], properties["count"]
        expect(sorted(row.get("enum") or []), ["circle", "stalls"], f"the choices of row in {name}'s schema")
        expect(count.get("type"), "integer", f"the type of count in {name}'s schema")
        expect([count.get("minimum"), count.get("maximum")], [1, 8], f"the bounds of count in {name}'s schema")
        for argument in ("row", "count"):
            expect_true(properties[argument].get("description"), f"{name}'s schema does not describe {argument}")
        for bad in ({"row": "roof", "count": 1}, {"row": "stalls", "count": rng.randint(9, 99)}):
            expect_true(session.call(name, **bad).is_error, f"{name}({bad}) was accepted")


@check(
    "find_seats answers with structure",
    points=2,
    reason="A program should not have to read a sentence to find a number in it.",
    about="find_seats",
)
def test_structure(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        promised = session.tools()["find_seats"].get("outputSchema", {}).get("properties", {})
        expect_names(promised, ["row", "free", "price"], f"the output schema of find_seats ({session})")
        row, count = rng.choice(sorted(PRICE)), rng.randint(1, 8)
        found = session.call("find_seats", row=row, count=count).data
        expect_names(found or {}, ["row", "free", "price"], f"find_seats({row!r}, {count}): structuredContent")
        expect(found["row"], row, f"find_seats({row!r}, {count}): row")
        expect(found["price"], count * PRICE[row], f"find_seats({row!r}, {count}): price")


@check(
    "too few seats are a tool error that helps",
    points=3,
    reason="isError tells everybody that nothing was booked; row and number tell the model what to try next.",
    about="book",
)
def test_error(submission: Submission, rng: random.Random) -> None:
    for era in ("2025-11-25", "2026-07-28"):
        session, free = submission.fresh("process", era), 12
        expect(
            session.call("book", row="stalls", count=1).data, {"result": 39}, f"the first book('stalls', 1) ({session})"
        )
        expect(session.call("printed").data, {"result": 0}, f"printed() at the start ({session})")
        while free > 0:
            count = min(free, rng.randint(3, 8))
            more = min(8, free + rng.randint(1, 3))
            if more > free:
                refused = session.call("book", row="circle", count=more)
                expect(refused.is_error, True, f"isError of book('circle', {more}) when {free} are free ({session})")
                for word in ("circle", str(free)):
                    expect_true(word in refused.text, f"the error does not say {word!r}: {refused.text!r}")
            free -= count
            expect(session.call("book", row="circle", count=count).data, {"result": free}, f"book('circle', {count})")


@check(
    "annotations say what the tools do",
    points=1,
    reason="A host asks the user before it lets a model write. It decides by these hints.",
    about="book",
)
def test_annotations(submission: Submission, rng: random.Random) -> None:
    tools = submission.session().tools()
    hints = {name: tools[name].get("annotations") or {} for name in ("find_seats", "printed", "book")}
    for name in ("find_seats", "printed"):
        expect(hints[name].get("readOnlyHint"), True, f"readOnlyHint of {name}")
    expect_true(hints["book"].get("readOnlyHint") is not True, "book says that it only reads")
    expect(hints["book"].get("destructiveHint"), False, "destructiveHint of book")


@check(
    "print_tickets reports each ticket",
    points=2,
    reason="Someone who waits wants to see that it goes on, and how far it is.",
    about="print_tickets",
)
def test_progress(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        count, token = rng.randint(3, 9), f"p{rng.randint(1, 999)}"
        session.notifications.clear()
        call = {"name": "print_tickets", "arguments": {"count": count}}
        expect(
            session.request("tools/call", call, meta={"progressToken": token}).text, f"{count} tickets", "the answer"
        )
        seen = [frame["params"] for frame in session.notifications if frame["method"] == "notifications/progress"]
        got = [[p.get("progressToken"), p.get("progress"), p.get("total"), p.get("message")] for p in seen]
        wanted = [[token, number, count, f"ticket {number}"] for number in range(1, count + 1)]
        expect_true(got == wanted, f"token, progress, total, message ({session}): expected {wanted}, got {got}")


@check(
    "a cancelled print_tickets stops printing",
    points=2,
    reason="The caller has gone; what goes on printing wastes paper, and nobody can stop it any more.",
    about="print_tickets",
)
def test_cancel(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        order = session.race(("tools/call", {"name": "print_tickets", "arguments": {"count": 9}}), ("tools/list", {}))
        expect(order, ["tools/list", "tools/call"], f"the order of the answers when nine are printed ({session})")
        session.abandon("tools/call", {"name": "print_tickets", "arguments": {"count": 400}})
        before = session.call("printed").data["result"]
        few = rng.randint(5, 9)
        session.call("print_tickets", count=few)  # time enough for a printer that goes on to be noticed
        expect(
            session.call("printed").data["result"],
            before + few,
            f"tickets printed: {before} when the long job was cancelled, and then {few} more ({session})",
        )
