"""A mock interview in a real JupyterLab: a session from the first question to the report, and one that a restart of the
kernel interrupts."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from labkit.grading.spec import load

pytestmark = pytest.mark.timeout(240)
Open = Callable[..., Any]
KATA = "00_first_call"
ANSWER = "Put several copies of the server behind a load balancer. MCP needs sticky sessions because it is stateful."
BEGIN = """
import os
os.environ["LABKIT_WORK"] = {work!r}
import labkit as lab
"""
SESSION = """
from labkit.interview.drawing import Item
from labkit.interview.session import Session
lab.mock_interview
Session.of([
    Item("question", "how-to-scale", "How do you scale?", 4, "scaling"),
    Item("kata", {kata!r}, "First call", 10, "start"),
    Item("question", "one-or-several", "One or several?", 4, "scaling"),
    Item("design", "harbour_parcels", "Harbour parcels", 20, "design"),
], "server-developer", 45)
"""


@pytest.fixture
def work(jupyterlab: Any) -> Path:
    """A folder of its own for a test, where the file browser shows it."""
    return jupyterlab.root / f"work-{secrets.token_hex(4)}"


def run(nb: Any, index: int) -> Locator:
    """Run one cell; the view that it shows."""
    nb.cell(index).locator(".cm-content").click()
    nb.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    view = nb.output(index).get_by_role("region", name="Mock interview: Server developer")
    expect(view).to_be_visible(timeout=60_000)
    return view


def press(view: Locator, name: str) -> None:
    view.get_by_role("button", name=name, exact=True).click()


def test_a_whole_session(open_cells: Open, work: Path) -> None:
    begin = BEGIN.format(work=str(work))
    nb = open_cells(begin + SESSION.format(kata=KATA))
    view = run(nb, 0)
    dots = view.get_by_role("list", name="Items").get_by_role("listitem")
    text = view.get_by_label("Your answer", exact=True)
    press(view, "Hint (3 left)")
    expect(view.get_by_role("list", name="Hints")).to_contain_text("A good answer makes")
    expect(view.get_by_role("timer", name="Time left")).to_contain_text("44:5")
    text.fill(ANSWER)
    text.press("Control+Enter")
    points = view.get_by_role("list", name="Points")
    expect(points).to_contain_text("✓ 1 seen")
    expect(points).to_contain_text("✗ missed")
    expect(points).to_contain_text("Why that is wrong")
    marked = view.get_by_role("region", name="Your answer, with what was found in it").locator("mark")
    expect(marked.first).to_contain_text("behind a load balancer")
    expect(view).to_contain_text("does not judge style")
    expect(view.get_by_role("heading", name="points seen")).to_be_focused()
    nb.theme("Dark")
    assert nb.findings(".labkit-panel") == []
    press(view, "Next")
    expect(view.get_by_text("Not checked yet")).to_be_visible()
    shutil.copy(load(KATA).folder / "solution.py", work / f"{KATA}.py")
    press(view, "Check")
    expect(view.get_by_role("list", name="Checks")).to_contain_text("✓ passed", timeout=60_000)
    expect(dots.nth(1)).to_contain_text("100%")
    press(view, "Next")
    expect(text).to_be_focused()  # the next question: one writes at once
    press(view, "Skip")
    press(view, "Skip it")
    expect(view.get_by_role("region", name="The brief")).to_contain_text("partners")
    expect(view.get_by_role("region", name="The brief").locator("code")).to_have_text("Session not found")
    expect(view.get_by_label("packaging")).to_be_visible()
    over = "panes => panes.map(pane => pane.scrollWidth - pane.clientWidth)"
    assert view.locator(".lk-interview-design > *").evaluate_all(over) == [0, 0]
    press(view, "Decide")
    expect(view.get_by_role("list", name="What the rules say")).to_contain_text("of 100 points")
    press(view, "To the result")
    expect(view.get_by_role("heading", name="Result:")).to_be_focused()
    expect(view.get_by_role("list", name="What to study next")).to_contain_text("Horizontal scaling")
    press(view, "Write the report")
    expect(view.get_by_role("button", name="Open ").filter(has_text=f"{work.name}/interview/reports/")).to_be_visible()
    nb.theme("Light")
    assert nb.findings(".labkit-panel") == []
    expect(nb.cell(0).locator(".labkit-still")).to_contain_text("What to study next")


def test_a_restart_of_the_kernel_interrupts_and_the_session_goes_on(open_cells: Open, work: Path) -> None:
    begin = BEGIN.format(work=str(work))
    beat = "import labkit.ui.interview as view\nview.BEAT = 0.2\n"
    nb = open_cells(begin + beat + SESSION.format(kata=KATA), begin + "lab.mock_interview()")
    view = run(nb, 0)
    for place in ("Item 1 of 4", "Item 2 of 4"):
        expect(view).to_contain_text(place)
        press(view, "Skip")
        press(view, "Skip it")
    expect(view).to_contain_text("Item 3 of 4")
    view.get_by_label("Your answer", exact=True).fill("One, until a part of it")
    expect(view.get_by_role("timer", name="Time on this item")).to_contain_text("0:01 of 4:00")
    nb.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    dead = view
    expect(dead.get_by_role("alert").filter(has_text="run this cell again")).to_have_count(1)
    stopped = dead.get_by_role("timer", name="Time left").inner_text()
    press(dead, "Answer")
    expect(dead.get_by_text("Cannot send")).to_have_count(0)
    view = run(nb, 1)
    expect(dead.get_by_role("timer", name="Time left")).to_have_text(stopped)  # seconds later
    expect(view).to_contain_text("Item 3 of 4 · paused")
    expect(view.get_by_text("The clock stands")).to_be_visible()
    expect(view.get_by_label("Your answer", exact=True)).to_be_hidden()
    expect(view.get_by_role("timer", name="Time on this item")).to_have_text("0:01 of 4:00 on this item")
    press(view, "Resume")
    text = view.get_by_label("Your answer", exact=True)
    expect(text).to_have_value("One, until a part of it")  # what was not answered yet is not lost, either
    text.press("Control+Enter")
    expect(view.get_by_role("heading", name="points seen")).to_be_visible()
    dots = view.get_by_role("list", name="Items").get_by_role("listitem")
    expect(dots.nth(0)).to_contain_text("skipped")
