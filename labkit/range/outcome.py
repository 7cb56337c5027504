"""What a drill found out about one server."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal

Group = Literal["attack", "use", "near miss"]
GROUPS: tuple[Group, ...] = ("attack", "use", "near miss")
_GOOD: dict[Group, str] = {
    "attack": "the attack obtained nothing",
    "use": "legitimate use works",
    "near miss": "nothing harmless is refused",
}
_BAD: dict[Group, str] = {
    "attack": "the attack obtained",
    "use": "does not work",
    "near miss": "is refused, though harmless",
}
HIDDEN = "canary-..."


@dataclass(frozen=True)
class Outcome:
    """One group of a drill against one server. `held` says whether the server stood."""

    drill: str
    target: str
    group: Group
    lines: tuple[str, ...]
    """What the attacker obtained, or what does not work: the canary is masked."""
    obtained: tuple[str, ...] = ()
    """The same with the canary in it, as the attacker saw it. Not shown."""

    @property
    def held(self) -> bool:
        """Whether the server stood: no line to report."""
        return not self.lines

    def __repr__(self) -> str:
        head = f"{self.drill}, {self.target}: {_GOOD[self.group] if self.held else _BAD[self.group]}"
        return "\n".join([head if self.held else f"{head}:", *(f"  {line}" for line in self.lines)])

    def _repr_html_(self) -> str:
        return _table((self,))


@dataclass(frozen=True)
class Grade:
    """All groups of a drill against one server: it passes when it stood in each."""

    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether the server stood in each group."""
        return all(outcome.held for outcome in self.outcomes)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.outcomes))

    def _repr_html_(self) -> str:
        return _table(self.outcomes)


def _table(outcomes: tuple[Outcome, ...]) -> str:
    left = " style='text-align:left'"
    rows: list[str] = []
    for outcome in outcomes:
        said = [_GOOD[outcome.group]] if outcome.held else list(outcome.lines)
        cells = "<br>".join(html.escape(line) for line in said)
        rows.append(
            f"<tr><td{left}>{outcome.group}</td><td{left}>{'held' if outcome.held else 'FELL'}</td>"
            f"<td{left}>{cells}</td></tr>"
        )
    first = outcomes[0]
    caption = html.escape(f"{first.drill}, {first.target}")
    return (
        f"<table><caption>{caption}</caption><tr><th{left}>group</th><th{left}>verdict</th><th{left}>what was seen"
        f"</th></tr>{''.join(rows)}</table>"
    )
