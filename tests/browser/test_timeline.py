"""The wire timeline and the comparison in JupyterLab: filter, zoom, open, live arrival, and what stays without a kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, expect

Open = Callable[..., Any]

CONNECT = """
import asyncio
import labkit as lab
calc = await lab.connect("calculator", era="2026-07-28")
for n in range(4):
    await calc.call("add", a=n, b=1)
await calc.call("divide", a=1, b=0)
"""
FILL = """
import json
import labkit as lab
tape = lab.Tape("many", transport="stdio", era="2026-07-28")
def fill(count):
    for n in range(count):
        tape.record("sent", json.dumps({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "add", "arguments": {"a": n}}}))
        tape.record("received", json.dumps({"jsonrpc": "2.0", "id": n, "result": {"structuredContent": {"result": n}}}))
fill(5000)
"""
WATCH = """() => { window.opened = window.complete = 0;
  const after = (name) => requestAnimationFrame(() => requestAnimationFrame((now) => { window[name] ||= now; }));
  const look = () => {
    const status = document.querySelector('.tl-status')?.textContent ?? '';
    if (document.querySelectorAll('.tl-row').length > 5) after('opened');
    if (status.includes('All 10,000 frames')) after('complete'); else requestAnimationFrame(look);
  };
  look(); }"""
RUN_CELL = "() => window.jupyterapp.commands.execute('notebook:run-cell').then(() => performance.now())"
PAINTED = """wanted => { const c = document.querySelector('.tl-axis'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 255 && wanted.every((v, k) => d[i + k] === v)) return true; }"""
HEAP = "() => { window.gc?.(); return performance.memory.usedJSHeapSize / 1e6; }"


def parts(nb: Any, index: int, name: str = "Wire timeline of calculator") -> tuple[Locator, Locator, Locator, Locator]:
    """The view, its list, what is open, and its status."""
    view = nb.output(index).get_by_role("region", name=name)
    status = view.locator(".tl-status")
    expect(status).to_contain_text("frames")
    return view, view.get_by_role("listbox", name="Frames"), view.get_by_role("region", name="Open frame"), status


def test_filters_narrow_and_a_click_shows_the_frame_with_its_answer(open_cells: Open) -> None:
    nb = open_cells(CONNECT, "lab.timeline(calc)")
    nb.run_all()
    view, frames, opened, status = parts(nb, 1)
    row = frames.get_by_role("option")
    expect(view).to_contain_text("memory · era 2026-07-28 · 20 frames · no JSON on this wire: equivalent frames")
    expect(status).to_contain_text("All 20 frames")
    for label, value, count in (("Method", "tools/call", 10), ("Kind", "request", 5), ("Id", "6", 1)):
        field = view.get_by_label(label, exact=True)
        field.fill(value) if label == "Id" else field.select_option(value)
        expect(row).to_have_count(count)
        expect(status).to_contain_text(f"{count} of 20 frames")
    view.get_by_role("button", name="Clear filters").click()
    expect(status).to_contain_text("All 20 frames")
    view.get_by_label("Direction").select_option("received")
    view.get_by_label("Text").fill("cannot divide 1")  # stands in the body of one frame only
    expect(row).to_have_count(1)
    row.click()
    expect(opened.get_by_role("heading").first).to_have_text("Frame 20: tool error tools/call divide")
    expect(opened).to_contain_text(re.compile(r"response · id 10 · at .* answered after \d"))
    expect(opened).to_contain_text('"isError": true')
    opened.get_by_role("button", name="Request: frame 19").click()
    expect(opened.get_by_role("heading").first).to_have_text("Frame 19: tools/call divide")
    opened.get_by_role("button", name="Raw").click()
    expect(opened.locator("pre").first).to_contain_text('"method":"tools/call"')
    nb.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.get_by_role("button", name="Copy frame 19").click()
    expect(opened.get_by_role("status")).to_have_text("Copied.")
    assert '"tools/call"' in nb.page.evaluate("() => navigator.clipboard.readText()")
    for theme, good in (("Dark", [103, 212, 139]), ("Light", [26, 107, 55])):
        nb.theme(theme)
        nb.page.wait_for_function(PAINTED, arg=good)  # the canvas follows the theme, too
        assert nb.findings(".labkit-panel") == []


def test_the_time_axis_zooms_by_button_key_wheel_and_brush(open_cells: Open) -> None:
    nb = open_cells(CONNECT, "lab.timeline(calc)")
    nb.run_all()
    view, frames, _, status = parts(nb, 1)
    axis = view.get_by_role("img", name="Frames over time")
    narrowed = re.compile(r"^\d+ of 20 frames")
    for zoom in (
        lambda: view.get_by_role("button", name="Zoom in").click(),
        lambda: axis.press("+"),
        lambda: (axis.focus(), axis.hover(), nb.page.mouse.wheel(0, -100)),
        lambda: axis.drag_to(axis, source_position={"x": 300, "y": 40}, target_position={"x": 400, "y": 40}),
    ):
        expect(status).to_contain_text("All 20 frames")
        zoom()
        expect(status).to_have_text(narrowed)
        view.get_by_role("button", name="Show all").click()
    axis.press("+")
    axis.press("+")
    axis.press("Home")
    expect(frames.get_by_role("option").first).to_contain_text("server/discover")
    axis.press("End")
    expect(frames.get_by_role("option").last).to_contain_text("tool error tools/call divide")
    axis.press("Home")
    expect(frames.get_by_role("option").first).to_contain_text("server/discover")
    places = frames.get_by_role("option").evaluate_all("rows => rows.map((row) => Number(row.ariaPosInSet))")
    assert places == sorted(places) and places[0] == 1, "a list is read in the order of its rows"
    axis.press("0")
    expect(status).to_contain_text("All 20 frames")


def test_everything_is_done_by_keyboard(open_cells: Open) -> None:
    nb = open_cells(CONNECT, "lab.timeline(calc)")
    nb.run_all()
    view, frames, opened, _ = parts(nb, 1)
    view.get_by_label("Text").focus()
    press = nb.page.keyboard.press
    for _ in range(20):  # text, method, direction, kind, id, clear, axis, five zooms, follow
        if view.locator(".tl-list:focus").count():
            break
        press("Tab")
    expect(frames).to_be_focused()
    press("Home")
    expect(frames.locator("[aria-selected=true]")).to_contain_text("server/discover")
    expect(view.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    press("ArrowDown")
    press("ArrowDown")
    press("Enter")
    expect(opened.get_by_role("heading").first).to_have_text("Frame 3: tools/list")
    active = frames.get_attribute("aria-activedescendant")
    expect(view.locator(f"#{active}")).to_have_attribute("aria-posinset", "3")
    press("Tab")
    expect(opened).to_be_focused()
    assert nb.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_frames_arrive_while_the_cell_runs_and_following_stops_when_someone_scrolls(open_cells: Open) -> None:
    running = "go = asyncio.Event()\nfor n in range(300):\n    await calc.call('add', a=n, b=7)\nlater.show = 1\nawait go.wait()"
    nb = open_cells(CONNECT, "view = lab.timeline(calc)\nclass later: show = 0\nview", running, "go.set()")
    nb.start_all()
    view, frames, _, status = parts(nb, 1)
    follow = view.get_by_role("button", name="Follow")
    expect(status).to_contain_text("All 620 frames")  # the third cell is still running
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(frames.get_by_role("option").last).to_contain_text("620")
    assert frames.get_by_role("option").count() < 60, "only what can be seen is in the page"
    frames.hover()
    nb.page.mouse.wheel(0, -2000)
    expect(follow).to_have_attribute("aria-pressed", "false")
    follow.click()
    expect(frames.get_by_role("option").last).to_contain_text("620")
    nb.page.evaluate("() => window.jupyterapp.commands.execute('kernelmenu:interrupt')")


def test_ten_thousand_frames_open_within_a_second_and_stay_bounded(open_alone: Open) -> None:
    nb = open_alone(FILL, "lab.timeline(tape)")
    nb.run_all()
    view, frames, _, status = parts(nb, 1, "Wire timeline of many")
    expect(status).to_contain_text("All 10,000 frames")
    opened: list[float] = []
    for _ in range(3):
        nb.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-cell-output')")
        expect(frames).to_have_count(0)
        nb.page.evaluate(WATCH)
        end = nb.page.evaluate(RUN_CELL)
        nb.page.wait_for_function("() => window.complete")
        times = nb.page.evaluate("() => [window.opened, window.complete]")
        opened.append(times[0] - end)
        print(
            f"10,000 frames: open {times[0] - end:.0f} ms after the end of the cell, all there {times[1] - end:.0f} ms"
        )
    assert min(opened) < 1000
    assert frames.get_by_role("option").count() < 60
    before = nb.page.evaluate(HEAP)
    nb.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
              .requestExecute({code: 'for _ in range(6): fill(2500); await __import__("asyncio").sleep(0.3)'}).done.then(() => true)"""
    )
    expect(view).to_contain_text("10,000 frames · 30,000 older frames dropped")
    expect(frames.get_by_role("option").last).to_contain_text("40000")
    after = nb.page.evaluate(HEAP)
    print(f"heap {before:.0f} MB, after 30,000 more frames {after:.0f} MB")
    assert after - before < 60
    frames.press("Home")
    expect(frames.get_by_role("option").first).to_contain_text("30001")


