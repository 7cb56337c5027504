"""Checks of 10_pipeline. Words come from the seed; `ran` and `notes` of the answer tell what a pipeline has done."""

import random
import re
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import HANDSHAKE, Reply, Session

Steps = list[dict[str, Any]]


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=8))


def step(tool: str, save: str = "", /, **args: Any) -> dict[str, Any]:
    return {"tool": tool, "args": args, **({"save": save} if save else {})}


def run(session: Session, steps: Steps) -> Reply:
    return session.call("run_pipeline", steps=steps)


def result(session: Session, steps: Steps, wanted: Any, what: str) -> None:
    answer = run(session, steps)
    expect_true(not answer.is_error, f"{what} ({session}) is refused: {answer.text[:300]!r}")
    expect(answer.data, {"ran": len(steps), "result": wanted}, f"{what} ({session})")


def ran(session: Session) -> list[str]:
    return session.call("ran").data["result"]


def notes(session: Session) -> dict[str, Any]:
    return session.call("notes").data


def named(answer: Reply) -> set[int]:
    """The steps that an error names."""
    return {int(number) for number in re.findall(r"step (\d+)", answer.text)}


def mistakes(rng: random.Random) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Steps that are wrong by themselves, after one that was saved as `first`; and what the error has to name."""
    tool, one, two, three, four, five = (word(rng) for _ in range(6))
    return {
        "there is no such tool": (step(tool, items="$first"), [tool]),
        "an argument is missing": (step("pick", items="$first"), ["index"]),
        "an argument is unknown": (step("pick", items="$first", index=0, **{one: 1}), [one]),
        "one argument is missing, one unknown": (step("pick", items="$first", **{two: 0}), ["index", two]),
        "it refers to nothing": (step("pick", items=f"${three}", index=0), [three]),
        "it refers to nothing, deep inside": (step("bundle", parts=["$first", {"deep": [f"${four}"]}]), [four]),
        "it refers to itself": (step("bundle", five, parts=f"${five}"), [five]),
        "it refers to a later step": (step("bundle", parts="$last"), ["last"]),
        "its name is taken": (step("bundle", "first", parts=1), ["first"]),
    }


@check(
    "values go from step to step as they are",
    points=3,
    reason="A list that was pasted into a text is no list any more; and a plan may use an answer anywhere, and twice.",
    about="run_pipeline",
)
def test_values(submission: Submission, rng: random.Random) -> None:
    expect(submission.session("memory", HANDSHAKE).hello["serverInfo"]["name"], "assembly", "the server's name")
    for session in submission.everywhere():
        words = [word(rng) for _ in range(3)]
        split = step("split", "all", text=" ".join(words), by=" ")
        result(session, [split, step("pick", items="$all", index=1)], words[1], "a list, given on whole")
        nested: Steps = [split, step("pick", "one", items="$all", index=2)]
        parts = ["$one", {"all": "$all", "again": ["$one"]}, 7, None, True]
        wanted = [words[2], {"all": words, "again": [words[2]]}, 7, None, True]
        result(session, [*nested, step("bundle", parts=parts)], wanted, "answers inside of lists and objects")
        plain = [f"$${words[0]}", "$$$", f"{words[1]} costs $5", "$$all"]
        wanted = [f"${words[0]}", "$$", f"{words[1]} costs $5", "$all"]
        result(session, [split, step("bundle", parts=plain)], wanted, "texts with $$ and with $ inside")
        result(session, [step("split", text=",".join(words))], words, "an argument left to its default")
        result(session, [step("bundle", parts=1), step("bundle", parts=words[0])], words[0], "steps that are not saved")


@check(
    "what a step answers is data",
    points=2,
    reason="Who can write a row must not be able to write a reference: it would reach what this step should not see.",
    about="run_pipeline",
)
def test_data(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        secret, text = word(rng), "$secret,$$secret,$nothing"
        before = len(ran(session))
        steps = [
            step("bundle", "secret", parts=secret),
            step("split", "fields", text=f"x,{text}", by=","),
            step("bundle", "kept", parts="$fields"),
            step("bundle", parts="$kept"),
        ]
        result(session, steps, ["x", *text.split(",")], "a field that looks like a reference")
        expect(ran(session)[before:], ["bundle", "split", "bundle", "bundle"], f"what has run ({session})")


@check(
    "a bad pipeline does not begin",
    points=3,
    reason="Each of these can be known before. The good steps in front may have cost money, or changed something.",
    about="run_pipeline",
)
def test_refused(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        for what, (bad, _) in mistakes(rng).items():
            key, before = word(rng), ran(session)
            first, last = step("split", "first", text="a,b", by=","), step("bundle", "last", parts=1)
            answer = run(session, [first, step("note", key=key, value=1), bad, last])
            expect(answer.is_error, True, f"isError for a step of which {what} ({session})")
            expect(ran(session), before, f"what has run, although of a step {what} ({session})")
            expect_true(key not in notes(session), f"a note was written, although of a step {what} ({session})")
        empty = run(session, [])
        expect_true(
            empty.is_error and "no steps" in empty.text, f"without steps the answer is {empty.text!r} ({session})"
        )


@check(
    "one error names every bad step, and no other",
    points=2,
    reason="Who hears of one mistake at a time needs as many attempts as there are mistakes.",
    about="run_pipeline",
)
def test_named(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        for what, (bad, words) in mistakes(rng).items():
            answer = run(session, [step("bundle", "first", parts=["a"]), bad, step("bundle", "last", parts="$first")])
            expect(named(answer), {2}, f"the steps named for a second step of which {what} ({session})")
            for each in words:
                expect_true(each in answer.text, f"of the second step {what}, and the error does not name {each}")
        every = [bad for bad, _ in mistakes(rng).values()]
        rng.shuffle(every)
        steps, wrong = [step("split", "first", text="a,b", by=",")], set[int]()
        for bad in every:
            steps += [bad, step("bundle", word(rng), parts=["$first", "$$no"])]
            wrong.add(len(steps) - 1)
        steps.append(step("bundle", "last", parts=1))
        expect(named(run(session, steps)), wrong, f"the steps named for {len(wrong)} mistakes at once ({session})")


@check(
    "a pipeline that stops leaves the notes as they were",
    points=4,
    reason="Half a plan is worse than none: nobody knows what is done and what is not.",
    about="run_pipeline",
)
def test_whole(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        old, new, value = word(rng), word(rng), word(rng)
        written = [step("note", "old", key=old, value=value), step("note", key=word(rng), value="$old")]
        result(session, written, value, "a pipeline that writes")
        kept = notes(session)
        expect(kept.get(old), value, f"the note {old} after a pipeline that ended well ({session})")
        for what, failing, reason in [
            ("a ToolError", step("pick", items="$all", index=2), "there is no item 2: there are 2"),
            ("any other exception", step("split", text="$all", by=","), ""),
        ]:
            before = ran(session)
            steps = [step("split", "all", text="a,b", by=","), step("note", key=old, value="changed")]
            steps += [step("note", key=new, value="new"), failing, step("note", key="late", value="late")]
            answer = run(session, steps)
            expect(answer.is_error, True, f"isError for a pipeline whose fourth step ends in {what} ({session})")
            expect(named(answer), {4}, f"the step named after {what} ({session})")
            expect_true(reason in answer.text, f"the error does not say {reason!r}: {answer.text!r}")
            expect(notes(session), kept, f"the notes after a pipeline that ended in {what} ({session})")
            done = ran(session)[len(before) :]
            expect(done, ["split", "note", "note", failing["tool"]], f"what has run before {what} ({session})")
