"""A mock interview as JSON-ready data, for its view: the question and its score, the design case, the result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.course.find import notebook_named
from labkit.grading.report import CheckResult, Report
from labkit.interview.bank import Claim, Question
from labkit.interview.entries import Entry, weighted
from labkit.interview.front import clock
from labkit.interview.hints import question_hints
from labkit.interview.plan import Study, study_plan
from labkit.interview.report import HOW
from labkit.interview.scoring import Score
from labkit.interview.session import Session
from labkit.ui.place import in_browser

_STUDIES = 8
"""Things to study that are shown; the report has all."""


def dots(session: Session) -> list[dict[str, Any]]:
    """One for each item, in order. What an item asks is not told before it has begun."""
    return [
        {
            "kind": entry.item.kind,
            "status": entry.status,
            "current": entry is session.current,
            "result": _share(entry.fraction) if entry.fraction is not None else "",
            "minutes": entry.item.minutes,
        }
        for entry in session.entries
    ]


def question_state(question: Question, entry: Entry) -> dict[str, Any]:
    """The question. Points and model answer only once it has a result or was left."""
    hints = question_hints(question)
    told: dict[str, Any] = {
        "ask": question.ask,
        "level": question.level,
        "hints": hints[: entry.hints],
        "hints_left": max(0, len(hints) - entry.hints),
    }
    if entry.status == "open":
        return told
    return told | {
        "score": scored(entry.score, entry.answer) if entry.score else None,
        "model": [proof(claim) for claim in question.answer],
        "era": question.era,
        "spec": list(question.spec),
        "follow_ups": list(question.follow_ups),
        "notebook": _notebook(question.notebook),
        "how": HOW,
    }


def scored(score: Score, answer: str) -> dict[str, Any]:
    """A score with the passages marked in the learner's own text: each part of it with the points it makes."""
    return {
        "headline": score.headline,
        "answer": marked(answer, score),
        "seen": [
            {"point": each.point, "weight": each.weight, "named": each.named, "part": part}
            for part, found in ((False, score.seen), (True, score.partly))
            for each in found
        ],
        "missed": [{"point": each.point, "weight": each.weight} for each in score.missed],
        "wrong": [{"says": each.says, "why": each.why} for each in score.wrong],
        "notes": list(score.notes),
        "judged": ""
        if score.judged_fraction is None
        else f"{score.judged_by} read it, too: {_share(score.judged_fraction)}. That is a model's judgement; the result"
        " stays the count.",
    }


def marked(answer: str, score: Score) -> list[dict[str, Any]]:
    """The answer in parts: the text, and the numbers (from 1) of the points and the wrong claims found in it."""
    points = (*score.seen, *score.partly)
    edges = sorted({0, len(answer), *(edge for each in (*points, *score.wrong) for edge in (each.start, each.end))})
    return [
        {
            "text": answer[start:end],
            "seen": [n for n, each in enumerate(points, 1) if each.start <= start and end <= each.end],
            "wrong": [n for n, each in enumerate(score.wrong, 1) if each.start <= start and end <= each.end],
        }
        for start, end in pairwise(edges)
    ]


def proof(claim: Claim) -> dict[str, str]:
    """A claim of a model answer: what it says, what shows it, and where that is in the file browser (or empty)."""
    shown = claim.shown
    if not shown:
        return {"says": claim.says, "shown": "", "file": "", "open": ""}
    if shown.startswith("labkit "):
        return {"says": claim.says, "shown": "shown by the command", "file": shown, "open": ""}
    name, _, part = shown.partition("::" if shown.startswith("tests/") else "#")
    if shown.startswith("tests/"):
        place = {"file": name, "open": in_browser(LAB_ROOT / name)}
        return {"says": claim.says, "shown": f"shown by the test {part} in", **place}
    return {"says": claim.says, "shown": f"shown by the cell {part} of", **_notebook(name)}


def exercise_state(card: dict[str, Any]) -> dict[str, Any]:
    """A kata or a tape, from the state of its card."""
    kept = ("task", "file", "open", "cell", "checks", "note", "hints", "hints_left", "afterword", "headline")
    return {key: card[key] for key in kept}


def best_report(entry: Entry) -> Report | None:
    """The grader's report that the session has kept; None before the first check."""
    if not entry.report:
        return None
    kept = entry.report
    checks = [CheckResult(**check) for check in kept["checks"]]
    return Report(kept["exercise"], kept["title"], checks, kept["seed"], kept["seconds"], kept["note"])


def result_state(session: Session) -> dict[str, Any]:
    """What came of a finished session: by topic, and what to study next."""
    studies = study_plan(session.entries, session.bank)
    used = f"{clock(session.seconds)} of {session.minutes}:00 used"
    share = "no result" if session.fraction is None else f"{_share(session.fraction)} in all"
    return {
        "headline": f"{share}, {used}",
        "topics": topics(session),
        "study": _study(studies[:_STUDIES]),
        "more": max(0, len(studies) - _STUDIES),
        "how": HOW,
    }


def _study(studies: Sequence[Study]) -> list[dict[str, Any]]:
    """What was missed is told once: with the first thing that teaches it."""
    told: set[str] = set()
    rows: list[dict[str, Any]] = []
    for study in studies:
        new = [why for why in study.why if why not in told][:3]
        told.update(study.why)
        inside = study.path.is_relative_to(LAB_ROOT)
        rows.append(
            {
                "kind": study.kind,
                "title": study.title,
                "file": study.path.relative_to(LAB_ROOT).as_posix() if inside else study.path.name,
                "open": in_browser(study.path),
                "start": f'ex = lab.exercise("{study.id}")' if study.kind == "exercise" else "",
                "why": new,
            }
        )
    return rows


def topics(session: Session) -> list[dict[str, Any]]:
    """The result by topic: items that were reached, and the mean of their results, weighted by their minutes."""
    of: dict[str, list[Entry]] = {}
    for entry in session.entries:
        if entry.status != "open":
            of.setdefault(entry.item.topic, []).append(entry)
    return [
        {
            "topic": topic,
            "items": len(entries),
            "skipped": sum(entry.status == "skipped" for entry in entries),
            "result": weighted((entry.item.minutes, entry.fraction) for entry in entries),
        }
        for topic, entries in sorted(of.items())
    ]


def _notebook(name: str) -> dict[str, str]:
    path = notebook_named(name)
    if path is None:
        return {"file": f"{name}.ipynb", "open": ""}
    return {"file": path.relative_to(LAB_ROOT).as_posix(), "open": in_browser(path)}


def _share(fraction: float) -> str:
    return f"{fraction:.0%}"
