"""The README's pictures of the views, taken from the real thing: `python -m tests.browser.pictures [NAME ...]`.

Each is a notebook that is run in JupyterLab; what is photographed is the view, or the cells around it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect, sync_playwright

from labkit.catalog import LAB_ROOT
from labkit.grading.spec import load
from tests.browser.lab_server import JupyterLab
from tests.browser.notebook_page import CHROMIUM, FLAGS, NotebookPage, notebook_file

PICTURES = LAB_ROOT / "notebooks" / "start" / "pictures"
COLOURS = 64
"""Enough for text and rules; a picture is then 20 to 60 kB."""
EXERCISE = "00_first_call"
IMPORT = "import labkit as lab"


@dataclass(frozen=True)
class Picture:
    """`act` gets the notebook after its cells ran, and the output of its last cell; it returns what to photograph."""

    cells: tuple[str, ...]
    act: Callable[[NotebookPage, Locator], Locator]
    height: int = 0
    """Pixels from the top that are kept; 0 for all."""


def _card(nb: NotebookPage, output: Locator) -> Locator:
    shutil.copy(load(EXERCISE).wrong[0].path, nb.lab.root / "work" / f"{EXERCISE}.py")
    card = output.get_by_role("region", name=f"Exercise {EXERCISE}")
    card.get_by_role("button", name="Check", exact=True).click()
    expect(card.get_by_role("list", name="Checks")).to_contain_text("✗ failed", timeout=60_000)
    card.get_by_role("button", name="Hint (").click()
    expect(card.get_by_role("log", name="Hints")).to_contain_text("Hint 1")
    return card


def _board(nb: NotebookPage, output: Locator) -> Locator:
    board = output.get_by_role("region", name="Progress")
    expect(board.get_by_role("listitem").first).to_be_visible()
    return board


def _fleet(nb: NotebookPage, output: Locator) -> Locator:
    fleet = output.get_by_role("region", name="Servers", exact=True)
    victim = fleet.locator("tbody", has_text="connection 3 · stdio")
    victim.get_by_role("button", name="kill -9").click()
    expect(victim).to_contain_text("died")
    return fleet


def _inspector(nb: NotebookPage, output: Locator) -> Locator:
    panel = output.locator(".labkit-panel").first
    panel.get_by_role("button", name="divide").first.click()
    for place, value in enumerate(("22", "7")):
        panel.locator(".insp-page:visible input:visible").nth(place).fill(value)
    panel.get_by_role("button", name="Call", exact=True).locator("visible=true").click()
    expect(panel.locator(".insp-answer:visible")).to_contain_text("3.14")
    return panel


def _open(words: str) -> Callable[[NotebookPage, Locator], Locator]:
    """Open the row with these words, and photograph the panel."""

    def act(nb: NotebookPage, output: Locator) -> Locator:
        panel = output.locator(".labkit-panel").first
        panel.get_by_role("option").filter(has_text=words).last.click()
        expect(panel.get_by_text("Choose a")).to_be_hidden()
        return panel

    return act


def _interview(nb: NotebookPage, output: Locator) -> Locator:
    view = output.get_by_role("region", name="Mock interview: Server developer")
    view.get_by_label("Your answer", exact=True).fill(
        "Put several copies of the server behind a load balancer. Since 2026-07-28 each request says all that it needs, "
        "so any copy can answer it. MCP needs sticky sessions because it is stateful."
    )
    view.get_by_role("button", name="Answer", exact=True).click()
    expect(view.get_by_role("list", name="Points")).to_contain_text("Why that is wrong")
    return view


def _clinic(nb: NotebookPage, output: Locator) -> Locator:
    panel = output.locator(".labkit-panel").first
    expect(panel).to_contain_text("of 100 points")
    return panel


WORK = "import os\nos.environ['LABKIT_WORK'] = os.path.abspath({!r})"
CALLS = (
    "calc = await lab.connect('calculator', via='stdio')\n"
    "for n in range(6):\n    await calc.call('add', a=n, b=1)\n"
    "await calc.call('divide', a=1, b=0)"
)
PASS = "import shutil\nfor id in ('00_first_call', '01_count_the_links'):\n" + (
    "    ex = lab.exercise(id, warm=False)\n    shutil.copy(ex.spec.folder / 'solution.py', ex.path)\n    ex.check()\n"
    "ex = lab.exercise('03_negotiate', warm=False)\nshutil.copy(ex.spec.wrong[0].path, ex.path)\nex.check()"
)
PICTURES_OF = {
    "inspector": Picture((f"{IMPORT}\n{CALLS}", "lab.inspect(calc)"), _inspector),
    "timeline": Picture((f"{IMPORT}\n{CALLS}", "lab.timeline(calc)"), _open("tool error tools/call divide")),
    "eras": Picture((IMPORT, "await lab.compare_eras('calculator')"), _open("result tools/list")),
    "card": Picture((f"{WORK.format('work')}\n{IMPORT}", f"ex = lab.exercise({EXERCISE!r})"), _card),
    "board": Picture((f"{WORK.format('board')}\n{IMPORT}\n{PASS}", "lab.progress()"), _board),
    "interview": Picture(
        (
            f"{WORK.format('interview')}\n{IMPORT}\nlab.mock_interview",
            "from labkit.interview.drawing import Item\nfrom labkit.interview.session import Session\n"
            "Session.of([\n"
            "    Item('question', 'how-to-scale', 'How do you scale?', 4, 'scaling'),\n"
            "    Item('kata', '27_token_bucket', 'A bucket without a timer', 20, 'production'),\n"
            "    Item('design', 'harbour_parcels', 'Harbour parcels', 20, 'design'),\n"
            "], 'server-developer', 45)",
        ),
        _interview,
    ),
    "clinic": Picture(
        (
            f"{IMPORT}\ncase = lab.design_case('harbour_parcels')\n"
            "case.decide(packaging='monolith', parts=[{'families': list(case.brief.families), 'least': 4, 'most': 4}])\n"
            "case.review(); await case.run(fast=True)",
            "case",
        ),
        _clinic,
        height=1090,
    ),
    "fleet": Picture(
        (
            f"{IMPORT}\nserver = await lab.serve('notes')\nfar = await lab.connect(server.url)",
            f"near = await lab.connect('calculator')\n{CALLS.replace('calc =', 'mine =').replace('calc.', 'mine.')}",
            "lab.fleet()",
        ),
        _fleet,
    ),
}


def take(names: list[str]) -> None:
    """Take these pictures, or all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="labkit-pictures-") as folder, sync_playwright() as playwright:
        lab = JupyterLab(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        try:
            for name in names or list(PICTURES_OF):
                page = browser.new_page(viewport={"width": 1240, "height": 1400})
                target = PICTURES / f"{name}.png"
                _take(
                    NotebookPage(page, lab, notebook_file(lab.root, PICTURES_OF[name].cells)), PICTURES_OF[name], target
                )
                page.close()
                print(f"{target.relative_to(LAB_ROOT)}: {target.stat().st_size / 1000:.0f} kB")
        finally:
            browser.close()
            lab.close()


def _take(nb: NotebookPage, picture: Picture, target: Path) -> None:
    nb.load().run_all()
    shown = picture.act(nb, nb.output(len(picture.cells) - 1))
    nb.page.mouse.move(0, 0)
    shown.screenshot(path=str(target), animations="disabled")
    with Image.open(target) as image:
        kept = image.crop((0, 0, image.width, picture.height or image.height))
        small = kept.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    small.save(target, optimize=True)


if __name__ == "__main__":
    take(sys.argv[1:])
