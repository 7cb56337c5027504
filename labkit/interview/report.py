"""A session as one HTML page that needs nothing else: what was seen and missed, time, and what to study next."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.files import replace_text, way
from labkit.interview.bank import InterviewError, Question
from labkit.interview.front import clock
from labkit.interview.plan import Study, study_plan
from labkit.interview.scoring import Score, Seen

if TYPE_CHECKING:
    from labkit.interview.entries import Entry
    from labkit.interview.kept import Kept

HOW = (
    "The scorer counts: it looks for the points of a good answer, and shows the passage in which it found each. It does"
    " not judge style, order or depth, and a point that is made in words it does not know is missed. Read what it"
    " missed beside your own words."
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin-bottom: .2rem; }
ul { padding-left: 1.2rem; } li { margin: .3rem 0; }
q, blockquote { opacity: .85; } blockquote { margin: .3rem 0 .3rem 1rem; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem .3rem 0;
vertical-align: top; border-bottom: 1px solid #8884; } td.number, th.number { text-align: right; }
.seen { color: #1f7a3f; } .missed { color: #b3362f; } .wrong { color: #9a5b00; } .note { opacity: .8; }
@media (prefers-color-scheme: dark) { .seen { color: #6fcf8f; } .missed { color: #ff8a80; } .wrong { color: #f0b35a; } }
summary { cursor: pointer; }
"""


def write_report(session: Kept, path: Path | str) -> Path:
    """Write the page of a session, whole or not at all. Links lead to the lab's files, seen from there.

    Raises InterviewError when it cannot be written.
    """
    path = Path(path).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, report_html(session, path.parent), errors="backslashreplace", newline="\n")
    except OSError as error:
        raise InterviewError(f"The report cannot be written to {path}: {error.strerror or error}.") from None
    return path


def report_html(session: Kept, folder: Path | None = None) -> str:
    """The page of a session; links are relative to `folder`, where it will lie."""
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(session.began))
    result = "no result yet" if session.fraction is None else f"{session.fraction:.0%}"
    head = (
        f"<h1>Mock interview: {_text(session.role)}</h1><p>{began}, {session.minutes} minutes planned,"
        f" {clock(session.seconds)} used, {session.state}. Result: <b>{result}</b>, the mean of the items that were"
        " reached, weighted by their minutes.</p>"
    )
    items = "".join(_item(session, number, entry) for number, entry in enumerate(session.entries, 1))
    plan = _plan(study_plan(session.entries, session.bank), folder)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Mock interview {_text(session.id)}</title><style>{_STYLE}</style></head><body>"
        f"{head}<p class='note'>{HOW}</p>{_overview(session.entries)}{items}{plan}</body></html>\n"
    )


def _overview(entries: Sequence[Entry]) -> str:
    rows = "".join(
        f"<tr><td>{number}</td><td>{entry.item.kind}</td><td>{_text(entry.item.title)}</td>"
        f"<td class='number'>{clock(entry.seconds)} of {entry.item.minutes}:00{' (over)' if entry.over else ''}</td>"
        f"<td class='number'>{_result(entry)}</td></tr>"
        for number, entry in enumerate(entries, 1)
        if entry.begun
    )
    head = "<tr><th></th><th>what</th><th>title</th><th class='number'>time</th><th class='number'>result</th></tr>"
    return f"<table>{head}{rows}</table>"


def _result(entry: Entry) -> str:
    if entry.status == "skipped":
        return "skipped"
    return "–" if entry.fraction is None else f"{entry.fraction:.0%}"


def _item(session: Kept, number: int, entry: Entry) -> str:
    if not entry.begun:
        return ""
    head = f"<h2>{number}. {_text(entry.item.title)}</h2>"
    hints = f"{entry.hints} hint{'s' if entry.hints > 1 else ''} taken. " if entry.hints else ""
    if entry.item.kind == "question" and (question := session.bank.get(entry.item.id)):
        body = _answer(entry) + (_score(entry.score) if entry.score else "<p>Skipped.</p>")
        # What is still open may yet be answered.
        body += _model_answer(question) if entry.status != "open" or session.state == "finished" else ""
    elif entry.item.kind == "design":
        body = f"<ul>{_list(entry.said)}</ul>" if entry.said else "<p>No decision.</p>"
    else:
        body = _grades(entry)
    return f"{head}<p class='note'>{entry.item.topic}. {hints}</p>{body}"


