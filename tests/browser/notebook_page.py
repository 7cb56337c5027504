"""A notebook open in JupyterLab, in the system's Chromium; and the page that many tests share."""

from __future__ import annotations

import json
import secrets
import shutil
import warnings
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Error, Locator, Page

from labkit.cli.suite import find_chromium
from tests.browser import axe
from tests.browser.lab_server import JupyterLab

CHROMIUM = find_chromium()
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # loopback only: a page that needs a CDN fails here
]
READY = """() => Promise.race([
  Promise.all([window.jupyterapp.started, window.jupyterapp.restored]).then(() => true),
  new Promise(late => setTimeout(() => late(false), 90_000)),
])"""
IDLE = """() => {
  const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
OPEN = """async path => {
  const { commands, shell } = window.jupyterapp;
  const opened = await commands.execute('docmanager:open', { path });
  for (const other of [...shell.widgets('main')]) if (other !== opened) other.dispose();
}"""
# Disposing does not ask whether to save; closing does.
CLEAR = """() => {
  const { commands, shell } = window.jupyterapp;
  for (const area of ['main', 'down']) for (const widget of [...shell.widgets(area)]) widget.dispose();
  localStorage.clear();
  return commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' });
}"""
# Without the launcher, which comes by itself, some time after nothing else is open.
STATE = """() => {
  const areas = ['header', 'top', 'menu', 'left', 'right', 'main', 'down', 'bottom'];
  const titles = area => [...window.jupyterapp.shell.widgets(area)].map(each => each.title.label || each.id);
  return JSON.stringify({
    ...Object.fromEntries(areas.map(area => [area, titles(area).filter(each => each !== 'Launcher')])),
    overlays: [...document.querySelectorAll('.jp-Dialog, .lm-Menu, .jp-Completer')].map(each => each.className),
    theme: document.body.dataset.jpThemeName,
  });
}"""
POLLING = 100
"""Milliseconds. Playwright would look at every frame that is drawn, which keeps a processor busy."""


def load(page: Page, lab: JupyterLab, path: str = "") -> None:
    """Load JupyterLab in a fresh workspace, with a file of its root folder or with nothing open."""
    workspace, tree = f"lab/workspaces/t{secrets.token_hex(4)}", f"/tree/{path}" if path else ""
    page.goto(f"{lab.url}{workspace}{tree}?token={lab.token}&reset")
    page.wait_for_function("() => window.jupyterapp", timeout=90_000, polling=POLLING)
    assert page.evaluate(READY), "JupyterLab was not ready after 90 s"
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=30_000)


class SharedPage:
    """A page that loads JupyterLab once, for one test after the other. Loading costs more than most tests do."""

    def __init__(self, browser: Browser, context_args: dict[str, Any], lab: JupyterLab) -> None:
        self._browser, self._context_args, self._lab = browser, context_args, lab
        self._page: Page | None = None
        self._first = ""

    def get(self) -> Page:
        """The page: JupyterLab is loaded, and nothing is open."""
        if self._page is None:
            self._page = self._browser.new_context(**self._context_args).new_page()
            load(self._page, self._lab)
            self._first = self._page.evaluate(STATE)
        return self._page

    def clear(self) -> None:
        """Make it again as it was when it had been loaded. Where that fails, the next test gets a new one."""
        if self._page is None:
            return
        try:
            self._page.context.clear_permissions()
            self._page.set_viewport_size(self._context_args["viewport"])
            self._page.mouse.move(0, 0)
            self._page.evaluate(CLEAR)
            same = f"first => ({STATE})() === first"
            self._page.wait_for_function(same, arg=self._first, timeout=5_000, polling=POLLING)
        except Error as error:
            warnings.warn(f"A new page has to be loaded, {self._difference()}: {error}", stacklevel=2)
            self.close()

    def _difference(self) -> str:
        try:
            now = json.loads(self._page.evaluate(STATE)) if self._page else {}
        except Error:
            return "this one does not answer"
        return ", ".join(f"{k}: {now.get(k)} was {v}" for k, v in json.loads(self._first).items() if now.get(k) != v)

    def close(self) -> None:
        """Also when the page has crashed."""
        if self._page is not None:
            self._page.context.close()
            self._page = None


def notebook_file(folder: Path, cells: tuple[str | Path, ...]) -> str:
    """Put a notebook of these code cells into a folder, or a copy of a notebook file; the new file's name."""
    name = f"test-{secrets.token_hex(4)}.ipynb"
    if isinstance(cells[0], Path):
        shutil.copy(cells[0], folder / name)
    else:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(str(cell)) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / name)
    return name


class NotebookPage:
    """A notebook open in JupyterLab; driven with JupyterLab's commands, looked at with locators."""

    def __init__(self, page: Page, lab: JupyterLab, name: str) -> None:
        self.page, self.lab, self.name = page, lab, name
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def open(self) -> NotebookPage:
        """Open it in the JupyterLab that the page shows, alone, and wait until its kernel is idle."""
        self.page.evaluate(OPEN, self.name)
        return self._opened()

    def load(self) -> NotebookPage:
        """Load JupyterLab with it, and wait until its kernel is idle."""
        load(self.page, self.lab, self.name)
        return self._opened()

    def _opened(self) -> NotebookPage:
        self.panel.wait_for(timeout=30_000)
        self.page.wait_for_function(IDLE, timeout=90_000, polling=POLLING)
        return self

    def start_all(self) -> None:
        """Run all cells without waiting for the last."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def run_all(self, seconds: int = 120) -> None:
        """Run all cells; back when the last has answered."""
        done = self.page.evaluate(
            """s => Promise.race([window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => true),
                                  new Promise(r => setTimeout(() => r(false), s * 1000))])""",
            seconds,
        )
        assert done, f"{self.name}: cells still running after {seconds} s"

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def end_kernel(self) -> None:
        """Shut the kernel down, and wait until the page knows."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('kernelmenu:shutdown')")
        ended = "() => !window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
        self.page.wait_for_function(ended, timeout=30_000, polling=POLLING)

    def reopen_without_kernel(self) -> None:
        """End the kernel and load the page again, as someone does who opens a saved notebook."""
        self.end_kernel()
        load(self.page, self.lab, self.name)
        self.panel.wait_for(timeout=30_000)

    def cell(self, index: int) -> Locator:
        """The cell at this position."""
        return self.panel.locator(".jp-Notebook .jp-Cell").nth(index)

    def theme(self, name: str) -> None:
        """Dark or Light."""
        full = f"JupyterLab {name}"
        self.page.evaluate("t => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})", full)
        self.page.wait_for_function("t => document.body.dataset.jpThemeName === t", arg=full, polling=POLLING)

    def findings(self, selector: str) -> list[axe.Finding]:
        """What axe-core finds serious or critical in the first `selector`."""
        return axe.serious_in(self.page, selector)

    def output(self, index: int) -> Locator:
        """The outputs of the cell at this position."""
        return self.cell(index).locator(".jp-OutputArea-output")
