"""The inspector in a real JupyterLab, as a person uses it: by labels, buttons and tabs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from labkit.catalog import LAB_ROOT

PROBE = LAB_ROOT / "tests" / "session" / "probe_server.py"
Open = Callable[..., Any]
pytestmark = pytest.mark.timeout(400)  # some twenty seconds each; machines that test share their cores


def region(nb: Any, index: int, name: str = "Inspector") -> Locator:
    return nb.output(index).get_by_role("region", name=name, exact=True)


def choose(live: Locator, name: str) -> None:
    """Choose a tool, resource, template or prompt in the list that is open."""
    live.get_by_role("tabpanel").get_by_label("filter").locator("visible=true").fill(name)
    live.locator(".insp-item:visible", has_text=name).first.click()
    expect(live.locator(".insp-page:visible h3")).to_have_text(name)


def press(live: Locator, name: str) -> None:
    live.get_by_role("button", name=name, exact=True).locator("visible=true").click()


def answer(live: Locator) -> Locator:
    return live.locator(".insp-answer:visible")


def tab(live: Locator, name: str) -> None:
    live.get_by_role("tab", name=name).click()
    expect(live.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def sound(nb: Any, state: str) -> None:
    """axe-core finds nothing serious, in both themes."""
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-panel") == [], f"{state}, {theme}"


def test_from_the_form_to_an_answer(open_cells: Open) -> None:
    nb = open_cells("import labkit as lab\nlab.inspect()")
    nb.run_all()
    live = region(nb, 0)
    live.get_by_label("Connect to").select_option("command")
    live.get_by_label("Command line").fill("no-such-program-here")
    press(live, "Connect")
    expect(live.get_by_role("alert").first).to_contain_text("neither a server of the catalog nor a program")
    sound(nb, "a form with an error")
    live.get_by_label("Connect to").select_option("catalog")
    live.get_by_label("Server", exact=True).select_option("everything")
    live.get_by_label("Era").select_option("2025-11-25")
    live.get_by_label("Transport").select_option("stdio")
    press(live, "Connect")
    expect(live).to_contain_text("opened by this panel")
    expect(live).to_contain_text("era 2025-11-25")

    choose(live, "arguments")
    page = live.locator(".insp-page:visible")
    expect(page).to_contain_text("read-only")
    number = page.get_by_label("number")
    page.get_by_label("text").first.fill("ab")
    number.fill("11")
    press(live, "Call")
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(page).to_contain_text("must be at most 10")
    expect(number).to_be_focused()
    sound(nb, "a value that does not fit")
    press(live, "Send anyway")
    expect(answer(live)).to_contain_text("✗ tool error")
    number.fill("7")
    page.get_by_label("give point").check()
    group = page.get_by_role("group", name="point")
    group.get_by_label("x").fill("1.5")
    group.get_by_label("y").fill("2")
    press(live, "Call")
    expect(answer(live)).to_contain_text("✓ ok")
    expect(answer(live)).to_contain_text("number: 7")
    expect(answer(live)).to_contain_text("x: 1.5")
    sound(nb, "a result")
    tab(live, "Wire")
    expect(live.get_by_role("tabpanel", name="Wire")).to_contain_text("result tools/call arguments")
    sound(nb, "the wire")
    press(live, "Disconnect")
    expect(live).to_contain_text("is closed")


def test_a_call_of_the_history_again_edited_as_python_and_as_a_test(open_cells: Open, tmp_path: Path) -> None:
    nb = open_cells("import labkit as lab\nconn = await lab.connect('everything')\nlab.inspect(conn)")
    nb.run_all()
    live = region(nb, 0, "Inspector of everything")
    choose(live, "arguments")
    live.locator(".insp-page:visible").get_by_role("textbox", name="text", exact=True).fill("ab")
    live.locator(".insp-page:visible").get_by_label("number").fill("7")
    press(live, "Call")
    expect(answer(live)).to_contain_text("✓ ok")
    tab(live, "History")
    expect(live.locator(".insp-item:visible")).to_have_count(1)
    press(live, "Run again")
    expect(live.get_by_role("tab", name="Tools")).to_have_attribute("aria-selected", "true")
    tab(live, "History")
    expect(live.locator(".insp-item:visible")).to_have_count(2)
    live.locator(".insp-item:visible").first.click()
    press(live, "As Python")
    expect(live.get_by_role("group", name="Python cell")).to_contain_text(
        "result = await conn.call('arguments', text='ab', number=7"
    )
    press(live, "Save as test")
    saving = live.get_by_role("group", name="Save as test")
    file = tmp_path / "test_saved.py"
    saving.get_by_label("File").fill(str(file))
    saving.get_by_label("flag").uncheck()
    sound(nb, "saving")
    press(live, "Save")
    expect(saving).to_contain_text("Saved.")
    assert "VOLATILE = [('flag',)]" in file.read_text(encoding="utf-8")
    press(live, "Save")
    expect(saving).to_contain_text("is there already, and stays")
    press(live, "Edit")
    expect(live.locator(".insp-page:visible").get_by_label("number")).to_have_value("7")


def test_a_slow_call_shows_progress_and_is_cancelled(open_cells: Open) -> None:
    nb = open_cells("import labkit as lab\nconn = await lab.connect('everything', via='stdio')\nlab.inspect(conn)")
    nb.run_all()
    live = region(nb, 0, "Inspector of everything")
    choose(live, "slow")
    live.locator(".insp-page:visible").get_by_label("seconds").fill("300")
    live.locator(".insp-page:visible").get_by_label("steps").fill("1000")
    press(live, "Call")
    bar = live.get_by_role("progressbar", name="progress of slow")
    expect(bar).to_be_visible()
    expect(live.locator(".insp-running:visible")).to_contain_text("of 1000: step")
    press(live, "Cancel")
    expect(answer(live)).to_contain_text("cancelled")
    tab(live, "Wire")
    expect(live.get_by_role("tabpanel", name="Wire")).to_contain_text("notifications/cancelled")


def test_a_question_of_the_server_is_answered_in_the_panel(open_cells: Open) -> None:
    nb = open_cells(
        f"import labkit as lab\nnew = await lab.connect({str(PROBE)!r}, via='stdio')\nlab.inspect(new)",
        f"old = await lab.connect({str(PROBE)!r}, era='2025-11-25')\nlab.inspect(old)",
    )
    nb.run_all()
    for index in (0, 1):
        live = region(nb, index, "Inspector of probe_server")
        choose(live, "delete")
        live.locator(".insp-page:visible").get_by_label("path").fill("/tmp/x")
        press(live, "Call")
        question = live.get_by_role("region", name="The server asks")
        expect(question).to_contain_text("Delete /tmp/x?")
        if index == 0:
            sound(nb, "a question")
        question.get_by_label("Ok").check()
        question.get_by_label("Reason").fill("asked to")
        press(question, "Accept")
        expect(answer(live)).to_contain_text("deleted /tmp/x asked to")
        expect(question).to_have_count(0)
    live = region(nb, 0, "Inspector of probe_server")
    choose(live, "summary")
    live.locator(".insp-page:visible").get_by_label("text").fill("one two three four five")
    press(live, "Call")
    model = live.get_by_role("region", name="The server asks the model")
    model.get_by_label("Answer for the model").fill("in short")
    press(model, "Send")
    expect(answer(live)).to_contain_text("in short")


def test_reading_templates_and_prompts_with_completion(open_cells: Open) -> None:
    nb = open_cells("import labkit as lab\nlab.inspect('everything')")
    nb.run_all()
    live = region(nb, 0)
    tab(live, "Resources")
    choose(live, "everything://logo")
    press(live, "Read")
    expect(answer(live).get_by_role("img", name="picture from the server")).to_be_visible()
    sound(nb, "a picture")
    choose(live, "everything://staff/{department}/{name}")
    page = live.locator(".insp-page:visible")
    department = page.get_by_role("combobox", name="department")
    department.press_sequentially("eng")
    expect(page.locator("datalist option[value=engineering]")).to_have_count(1)
    department.fill("engineering")
    name = page.get_by_role("combobox", name="name")
    name.press_sequentially("a")
    names = page.locator("datalist").last.locator("option")
    expect(names).not_to_have_count(0)
    name.fill(names.first.get_attribute("value") or "")
    press(live, "Read")
    expect(answer(live)).to_contain_text('"department": "engineering"')
    tab(live, "Prompts")
    choose(live, "review")
    page = live.locator(".insp-page:visible")
    press(live, "Get")
    source = page.get_by_role("combobox", name="code")
    expect(source).to_have_attribute("aria-invalid", "true")
    source.fill("x = 1")
    page.get_by_role("combobox", name="language").press_sequentially("py")
    expect(page.locator("datalist option[value=python]")).to_have_count(1)
    press(live, "Get")
    expect(answer(live)).to_contain_text("assistant")
    expect(answer(live)).to_contain_text("x = 1")
    sound(nb, "a prompt")


def test_announcements_logs_and_stderr_arrive(open_cells: Open) -> None:
    nb = open_cells(
        f"import labkit as lab\nconn = await lab.connect({str(PROBE)!r}, via='stdio', era='2025-11-25')\nlab.inspect(conn)",
        "for tool, given in (('grow', {'name': 'sprout'}), ('tell', {'text': 'by protocol'}), ('shout', {'text': 'by stderr'})):\n"
        "    await conn.call(tool, given)",
    )
    nb.run_all()
    live = region(nb, 0, "Inspector of probe_server")
    tab(live, "Events")
    events = live.get_by_role("log", name="events")
    expect(events).to_contain_text("tools/list_changed")
    expect(events).to_contain_text("by protocol")
    press(live, "Hear of changed lists")
    expect(live.get_by_role("button", name="Stop hearing of changed lists")).to_be_visible()
    sound(nb, "events")
    tab(live, "Server log")
    expect(live.get_by_role("log", name="stderr of the server")).to_contain_text("by stderr")
    expect(live.get_by_role("region", name="log messages")).to_contain_text("by protocol")
    sound(nb, "the log")
    tab(live, "Tools")
    choose(live, "sprout")


def test_a_page_loaded_again_and_a_server_that_dies(open_alone: Open) -> None:
    nb = open_alone(f"import labkit as lab\nlab.inspect({str(PROBE)!r}, via='stdio')", "'later'")
    nb.run_all()
    live = region(nb, 0)
    choose(live, "add")
    live.locator(".insp-page:visible").get_by_label("a", exact=True).fill("2")
    live.locator(".insp-page:visible").get_by_label("b", exact=True).fill("3")
    press(live, "Call")
    expect(answer(live)).to_contain_text("✓ ok")
    expect(nb.cell(0).locator(".labkit-still")).to_contain_text('add {"a": 2, "b": 3} ok')
    nb.save()
    nb.page.reload()
    nb.panel.wait_for(timeout=30_000)
    live = region(nb, 0)
    expect(live).to_contain_text("opened by this panel")
    expect(answer(live)).to_contain_text("✓ ok")
    expect(answer(live)).to_contain_text("5")
    choose(live, "die")
    live.locator(".insp-page:visible").get_by_label("code").fill("3")
    press(live, "Call")
    expect(answer(live)).to_contain_text("exited with code 3")
    expect(live.locator(".insp-head")).to_contain_text("going down")
    sound(nb, "a dead server")
    press(live, "Reconnect")
    expect(live.locator(".insp-head")).to_contain_text("opened by this panel")
    choose(live, "add")
    press(answer(live), "Run again")
    expect(answer(live)).to_contain_text("✓ ok")
    nb.save()
    nb.reopen_without_kernel()
    still = nb.cell(0).locator(".labkit-still")
    expect(still).to_be_visible()
    expect(still).to_contain_text("18 tools")
    # JupyterLab forgets with a reload which output to update: the still has the call made before it, without a cell.
    expect(still).to_contain_text('add {"a": 2, "b": 3} ok')


def test_a_cell_that_runs_again_closes_its_old_panel(open_cells: Open) -> None:
    nb = open_cells(
        "import asyncio\nimport labkit as lab\npanel = lab.inspect('calculator', via='stdio')\npanel",
        "for _ in range(1_500):  # at most 30 s, while the new one opens and the old one closes\n"
        "    if panel.facts()['there'] and len(lab.connections()) == 1:\n        break\n    await asyncio.sleep(0.02)\n"
        "print('open:', len(lab.connections()), 'of', lab.connections()[0]['id'])",
    )
    nb.run_all()
    expect(nb.output(1)).to_contain_text("open: 1 of 1")
    nb.run_all()
    expect(nb.output(1)).to_contain_text("open: 1 of 2")
    expect(region(nb, 0)).to_contain_text("opened by this panel")


def test_connecting_can_be_cancelled(open_cells: Open) -> None:
    nb = open_cells("import labkit as lab\nlab.inspect()", "print('open:', len(lab.connections()))")
    nb.run_all()
    live = region(nb, 0)
    live.get_by_label("Connect to").select_option("command")
    live.get_by_label("Command line").fill("python -c 'import time; time.sleep(600)'")
    press(live, "Connect")
    expect(live).to_contain_text("connecting ...")
    press(live, "Cancel")
    expect(live.get_by_role("alert").first).to_contain_text("cancelled; nothing was left behind")
    expect(live.get_by_role("button", name="Connect", exact=True)).to_be_enabled()
