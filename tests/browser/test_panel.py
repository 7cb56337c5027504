"""What all views stand on: questions answered on the right loop, and a still that outlives the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

Open = Callable[..., Any]

DEFINE = """
import asyncio, threading
import labkit as lab
from labkit.ui import panel
from labkit.ui.panel import Panel

class Counter(Panel):
    count = 0
    async def answer_more(self, by):
        self.count += by
        loop = asyncio.get_running_loop()
        return f"{self.count} {loop is HOME} {threading.current_thread() is threading.main_thread()}"
    async def answer_fail(self):
        raise LookupError("no such thing")
    async def answer_news(self):
        threading.Thread(target=self.tell, args=("news",), kwargs={"text": "told"}).start()
    async def answer_hang(self):
        await asyncio.Event().wait()
    def still(self):
        return f"<b>counted to {self.count}</b>"

HOME = asyncio.get_running_loop()
lab.connections()
_ESM = panel.script() + '''
export default mount((root, panel) => {
  const said = h("output", {}, "ready");
  let last = null;
  const ask = (name, params) => { last = panel.ask(name, params); last.then((r) => (said.textContent = r), (e) => (said.textContent = `${e.cancelled ? "stopped" : e.message}`)); };
  panel.on("news", (d) => (said.textContent = d.text));
  root.append(button("More", () => ask("more", { by: 2 })), button("News", () => panel.ask("news")), button("Fail", () => ask("fail")), button("Hang", () => ask("hang")),
              button("Stop", () => last.cancel()), said);
});
'''
panel.script = lambda *parts: _ESM
counter = Counter("a counter")
"""


def test_the_browser_asks_and_the_home_loop_answers(open_cells: Open) -> None:
    nb = open_cells(DEFINE, "counter")
    nb.run_all()
    live = nb.output(1).get_by_role("region", name="a counter")
    said = live.get_by_role("status")
    live.get_by_role("button", name="More").click()
    expect(said).to_have_text("2 True True")
    live.get_by_role("button", name="News").click()
    expect(said).to_have_text("told")
    live.get_by_role("button", name="More").click()
    expect(said).to_have_text("4 True True")
    live.get_by_role("button", name="Fail").click()
    expect(said).to_have_text("LookupError: no such thing")
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-panel") == []
    nb.page.evaluate("() => document.querySelector('.labkit-panel button').setAttribute('style', 'color: #fff')")
    assert "color-contrast" in nb.findings(".labkit-panel")[0]  # the check can fail
    live.get_by_role("button", name="Hang").click()
    live.get_by_role("button", name="Stop").click()
    expect(said).to_have_text("stopped")


def test_a_view_says_that_its_kernel_is_gone_until_its_cell_runs_again(open_cells: Open) -> None:
    nb = open_cells(DEFINE, "counter")
    errors: list[Any] = []

    def note(error: Any) -> None:
        errors.append(error)

    nb.page.on("pageerror", note)
    live = nb.output(1).get_by_role("region", name="a counter")
    said, gone = live.get_by_role("status"), live.get_by_role("alert").filter(has_text="run this cell again")

    nb.run_all()
    live.get_by_role("button", name="Hang").click()
    nb.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    expect(gone).to_have_count(1)  # a restart is told to the view
    expect(said).to_be_empty()  # what waited has ended, and the sentence does not stand there twice
    for name in ("More", "News", "Stop"):
        live.get_by_role("button", name=name).click()
    expect(gone).to_have_count(1)
    assert nb.findings(".labkit-panel") == []

    nb.run_all()
    expect(gone).to_have_count(0)
    live.get_by_role("button", name="More").click()
    expect(said).to_have_text("2 True True")
    nb.end_kernel()
    expect(gone).to_have_count(0)  # this end is told to nobody: sending fails
    live.get_by_role("button", name="More").click()
    expect(gone).to_have_count(1)
    expect(said).to_be_empty()
    nb.page.remove_listener("pageerror", note)
    assert errors == []


def test_the_still_shows_when_the_kernel_is_gone(open_cells: Open) -> None:
    nb = open_cells(DEFINE, "counter", "counter.count = 7")
    nb.run_all()
    still = nb.cell(1).locator(".labkit-still")
    expect(nb.output(1).get_by_role("region", name="a counter")).to_be_visible()
    expect(still).to_be_hidden()
    expect(still).to_have_text("counted to 7")  # drawn again at the end of the cell that changed it
    nb.save()
    nb.reopen_without_kernel()
    expect(nb.cell(1).locator(".labkit-still")).to_be_visible()
    expect(nb.cell(1)).to_contain_text("counted to 7")
    expect(nb.cell(1).get_by_text("Error displaying widget")).to_be_hidden()
