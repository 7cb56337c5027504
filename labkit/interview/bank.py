"""The question bank: interview/questions/TOPIC.toml, checked against interview/question.schema.json."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

from labkit.catalog import LAB_ROOT
from labkit.errors import LabError, did_you_mean

INTERVIEW = LAB_ROOT / "interview"
QUESTIONS = INTERVIEW / "questions"
SCHEMA = INTERVIEW / "question.schema.json"

Mentions = tuple[tuple[str, ...], ...]
"""Ideas that have to come together in one passage; each is a tuple of ways to say it."""


class InterviewError(LabError):
    """Something of the interview practice cannot be used: the message says what, and what to do."""


@dataclass(frozen=True)
class Claim:
    """A sentence of a model answer. `shown` is the cell, test or command that proves it; a judgement has none."""

    says: str
    shown: str = ""
    shows: str = ""
    """Text that the cell or the command prints."""


@dataclass(frozen=True)
class Point:
    """What a good answer says, and how much that is worth."""

    point: str
    weight: int
    mentions: Mentions


@dataclass(frozen=True)
class Wrong:
    """A common wrong answer, and why it is wrong."""

    says: str
    why: str
    mentions: Mentions


@dataclass(frozen=True)
class Question:
    """One question with all that belongs to it."""

    id: str
    topic: str
    ask: str
    level: str
    minutes: int
    notebook: str
    spec: tuple[str, ...]
    era: str
    answer: tuple[Claim, ...]
    points: tuple[Point, ...]
    wrong: tuple[Wrong, ...]
    follow_ups: tuple[str, ...]
    exercises: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()

    @property
    def model_answer(self) -> str:
        """The claims, one after the other."""
        return " ".join(claim.says for claim in self.answer)


class Bank(Mapping[str, Question]):
    """All questions by id."""

    def __init__(self, questions: list[Question]) -> None:
        self._questions = {question.id: question for question in questions}

    def __getitem__(self, id: str) -> Question:
        return self._questions[id]

    def __iter__(self) -> Any:
        return iter(self._questions)

    def __len__(self) -> int:
        return len(self._questions)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics, in the order of their files."""
        return tuple(dict.fromkeys(question.topic for question in self.values()))

    def find(self, id: str) -> Question:
        """The question of that id. Raises InterviewError, naming the nearest ones."""
        if id not in self._questions:
            raise InterviewError(f"The bank has no question {id!r}. {did_you_mean(id, self._questions)}")
        return self._questions[id]


def load_bank(folder: Path = QUESTIONS) -> Bank:
    """Read all questions. Raises InterviewError that names the file, the question and what is wrong with it."""
    questions: list[Question] = []
    for path in sorted(folder.glob("*.toml")):
        questions += read_questions(path)
    seen: dict[str, str] = {}
    for question in questions:
        if question.id in seen:
            raise InterviewError(
                f"Two questions have the id {question.id!r}, in {seen[question.id]}.toml and {question.topic}.toml: "
                "rename one."
            )
        seen[question.id] = question.topic
    if not questions:
        raise InterviewError(f"There are no questions in {folder}. Restore it from the repository.")
    return Bank(questions)


def read_questions(path: Path) -> list[Question]:
    """The questions of one file. Raises InterviewError.

    A file whose text is still the same is not parsed and checked again: that takes 70 ms, and there are eight of them.
    """
    try:
        return list(_parsed(path, path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InterviewError(f"{path} cannot be read: {error}") from None


@lru_cache(maxsize=32)
def _parsed(path: Path, text: str) -> tuple[Question, ...]:
    data = tomllib.loads(text)
    for error in sorted(_validator().iter_errors(data), key=lambda error: list(map(str, error.path))):
        place = [str(part) for part in error.path]
        name = ""
        if len(place) > 1:
            entry: Any = data["question"][int(place[1])]
            name = f" (question {entry['id']})" if isinstance(entry, dict) and "id" in entry else ""
        raise InterviewError(f"{path}: {'.'.join(place)}{name}: {error.message[:300]}")
    return tuple(_question(path.stem, cast("dict[str, Any]", entry)) for entry in data["question"])


def _question(topic: str, entry: dict[str, Any]) -> Question:
    return Question(
        **{key: entry[key] for key in ("id", "ask", "level", "minutes", "notebook", "era")},
        topic=topic,
        spec=tuple(entry["spec"]),
        answer=tuple(Claim(c["says"], c.get("shown", ""), c.get("shows", "")) for c in entry["answer"]),
        points=tuple(Point(p["point"], p["weight"], _mentions(p)) for p in entry["points"]),
        wrong=tuple(Wrong(w["says"], w["why"], _mentions(w)) for w in entry["wrong"]),
        follow_ups=tuple(entry["follow_ups"]),
        exercises=tuple(entry.get("exercises", ())),
        seeds=tuple(entry.get("seeds", ())),
    )


def _mentions(entry: Mapping[str, Any]) -> Mentions:
    return tuple(tuple(ways) for ways in entry["mentions"])


@cache
def _validator() -> Any:
    from labkit._lean import lean_jsonschema

    lean_jsonschema()
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
