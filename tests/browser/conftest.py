"""A throw-away JupyterLab and a page with one notebook open, driven by the system's Chromium.

These tests run in a pytest process of their own: a sync-playwright test leaves a running loop behind that
asyncio tests of the same process would trip over.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit.catalog import LAB_ROOT

pytest.importorskip("playwright", reason="playwright is not installed: python start.py setup --extras")

from playwright.sync_api import Locator, Page, expect

expect.set_options(timeout=20_000)
CHROMIUM = os.environ.get("LAB_CHROMIUM") or next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
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
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
READY = "window.jupyterapp && document.querySelector('#jupyterlab-splash') === null"
ALONE = """selector => {
  const rules = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules].map(rule => rule.cssText)).join('\\n');
  const body = document.body.cloneNode(false);
  body.setAttribute('style', 'overflow:visible; position:static; background:var(--jp-layout-color0)');
  body.innerHTML = `<main style="width:1000px">${document.querySelector(selector).outerHTML}</main>`;
  return `<!doctype html><html lang="en"><head><title>alone</title><style>${rules}</style></head>${body.outerHTML}</html>`;
}"""
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="no Chromium found: install one (apt-get install chromium)"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": FLAGS, "headless": True}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1280, "height": 1000}}


# It ends with this process, in whichever way that ends, and then says so in its log.
LAB = """
import os, signal, sys, threading
import psutil
from jupyterlab.labapp import main
def end_with_owner(owner):
    try:
        psutil.Process(owner).wait()
    except psutil.NoSuchProcess:
        pass
    print("The tests that started this JupyterLab have ended", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end_with_owner, args=[int(sys.argv.pop(1))], daemon=True).start()
sys.exit(main())
"""


class JupyterLab:
    """A JupyterLab server with settings, runtime files and workspaces of its own, on a free port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self.token = secrets.token_hex(16)
        settings = folder / "settings"
        for plugin, value in SETTINGS.items():
            package, name = plugin.split(":")
            file = settings / package / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value), encoding="utf-8")
        own = {
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "IPYTHONDIR": "ipython",
        }
        env = {k: v for k, v in os.environ.items() if k != "LABKIT_SCRIPTED"}
        env |= {key: str(folder / name) for key, name in own.items()}
        env |= {"JUPYTER_PREFER_ENV_PATH": "1", "PYTHONPATH": str(LAB_ROOT), "NO_PROXY": "127.0.0.1,localhost"}
        self.log_path = folder / "lab.log"
        self._log = self.log_path.open("wb")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                LAB,
                str(os.getpid()),
                "--no-browser",
                "--allow-root",
                "--ServerApp.ip=127.0.0.1",
                "--ServerApp.port=0",
                f"--ServerApp.root_dir={self.root}",
                f"--IdentityProvider.token={self.token}",
                "--LabApp.expose_app_in_browser=True",
                f"--LabApp.user_settings_dir={settings}",
                f"--LabApp.workspaces_dir={folder / 'workspaces'}",
                "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._wait(folder / "runtime")

    def _wait(self, runtime: Path) -> str:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            for file in runtime.glob("jpserver-*.json"):
                try:
                    url = str(json.loads(file.read_text(encoding="utf-8"))["url"])
                except (ValueError, KeyError):
                    continue
                self.url = url
                if self.api("api/status"):
                    return url
            time.sleep(0.1)
        self.close()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log_path.read_text(encoding='utf-8')[-3000:]}")

    def api(self, path: str, method: str = "GET") -> Any:
        """Ask the server's REST interface; None when it does not answer."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        try:
            with DIRECT.open(request, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except OSError:
            return None

    def close(self) -> None:
        """SIGTERM: the server ends its kernels, too."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.close()


class NotebookPage:
    """A notebook open in a fresh workspace; driven with JupyterLab's commands, looked at with locators."""

    def __init__(self, page: Page, lab: JupyterLab, name: str) -> None:
        self.page, self.lab, self.name = page, lab, name

    def open(self) -> NotebookPage:
        """Open it and wait until its kernel is idle."""
        workspace = "t" + secrets.token_hex(4)
        self.page.goto(f"{self.lab.url}lab/workspaces/{workspace}/tree/{self.name}?token={self.lab.token}&reset")
        self.page.wait_for_function(READY, timeout=90_000)
        self.panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.panel.wait_for(timeout=30_000)
        self.page.wait_for_function(
            """() => { const k = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
                       return k && k.connectionStatus === 'connected' && k.status === 'idle'; }""",
            timeout=90_000,
        )
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

    def reopen_without_kernel(self) -> None:
        """End the kernel and load the page again, as someone does who opens a saved notebook."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('kernelmenu:shutdown')")
        self.page.wait_for_function(
            "() => !window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel", timeout=30_000
        )
        self.page.reload()
        self.page.wait_for_function(READY, timeout=90_000)
        self.panel.wait_for(timeout=30_000)

    def cell(self, index: int) -> Locator:
        """The cell at this position."""
        return self.panel.locator(".jp-Notebook .jp-Cell").nth(index)

    def theme(self, name: str) -> None:
        """Dark or Light."""
        full = f"JupyterLab {name}"
        self.page.evaluate("t => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})", full)
        self.page.wait_for_function("t => document.body.dataset.jpThemeName === t", arg=full)

    def findings(self, selector: str) -> list[str]:
        """What axe-core finds serious or critical in the first `selector`, each with the element concerned.

        JupyterLab scrolls its panels inside boxes that axe takes for hidden, so that it would judge nothing: a copy of
        the element is judged alone, on a page with the same style sheets and theme.
        """
        from axe_playwright_python.sync_playwright import Axe

        alone = self.page.context.new_page()
        try:
            alone.set_content(self.page.evaluate(ALONE, selector))
            found = Axe().run(alone, options={"resultTypes": ["violations", "passes"]}).response
        finally:
            alone.close()
        assert any(each["id"] == "color-contrast" for each in found["passes"] + found["violations"]), "nothing was seen"
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def output(self, index: int) -> Locator:
        """The outputs of the cell at this position."""
        return self.cell(index).locator(".jp-OutputArea-output")


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    lab = JupyterLab(tmp_path_factory.mktemp("jupyterlab"))
    yield lab
    lab.close()


@pytest.fixture
def open_cells(page: Page, jupyterlab: JupyterLab) -> Iterator[Callable[..., NotebookPage]]:
    """`open_cells("code", "code", ...)` opens a notebook of these cells; or of a notebook file."""

    def opening(*cells: str | Path) -> NotebookPage:
        name = f"test-{secrets.token_hex(4)}.ipynb"
        if isinstance(cells[0], Path):
            shutil.copy(cells[0], jupyterlab.root / name)
        else:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(str(cell)) for cell in cells])
            notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
            nbformat.write(notebook, jupyterlab.root / name)
        return NotebookPage(page, jupyterlab, name).open()

    yield opening
    for session in jupyterlab.api("api/sessions") or []:
        jupyterlab.api(f"api/sessions/{session['id']}", "DELETE")
