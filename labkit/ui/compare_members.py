"""What differs between two frames, member by member."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from labkit.wire import Frame
from labkit.wire.views import showable

MOST = 200
"""Differences that are told of one pair."""
LONGEST = 2_000
"""Characters of one value."""
IGNORED = frozenset({"date", "content-length", "connection", "server"})
"""HTTP headers that differ without saying anything."""

_ENVELOPE = ("params._meta", "result._meta", "result.ttlMs", "result.cacheScope", "header mcp-")
_OPENED = frozenset({"params", "_meta"})
"""Members that are looked into also where one side has none: their own members say more."""

_ABSENT: Any = object()


@dataclass(frozen=True)
class Difference:
    """One member: its path, and its value on each side as JSON text, '' where it is not there."""

    path: str
    left: str
    right: str

    @property
    def word(self) -> str:
        """changed, only left or only right."""
        return "changed" if self.left and self.right else ("only left" if self.left else "only right")

    @property
    def in_envelope(self) -> bool:
        """Whether it is about how a message travels, and not about what it says."""
        if self.path == "result.resultType":
            return {self.left, self.right} <= {"", '"complete"'}
        return self.path.startswith(_ENVELOPE)


def differences(left: Frame, right: Frame) -> list[Difference]:
    """Each member that is not the same in both: of the JSON, of the headers, the status.

    JSON-RPC ids are left out: they count requests, and say nothing of them. At most 200.
    """
    found: list[Difference] = []
    if left.message is None or right.message is None:
        if left.text != right.text:
            found.append(Difference("text", _cut(left.text), _cut(right.text)))
    else:
        found += _walk({**left.message, "id": 0}, {**right.message, "id": 0})
    if left.status != right.status:
        found.append(Difference("HTTP status", _text(left.status), _text(right.status)))
    heads = [{name: value for name, value in (f.headers or {}).items() if name not in IGNORED} for f in (left, right)]
    for name in dict.fromkeys([*heads[0], *heads[1]]):
        if heads[0].get(name) != heads[1].get(name):
            found.append(Difference(f"header {showable(name)}", *(_cut(head.get(name, "")) for head in heads)))
    return found[:MOST]


def _walk(left: Any, right: Any) -> list[Difference]:
    found: list[Difference] = []
    todo: list[tuple[str, Any, Any]] = [("", left, right)]  # not recursive: a server may nest deep
    while todo and len(found) < MOST:
        path, a, b = todo.pop()
        if path.rpartition(".")[2] in _OPENED:
            a, b = _opened(a, b), _opened(b, a)
        if isinstance(a, dict) and isinstance(b, dict):
            one, two = cast("dict[str, Any]", a), cast("dict[str, Any]", b)
            names = reversed([*one, *(name for name in two if name not in one)])
            todo += [(_join(path, name), one.get(name, _ABSENT), two.get(name, _ABSENT)) for name in names]
        elif isinstance(a, list) and isinstance(b, list):
            these, those = cast("list[Any]", a), cast("list[Any]", b)
            for at in reversed(range(max(len(these), len(those)))):
                pair = [items[at] if at < len(items) else _ABSENT for items in (these, those)]
                todo.append((f"{path}[{at}]", pair[0], pair[1]))
        elif not _same(a, b):
            found.append(Difference(path, _text(a), _text(b)))
    return found


def _opened(value: Any, other: Any) -> Any:
    return {} if value is _ABSENT and isinstance(other, dict) else value


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b  # True is 1 in Python, and not in JSON


def _join(path: str, name: str) -> str:
    step = name if name.isidentifier() else f"[{json.dumps(showable(name), ensure_ascii=False)}]"
    return step if not path else f"{path}{'' if step.startswith('[') else '.'}{step}"


def _text(value: Any) -> str:
    if value is _ABSENT:
        return ""
    try:
        return _cut(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "(nested too deep to show)"


def _cut(text: str) -> str:
    shown = showable(text[:LONGEST])
    return shown if len(text) <= LONGEST else f"{shown} ... {len(text) - LONGEST:,} more characters"
