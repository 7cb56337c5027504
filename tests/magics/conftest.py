"""A real IPython shell with labkit's magics, and a server with every kind of argument."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import labkit as lab
from labkit.magics import offer

MENU = Path(__file__).with_name("menu_server.py")


class Shell:
    """Cells in, values and errors out."""

    def __init__(self, folder: Path) -> None:
        settings = Config()
        settings.HistoryManager.enabled = False
        settings.Completer.use_jedi = False
        self.ip = InteractiveShell(config=settings, ipython_dir=str(folder))
        offer(self.ip)
        self.ip.user_ns |= {"lab": lab, "MENU": str(MENU)}

    def run(self, cell: str) -> Any:
        """The value of a cell; its error is raised."""
        ran = self.ip.run_cell(cell)
        ran.raise_error()
        return ran.result

    def error(self, cell: str) -> BaseException:
        """The error of a cell that fails."""
        ran = self.ip.run_cell(cell)
        assert ran.error_in_exec is not None, f"no error: {ran.result!r}"
        return ran.error_in_exec

    def tab(self, text: str) -> list[str]:
        """What Tab offers at the end of `text`."""
        with provisionalcompleter():
            return [each.text for each in self.ip.Completer.completions(text, len(text))]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    lab.sync.close_all()
    shell.ip.user_ns.clear()
    assert list(lab.connections()) == []


@pytest.fixture
def menu(shell: Shell) -> Shell:
    """The shell, connected to the menu."""
    shell.run("%mcp connect $MENU as menu via=memory")
    return shell
