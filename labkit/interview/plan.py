"""What to study next: notebooks and exercises, in order of what was missed most.

A point that was missed weighs as much as it weighs in its question; an item that was skipped weighs as much as all its
points. The notebook of a question gets the weight, and so does each exercise that the question names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.course.find import notebook_named
from labkit.course.places import outline
from labkit.interview.bank import Bank, Question
from labkit.interview.entries import Entry
from labkit.interview.scoring import Score


@dataclass
class Study:
    """One thing to do. `weight` is how much was missed that it teaches."""

    kind: str
    """"notebook" or "exercise"."""
    id: str
    title: str
    path: Path
    weight: float = 0.0
    why: list[str] = field(default_factory=list[str])
    """What was missed, the weightiest first."""


@dataclass(frozen=True)
class Gap:
    """Something that was missed, where it is taught and practised."""

    what: str
    weight: float
    notebook: str
    exercises: tuple[str, ...] = ()


def study_plan(entries: Iterable[Entry], bank: Bank) -> list[Study]:
    """What to study after a session, the most urgent first; empty when nothing was missed."""
    return plan(gap for entry in entries for gap in gaps(entry, bank))


def plan(found: Iterable[Gap]) -> list[Study]:
    """Notebooks and exercises for gaps: what was missed most first, and of equals the notebook."""
    studies: dict[tuple[str, str], Study] = {}
    for gap in sorted(found, key=lambda gap: -gap.weight):
        for kind, id in (("notebook", gap.notebook), *(("exercise", id) for id in gap.exercises)):
            study = studies.get((kind, id)) or _study(kind, id)
            if study is None:
                continue
            studies[kind, id] = study
            study.weight += gap.weight
            if gap.what not in study.why:
                study.why.append(gap.what)
    return sorted(studies.values(), key=lambda study: (-study.weight, study.kind != "notebook", study.id))


def gaps(entry: Entry, bank: Bank) -> list[Gap]:
    """What was missed in one item; nothing while it has no result."""
    item = entry.item
    if entry.status == "open" and entry.fraction is None:
        return []
    if item.kind == "question":
        question = bank.get(item.id)
        return missed(question, entry.score) if question else []
    lost = 1.0 - (entry.fraction or 0.0)
    if lost <= 0:
        return []
    if item.kind == "design":
        return [Gap(f"The design case: {item.title}", 10 * lost, "32_architecture_clinic")]
    from labkit.grading.spec import ExerciseError, load

    try:
        spec = load(item.id)
    except ExerciseError:
        return []
    what = "skipped" if entry.status == "skipped" else f"{entry.fraction or 0.0:.0%} of its points"
    return [Gap(f"{spec.title}: {what}", 10 * lost, spec.notebook, (item.id,))]


def missed(question: Question, score: Score | None) -> list[Gap]:
    """What an answer missed of a question, and what it said wrong; all of it without an answer."""
    texts: Sequence[tuple[str, float]]
    if score is None:
        texts = [(point.point, point.weight) for point in question.points]
    else:
        texts = [(each.point, each.weight) for each in score.missed]
        texts += [(each.point, each.weight * (1 - each.worth)) for each in (*score.partly, *score.seen) if each.named]
        texts += [(each.point, each.weight * (1 - each.worth)) for each in score.partly if not each.named]
        texts += [(f"Not right: {each.says} {each.why}", 3) for each in score.wrong]
    return [Gap(what, weight, question.notebook, question.exercises) for what, weight in texts]


def _study(kind: str, id: str) -> Study | None:
    if kind == "notebook":
        path = notebook_named(id)
        return Study(kind, id, outline(path).title, path) if path else None
    from labkit.grading.spec import ExerciseError, load

    try:
        spec = load(id)
    except ExerciseError:
        return None
    return Study(kind, id, spec.title, spec.folder / "task.md")
