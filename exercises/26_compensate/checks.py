"""Checks of 26_compensate. Steps, answers and words come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Steps = list[dict[str, Any]]


class Workflow:
    """Five steps, what their servers answer, and the calls that are expected."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self._rng = submission, rng
        self.steps: Steps = []
        self.answers = list[dict[str, Any]]()
        self.names = [self.word() for _ in range(5)]
        for name in self.names:
            arguments = {"for": self.word(), "count": rng.randint(1, 99)}
            self.steps.append({"name": f"do {name}", "call": [f"{name}.do", arguments], "undo": f"{name}.undo"})
            self.answers.append({"number": rng.randint(1, 99999)})
        self.why = f"{self.word()} {rng.randint(1, 99)}"

    def word(self) -> str:
        return "".join(self._rng.choices("bcdfghjklmnpqrstvwxz", k=6))

    def run(self, at: int | None, how: str, undos: dict[int, list[str]] | None = None) -> dict[str, Any]:
        """A rehearsal in which the step with this number ends so, and undos end as listed; then they work."""
        script = {f"{name}.do": [["answers", answer]] for name, answer in zip(self.names, self.answers, strict=True)}
        if at is not None:
            script[f"{self.names[at]}.do"] = [[how, self.why]]
        for number, outcomes in (undos or {}).items():
            script[f"{self.names[number]}.undo"] = [[each, "undo failed"] for each in outcomes]
        found = self._submission.call("rehearse", script, self.steps)
        self.what = f"{self.steps} of which step {at} {how}, undos {undos or {}}"
        return found

    def calls(self, at: int, *undone: int) -> list[Any]:
        """The steps up to this one, and these undos."""
        began = [self.steps[number]["call"] for number in range(at + 1)]
        return began + [[f"{self.names[number]}.undo", self.answers[number]] for number in undone]

    def told(self, at: int, state: str, undone: list[int], left: list[int], unknown: list[int]) -> dict[str, Any]:
        names: dict[str, Any] = {
            key: [self.steps[number]["name"] for number in numbers]
            for key, numbers in (("undone", undone), ("left", left), ("unknown", unknown))
        }
        return {"state": state, "failed": self.steps[at]["name"], "why": self.why, **names}


def down(at: int) -> list[int]:
    return list(range(at - 1, -1, -1))


@check(
    "all steps are done, in order, and answered",
    points=2,
    reason="As long as nothing fails, a workflow is a list of calls.",
    about="run",
)
def test_done(submission: Submission, rng: random.Random) -> None:
    flow = Workflow(submission, rng)
    found = flow.run(None, "works")
    answers = {step["name"]: answer for step, answer in zip(flow.steps, flow.answers, strict=True)}
    expect(found.get("report"), {"state": "done", "answers": answers}, f"the report on {flow.what}")
    expect(found["log"], flow.calls(4), f"the calls of {flow.what}")
    found = submission.call("rehearse", {}, [])
    expect(found, {"report": {"state": "done", "answers": {}}, "log": []}, "a workflow without steps")


@check(
    "what was done is taken back, the last one first",
    points=4,
    reason="Later steps stand on earlier ones. And what was not done is not taken back: it would hit somebody else's.",
    about="run",
)
def test_order(submission: Submission, rng: random.Random) -> None:
    flow = Workflow(submission, rng)
    for at in range(5):
        found = flow.run(at, "refuses")
        expect(found["log"], flow.calls(at, *down(at)), f"the calls of {flow.what}")
        expect(found.get("report"), flow.told(at, "undone", down(at), [], []), f"the report on {flow.what}")


@check(
    "what is lost is unknown, and said to be",
    points=2,
    reason="The order may have been placed. A report that calls it undone sends nobody to look.",
    about="run",
)
def test_lost(submission: Submission, rng: random.Random) -> None:
    flow = Workflow(submission, rng)
    for at in (0, rng.randint(2, 4)):
        found = flow.run(at, "loses")
        expect(found["log"], flow.calls(at, *down(at)), f"the calls of {flow.what}")
        expect(found.get("report"), flow.told(at, "stuck", down(at), [], [at]), f"the report on {flow.what}")


@check(
    "what cannot be taken back is left, and named",
    points=2,
    reason="A mail that was sent stays sent. Somebody has to know of it.",
    about="run",
)
def test_left(submission: Submission, rng: random.Random) -> None:
    flow = Workflow(submission, rng)
    flow.steps[1]["undo"] = None
    found = flow.run(3, "refuses")
    expect(found["log"], flow.calls(3, 2, 0), f"the calls of {flow.what}")
    expect(found.get("report"), flow.told(3, "stuck", [2, 0], [1], []), f"the report on {flow.what}")
    found = flow.run(1, "refuses")
    expect(found.get("report"), flow.told(1, "undone", [0], [], []), f"the report on {flow.what}")


@check(
    "an undo that fails stops no other one",
    points=3,
    reason="The servers of the other steps are well. And why it all began is still the error of the step.",
    about="run",
)
def test_failing(submission: Submission, rng: random.Random) -> None:
    flow = Workflow(submission, rng)
    found = flow.run(4, "refuses", {2: ["refuses"]})
    expect(found["log"], flow.calls(4, 3, 2, 1, 0), f"the calls of {flow.what}")
    expect(found.get("report"), flow.told(4, "stuck", [3, 1, 0], [2], []), f"the report on {flow.what}")
    found = flow.run(4, "loses", {3: ["loses"] * 9, 1: ["refuses"] * 9, 0: ["loses"] * 9})
    expect(found["log"], flow.calls(4, 3, 3, 3, 2, 1, 0, 0, 0), f"the calls of {flow.what}")
    expect(found.get("report"), flow.told(4, "stuck", [2], [3, 1, 0], [4]), f"the report on {flow.what}")


@check(
    "an undo without an answer is called again",
    points=2,
    reason="Taking back twice does no harm, and a connection comes back. A refusal does not change its mind.",
    about="run",
)
def test_retries(submission: Submission, rng: random.Random) -> None:
    flow = Workflow(submission, rng)
    found = flow.run(3, "refuses", {2: ["loses"], 0: ["loses", "loses"]})
    expect(found["log"], flow.calls(3, 2, 2, 1, 0, 0, 0), f"the calls of {flow.what}")
    expect(found.get("report"), flow.told(3, "undone", [2, 1, 0], [], []), f"the report on {flow.what}")
    found = flow.run(2, "refuses", {1: ["loses", "refuses"]})
    expect(found["log"], flow.calls(2, 1, 1, 0), f"the calls of {flow.what}")
    expect(found.get("report"), flow.told(2, "stuck", [0], [1], []), f"the report on {flow.what}")


@check(
    "who cancels does not leave half of it behind",
    points=3,
    reason="Whatever ends a workflow early, what was done is taken back, and whoever ended it has to hear of it.",
    about="run",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    flow = Workflow(submission, rng)
    for undos in ({}, {1: ["refuses"]}):
        found = flow.run(3, "cancels", undos)
        expect(found["log"], flow.calls(3, 2, 1, 0), f"the calls of {flow.what}")
        expect_true(
            "cancelled" in found, f"{flow.what}: the cancellation was not raised again, but {found.get('report')}"
        )
        expect(found["cancelled"], flow.why, f"the cancellation that was raised again by {flow.what}")