def _answer(entry: Entry) -> str:
    if not entry.answer:
        return ""
    return f"<details><summary>Your answer</summary><blockquote>{_text(entry.answer)}</blockquote></details>"


def _score(score: Score) -> str:
    lines = [_seen("✓ seen", each) for each in score.seen] + [_seen("½ in part", each) for each in score.partly]
    for each in score.missed:
        lines.append(f"<li><span class='missed'>✗ missed</span>, weight {each.weight}: {_text(each.point)}</li>")
    for each in score.wrong:
        lines.append(
            f"<li><span class='wrong'>! sounds like</span>: {_text(each.says)}<br><q>{_text(each.passage)}</q>"
            f"<br>Why that is wrong: {_text(each.why)}</li>"
        )
    notes = "".join(f"<p class='note'>{_text(note)}</p>" for note in score.notes)
    return f"<p><b>{_text(score.headline)}</b></p><ul>{''.join(lines)}</ul>{notes}{_judged(score)}"


def _seen(how: str, each: Seen) -> str:
    only = " <i>only named</i>" if each.named else ""
    return (
        f"<li><span class='seen'>{how}</span>, weight {each.weight}: {_text(each.point)}{only}"
        f"<br><q>{_text(each.passage)}</q></li>"
    )


def _judged(score: Score) -> str:
    if score.judged_fraction is None:
        return ""
    return (
        f"<h3>Judged by {_text(score.judged_by)}: {score.judged_fraction:.0%}</h3><p class='note'>A model read the"
        f" answer beside the count, which stands as it is. It saw:</p>"
        f"<ul>{_list(score.judged) or '<li>no point</li>'}</ul>"
    )


def _model_answer(question: Question) -> str:
    claims = "".join(f"<li>{_text(claim.says)}{_shown(claim.shown)}</li>" for claim in question.answer)
    spec = f" Specification: {_text(', '.join(question.spec))}." if question.spec else ""
    return (
        f"<details><summary>A model answer</summary><ul>{claims}</ul><p>Eras: {_text(question.era)}{spec}</p>"
        f"<p>Common wrong answers:</p><ul>{''.join(f'<li>{_text(w.says)} {_text(w.why)}</li>' for w in question.wrong)}"
        f"</ul><p>An interviewer goes on with:</p><ul>{_list(question.follow_ups)}</ul></details>"
    )


def _shown(proof: str) -> str:
    return f"<br><small>shown by <code>{_text(proof)}</code></small>" if proof else ""


def _grades(entry: Entry) -> str:
    if not entry.report:
        return "<p>Never checked.</p>"
    checks = "".join(
        f"<li>{_text(each['status'])}: {_text(each['title'])}"
        f"{': ' + _text(each['message']) if each['message'] else ''}</li>"
        for each in entry.report["checks"]
    )
    return (
        f"<p><b>{entry.report['score']} of {entry.report['points']} points</b> after {entry.checks} checks.</p>"
        f"<ul>{checks}</ul>"
    )


def _plan(studies: Sequence[Study], folder: Path | None) -> str:
    if not studies:
        return "<h2>What to study next</h2><p>Nothing was missed.</p>"
    here = folder or Path.cwd()
    rows = "".join(
        f"<li><a href='{_text(way(study.path, here))}'>{study.kind} {_text(study.id)}</a>: {_text(study.title)}"
        f"<ul>{_list(study.why[:5])}</ul></li>"
        for study in studies
    )
    return f"<h2>What to study next</h2><p>In order of what was missed most.</p><ol>{rows}</ol>"


def _list(texts: Sequence[str]) -> str:
    return "".join(f"<li>{_text(text)}</li>" for text in texts)


def _text(text: str) -> str:
    return html.escape(text, quote=True)
