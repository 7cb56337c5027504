"""Pages made of the lab's texts: Markdown, exercises without answers, interview questions, source files."""

# nbconvert and pygments carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from labkit.grading.spec import KINDS, Spec, exercise_ids, load
from labkit.interview.bank import Claim, Question, load_bank
from labkit.site.page import Heading, Page, plain

_TITLE = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.S)


def markdown(text: str) -> str:
    """Markdown as HTML, headings with the anchors that they have in JupyterLab."""
    from nbconvert.filters.markdown import markdown2html

    return str(markdown2html(text))


def text_page(root: Path, origin: str, name: str, section: str) -> Page:
    """A page made of a Markdown file of the lab."""
    body = markdown((root / origin).read_text(encoding="utf-8"))
    title = _TITLE.search(body)
    return Page(name, plain(title[1]) if title else origin, f'<div class="prose">{body}</div>', section, origin)


def source_page(root: Path, origin: str) -> Page:
    """A page that shows a source file; lines have the anchors L-1, L-2, ..."""
    text = (root / origin).read_text(encoding="utf-8", errors="replace")
    body = f'<h1 class="path">{html.escape(origin)}</h1>{code(text, origin, lines=True)}'
    return Page(f"source/{origin}.html", origin, body, "Sources", origin)


def code(text: str, name: str, *, lines: bool = False) -> str:
    """A highlighted piece of code; `name` says by its end which language it is."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import TextLexer, get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_for_filename(name)
    except ClassNotFound:
        lexer = TextLexer()
    return str(highlight(text, lexer, HtmlFormatter(linespans="L" if lines else "")))


def exercise_pages(root: Path, notebooks: Mapping[str, str]) -> list[Page]:
    """A page for each exercise, with its task and what one begins with, and before them the list.

    `notebooks` has the name of each notebook's file by its stem. Hints and solutions stay in the lab, where they cost
    points. Raises ExerciseError when an exercise cannot be read.
    """
    folder = root / "exercises"
    specs = [load(id, folder) for id in exercise_ids(folder)] if folder.is_dir() else []
    if not specs:
        return []
    rows = "".join(
        f'<tr><td><a href="{each.id}/task.md">{html.escape(each.title)}</a></td>'
        f"<td>{_notebook(each.notebook, notebooks)}</td><td>{_kind(each)}</td><td>{each.minutes}</td>"
        f"<td>{each.points}</td><td>{'★' * each.difficulty}</td></tr>"
        for each in specs
    )
    tutorial = ' <a href="tutorial.ipynb">The tutorial</a> shows how it goes.'
    body = (
        f"<h1>Exercises</h1><p>{len(specs)} exercises, each with checks that say what is wrong and why. Open one in "
        f'the lab with <code>lab.exercise("ID")</code>, or in a terminal with <code>labkit check ID</code>.'
        f"{tutorial if (folder / 'tutorial.ipynb').is_file() else ''}</p>"
        "<table><thead><tr><th>exercise</th><th>notebook</th><th>kind</th><th>minutes</th><th>points</th>"
        f"<th>difficulty</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    first = Page("exercises/index.html", "Exercises", body, "Exercises", "exercises/README.md")
    return [first, *(_exercise(each, notebooks) for each in specs)]


def _exercise(spec: Spec, notebooks: Mapping[str, str]) -> Page:
    task = _TITLE.sub("", markdown(spec.task), count=1)
    goals = "".join(f"<li>{_inline(goal)}</li>" for goal in spec.objectives)
    begin = code(spec.starter, "starter.py")
    body = (
        f'<h1 id="{spec.id}">{html.escape(spec.title)}</h1>'
        f'<p class="facts"><code>{spec.id}</code> · {_kind(spec)} · {spec.minutes} minutes · {spec.points} points'
        f" · difficulty {spec.difficulty} of 5 · {_notebook(spec.notebook, notebooks, up='../')}</p>"
        f'<div class="prose">{task}</div><h2 id="goals">After it you can</h2><ul>{goals}</ul>'
        f"<details><summary>What you begin with</summary>{begin}</details>"
    )
    origin = f"exercises/{spec.id}/task.md"
    name = origin.removesuffix(".md") + ".html"
    return Page(name, spec.title, body, "Exercises", origin, spec.track, names=(Heading(3, spec.id, spec.id),))


def _kind(spec: Spec) -> str:
    return KINDS[spec.kind] + (", a kata" if spec.kata else "")


def _notebook(stem: str, notebooks: Mapping[str, str], up: str = "") -> str:
    words = html.escape(stem.replace("_", " "))
    return f'<a href="{up}../{notebooks[stem]}">{words}</a>' if stem in notebooks else words


def interview_pages(root: Path, notebooks: Mapping[str, str]) -> list[Page]:
    """A page for each topic of the question bank, answers folded, and before them the list.

    Raises InterviewError when a question cannot be read.
    """
    folder = root / "interview" / "questions"
    if not folder.is_dir():
        return []
    bank = load_bank(folder)
    by_topic = {topic: [each for each in bank.values() if each.topic == topic] for topic in bank.topics}
    rows = "".join(
        f'<li><a href="{topic}.toml">{topic.capitalize()}</a>: {len(questions)} questions</li>'
        for topic, questions in by_topic.items()
    )
    first = (
        f"<h1>Interview questions</h1><p>{len(bank)} questions. Answer aloud first, then open the points: each has a "
        f"weight, and most claims of the model answers name the cell or the test that proves them.</p><ul>{rows}</ul>"
    )
    origin = "interview/questions/list"
    pages = [Page("interview/index.html", "Interview questions", first, "Interview", origin)]
    for topic, questions in by_topic.items():
        body = f"<h1>{topic.capitalize()}</h1>" + "".join(_question(each, notebooks) for each in questions)
        file = f"interview/questions/{topic}.toml"
        pages.append(Page(f"interview/{topic}.html", topic.capitalize(), body, "Interview", file))
    return pages


def _question(each: Question, notebooks: Mapping[str, str]) -> str:
    practise = "".join(f' · <a href="../../exercises/{id}/task.md">{id}</a>' for id in each.exercises)
    facts = f"{each.level} · {each.minutes} minutes · {_notebook(each.notebook, notebooks, up='../')}{practise}"
    points = "".join(f"<li>{_inline(point.point)} <small>weight {point.weight}</small></li>" for point in each.points)
    claims = "".join(f"<li>{_inline(claim.says)}{_proof(claim, notebooks)}</li>" for claim in each.answer)
    wrong = "".join(f"<li><em>{_inline(one.says)}</em> {_inline(one.why)}</li>" for one in each.wrong)
    follow = "".join(f"<li>{_inline(one)}</li>" for one in each.follow_ups)
    parts = {
        f"A good answer says, of {sum(point.weight for point in each.points)}": f"<ul>{points}</ul>",
        "A model answer": f"<ul>{claims}</ul>",
        "Often said, and wrong": f"<ul>{wrong}</ul>" if wrong else "",
        "In the other era": f"<p>{_inline(each.era)}</p>" if each.era else "",
        "Asked next": f"<ul>{follow}</ul>" if follow else "",
        "The specification": f"<p>{html.escape('; '.join(each.spec))}</p>" if each.spec else "",
    }
    told = "".join(f"<h3>{title}</h3>{text}" for title, text in parts.items() if text)
    return (
        f'<section class="question"><h2 id="{each.id}">{_inline(each.ask)}</h2><p class="facts">{facts}</p>'
        f"<details><summary>Points and answer</summary>{told}</details></section>"
    )


def _proof(claim: Claim, notebooks: Mapping[str, str]) -> str:
    """What shows a claim: a link to a cell of a notebook or to a test, or a command."""
    stem, _, cell = claim.shown.partition("#")
    file = claim.shown.partition("::")[0]
    if stem in notebooks:
        return f' <small><a href="../../{notebooks[stem]}#cell-id={html.escape(cell)}">shown in {stem[:2]}</a></small>'
    if "::" in claim.shown:
        return f' <small>shown by <a href="../../{html.escape(file)}">a test</a></small>'
    return f" <small>shown by <code>{html.escape(claim.shown)}</code></small>" if claim.shown else ""


def _inline(text: str) -> str:
    """One sentence of Markdown, without the paragraph around it."""
    return markdown(text).strip().removeprefix("<p>").removesuffix("</p>")


def course_page(tracks: Iterable[tuple[str, list[tuple[str, str, str]]]]) -> Page:
    """The list of the course. For each track: the name of a notebook's file, its title, what it is for as HTML."""

    def parts() -> Iterator[str]:
        for track, notebooks in tracks:
            yield f'<h2 id="{html.escape(track)}">{html.escape(track.capitalize())}</h2>'
            for name, title, purpose in notebooks:
                yield f'<h3><a href="{html.escape(name)}">{html.escape(title)}</a></h3>{purpose}'

    body = "<h1>The course</h1><p>Every notebook as it ran, outputs included.</p>" + "".join(parts())
    return Page("course.html", "The course", body, "Course", "course")
