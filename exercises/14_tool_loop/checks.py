"""Checks of 14_tool_loop. Replies, names, arguments and how long a tool takes come from the seed."""

import json
import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Json = dict[str, Any]


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


class Play:
    """Four tools, and what a model wants of them."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self.rng = submission, rng
        self.task, self.names = f"{word(rng)}?", [word(rng) for _ in range(4)]
        takes = [9, 2, 6, 4]
        rng.shuffle(takes)
        self.tools: dict[str, Json] = {
            name: {"takes": n, "gives": word(rng)} for name, n in zip(self.names, takes, strict=True)
        }

    def call(self, name: str, arguments: str | None = None) -> Json:
        text = json.dumps({word(self.rng): self.rng.randint(1, 99)}) if arguments is None else arguments
        return {"id": f"c-{word(self.rng)}", "name": name, "arguments": text}

    def reply(self, *calls: Json) -> Json:
        return {"text": word(self.rng), "calls": list(calls)}

    def rehearse(self, replies: list[Json], steps: int = 9) -> Json:
        self.what = f"{json.dumps(replies)} with the tools {', '.join(self.names)}"
        return self._submission.call("rehearse", replies, self.tools, self.task, steps)

    def done(self, call: Json, **other: Any) -> Json:
        """The message that tells of this call, when nothing was wrong with it."""
        text = f"{self.tools.get(call['name'], {}).get('gives')} {call['arguments']}"
        return {"role": "tool", "call_id": call["id"], "text": text, "is_error": False, **other}

    def whole(self, *entries: Json) -> list[Json]:
        """Messages of these replies and results."""
        user = {"role": "user", "text": self.task}
        return [user, *(each if "role" in each else {"role": "assistant", **each} for each in entries)]

    def answered(self, found: Json, *entries: Json) -> None:
        expect(found.get("told"), {"ended": "answered", "messages": self.whole(*entries)}, f"the run of {self.what}")


def results(messages: list[Json], reply: Json) -> list[Json]:
    """What was told of the calls of a reply: the messages behind it."""
    at = messages.index({"role": "assistant", **reply})
    found = messages[at + 1 : at + 1 + len(reply["calls"])]
    ids = [call["id"] for call in reply["calls"]]
    expect([each.get("call_id") for each in found], ids, "the ids of the results, in order")
    return found


@check(
    "each result is told under the id of its call",
    points=3,
    reason="The id is all that binds an answer to a question: with another's id it answers another question.",
    about="run",
)
def test_ids(submission: Submission, rng: random.Random) -> None:
    play = Play(submission, rng)
    calls = [play.call(name) for name in [*play.names, play.names[0], play.names[2]]]
    rng.shuffle(calls)
    first, second, last = play.reply(*calls), play.reply(play.call(play.names[1])), play.reply()
    found = play.rehearse([first, second, last])
    middle = [first, *(play.done(call) for call in calls), second, play.done(second["calls"][0])]
    play.answered(found, *middle, last)
    cuts = [play.whole(), play.whole(*middle[:-2]), play.whole(*middle)]
    expect(found["read"], cuts, "what the model was given, each time")


@check(
    "calls of one reply are made at the same time",
    points=2,
    reason="Six calls of a second each are a second, or six.",
    about="run",
)
def test_together(submission: Submission, rng: random.Random) -> None:
    play = Play(submission, rng)
    calls = [play.call(name) for name in play.names]
    found = play.rehearse([play.reply(*calls), play.reply()])
    expect(
        [kind for kind, _, _ in found["log"]].index("ends"), 4, f"calls that had begun when the first ended, {calls}"
    )


@check(
    "a failure is told, and the others are told, too",
    points=3,
    reason="The model may correct what was wrong - if it hears of it. What the others have done is done.",
    about="run",
)
def test_failure(submission: Submission, rng: random.Random) -> None:
    play = Play(submission, rng)
    for count in (1, 2):
        failing = rng.sample(play.names, count)
        why = {name: f"{word(rng)} is missing" for name in failing}
        for name in play.names:
            play.tools[name].pop("raises", None)
        for name in failing:
            play.tools[name]["raises"] = why[name]
        calls = [play.call(name) for name in play.names]
        rng.shuffle(calls)
        first, last = play.reply(*calls), play.reply()
        found = play.rehearse([first, last])
        told = [
            play.done(each, text=why[each["name"]], is_error=True) if each["name"] in why else play.done(each)
            for each in calls
        ]
        play.answered(found, first, *told, last)
        expect(len(found["log"]), 8, "begins and ends of the calls")


@check(
    "a tool that there is not is told",
    points=2,
    reason="Models make up names. With the right ones before it, it finds the one that it meant.",
    about="run",
)
def test_unknown(submission: Submission, rng: random.Random) -> None:
    play = Play(submission, rng)
    good, bad = play.call(play.names[0]), play.call(word(rng))
    first, last = play.reply(bad, good), play.reply()
    found = play.rehearse([first, last])
    expect_true("told" in found, f"a tool that there is not ended the run: {found.get('raised')}")
    said, right = results(found["told"]["messages"], first)
    expect(right, play.done(good), "what was told of the call beside it")
    missing = [name for name in play.names if name not in said["text"]]
    expect_true(said["is_error"] is True and not missing, f"there is no {bad['name']}, and what is told is {said}")
    play.answered(found, first, said, right, last)


@check(
    "arguments that are no object are told",
    points=2,
    reason="The text is written by a model: half of it may be missing, or it is valid and something else.",
    about="run",
)
def test_arguments(submission: Submission, rng: random.Random) -> None:
    play = Play(submission, rng)
    for text in ('{"x": ', "", "[1, 2]", '"x"', "null", "{'x': 1}"):
        bad, good = play.call(play.names[0], text), play.call(play.names[1], "{}")
        first, last = play.reply(bad, good), play.reply()
        found = play.rehearse([first, last])
        expect_true("told" in found, f"the arguments {text!r} ended the run: {found.get('raised')}")
        said, right = results(found["told"]["messages"], first)
        expect(
            [said["is_error"], right], [True, play.done(good)], f"what was told of the arguments {text!r}, and beside"
        )
        expect_true(said["text"], f"what is told of the arguments {text!r} is empty")
        called = [name for kind, name, _ in found["log"] if kind == "begins"]
        expect(called, [good["name"]], f"the tools that were called; {bad['name']} had the arguments {text!r}")


@check(
    "a model that does not end is ended",
    points=3,
    reason="Each reply costs. And a call that is made after the last one changes something, and nobody reads what.",
    about="run",
)
def test_steps(submission: Submission, rng: random.Random) -> None:
    play = Play(submission, rng)
    for steps in (1, rng.randint(3, 6)):
        replies = [play.reply(play.call(name)) for name in rng.choices(play.names, k=8)]
        replies[steps - 1]["calls"].append(play.call(play.names[0]))
        found = play.rehearse(replies, steps)
        expect(len(found["read"]), steps, f"how often the model was asked, with {steps} steps")
        expect(found.get("told", {}).get("ended"), "steps", "how it ended")
        messages = found["told"]["messages"]
        for reply in replies[: steps - 1]:
            expect(results(messages, reply), [play.done(call) for call in reply["calls"]], "what was told of the calls")
        last = results(messages, replies[steps - 1])
        says = all(each["is_error"] is True and each["text"] for each in last)
        expect_true(says, f"the calls of the last reply are not made, and what is told is {last}")
        expect(len(messages), 2 + 2 * steps, "messages in the end")
        expect(len(found["log"]), 2 * (steps - 1), "begins and ends of calls; those of the last reply are not made")
        found = play.rehearse([*replies[: steps - 1], play.reply()], steps)
        expect(
            found.get("told", {}).get("ended"), "answered", f"how it ended with an answer in step {steps} of {steps}"
        )


@check(
    "a cancellation passes, and takes the calls along",
    points=2,
    reason="Whoever presses stop wants it to stop. A call that goes on alone belongs to nobody.",
    about="run",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    play = Play(submission, rng)
    stop, *others = play.names
    for name in others:
        play.tools[name]["takes"] = 9999
    play.tools[stop]["stops"] = True
    calls = [play.call(name) for name in play.names]
    rng.shuffle(calls)
    found = play.rehearse([play.reply(*calls), play.reply()])
    expect(found.get("raised"), "CancelledError: ", f"what a run that was cancelled raises, {play.what}")
    begun, ended = (sorted(name for kind, name, _ in found["log"] if kind == each) for each in ("begins", "ends"))
    expect_true(stop in begun, f"{stop} was not called")
    expect(ended, begun, "the calls that have ended when the run has, of those that had begun")
