"""What the interviewer does, without MCP: which question comes next, and what its pages say.

The questions, the scorer and the record are those of `labkit.interview`: what is answered here is in
`labkit interview history`, and the other way round.
"""

import random
import time
from collections.abc import Collection, Sequence
from datetime import UTC
from functools import cache
from typing import Any

from labkit.interview.bank import Bank, InterviewError, Question, load_bank
from labkit.interview.drawing import LEVELS
from labkit.interview.record import Attempt, Record
from labkit.interview.repetition import due, schedule
from labkit.interview.roles import Role, find_role


@cache
def bank() -> Bank:
    """The questions; they do not change while a server runs."""
    return load_bank()


def uri(question: str) -> str:
    return f"interview://questions/{question}"


def solution_uri(question: str) -> str:
    return f"{uri(question)}/solution"


def pick(topic: str, level: str, role: str, avoid: Collection[str]) -> tuple[Question, str]:
    """The question to ask next, and why that one: what is due again, then what is new, then what is longest ago.

    Raises InterviewError for a topic, a level or a role that there is not, and when all that fits was asked.
    """
    wanted = find_role(role) if role else None
    if topic and topic not in bank().topics:
        raise InterviewError(f"There is no topic {topic!r}: there are {', '.join(bank().topics)}.")
    fitting = [q for q in bank().values() if topic in ("", q.topic) and level in ("", q.level) and q.id not in avoid]
    if wanted is not None:
        fitting = [question for question in fitting if weight(wanted, question)]
    if not fitting:
        raise InterviewError("All questions that fit were asked: leave topic or level out, or ask some of them again.")
    by_id = {question.id: question for question in fitting}
    attempts = Record().attempts()
    for again in due(attempts):
        if again.question in by_id:
            return by_id[again.question], "due again"
    last = {attempt.question: attempt.at for attempt in attempts}
    new = [question for question in fitting if question.id not in last]
    if new:
        weights = [weight(wanted, question) if wanted else 1 for question in new]
        return random.choices(new, weights)[0], "new"
    return min(fitting, key=lambda question: last[question.id]), "answered before"


def weight(role: Role, question: Question) -> int:
    """How much a role asks for a question."""
    return role.topics.get(question.topic, 0) * role.levels.get(question.level, 0)


def when_due(question: str) -> str:
    """The day (UTC) at which a question that was attempted should come again."""
    found = next(each for each in schedule(Record().attempts()) if each.question == question)
    return found.due.astimezone(UTC).date().isoformat()


def waiting(now: float | None = None) -> tuple[list[dict[str, Any]], str]:
    """The questions that are due, what was missed first, and the day at which the next one will be."""
    planned = schedule(Record().attempts())
    moment = time.time() if now is None else now
    ready = [each for each in planned if each.due.timestamp() <= moment and each.question in bank()]
    later = [each.due for each in planned if each.due.timestamp() > moment]
    rows = [
        {
            "question": each.question,
            "ask": bank()[each.question].ask,
            "topic": each.topic,
            "since": each.due.date().isoformat(),
            "last": each.last,
            "attempts": each.attempts,
        }
        for each in ready
    ]
    return rows, min(later).date().isoformat() if later else ""


def topics() -> list[dict[str, Any]]:
    """How many questions there are, by topic and level."""
    return [
        {
            "topic": topic,
            "questions": sum(of.values()),
            **of,
        }
        for topic in bank().topics
        if (of := {level: sum(q.topic == topic and q.level == level for q in bank().values()) for level in LEVELS})
    ]


def listed(question: Question) -> dict[str, Any]:
    """A question in the list of all: not what it asks, which would be read long before it is asked."""
    about = {"question": question.id, "topic": question.topic, "level": question.level, "minutes": question.minutes}
    return about | {"uri": uri(question.id)}


def asked(question: Question) -> dict[str, Any]:
    """A question without anything of its answer."""
    return {
        "question": question.id,
        "ask": question.ask,
        "topic": question.topic,
        "level": question.level,
        "minutes": question.minutes,
        "solution": solution_uri(question.id),
    }


def solution(question: Question, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """The model answer with what proves it, the points, common wrong answers. Raises InterviewError while closed."""
    if not any(each.question == question.id and not each.skipped for each in attempts):
        raise InterviewError(
            f"The solution of {question.id!r} is closed: no answer to it is recorded yet. Answer it with submit_answer."
        )
    return {
        "question": question.id,
        "ask": question.ask,
        "answer": [{"says": each.says, "shown_by": each.shown} for each in question.answer],
        "points": [{"point": each.point, "weight": each.weight} for each in question.points],
        "wrong": [{"says": each.says, "why": each.why} for each in question.wrong],
        "follow_ups": list(question.follow_ups),
        "eras": question.era,
        "specification": list(question.spec),
        "notebook": question.notebook,
        "exercises": list(question.exercises),
    }
