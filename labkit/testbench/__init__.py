"""Prove any MCP server: start it, talk to it below and through the SDK, and say with evidence what is wrong.

    certificate = await lab.certify("python my_server.py")
    certificate            # the verdict, check by check
    certificate.findings   # what was sent, what came back, how to fix it

| module | what it holds |
|---|---|
| `check` | what a check, a finding and an outcome are; the register of checks |
| `raw` | a server spoken to in bytes: its stdin and stdout, or its HTTP endpoint |
| `bench` | the server under test: raw wires and connections, in each era it speaks |
| `tour`, `shapes` | what the server offers, walked through once; the published shape of each message |
| `doctor`, `protocol`, `contract`, `fuzz` ... | the checks, one module a section, or several |
| `schemas`, `narrowing`, `snapshot` | JSON Schemas, what a change of one means, and a contract pinned in a file |
| `inputs`, `strategies`, `search`, `trying` | arguments right and wrong, the hunt for harmful ones, and the call |
| `certifying`, `certificate`, `report` | running them in order, what comes out, and how it is written down |
| `pytest_plugin` | the server under test as pytest fixtures |
| `cassette`, `replay`, `recheck`, `recorder` | a session kept as a file: replayed as a server, and against one |

Names are imported on first use, so that `import labkit` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.testbench.cassette import Cassette as Cassette
    from labkit.testbench.certificate import Certificate as Certificate
    from labkit.testbench.certifying import certify as certify

_HOME = {"Cassette": "cassette", "Certificate": "certificate", "certify": "certifying"}

__all__ = ["Cassette", "Certificate", "certify"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"labkit.testbench has no attribute {name!r}")
    value = getattr(import_module(f"labkit.testbench.{_HOME[name]}"), name)
    globals()[name] = value
    return value
