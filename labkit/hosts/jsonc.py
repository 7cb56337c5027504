"""Change one member of a JSON file and leave every other byte as it is: comments, order, indentation, line ends.

    text = set_member(text, ["mcpServers", "weather"], {"command": "uvx"})
    text = remove_member(text, ["mcpServers", "weather"])

Comments and trailing commas are understood, as editors allow them in their settings. Values of JSON are read by the
standard library; what is here knows only where they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SPACE = re.compile(r"(?:[ \t\r\n]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"-?[0-9][-+.0-9eE]*|true|false|null")
_INDENT = re.compile(r"\n([ \t]+)\S")
DEPTH = 200


@dataclass(frozen=True)
class Member:
    """Where a member of an object stands: its key from `start`, its value from `value` to `end`."""

    key: str
    start: int
    value: int
    end: int


@dataclass(frozen=True)
class Table:
    """An object in the text: its braces at `start` and `end` - 1, and its members."""

    start: int
    end: int
    members: tuple[Member, ...]

    def find(self, key: str) -> Member | None:
        """The member of that name; of several the last one, which is the one that counts."""
        return next((member for member in reversed(self.members) if member.key == key), None)


def set_member(text: str, path: Sequence[str], value: Any) -> str:
    """The text with the member at `path` set, made where it is missing. Raises ValueError for what is no object."""
    if not text.strip("\ufeff \t\r\n"):
        text = text.strip(" \t\r\n") + "{}\n"
    place = _Place(text)
    table = place.root
    for depth, key in enumerate(path):
        member = table.find(key)
        if member is None:
            return place.insert(table, key, _nest(path[depth + 1 :], value), depth + 1)
        if depth == len(path) - 1:
            return text[: member.value] + place.dump(value, depth + 1) + text[member.end :]
        table = place.table(member)
    raise ValueError("the path has no key")


def remove_member(text: str, path: Sequence[str]) -> str:
    """The text without the member at `path`. Raises KeyError when it is not there, ValueError for what is no JSON."""
    place = _Place(text)
    table = place.root
    for key in path[:-1]:
        if (member := table.find(key)) is None:
            raise KeyError(key)
        table = place.table(member)
    if (member := table.find(path[-1])) is None:
        raise KeyError(path[-1])
    return place.remove(table, member)


class _Place:
    """A text and where its objects are."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        found = _INDENT.search(text)
        self.unit = found[1] if found else "  "
        begin = self._skip(1 if text.startswith("\ufeff") else 0)
        if not text.startswith("{", begin):
            raise ValueError("the file is no JSON object")
        self.root = self._table(begin, 0)
        if (end := self._skip(self.root.end)) != len(text):
            raise ValueError(f"line {self._line(end)}: there is something behind the end of the object")

    def table(self, member: Member) -> Table:
        """The object that is a member's value."""
        if not self.text.startswith("{", member.value):
            raise ValueError(f"line {self._line(member.value)}: {member.key!r} should be an object")
        return self._table(member.value, 0)

    def insert(self, table: Table, key: str, value: Any, depth: int) -> str:
        """The text with a new last member of the table."""
        text = self.text
        indent, outer = self.unit * depth, self.unit * (depth - 1)
        written = f"{json.dumps(key, ensure_ascii=False)}: {self.dump(value, depth)}"
        if not table.members:
            inside = text[table.start + 1 : table.end - 1].rstrip()
            return (
                f"{text[: table.start + 1]}{inside}{self.newline}{indent}{written}{self.newline}{outer}"
                f"{text[table.end - 1 :]}"
            )
        last = table.members[-1]
        gap = text[last.end : table.end - 1]
        comma = _comma(gap)
        before, after = (gap[: comma + 1], gap[comma + 1 :]) if comma >= 0 else (",", gap)
        if "\n" not in gap:
            return f"{text[: last.end]}{before.rstrip()} {after.strip()}{written}{text[table.end - 1 :]}"
        again = "," if comma >= 0 else ""
        closing = after[len(after.rstrip()) :]
        return (
            f"{text[: last.end]}{before}{after.rstrip()}{self.newline}{indent}{written}{again}{closing}"
            f"{text[table.end - 1 :]}"
        )

    def remove(self, table: Table, member: Member) -> str:
        """The text without a member, and without the comma that set it apart."""
        text, at = self.text, table.members.index(member)
        if at + 1 < len(table.members):
            rest = text[member.end : table.members[at + 1].start]
            rest = rest[_comma(rest) + 1 :]
            line, newline, below = rest.partition("\n")
            # What stands on the member's own line is about the member; what stands below is about the next one.
            kept = below.lstrip(" \t") if newline else line.lstrip(" \t")
            return text[: member.start] + kept + text[table.members[at + 1].start :]
        gap = text[member.end : table.end - 1]
        if at == 0:
            _, newline, below = gap[_comma(gap) + 1 :].partition("\n")
            inside = text[table.start + 1 : member.start].rstrip() + (newline + below).rstrip()
            closing = self.newline + _margin(text, table.start) if inside else ""
            return f"{text[: table.start + 1]}{inside}{closing}{text[table.end - 1 :]}"
        before = table.members[at - 1]
        between = text[before.end : member.start]
        comma = _comma(between)
        kept_comma = "," if _comma(gap) >= 0 else ""  # who ends lists with a comma goes on doing so
        left = between[:comma] + kept_comma + between[comma + 1 :].rstrip()
        return f"{text[: before.end]}{left}{gap[_comma(gap) + 1 :]}{text[table.end - 1 :]}"

    def dump(self, value: Any, depth: int) -> str:
        """A value as this file would write it, at some depth."""
        text = json.dumps(value, indent=self.unit, ensure_ascii=False)
        return text.replace("\n", self.newline + self.unit * depth)

    def _table(self, at: int, depth: int) -> Table:
        if depth > DEPTH:
            raise ValueError(f"line {self._line(at)}: nested too deeply")
        start, members = at, list[Member]()
        at = self._skip(at + 1)
        while not self.text.startswith("}", at):
            key = _STRING.match(self.text, at)
            if not key:
                raise self._expected('a key in "..." or }', at)
            colon = self._skip(key.end())
            if not self.text.startswith(":", colon):
                raise self._expected(":", colon)
            value = self._skip(colon + 1)
            end = self._value(value, depth + 1)
            members.append(Member(json.loads(key[0], strict=False), at, value, end))
            at = self._separator(end, "}")
        return Table(start, at + 1, tuple(members))

    def _value(self, at: int, depth: int) -> int:
        if self.text.startswith("{", at):
            return self._table(at, depth).end
        if self.text.startswith("[", at):
            if depth > DEPTH:
                raise ValueError(f"line {self._line(at)}: nested too deeply")
            at = self._skip(at + 1)
            while not self.text.startswith("]", at):
                at = self._separator(self._value(at, depth + 1), "]")
            return at + 1
        found = _STRING.match(self.text, at) or _WORD.match(self.text, at)
        if not found:
            raise self._expected("a value", at)
        return found.end()

    def _separator(self, at: int, close: str) -> int:
        at = self._skip(at)
        if self.text.startswith(",", at):
            return self._skip(at + 1)
        if not self.text.startswith(close, at):
            raise self._expected(f", or {close}", at)
        return at

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1

    def _expected(self, what: str, at: int) -> ValueError:
        found = repr(self.text[at]) if at < len(self.text) else "the end of the file"
        return ValueError(f"line {self._line(at)}: {what} should stand in the place of {found}")


def _comma(gap: str) -> int:
    """Where the comma is between two members, outside of comments; -1 for none."""
    at = 0
    while at < len(gap):
        found = _SPACE.match(gap, at)
        at = found.end() if found else at
        if gap.startswith(",", at):
            return at
        at += 1
    return -1


def _margin(text: str, at: int) -> str:
    """The white space that the line of a position begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _nest(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value
