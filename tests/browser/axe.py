"""What axe-core finds on a page, with little to send between the browser and the test."""

from __future__ import annotations

from typing import NamedTuple

from playwright.sync_api import Page

RUN = """async () => {
  const found = await axe.run({resultTypes: ['violations', 'passes']});
  const elements = rule => rule.nodes.map(node => `${node.html.slice(0, 200)} ${(node.failureSummary ?? '').slice(0, 300)}`);
  return [[...found.passes, ...found.violations].some(rule => rule.id === 'color-contrast'),
          found.violations.flatMap(rule => elements(rule).map(element => [rule.id, rule.impact, element]))];
}"""


class Finding(NamedTuple):
    """A rule that an element breaks; `impact` is minor, moderate, serious or critical."""

    rule: str
    impact: str
    element: str


def findings(page: Page) -> list[Finding]:
    """All that axe-core finds on this page. It fails when axe-core saw nothing whose contrast it could judge."""
    from axe_playwright_python.sync_playwright import Axe

    if not page.evaluate("() => 'axe' in window"):  # half a megabyte
        page.evaluate(Axe().axe_script)
    seen, found = page.evaluate(RUN)
    assert seen, "nothing was seen"
    return [Finding(*each) for each in found]


def serious(page: Page) -> list[Finding]:
    """What is serious or critical of it."""
    return [each for each in findings(page) if each.impact in ("serious", "critical")]


ALONE = """selector => {
  const rules = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules].map(rule => rule.cssText)).join('\\n');
  const body = document.body.cloneNode(false);
  body.setAttribute('style', 'overflow:visible; position:static; background:var(--jp-layout-color0)');
  body.innerHTML = `<main style="width:1000px">${document.querySelector(selector).outerHTML}</main>`;
  return `<!doctype html><html lang="en"><head><title>alone</title><style>${rules}</style></head>${body.outerHTML}</html>`;
}"""


def serious_in(page: Page, selector: str) -> list[Finding]:
    """What is serious or critical in the first `selector` of a page of JupyterLab.

    JupyterLab scrolls its panels inside boxes that axe takes for hidden, so that it would judge nothing: a copy of the
    element is judged alone, on a second page of the same browser context with the same style sheets and theme.
    """
    alone = next((each for each in page.context.pages if each is not page), None)
    if alone is None:
        alone = page.context.new_page()
        page.bring_to_front()  # a tab behind another is drawn once a second, and all that waits for a frame is slow
    alone.set_content(page.evaluate(ALONE, selector))
    return serious(alone)
