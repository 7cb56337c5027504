"""The exercise card, the progress board and the fleet of servers in a real JupyterLab."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from labkit.grading.spec import load

pytestmark = pytest.mark.timeout(300)  # the longest reloads its page twice
Open = Callable[..., Any]
ID = "00_first_call"
CARD, BOARD, FLEET = (f".labkit-panel:has({part})" for part in (".lk-checks", ".lk-board", ".lk-fleet"))


@pytest.fixture
def work(jupyterlab: Any) -> Path:
    """A folder of its own for the answers of a test, where the file browser shows it."""
    return jupyterlab.root / f"work-{secrets.token_hex(4)}"


def begin(work: Path) -> str:
    return f"import os\nos.environ['LABKIT_WORK'] = {str(work)!r}\nimport labkit as lab"


def accessible(nb: Any, selector: str) -> None:
    """No serious or critical finding, in either theme."""
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(selector) == []


def card_of(nb: Any, index: int) -> Locator:
    return nb.output(index).get_by_role("region", name=f"Exercise {ID}")


def test_a_card_from_not_attempted_to_passed(open_alone: Open, work: Path) -> None:
    spec, answer = load(ID), work / f"{ID}.py"
    nb = open_alone(begin(work), f"ex = lab.exercise({ID!r})", "lab.progress()")
    nb.run_all()
    card, board = card_of(nb, 1), nb.output(2).get_by_role("region", name="Progress")
    check, checks = card.get_by_role("button", name="Check", exact=True), card.get_by_role("list", name="Checks")
    row = board.get_by_role("listitem").filter(has_text=ID)
    expect(card.get_by_text("Not attempted yet")).to_be_visible()
    expect(checks.get_by_role("listitem").first).to_contain_text("not attempted")
    expect(row).to_contain_text("0/8")
    accessible(nb, CARD)
    shutil.copy(spec.wrong[0].path, answer)
    check.click()
    expect(card.get_by_text("Checking your answer")).to_be_visible()
    expect(checks).to_contain_text("✗ failed", timeout=60_000)
    expect(checks).to_contain_text("why: ")
    expect(check).to_be_focused()  # it was idle meanwhile, and has kept the keyboard
    expect(row).to_contain_text("6/8")
    card.get_by_role("button", name="Hint (").click()
    expect(card.get_by_role("log", name="Hints")).to_contain_text("Hint 1")
    expect(row).to_contain_text("1 hint")
    card.get_by_role("button", name="Solution").click()
    expect(card.get_by_role("button", name="Cancel")).to_be_focused()
    nb.page.keyboard.press("Escape")
    expect(card.get_by_role("button", name="Solution")).to_be_focused()
    card.get_by_role("button", name="Solution").click()
    card.get_by_role("button", name="Show it").click()
    expect(card).to_contain_text("One way to do it (seen on request)")
    accessible(nb, CARD)
    shutil.copy(spec.folder / "solution.py", answer)
    check.click()
    expect(card.get_by_text("All 4 checks passed, 8/8 points")).to_be_visible(timeout=60_000)
    expect(row).to_contain_text("8/8")
    expect(board).to_contain_text("1 of ")
    accessible(nb, BOARD)
    expect(nb.cell(1).locator(".labkit-still")).to_contain_text("All 4 checks passed")
    expect(nb.cell(2).locator(".labkit-still")).to_contain_text("1 of ")
    nb.save()
    nb.page.reload()
    expect(card_of(nb, 1)).to_contain_text("All 4 checks passed", timeout=60_000)  # the kernel lives, and knows
    nb.reopen_without_kernel()
    expect(nb.cell(1).locator(".labkit-still")).to_contain_text("All 4 checks passed")
    expect(nb.cell(2).locator(".labkit-still")).to_contain_text("1 of ")


def test_the_card_puts_its_cell_below_and_the_cell_moves_the_card(open_cells: Open, work: Path, tmp_path: Path) -> None:
    clicked = tmp_path / "clicked"
    busy = f"import pathlib, time\nfor _ in range(1_500):\n    if pathlib.Path({str(clicked)!r}).exists():\n        break\n    time.sleep(0.02)"
    nb = open_cells(begin(work), f"ex = lab.exercise({ID!r})", busy)
    nb.start_all()
    card = card_of(nb, 1)
    card.get_by_role("button", name="Insert this cell below").click()  # the kernel has not told the card its text yet
    clicked.touch()
    editor = nb.cell(2).locator(".cm-content")
    expect(editor).to_contain_text(f"%%exercise {ID}", timeout=40_000)
    editor.press("ControlOrMeta+a")
    nb.page.keyboard.insert_text(f"%%exercise {ID}\n{load(ID).solution}")
    nb.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    expect(card.get_by_text("All 4 checks passed, 8/8 points")).to_be_visible(timeout=60_000)
    expect(nb.output(2)).to_contain_text("all 4 checks passed")
    card.get_by_role("button", name=f"Open {work.name}/{ID}.py").click()
    expect(nb.page.get_by_role("tab", name=f"{ID}.py")).to_be_visible()


def test_the_board_filters_and_says_what_is_next(open_cells: Open, work: Path) -> None:
    nb = open_cells(begin(work), "lab.progress()")
    nb.run_all()
    board = nb.output(1).get_by_role("region", name="Progress")
    rows = board.get_by_role("listitem")
    expect(board).to_contain_text(f"Next: {load(ID).title}")
    expect(rows.first).to_contain_text(ID)
    board.get_by_label("Find", exact=True).fill("tape")
    expect(rows.filter(has_text=ID)).to_have_count(0)
    expect(rows.filter(has_text="04_two_tapes")).to_have_count(1)
    board.get_by_label("Track", exact=True).select_option("start")
    expect(board.get_by_text("0 exercises")).to_be_visible()
    board.get_by_label("Find", exact=True).fill("")
    expect(rows.filter(has_text=ID)).to_have_count(1)
    board.get_by_label("Status", exact=True).select_option("passed")
    expect(board.get_by_text("0 exercises")).to_be_visible()
    board.get_by_role("button", name="Insert a cell that opens it").click()
    expect(nb.cell(2).locator(".cm-content")).to_have_text(f'ex = lab.exercise("{ID}")')
    accessible(nb, BOARD)


def test_a_server_is_started_killed_and_restarted(open_cells: Open) -> None:
    nb = open_cells(
        "import labkit as lab\ncalc = await lab.connect('calculator', via='stdio')\n_ = await calc.call('add', a=1, b=2)",
        "lab.fleet()",
    )
    nb.run_all()
    fleet = nb.output(1).get_by_role("region", name="Servers", exact=True)
    mine = fleet.locator("tbody", has_text="connection 1 · stdio")
    expect(mine).to_contain_text("running")
    expect(mine.get_by_role("cell").nth(5)).to_have_text("1")
    accessible(nb, FLEET)
    fleet.get_by_label("Server", exact=True).select_option("calculator")
    fleet.get_by_role("button", name="Start", exact=True).click()
    expect(fleet.get_by_role("status")).to_contain_text("calculator is served at http://127.0.0.1:")
    served = fleet.locator("tbody", has_text="server 1 · http")
    expect(served).to_contain_text("running")
    mine.get_by_role("button", name="kill -9").click()
    expect(mine).to_contain_text("died")
    expect(mine).to_contain_text("SIGKILL")
    served.get_by_role("button", name="kill -9").click()
    expect(served).to_contain_text("nothing answers at its URL")
    accessible(nb, FLEET)
    served.get_by_role("button", name="Restart").click()
    expect(served).to_contain_text("running")
    mine.get_by_role("button", name="Connect again").click()
    expect(fleet.get_by_role("status")).to_contain_text("Connection 2 to calculator is new")
    expect(fleet.locator("tbody", has_text="connection 2 · stdio")).to_contain_text("running")
    expect(nb.cell(1).locator(".labkit-still")).to_contain_text("SIGKILL")
    nb.save()
    nb.reopen_without_kernel()
    still = nb.cell(1).locator(".labkit-still")
    expect(still).to_be_visible()
    expect(still).to_contain_text("SIGKILL")