def test_a_reload_finds_it_again_and_without_a_kernel_the_still_is_read(open_alone: Open) -> None:
    nb = open_alone(CONNECT, "lab.timeline(calc)", "r = await calc.call('add', a=40, b=2)")
    nb.run_all()
    *_, status = parts(nb, 1)
    expect(status).to_contain_text("All 22 frames")
    expect(nb.cell(1).locator(".labkit-still")).to_contain_text("22 frames")
    nb.save()
    nb.page.reload()
    *_, status = parts(nb, 1)
    expect(status).to_contain_text("All 22 frames")
    nb.reopen_without_kernel()
    still = nb.cell(1).locator(".labkit-still")
    expect(still).to_contain_text("era 2026-07-28 · 22 frames")
    expect(still.locator("details")).to_have_count(22)
    still.locator("summary").last.click()
    expect(still.locator("pre").last).to_be_visible()
    expect(still.locator("pre").last).to_contain_text('"result": 42')
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-still") == []


def test_two_eras_side_by_side(open_cells: Open) -> None:
    nb = open_cells("import labkit as lab\nlab.connections()", "await lab.compare_eras('calculator')")
    nb.run_all()
    nb.page.set_viewport_size({"width": 1000, "height": 900})
    name = "Comparison of 2025-11-25 and 2026-07-28"
    view = nb.output(1).get_by_role("region", name=name)
    pairs, opened = view.get_by_role("listbox", name="Pairs of frames"), view.get_by_role("region", name="Open pair")
    row = pairs.get_by_role("option")
    expect(row).to_have_count(15)
    expect(row.first).to_have_text(re.compile("^− only in 2025-11-25 → initialize"))
    view.get_by_label("Text").fill("tools/call")
    expect(view.get_by_role("status")).to_have_text("2 of 15 pairs")
    expect(row.first).to_contain_text("≈ same but envelope")
    pairs.focus()
    pairs.press("ArrowDown")
    pairs.press("Enter")
    member = opened.get_by_role("row", name='params._meta["io.modelcontextprotocol/protocolVersion"]')
    expect(member).to_contain_text('not there"2026-07-28"')
    opened.locator("summary").first.click()
    expect(opened.locator("details pre").first).to_contain_text('"name": "add"')
    wide = nb.page.evaluate(
        "() => { const p = document.querySelector('.labkit-panel'); return [p.scrollWidth, p.clientWidth]; }"
    )
    assert wide[0] <= wide[1]
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-panel") == []
    view.get_by_label("Text").fill("")
    view.get_by_label("Show").select_option("right")
    expect(row).to_have_count(2)
    view.get_by_role("button", name="Compare again").click()
    expect(view.get_by_role("button", name="Compare again")).to_be_focused()
    expect(row).to_have_count(2)  # the filter stays
    nb.save()
    nb.reopen_without_kernel()
    still = nb.cell(1).locator(".labkit-still")
    expect(still.get_by_role("row", name="+ only in 2026-07-28")).to_have_count(2)
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-still") == []
