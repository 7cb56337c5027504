"""The first minute in a real JupyterLab: connect, call, look at the wire, fill in a form, complete a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from labkit.catalog import LAB_ROOT

PROBE = LAB_ROOT / "tests" / "session" / "probe_server.py"
Open = Callable[..., Any]


def test_a_call_and_its_timeline(open_alone: Open) -> None:
    nb = open_alone(
        "import labkit as lab\ncalc = await lab.connect('calculator', via='stdio')",
        "await calc.call('add', a=2, b=3)",
        "calc.tape",
        "await calc.close()",
    )
    nb.run_all()
    expect(nb.output(1)).to_contain_text("ok")
    expect(nb.output(1)).to_contain_text("5")
    timeline = nb.output(2).get_by_role("log", name="MCP frames")
    row = timeline.locator("details", has_text="tools/call add").first
    row.locator("summary").click()
    expect(row).to_contain_text('"method": "tools/call"')


def test_an_elicitation_is_answered_in_a_form(open_cells: Open) -> None:
    nb = open_cells(
        f"import labkit as lab\nprobe = await lab.connect({str(PROBE)!r}, via='stdio')",
        "result = await probe.call('delete', path='/tmp/x')",
        "result.data",
    )
    nb.start_all()
    form = nb.cell(1).get_by_role("region", name="The server asks")
    expect(form).to_contain_text("Delete /tmp/x?")
    form.get_by_role("checkbox", name="ok").check()
    form.get_by_role("textbox", name="reason").fill("asked to")
    form.get_by_role("button", name="Accept").click()
    expect(form.get_by_role("status")).to_have_text("accepted")
    expect(form.get_by_role("button", name="Accept")).to_be_disabled()
    expect(nb.output(2)).to_contain_text("deleted /tmp/x asked to")


def test_an_elicitation_can_be_declined_in_both_eras(open_cells: Open) -> None:
    nb = open_cells(
        f"import labkit as lab\nold = await lab.connect({str(PROBE)!r}, via='stdio', era='2025-11-25')",
        "result = await old.call('delete', path='/tmp/x')",
        "print('tool error:', result.is_error)",
    )
    nb.start_all()
    form = nb.cell(1).get_by_role("region", name="The server asks")
    form.get_by_role("button", name="Decline").click()
    expect(form.get_by_role("status")).to_have_text("declined")
    expect(nb.output(2)).to_contain_text("tool error: True")


def test_a_call_that_blocks_its_cell_says_why_its_form_hears_nothing(open_cells: Open) -> None:
    nb = open_cells(
        f"import labkit as lab\nprobe = lab.sync.connect({str(PROBE)!r}, via='stdio')",
        "probe.call('delete', path='/tmp/x')",
    )
    nb.start_all()
    form = nb.cell(1).get_by_role("region", name="The server asks")
    expect(form.get_by_role("status")).to_contain_text("The kernel is busy", timeout=60_000)
    nb.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    expect(nb.cell(1)).to_contain_text("KeyboardInterrupt")
    expect(form.get_by_role("status")).to_contain_text("The call has ended")


def test_a_wrong_name_is_one_sentence(open_cells: Open) -> None:
    nb = open_cells("import labkit as lab\ncalc = await lab.connect('calculater')")
    nb.run_all()
    expect(nb.output(0)).to_contain_text("Did you mean 'calculator'")
    expect(nb.output(0)).not_to_contain_text("Traceback")


def test_tab_completes_tool_names(open_cells: Open) -> None:
    nb = open_cells("import labkit as lab\ncalc = await lab.connect('calculator')", "await calc.call('mul")
    nb.page.evaluate("() => window.jupyterapp.commands.execute('notebook:move-cursor-up')")
    first = nb.cell(0)
    first.locator(".cm-content").click()
    nb.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    expect(first.locator(".jp-InputPrompt")).to_contain_text("1")
    editor = nb.cell(1).locator(".cm-content")
    editor.click()
    nb.page.keyboard.press("End")
    nb.page.keyboard.press("Tab")
    item = nb.page.locator(".jp-Completer-item", has_text="multiply").first
    item.wait_for()
    nb.page.keyboard.press("Enter")
    expect(editor).to_contain_text("multiply")


def test_the_timeline_reads_in_dark_and_light(open_cells: Open, tmp_path: Path) -> None:
    nb = open_cells(
        "import labkit as lab\ncalc = await lab.connect('calculator')\n_ = await calc.call('add', a=1, b=1)",
        "calc.tape",
    )
    nb.run_all()
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        text, back = (
            nb.output(1)
            .locator(".labkit-tape")
            .evaluate(
                "e => [getComputedStyle(e).color, getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor]"
            )
        )
        light_text, light_back = (
            sum(int(c) for c in colour.strip("rgba()").split(",")[:3]) > 382 for colour in (text, back)
        )
        assert light_text != light_back, f"{theme}: text {text} on {back}"
        nb.output(1).screenshot(path=str(tmp_path / f"{theme}.png"))
