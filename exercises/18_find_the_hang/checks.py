"""Checks of 18_find_the_hang. Tapes are made from the seed: tools, ids, order and times."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

TOOLS = ["book", "search", "refund", "print_ticket"]
OTHERS = ["tools/list", "resources/list", "prompts/list"]


class TapeMaker:
    """Writes a tape entry by entry, with a clock in milliseconds that only moves forward."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.clock, self.tape = rng, rng.randint(0, 900), list[dict[str, Any]]()
        self.next = rng.randint(1, 50)
        self.sent_at: dict[Any, int] = {}

    def put(self, direction: str, **frame: Any) -> int:
        """An entry; its time."""
        self.clock += self.rng.randint(1, 400)
        self.tape.append({"at": self.clock, "direction": direction, "frame": {"jsonrpc": "2.0", **frame}})
        return self.clock

    def ask(self, tool: str = "", method: str = "tools/call") -> Any:
        """A request; its id."""
        self.next += 1
        id: Any = self.next if self.rng.random() < 0.8 else f"r{self.next}"
        params = {"name": tool, "arguments": {"seat": f"A{self.rng.randint(1, 9)}"}} if tool else {}
        self.sent_at[id] = self.put("sent", id=id, method=method, params=params)
        return id

    def answer(self, id: Any, kind: str = "result") -> None:
        """A result, a tool error, or a JSON-RPC error."""
        body: dict[str, Any] = {
            "result": {"result": {"content": [], "isError": False}},
            "refused": {"result": {"content": [], "isError": True}},
            "error": {"error": {"code": -32603, "message": "no"}},
        }[kind]
        self.put("received", id=id, **body)

    def give_up(self, id: Any) -> int:
        """The client does not wait any more; when."""
        return self.put("sent", method="notifications/cancelled", params={"requestId": id, "reason": "too slow"})

    def chatter(self, id: Any) -> int:
        """The server reports progress; when."""
        return self.put("received", method="notifications/progress", params={"progressToken": id, "progress": 1})


@check(
    "hung finds the calls without an answer",
    points=3,
    reason="Answers come in any order, an error is an answer as well, and progress is none.",
    about="hung",
)
def test_hung(submission: Submission, rng: random.Random) -> None:
    for missing in (0, 1, 3):
        maker = TapeMaker(rng)
        maker.ask(method=rng.choice(OTHERS))  # not a tool call, and not answered
        ids = [maker.ask(rng.choice(TOOLS)) for _ in range(7)]
        drawn = rng.sample(ids, missing) if missing < 2 else [ids[0], ids[3], ids[6]]
        lost = [id for id in ids if id in drawn]
        kinds = ["error", "refused", *["result"] * 5]
        for kind, id in zip(kinds, rng.sample([id for id in ids if id not in lost], 7 - len(lost)), strict=False):
            maker.chatter(rng.choice(ids))
            maker.answer(id, kind)
        expect(submission.call("hung", maker.tape), lost, f"hung(tape) with {missing} calls that hang")
    expect(submission.call("hung", []), [], "hung([])")


@check(
    "giving up is not an answer",
    points=2,
    reason="A call that was given up hung all the same; one that was answered after that did not hang, it was slow.",
    about="hung",
)
def test_given_up(submission: Submission, rng: random.Random) -> None:
    for kind in ("result", "error"):
        maker = TapeMaker(rng)
        quick, slow, never = (maker.ask(tool) for tool in rng.sample(TOOLS, 3))
        maker.answer(quick)
        for id in rng.sample([slow, never], 2):
            maker.give_up(id)
        maker.answer(slow, kind)
        what = f"hung(tape): {slow!r} and {never!r} were given up, and {slow!r} was answered late"
        expect(submission.call("hung", maker.tape), [never], what)


@check(
    "waited ends where the waiting ended",
    points=3,
    reason="A call waits until the client gives it up; one that nobody gave up still waits at the end of the tape.",
    about="waited",
)
def test_waited(submission: Submission, rng: random.Random) -> None:
    maker = TapeMaker(rng)
    fine, first, second = (maker.ask(tool) for tool in rng.sample(TOOLS, 3))
    given_up = maker.give_up(first)
    maker.answer(fine)
    end = maker.chatter(second)
    wanted = {first: given_up - maker.sent_at[first], second: end - maker.sent_at[second]}
    got = submission.call("waited", maker.tape)
    pairs = sorted(map(list, got.items()), key=str) if isinstance(got, dict) else got
    whole = [[str(id), ms] for id, ms in pairs] if isinstance(got, dict) else got
    expect(whole, sorted([[str(id), ms] for id, ms in wanted.items()], key=str), "waited(tape), as pairs")
    calm = TapeMaker(rng)
    calm.answer(calm.ask(rng.choice(TOOLS)))
    expect(submission.call("waited", calm.tape), {}, "waited(tape) when all was answered")


@check(
    "suspect is what the tool did last",
    points=3,
    reason="What a tool finished last before it stopped is what it stopped after; not other tools, not later answers.",
    about="suspect",
)
def test_suspect(submission: Submission, rng: random.Random) -> None:
    tool, other = rng.sample(TOOLS, 2)
    for kind in ("refused", "error"):
        maker = TapeMaker(rng)
        early, refused, later = maker.ask(tool), maker.ask(tool), maker.ask(tool)
        maker.answer(later)
        maker.answer(early)
        maker.answer(refused, kind)
        maker.answer(maker.ask(other))
        overtaken = maker.ask(tool)
        maker.ask(tool)
        maker.answer(overtaken)
        maker.ask(other)
        what = f"suspect(tape): {tool} hangs, {refused!r} was the last that it had answered"
        expect(submission.call("suspect", maker.tape), refused, what)
    fresh = TapeMaker(rng)
    fresh.answer(fresh.ask(other))
    fresh.ask(tool)
    expect(submission.call("suspect", fresh.tape), None, f"suspect(tape): {tool} never answered at all")
    calm = TapeMaker(rng)
    calm.answer(calm.ask(tool))
    expect(submission.call("suspect", calm.tape), None, "suspect(tape) when nothing hung")


@check(
    "who hangs: the tool or the server",
    points=3,
    reason="Only what was asked after the hang began can show that the server still works.",
    about="who",
)
def test_who(submission: Submission, rng: random.Random) -> None:
    tool, other = rng.sample(TOOLS, 2)
    for wanted, kind in (("tool", "result"), ("tool", "error"), ("server", "")):
        maker = TapeMaker(rng)
        before = maker.ask(other)
        maker.ask(tool)
        after = [maker.ask(other), maker.ask(method=rng.choice(OTHERS))]
        maker.answer(before)
        if kind:
            maker.answer(rng.choice(after), kind)
        what = f"who(tape): {len(after)} requests came after the hang, {1 if kind else 0} of them was answered"
        expect(submission.call("who", maker.tape), wanted, what)
    silent = TapeMaker(rng)
    before = silent.ask(other)
    hung = silent.ask(tool)
    silent.answer(before)
    silent.give_up(hung)
    expect(submission.call("who", silent.tape), "unknown", "who(tape): nothing was asked after the hang")
    calm = TapeMaker(rng)
    calm.ask(method=rng.choice(OTHERS))
    calm.answer(calm.ask(tool))
    expect(submission.call("who", calm.tape), "nobody", "who(tape) when every call was answered")
