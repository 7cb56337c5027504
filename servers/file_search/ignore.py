"""What a .gitignore file leaves out, by the rules that git documents (gitignore(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    whole_path: bool
    """Compared with the path below the folder of the file, else with the name alone."""
    folders_only: bool
    ignores: bool
    """False for a rule that begins with !, which takes back what an earlier one has ignored."""


class IgnoreFile:
    """The rules of one .gitignore file. `folder` is where it lies: its path with a slash at the end, or ""."""

    def __init__(self, text: str, folder: str = "") -> None:
        self._start = len(folder)
        self._rules = [rule for line in text.splitlines() if (rule := _rule(line))]
        # Most names fit no rule at all. One pattern made of all says so at once.
        self._any_name = _union([rule for rule in self._rules if not rule.whole_path])
        self._any_path = _union([rule for rule in self._rules if rule.whole_path])

    def ignores(self, path: str, name: str, is_folder: bool) -> bool | None:
        """Whether to leave it out; None if no rule is about it."""
        below = path[self._start :]
        by_name = self._any_name is not None and self._any_name.fullmatch(name)
        if not by_name and not (self._any_path is not None and self._any_path.fullmatch(below)):
            return None
        for rule in reversed(self._rules):  # the last rule that fits decides
            if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(below if rule.whole_path else name):
                return rule.ignores
        return None


def _union(rules: list[_Rule]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{rule.pattern.pattern})" for rule in rules), re.DOTALL) if rules else None


def _rule(line: str) -> _Rule | None:
    line = re.sub(r"(?<!\\) +$", "", line.rstrip("\r"))
    if not line or line.startswith("#"):
        return None
    ignores = not line.startswith("!")
    line = line if ignores else line[1:]
    folders_only = line.endswith("/")
    line = line.rstrip("/") if folders_only else line
    if not line:
        return None
    whole_path = "/" in line
    try:
        pattern = re.compile(_translate(line.removeprefix("/")), re.DOTALL)
    except re.error:  # such as [z-a], which git takes as fitting nothing
        return None
    return _Rule(pattern, whole_path, folders_only, ignores)


def _translate(glob: str) -> str:
    """A pattern of git as a regular expression."""
    result, at = "", 0
    while at < len(glob):
        if glob.startswith("**/", at) and (at == 0 or glob[at - 1] == "/"):
            result, at = result + "(?:.*/)?", at + 3
        elif glob[at:] == "**" and at and glob[at - 1] == "/":
            result, at = result + ".+", at + 2
        elif glob[at] == "*":
            while at < len(glob) and glob[at] == "*":
                at += 1
            result += "[^/]*"
        elif glob[at] == "?":
            result, at = result + "[^/]", at + 1
        elif glob[at] == "[" and (end := _end_of_class(glob, at)) > 0:
            inside = glob[at + 1 : end].replace("\\", "\\\\")
            inside = "^" + inside[1:] if inside[0] in "!^" else inside
            result, at = f"{result}(?!/)[{inside}]", end + 1
        else:
            if glob[at] == "\\" and at + 1 < len(glob):
                at += 1
            result, at = result + re.escape(glob[at]), at + 1
    return result


def _end_of_class(glob: str, at: int) -> int:
    # A ] right after the opening, or after its negation, stands for itself.
    start = at + 2 if glob[at + 1 : at + 2] in ("!", "^") else at + 1
    return glob.find("]", start + 1)
