"""`%mcp` as a learner types it: Tab for tools and arguments, a result, a question of the server answered in a form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from labkit.catalog import LAB_ROOT

PROBE = LAB_ROOT / "tests" / "session" / "probe_server.py"
MENU = Path(__file__).parents[1] / "magics" / "menu_server.py"
Open = Callable[..., Any]


def run_first(nb: Any, count: int = 1) -> None:
    """Run the first cells, one after the other, and leave the rest alone."""
    nb.cell(0).locator(".cm-content").click()
    for index in range(count):
        nb.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')")
        expect(nb.cell(index).locator(".jp-InputPrompt")).to_contain_text(f"[{index + 1}]")


def complete(nb: Any, editor: Locator, text: str, wanted: str) -> None:
    """Type, press Tab, and take the word that is wanted from the list."""
    nb.page.keyboard.type(text)
    expect(editor).to_contain_text(text.strip())
    nb.page.keyboard.press("Tab")
    item = nb.page.locator(".jp-Completer-item", has=nb.page.get_by_text(wanted, exact=True)).first
    item.click()
    expect(editor).to_contain_text(wanted)


def test_tab_completes_a_call_word_by_word(open_cells: Open) -> None:
    nb = open_cells("import labkit", f"menu_file = {str(MENU)!r}", "%mcp connect $menu_file as menu via=memory", "%mcp")
    run_first(nb, 3)
    editor = nb.cell(3).locator(".cm-content")
    editor.click()
    nb.page.keyboard.press("End")
    complete(nb, editor, " cal", "call")
    complete(nb, editor, " ec", "echo")
    complete(nb, editor, " mo", "mode=")
    complete(nb, editor, "s", "mode=slow")
    complete(nb, editor, " fl", "flag=")
    complete(nb, editor, "t", "flag=true")
    expect(editor).to_have_text("%mcp call echo mode=slow flag=true")
    nb.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    expect(nb.output(3)).to_contain_text("ok")
    expect(nb.output(3)).to_contain_text('"mode": "slow"')


def test_a_wrong_line_is_one_sentence_and_a_question_is_a_form(open_cells: Open) -> None:
    nb = open_cells(
        f"import labkit\nprobe = {str(PROBE)!r}",
        "%mcp connect $probe as server",
        "answer = %mcp call delete path=/tmp/x",
        "answer.data",
        "%mcp call add a=two b=3",
    )
    nb.start_all()
    form = nb.cell(2).get_by_role("region", name="The server asks")
    expect(form).to_contain_text("Delete /tmp/x?")
    form.get_by_role("checkbox", name="ok").check()
    form.get_by_role("button", name="Accept").click()
    expect(nb.output(3)).to_contain_text("deleted /tmp/x")
    expect(nb.output(4)).to_contain_text("UsageError: a=two: 'a' takes a whole number")
    expect(nb.output(4)).not_to_contain_text("Traceback")
