"""Fixtures of the browser tests: a JupyterLab server, and notebooks open in it, driven by the system's Chromium.

`open_cells` is what most tests need. They share a page, on which JupyterLab was loaded once; `open_alone` gives a page of
its own to a test that loads the page again, is about loading or measures it, or leaves something behind in `window`.

These tests run in a pytest process of their own: a sync-playwright test leaves a running loop behind that
asyncio tests of the same process would trip over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: python start.py setup --extras")

from playwright.sync_api import Browser, Page, expect

from tests.browser.lab_server import JupyterLab
from tests.browser.notebook_page import CHROMIUM, FLAGS, NotebookPage, SharedPage, notebook_file

expect.set_options(timeout=20_000)


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


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    lab = JupyterLab(tmp_path_factory.mktemp("jupyterlab"))
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def shared_page(browser: Browser, browser_context_args: dict[str, Any], jupyterlab: JupyterLab) -> Iterator[SharedPage]:
    shared = SharedPage(browser, browser_context_args, jupyterlab)
    yield shared
    shared.close()


@pytest.fixture
def open_cells(
    shared_page: SharedPage, jupyterlab: JupyterLab, request: pytest.FixtureRequest
) -> Iterator[Callable[..., NotebookPage]]:
    """`open_cells("code", "code", ...)` opens a notebook of these cells, or of a notebook file, on the shared page."""

    def opening(*cells: str | Path) -> NotebookPage:
        return NotebookPage(shared_page.get(), jupyterlab, notebook_file(jupyterlab.root, cells)).open()

    yield opening
    report = getattr(request.node, "rep_call", None)  # noted there by pytest-playwright
    if report and report.passed:
        shared_page.clear()
    else:
        shared_page.close()
    jupyterlab.end_kernels()


@pytest.fixture
def open_alone(page: Page, jupyterlab: JupyterLab) -> Iterator[Callable[..., NotebookPage]]:
    """The same on a page of the test's own, on which JupyterLab is loaded with the notebook."""

    def opening(*cells: str | Path) -> NotebookPage:
        return NotebookPage(page, jupyterlab, notebook_file(jupyterlab.root, cells)).load()

    yield opening
    jupyterlab.end_kernels()
