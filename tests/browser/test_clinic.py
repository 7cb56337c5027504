"""The architecture clinic on a bare page: in the narrow columns of a notebook nothing is cut off, and no word broken."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from labkit.clinic.brief import load_brief
from labkit.clinic.desk import Case
from labkit.ui.clinic import ClinicView, brief_state
from labkit.ui.panel import script, styles

DRAW = """async ([source, answers]) => {
  const { default: view } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  let hear;
  const model = { get: () => "clinic", on: (what, heard) => { if (what === "msg:custom") hear = heard; },
    send: ({ ask, name }) => hear({ answer: ask, result: answers[name] }) };
  view.render({ model, el: document.querySelector("main") });
}"""
BROKEN = """(cells, unit) => cells.flatMap(cell => [...cell.textContent.matchAll(RegExp(unit, "g"))].filter(found => {
  const range = document.createRange();
  range.setStart(cell.firstChild, found.index);
  range.setEnd(cell.firstChild, found.index + found[0].length);
  return range.getClientRects().length > 1;
}).map(found => found[0]))"""


def answers() -> dict[str, Any]:
    """What Python answers about a case that was checked."""
    case = Case(load_brief("harbour_parcels"))
    case.review()
    view = ClinicView(case)
    try:
        return {"brief": brief_state(case.brief), "state": view.state()}
    finally:
        view.close()


def test_a_form_fits_its_column_and_the_rubric_breaks_no_word(page: Page) -> None:
    page.set_content(f"<style>{styles('form', 'brief', 'clinic')}</style><main></main>")
    page.evaluate(DRAW, [script("form", "brief", "clinic"), answers()])
    decide, rubric = page.locator(".lk-decide"), page.get_by_role("region", name="Rubric")
    expect(rubric).to_contain_text("of 25")
    expect(page.get_by_role("region", name="The brief").locator("code")).to_have_text("Session not found")
    for width in (860, 280):
        page.set_viewport_size({"width": width, "height": 900})
        assert decide.evaluate("e => e.scrollWidth - e.clientWidth") == 0
        assert rubric.locator("td").evaluate_all(BROKEN, "[a-zA-Z]+") == []
        assert rubric.locator("td:nth-child(2)").evaluate_all(BROKEN, "[0-9]+ of [0-9]+") == []
