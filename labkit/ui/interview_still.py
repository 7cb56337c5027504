"""A mock interview as HTML without script, for a saved notebook and an exported page: made from the view's state."""

from __future__ import annotations

import html
from typing import Any

from labkit.interview.front import SIGNS
from labkit.ui.prose import as_html


def as_page(headline: str, state: dict[str, Any]) -> str:
    """The state of `InterviewView` as HTML."""
    items = "".join(f"<li>{_dot(number, each)}</li>" for number, each in enumerate(state["dots"], 1))
    item = _item(state["item"]) if state["item"] else ""
    result = _result(state["result"]) if state["result"] else ""
    return f"<h3>{_text(headline)}</h3><ol style='list-style:none;padding-left:0'>{items}</ol>{item}{result}"


def _dot(number: int, dot: dict[str, Any]) -> str:
    mark = "→" if dot["current"] else SIGNS[dot["status"]]
    result = f", {dot['result']}" if dot["result"] else ""
    skipped = ", skipped" if dot["status"] == "skipped" else ""
    return _text(f"{mark} {number}. {dot['kind']}, {dot['minutes']} min{skipped}{result}")


def _item(item: dict[str, Any]) -> str:
    if item["covered"]:
        return "<p>Paused: the item is covered until the session goes on.</p>"
    head = f"<h4>{_text(item['title'])}</h4><p>{_text(item['kind'])}, {_text(item['topic'])}</p>"
    if item["kind"] == "question":
        return head + _list(item.get("hints", [])) + _score(item)
    if "checks" in item:
        checks = _list(f"{check['status']}, {check['points']} p: {check['title']}" for check in item["checks"])
        file = f"<p>Write in <code>{_text(item['file'])}</code>.</p>"
        return f"{head}{as_html(item['task'])}{file}<p><b>{_text(item['headline'])}</b></p>{checks}"
    return head + _list(item["lines"])


def _score(item: dict[str, Any]) -> str:
    if "model" not in item:
        return ""
    score = item["score"]
    told = ""
    if score:
        answer = "".join(_part(part) for part in score["answer"])
        seen = [
            f"{'½' if each['part'] else '✓'} {n}. {each['point']}{' (only named)' * each['named']}"
            for n, each in enumerate(score["seen"], 1)
        ]
        missed = [f"✗ missed: {each['point']}" for each in score["missed"]]
        wrong = [
            f"! {n}. sounds like: {each['says']} Why that is wrong: {each['why']}"
            for n, each in enumerate(score["wrong"], 1)
        ]
        told = (
            f"<p style='white-space:pre-wrap'>{answer}</p><p><b>{_text(score['headline'])}</b></p>"
            f"{_list([*seen, *missed, *wrong, *score['notes']])}"
        )
    model = "".join(f"<li>{_text(each['says'])}{_shown(each)}</li>" for each in item["model"])
    era = f"<p>Eras: {_text(item['era'])}</p>"
    return f"{told}<p>A model answer:</p><ul>{model}</ul>{era}<p><small>{_text(item['how'])}</small></p>"


def _part(part: dict[str, Any]) -> str:
    numbers = ", ".join([*(str(each) for each in part["seen"]), *(f"!{each}" for each in part["wrong"])])
    return f"<mark>{_text(part['text'])}<sup>{numbers}</sup></mark>" if numbers else _text(part["text"])


def _shown(claim: dict[str, str]) -> str:
    return f"<br><small>{_text(claim['shown'])} <code>{_text(claim['file'])}</code></small>" if claim["shown"] else ""


def _result(result: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_text(row['topic'])}</td><td>{row['items']}</td><td>{row['result']:.0%}</td></tr>"
        for row in result["topics"]
    )
    study = _list(f"{': '.join([each['kind'] + ' ' + each['title'], *each['why'][:1]])}" for each in result["study"])
    return (
        f"<h4>Result: {_text(result['headline'])}</h4>"
        f"<table style='text-align:left'><tr><th>topic</th><th>items</th><th>result</th></tr>{rows}</table>"
        f"<h4>What to study next</h4>{study or '<p>Nothing was missed.</p>'}"
        f"<p><small>{_text(result['how'])}</small></p>"
    )


def _list(texts: Any) -> str:
    lines = "".join(f"<li>{_text(text)}</li>" for text in texts)
    return f"<ul>{lines}</ul>" if lines else ""


def _text(text: str) -> str:
    return html.escape(text)
