"""Reading a JSON object key by key: what is wrong is noted, with where it is and what to write, and reading goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from math import isfinite
from typing import Any, TypeVar, cast

from labkit.errors import did_you_mean
from labkit.hosts import expand

T = TypeVar("T")


class Table:
    """One object of a configuration.

    Each of its methods takes one key, says what it means by returning it, and returns the default when the key is
    absent or wrong. `close` notes the keys that nobody took. A value is shown in a note as it is written, before
    `${VAR}` was replaced: the environment has secrets.
    """

    def __init__(self, raw: Any, at: str, notes: list[str]) -> None:
        self._at, self._notes = at, notes
        self._taken: list[str] = []
        self.raw: Mapping[str, Any] = {}
        self.is_object = isinstance(raw, dict)
        if self.is_object:
            self.raw = cast("dict[str, Any]", raw)
        else:
            notes.append(f"{at or 'it'}: found {_shown(raw)}; write an object, {{...}}.")

    def __contains__(self, key: str) -> bool:
        return key in self.raw

    def at(self, key: str) -> str:
        """Where a key is, for notes."""
        if not self._at or not key:
            return key or self._at
        return f"{self._at}.{key}" if not self._at.endswith("'") else f"{self._at}, {key}"

    def known(self, *keys: str) -> None:
        """These keys are somebody else's to read."""
        self._taken.extend(keys)

    def note(self, key: str, text: str) -> None:
        """Note what is wrong with a key."""
        self._notes.append(f"{self.at(key)}: {text}")

    def take(
        self,
        key: str,
        default: T,
        wanted: str,
        fits: Callable[[Any], bool],
        *,
        needed: bool = False,
        secret: bool = False,
    ) -> T:
        """The value of a key, with `${VAR}` replaced, if it fits."""
        self._taken.append(key)
        if key not in self.raw:
            if needed:
                self.note(key, f"it is missing; write {wanted}.")
            return default
        raw = self.raw[key]
        value, unset = expand(raw)
        for text in unset:
            self.note(key, text)
        if unset:
            return default
        if not fits(value):
            self.note(key, f"found {'something else' if secret else _shown(raw)}; write {wanted}.")
            return default
        return cast(T, value)

    def text(
        self,
        key: str,
        default: str = "",
        wanted: str = "a text",
        fits: Callable[[str], bool] = bool,
        *,
        needed: bool = False,
        secret: bool = False,
    ) -> str:
        """A text, not empty unless `fits` says that it may be."""
        return self.take(key, default, wanted, lambda v: isinstance(v, str) and fits(v), needed=needed, secret=secret)

    def choice(self, key: str, default: str, known: Sequence[str]) -> str:
        """One of a few words."""
        return self.take(key, default, _either(known), lambda v: isinstance(v, str) and v in known)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return self.take(key, default, "true or false", lambda v: isinstance(v, bool))

    def seconds(self, key: str, default: float | None) -> float | None:
        """A number of seconds above 0."""
        return self.take(key, default, "a number of seconds above 0, such as 30", is_seconds)

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number between two others."""
        wanted = f"a whole number from {least} to {most}"
        return self.take(
            key, default, wanted, lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most
        )

    def texts(self, key: str, default: Sequence[str], wanted: str) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        return tuple(self.take(key, default, wanted, _are_texts))

    def mapping(self, key: str, wanted: str, fits: Callable[[Any], bool]) -> dict[str, Any]:
        """An object with any keys and values that fit: each that does not is noted."""
        raw = self.take(key, cast("dict[str, Any]", {}), f"an object, {wanted}", lambda v: isinstance(v, dict))
        for name, value in raw.items():
            if not fits(value):
                self.note(f"{key}.{name}", f"found {_shown(value)}; write {wanted}.")
        return {name: value for name, value in raw.items() if fits(value)}

    def table(self, key: str) -> Table | None:
        """An object below this one, to be read in the same way. None when there is none."""
        self._taken.append(key)
        return Table(self.raw[key], self.at(key), self._notes) if key in self.raw else None

    def tables(self, key: str) -> dict[str, Table]:
        """An object of objects."""
        if (outer := self.table(key)) is None:
            return {}
        return {name: Table(raw, outer.at(name), self._notes) for name, raw in outer.raw.items()}

    def rows(self, key: str) -> list[Table]:
        """A list of objects."""
        self._taken.append(key)
        raw: Any = self.raw.get(key, [])
        if not isinstance(raw, list):
            self.note(key, f"found {_shown(raw)}; write a list of objects, [{{...}}].")
            return []
        return [Table(row, f"{self.at(key)}[{n}]", self._notes) for n, row in enumerate(cast("list[Any]", raw))]

    def close(self, ignored: Sequence[str] = ()) -> None:
        """Note each key that means nothing here, with the closest one that does."""
        for key in self.raw:
            if key not in self._taken and key not in ignored:
                nearest = get_close_matches(key, self._taken, n=1, cutoff=0.5) or self._taken
                self.note(key, f"there is no such key. {did_you_mean(key, nearest, has='There are')}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _either(words: Sequence[str]) -> str:
    quoted = [json.dumps(word) for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def is_seconds(value: Any) -> bool:
    """A finite number above 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and value > 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) and v for v in cast("list[Any]", value))
