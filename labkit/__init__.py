"""MCP Lab: learn, test and practise the Model Context Protocol in JupyterLab.

    import labkit as lab
    calc = await lab.connect("calculator")
    await calc.call("add", a=2, b=3)

Everything is imported when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit import errors as errors
    from labkit import services as services
    from labkit.catalog import Catalog
    from labkit.clinic import design_case as design_case
    from labkit.errors import ArgumentsError as ArgumentsError
    from labkit.errors import CallTimeoutError as CallTimeoutError
    from labkit.errors import CatalogError as CatalogError
    from labkit.errors import CollisionError as CollisionError
    from labkit.errors import ConnectError as ConnectError
    from labkit.errors import ConnectionClosedError as ConnectionClosedError
    from labkit.errors import EraError as EraError
    from labkit.errors import GatewayConfigError as GatewayConfigError
    from labkit.errors import HostConfigError as HostConfigError
    from labkit.errors import LabError as LabError
    from labkit.errors import NotebookError as NotebookError
    from labkit.errors import PrincipalError as PrincipalError
    from labkit.errors import ResultError as ResultError
    from labkit.errors import RpcError as RpcError
    from labkit.errors import ServerDiedError as ServerDiedError
    from labkit.errors import UnknownNameError as UnknownNameError
    from labkit.gateway.config import GatewayConfig as GatewayConfig
    from labkit.gateway.front import Gateway as Gateway
    from labkit.grading import exercise as exercise
    from labkit.grading import progress as progress
    from labkit.grading import reset_all as reset_all
    from labkit.interview import mock_interview as mock_interview
    from labkit.range.definition import drill as drill
    from labkit.range.definition import drills as drills
    from labkit.scaling import load as load
    from labkit.scaling import replicas as replicas
    from labkit.session import sync as sync
    from labkit.session.connection import connect as connect
    from labkit.session.handlers import scripted as scripted
    from labkit.session.nested import allow_nested_loops as allow_nested_loops
    from labkit.session.registry import close_all as close_all
    from labkit.session.registry import connections as connections
    from labkit.session.serve import serve as serve
    from labkit.testbench import Cassette as Cassette
    from labkit.testbench import certify as certify
    from labkit.ui.compare import compare_eras as compare_eras
    from labkit.ui.fleet import fleet as fleet
    from labkit.ui.inspector import inspect as inspect
    from labkit.ui.timeline import timeline as timeline
    from labkit.wire import Tape as Tape

__version__ = "0.1.0"

_ERRORS = [
    "LabError",
    "CatalogError",
    "HostConfigError",
    "GatewayConfigError",
    "CollisionError",
    "PrincipalError",
    "ConnectError",
    "EraError",
    "ConnectionClosedError",
    "ServerDiedError",
    "CallTimeoutError",
    "UnknownNameError",
    "ArgumentsError",
    "RpcError",
    "ResultError",
    "NotebookError",
]

_WHERE: dict[str, str] = {
    "connect": "labkit.session.connection",
    "serve": "labkit.session.serve",
    "connections": "labkit.session.registry",
    "close_all": "labkit.session.registry",
    "scripted": "labkit.session.handlers",
    "allow_nested_loops": "labkit.session.nested",
    "Tape": "labkit.wire",
    "inspect": "labkit.ui.inspector",
    "timeline": "labkit.ui.timeline",
    "fleet": "labkit.ui.fleet",
    "compare_eras": "labkit.ui.compare",
    "drill": "labkit.range.definition",
    "drills": "labkit.range.definition",
    "replicas": "labkit.scaling.pool",
    "load": "labkit.scaling.generator",
    "design_case": "labkit.clinic",
    "mock_interview": "labkit.interview",
    "exercise": "labkit.grading",
    "progress": "labkit.grading",
    "reset_all": "labkit.grading",
    "certify": "labkit.testbench",
    "Cassette": "labkit.testbench",
    "Gateway": "labkit.gateway.front",
    "GatewayConfig": "labkit.gateway.config",
    **dict.fromkeys(_ERRORS, "labkit.errors"),
}
_MODULES = {"sync": "labkit.session.sync", "errors": "labkit.errors", "services": "labkit.services"}

__all__ = ["__version__", "servers", *sorted(_WHERE), *sorted(_MODULES)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def servers() -> Catalog:
    """The example servers that can be launched, as a table."""
    from labkit.catalog import load_catalog

    return load_catalog()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = import_module(_MODULES[name])
    elif name in _WHERE:
        value = getattr(import_module(_WHERE[name]), name)
    else:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(__all__)}")
    if "IPython" in sys.modules:
        _prepare_notebook()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _prepare_notebook() -> None:
    from labkit.magics import prepare

    prepare()


def load_ipython_extension(ip: Any) -> None:
    """`%load_ext labkit`: completion and magics. Using any name of labkit in a notebook does the same."""
    from labkit.magics import prepare

    prepare(ip)


def _offer_magics() -> None:
    from IPython.core.getipython import get_ipython

    if (ip := get_ipython()) is not None:
        from labkit.magics import offer

        offer(ip)


if "IPython" in sys.modules:
    _offer_magics()
