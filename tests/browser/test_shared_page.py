"""The page that tests share: the next one finds it as it was loaded, or gets a new one."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

COMMAND = "name => { window.jupyterapp.commands.execute(name); }"


def test_what_a_test_changed_is_as_before(shared_page: Any) -> None:
    page = shared_page.get()
    size = page.viewport_size
    page.evaluate(COMMAND, "inspector:open")
    expect(page.locator(".jp-Inspector")).to_be_visible()
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
    page.evaluate("() => localStorage.setItem('kept', 'yes')")
    page.set_viewport_size({"width": 600, "height": 500})
    shared_page.clear()
    assert shared_page.get() is page
    expect(page.locator(".jp-Inspector")).to_have_count(0)
    assert page.viewport_size == size
    assert page.evaluate("() => [document.body.dataset.jpThemeLight, localStorage.length]") == ["true", 0]


def test_a_page_that_cannot_be_cleared_is_not_used_again(shared_page: Any) -> None:
    page = shared_page.get()
    page.evaluate(COMMAND, "help:about")
    page.locator(".jp-Dialog").wait_for()
    with pytest.warns(UserWarning, match=r"overlays: .*jp-Dialog"):
        shared_page.clear()
    assert page.is_closed()
