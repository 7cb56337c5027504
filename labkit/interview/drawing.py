"""What a mock interview is made of: questions, katas, a tape to read and a design case, for a role and a length.

The same role, minutes, seed and history always give the same items. Questions that were missed and are due come first.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from labkit.grading.spec import EXERCISES, Spec, exercise_ids, load
from labkit.interview.bank import Bank, InterviewError, Question
from labkit.interview.design import Case, cases
from labkit.interview.record import Attempt
from labkit.interview.repetition import Due, due
from labkit.interview.roles import Role

Kind = Literal["question", "kata", "tape", "design"]
LEVELS = ("junior", "middle", "senior")
SHORTEST, LONGEST = 10, 240
"""Minutes of a session."""
AGAIN_SHARE = 0.5
"""Of the time for questions, at most, for those that were missed and are due."""


@dataclass(frozen=True)
class Item:
    """One part of a mock interview. `id` is the question's, the exercise's or the brief's."""

    kind: Kind
    id: str
    title: str
    minutes: int
    topic: str
    """The question's topic; the track of an exercise; `design` for a design case."""


def draw(
    role: Role,
    minutes: int,
    seed: int,
    *,
    bank: Bank,
    attempts: Iterable[Attempt] = (),
    now: float | None = None,
    exercises: Mapping[str, Spec] | None = None,
    briefs: Iterable[Case] | None = None,
) -> list[Item]:
    """The items of a session, in order; their minutes together are at most `minutes`.

    `exercises` and `briefs` are those of the lab by default. Raises InterviewError when the length is out of range.
    """
    if not SHORTEST <= minutes <= LONGEST:
        raise InterviewError(f"A session takes {SHORTEST} to {LONGEST} minutes, not {minutes}.")
    random = Random(f"{role.id}/{minutes}/{seed}")
    attempts = list(attempts)
    specs = all_exercises() if exercises is None else exercises
    parts = _exercises(role, minutes, random, specs) + _design(role, minutes, random, briefs)
    left = minutes - sum(item.minutes for item in parts)
    questions = _questions(role, left, random, bank, attempts, due(attempts, now))
    half = (len(questions) + 1) // 2
    design = [item for item in parts if item.kind == "design"]
    return [*questions[:half], *(item for item in parts if item not in design), *questions[half:], *design]


def all_exercises() -> dict[str, Spec]:
    """The exercises of the lab that a session may draw, by id: katas and tapes."""
    return {id: load(id) for id in exercise_ids() if _may_be_drawn(EXERCISES / id / "exercise.toml")}


def _may_be_drawn(path: Path) -> bool:
    """Whether an exercise is a kata or a tape; reading all there is of every exercise takes a second."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return bool(data.get("kata")) or data.get("kind") == "tape"


def _exercises(role: Role, minutes: int, random: Random, specs: Mapping[str, Spec]) -> list[Item]:
    """The katas and the tape. Exercises take at most half of a session."""
    katas = {id: spec for id, spec in specs.items() if spec.kata}
    tapes = {id: spec for id, spec in specs.items() if spec.kind == "tape" and id not in katas}
    left = minutes // 2
    found: list[Item] = []
    count = min(3, minutes // role.parts["kata"])
    # The tape comes before a second kata.
    for kind in (["kata"] * count)[:1] + ["tape"] * (minutes >= role.parts["tape"]) + (["kata"] * count)[1:]:
        pool, liked = (katas, role.katas) if kind == "kata" else (tapes, role.tapes)
        taken = {item.id for item in found}
        fitting = [spec for id, spec in sorted(pool.items()) if id not in taken and spec.minutes <= left]
        if fitting:
            spec = random.choices(fitting, [5 if spec.id in liked else 1 for spec in fitting])[0]
            left -= spec.minutes
            found.append(Item("kata" if kind == "kata" else "tape", spec.id, spec.title, spec.minutes, spec.track))
    return found


def _design(role: Role, minutes: int, random: Random, briefs: Iterable[Case] | None) -> list[Item]:
    if minutes < role.parts["design"]:
        return []
    fitting = sorted(
        (case for case in (cases() if briefs is None else briefs) if case.minutes <= minutes // 2), key=lambda c: c.id
    )
    if not fitting:
        return []
    case = random.choices(fitting, [5 if case.id in role.briefs else 1 for case in fitting])[0]
    return [Item("design", case.id, case.title, case.minutes, "design")]


def _questions(
    role: Role, minutes: int, random: Random, bank: Bank, attempts: list[Attempt], again: list[Due]
) -> list[Item]:
    """Questions for the minutes: what was missed first, then by the weights of the role, easy ones before hard ones."""
    chosen: list[Question] = []
    left = minutes
    for each in again:
        question = bank.get(each.question)
        if question and each.missed and role.topics.get(question.topic) and question.minutes <= left:
            if left - question.minutes < minutes * (1 - AGAIN_SHARE):
                break
            chosen.append(question)
            left -= question.minutes
    known = {attempt.question for attempt in attempts}
    pool = {question.id: question for question in bank.values() if question not in chosen}
    while fitting := [question for question in pool.values() if question.minutes <= left]:
        weights = [_weight(role, question, known, chosen) for question in fitting]
        if not any(weights):
            break
        question = random.choices(fitting, weights)[0]
        del pool[question.id]
        chosen.append(question)
        left -= question.minutes
    chosen.sort(key=lambda question: LEVELS.index(question.level))
    return [Item("question", q.id, q.ask, q.minutes, q.topic) for q in chosen]


def _weight(role: Role, question: Question, known: set[str], chosen: list[Question]) -> float:
    """How likely a question is: what is new before what is known, and no topic over and over."""
    weight = role.topics.get(question.topic, 0) * role.levels.get(question.level, 0)
    of_topic = sum(each.topic == question.topic for each in chosen)
    return weight * (0.3 if question.id in known else 1.0) / (1 + of_topic)
