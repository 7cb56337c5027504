"""The security range: sixteen classes of attack, each with a server that falls to it and a twin that does not.

    lab.drills()                                       # what there is
    drill = lab.drill("paths")
    await drill.attack()                               # against the vulnerable server; a table of what was obtained
    await drill.grade("my_server.py")                  # attack, legitimate use and near misses against yours

`servers/vulnerable/<id>/` holds a drill: `vulnerable.py`, `fixed.py`, what is done to them (`drill.py`), and what to
know about it (`drill.toml`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.range.definition import Drill as Drill
    from labkit.range.definition import Drills as Drills
    from labkit.range.definition import drill as drill
    from labkit.range.definition import drills as drills
    from labkit.range.outcome import Grade as Grade
    from labkit.range.outcome import Outcome as Outcome
    from labkit.range.running import run as run
    from labkit.range.target import Target as Target

_WHERE = {
    "Drill": "labkit.range.definition",
    "Drills": "labkit.range.definition",
    "drill": "labkit.range.definition",
    "drills": "labkit.range.definition",
    "Outcome": "labkit.range.outcome",
    "Grade": "labkit.range.outcome",
    "Target": "labkit.range.target",
    "run": "labkit.range.running",
}
__all__ = [*_WHERE]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"labkit.range has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_WHERE[name]), name)
