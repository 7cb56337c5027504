"""Bring a server object out of its file: fresh each time, so that connections share no state."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from importlib.machinery import SourceFileLoader
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from labkit.errors import CatalogError
from labkit.session.sdk import mcpserver

_serial = count(1)
_PREFIX = "labkit_server_"
_configure_logging = mcpserver.configure_logging


def _nothing(*_: Any, **__: Any) -> None: ...


@contextmanager
def _quiet_root() -> Generator[None]:
    # A server that configures the root logger, in its file or by MCPServer's constructor, would print into the
    # learner's cells from then on. basicConfig leaves a root logger alone that has a handler already; the
    # constructor's call is left out altogether, since it also imports rich: 20 ms of the first connection's 44.
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    mcpserver.configure_logging = _nothing
    try:
        yield
    finally:
        mcpserver.configure_logging = _configure_logging
        root.removeHandler(handler)


@contextmanager
def _beside(folder: Path) -> Generator[None]:
    # A script may import the modules beside it, and so may this. They are taken back afterwards: two servers may
    # each have a `models.py`, and a learner who changes one wants to see the change on the next connection.
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.path.remove(str(folder))
        new = {name.partition(".")[0] for name in set(sys.modules) - before}
        own = {name for name in new if _folder_of(name) == folder and not name.startswith(_PREFIX)}
        for name in [name for name in sys.modules if name.partition(".")[0] in own]:
            del sys.modules[name]


def _folder_of(name: str) -> Path | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file:
        return None
    return Path(file).parent.parent if Path(file).stem == "__init__" else Path(file).parent


class _AsItStands(SourceFileLoader):
    """Never takes a compiled copy: one of the same second and size would be the file as it was before."""

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_module(path: Path) -> tuple[ModuleType, Callable[[], None]]:
    """Execute the file anew and return it as a module, and a function that forgets the module.

    Raises CatalogError when the file fails.
    """
    name = f"{_PREFIX}{path.parent.name}_{path.stem}_{next(_serial)}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItStands(name, str(path)))
    if spec is None or spec.loader is None:
        raise CatalogError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up while it runs

    def forget() -> None:
        sys.modules.pop(name, None)

    try:
        with _quiet_root(), _beside(path.parent):
            spec.loader.exec_module(module)
    except Exception as error:
        forget()
        raise CatalogError(f"{path} failed while loading: {type(error).__name__}: {error}") from error
    return module, forget


def load_server(path: Path, attribute: str = "server") -> tuple[Any, Callable[[], None]]:
    """Execute the file and return its server object, and a function that forgets the module.

    Raises CatalogError when the file fails, or has no such object.
    """
    module, forget = load_module(path)
    server = getattr(module, attribute, None)
    if server is None and attribute == "server":
        server = getattr(module, "mcp", None) or getattr(module, "app", None)
    if server is None:
        forget()
        raise CatalogError(f"{path} defines no {attribute!r}: name the MCPServer object {attribute!r}.")
    return server, forget
