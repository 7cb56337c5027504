"""What must not leave a server in an answer: secrets and personal numbers, however deep and however they are written.

    redactor = Redactor()
    redactor.redact({"note": "card 4111 1111 1111 1111", "api_key": "k-1"})
    # Redacted({"note": "card [hidden: card]", "api_key": "[hidden: field]"}, {"card": 1, "field": 1})

`redaction_results.Redaction` does it to all results of a server. `redaction_rules` has the rules, `redaction_views` the
spellings: escapes of JSON, URLs and HTML, digits of other scripts, Base64 and hex, JSON in a text, each within the
other; a secret that goes on in the next line, item, member or block is found as well.

A copy is returned, of the same shape: texts stay texts, numbers numbers (0), null and booleans stay. It says how often
each rule hid something, never what. What is too deep or too long to look at is hidden, not passed.

What it cannot find: secrets in words of their own ("four one one one"), compressed, encrypted or in pictures; the parts
of one with something else between them; a password that looks like a word and is not called one. Hide those by not
returning them. `labkit.patterns.masking` is for logs, where hiding too much costs little, and texts are cut.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

from labkit.defences.redaction_ends import UNITS, lines, over_ends
from labkit.defences.redaction_rules import DEFAULT, FINDERS, RULES, Found, hides, is_plain
from labkit.defences.redaction_views import runs, spelled, views

LIMIT = 3_000_000
"""Characters that are looked at for one value, with all spellings."""
DEPTH = 32
"""Levels of lists and objects."""
CODED = 5
"""Levels of encodings within encodings."""
_FRAGMENTS = 40
_FORMAL = frozenset(("type", "mimeType", "role"))
"""Members of the protocol that stand between texts and say nothing."""
_PAIRED = frozenset(("name", "key", "Name", "Key", "header"))
_VALUES = frozenset(("value", "Value"))
"""Members that say the name and the value of something, such as `{"name": "DB_PASSWORD", "value": "..."}`."""
_OPENS = re.compile(r"[{\[]")


class Redacted(NamedTuple):
    """A copy without secrets, and how often each rule hid something."""

    value: Any
    hidden: dict[str, int]


class Redactor:
    """A set of rules. Raises ValueError for a rule that there is not, and for a known secret of under 6 characters.

    `rules` are names of `RULES`; `fields` more names of members that are hidden; `known` texts that are secret
    themselves, such as the server's own credentials.
    """

    def __init__(
        self,
        rules: Collection[str] = DEFAULT,
        *,
        fields: Collection[str] = (),
        known: Collection[str] = (),
        limit: int = LIMIT,
        depth: int = DEPTH,
    ) -> None:
        if unknown := sorted(set(rules) - set(RULES)):
            raise ValueError(f"There is no rule {unknown[0]!r}; there are {', '.join(RULES)}.")
        if any(len(text) < 6 for text in known):
            raise ValueError("A known secret has at least 6 characters: a shorter one would be found everywhere.")
        self.rules = frozenset(rules)
        self.limit, self.depth = limit, depth
        self._fields = frozenset(name.lower() for name in fields)
        self._known = (
            re.compile("|".join(map(spelled, sorted(known, key=len, reverse=True))), re.IGNORECASE) if known else None
        )
        self._spanning = [FINDERS[rule] for rule in ("card", "iban", "id", "private key") if rule in self.rules]
        self._joined = [FINDERS[rule] for rule in ("token",) if rule in self.rules]
        self._finders = [FINDERS[rule] for rule in FINDERS if rule in self.rules]

    def redact(self, value: Any) -> Redacted:
        """A copy of a JSON value without what the rules find."""
        run = _Run(self)
        return Redacted(run.value(value, self.depth), dict(run.hidden))

    def field(self, name: str) -> bool:
        """Whether a member of this name is hidden for its name."""
        return name.lower() in self._fields or ("field" in self.rules and hides(name))

    def found(self, text: str) -> Iterator[Found]:
        """What the rules find in one spelling of a text."""
        if not is_plain(text):
            for finder in self._finders:
                yield from finder(text)
        yield from self.known(text)

    def crossing(self, text: str) -> Iterator[Found]:
        """What may go on over the end of a line or a member, when the ends are kept as ends of lines."""
        for finder in self._spanning:
            yield from finder(text)

    def joining(self, text: str) -> Iterator[Found]:
        """The same for what has no gaps: its parts are put together as they are."""
        for finder in self._joined:
            yield from finder(text)
        yield from self.known(text)

    def known(self, text: str) -> Iterator[Found]:
        """The texts that were given as secret."""
        if self._known:
            for found in self._known.finditer(text):
                yield Found(*found.span(), "known")


class _Leaf:
    """A text within a value, and how to put another in its place."""

    __slots__ = ("joins", "name", "put", "text")

    def __init__(self, text: str, name: str, put: Callable[[str], None]) -> None:
        self.text, self.name, self.put = text, name, put
        self.joins = name not in _FORMAL


class _Run:
    """One value that is worked on."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.hidden: Counter[str] = Counter()
        self._left = redactor.limit

    def value(self, value: Any, depth: int, coded: int = CODED) -> Any:
        """A copy without what is found: first what goes over the ends of texts, then what is in each."""
        leaves: list[_Leaf] = []
        holder = [value]
        holder[0] = self._copy(value, depth, coded, leaves, "", _put(holder, 0))
        joining = [leaf for leaf in leaves if leaf.joins]
        self._over_ends(joining)
        columns: dict[str, list[_Leaf]] = {}
        for leaf in joining:
            columns.setdefault(leaf.name, []).append(leaf)
        for column in columns.values():
            if 1 < len(column) < len(joining):
                self._over_ends(column)
        for leaf in leaves:
            leaf.put(self.text(leaf.text, coded))
        return holder[0]

    def text(self, text: str, coded: int = CODED) -> str:
        """A text without what is found in any of its spellings."""
        self._left -= len(text)
        if self._left < 0 or coded < 0:
            return self._hide("limit")
        if coded and len(text) > 1:
            text = self._json(text, coded)
        parts: list[tuple[int, int, str]] = []
        for view in views(text):
            self._left -= len(view.text)
            for found in self.redactor.found(view.text):
                parts.append((*view.span(found.start, found.end), f"[hidden: {found.rule}]"))
            for run in runs(view.text):
                if not coded:
                    parts.append((*view.span(run.start, run.end), "[hidden: limit]"))
                    continue
                before = Counter(self.hidden)
                inner = self.text(run.text, coded - 1)
                if self.hidden != before:
                    parts.append((*view.span(run.start, run.end), run.again(inner)))
        return self._replaced(text, parts)

    def _copy(
        self, value: Any, depth: int, coded: int, leaves: list[_Leaf], name: str, put: Callable[[Any], None]
    ) -> Any:
        if isinstance(value, str):
            leaves.append(_Leaf(value, name, put))
            return value
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if depth == 0:
            return self._hide("limit")
        if isinstance(value, Mapping):
            return self._members(cast("Mapping[Any, Any]", value), depth, coded, leaves)
        if isinstance(value, list | tuple):
            items: list[Any] = []
            for at, each in enumerate(cast("list[Any]", value)):
                items.append(None)
                items[at] = self._copy(each, depth - 1, coded, leaves, name, _put(items, at))
            return items
        return self._copy(str(value), depth, coded, leaves, name, put)

    def _members(self, value: Mapping[Any, Any], depth: int, coded: int, leaves: list[_Leaf]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        named = _PAIRED & value.keys()
        said = any(isinstance(value[name], str) and self.redactor.field(value[name]) for name in named)
        for key, each in value.items():
            name = self.text(str(key), coded)
            while name != key and name in members:
                name += "'"
            if self.redactor.field(str(key)) or (said and key in _VALUES):
                members[name] = self._blank(each, depth)
                continue
            members[name] = None
            members[name] = self._copy(each, depth - 1, coded, leaves, name, _put(members, name))
        return members

    def _blank(self, value: Any, depth: int, rule: str = "field") -> Any:
        """The same shape with nothing in it."""
        if value is None or isinstance(value, bool) or value == "":
            return value
        if isinstance(value, int | float):
            self._hide(rule)
            return type(value)(0)
        if depth and isinstance(value, Mapping):
            members = cast("Mapping[Any, Any]", value)
            return {self.text(str(key)): self._blank(each, depth - 1) for key, each in members.items()}
        if depth and isinstance(value, list | tuple):
            return [self._blank(each, depth - 1) for each in cast("list[Any]", value)]
        return self._hide(rule)

    def _number(self, value: float) -> float:
        if isinstance(value, float) and not (value.is_integer() and 1e12 < abs(value) < 1e20):
            return value
        written = str(abs(int(value)))
        if any(found.end - found.start >= len(written) for found in self.redactor.found(written)):
            return self._blank(value, 0, "card")
        return value

    def _json(self, text: str, coded: int) -> str:
        """The text with the JSON in it looked at member by member: names count there, and escapes are undone."""
        pieces: list[str] = []
        at = 0
        for opened in list(_OPENS.finditer(text))[:_FRAGMENTS]:
            if opened.start() < at:
                continue
            try:
                value, end = json.JSONDecoder().raw_decode(text, opened.start())
            except (ValueError, RecursionError):
                continue
            if not value:
                continue
            before = Counter(self.hidden)
            inner = self.value(value, self.redactor.depth, coded - 1)
            if self.hidden == before:
                continue
            fragment = text[opened.start() : end]
            indent = 2 if "\n" in fragment else None
            pieces += [text[at : opened.start()], json.dumps(inner, indent=indent, ensure_ascii=fragment.isascii())]
            at = end
        return "".join([*pieces, text[at:]])

    def _over_ends(self, leaves: list[_Leaf]) -> None:
        """Hide what begins in one line or member and ends in another."""
        units = [(leaf, start, end) for leaf in leaves[:UNITS] for start, end in lines(leaf.text)][:UNITS]
        if len(units) < 2:
            return
        pieces = [leaf.text[start:end] for leaf, start, end in units]
        self._left -= 2 * sum(map(len, pieces))
        if self._left < 0:
            return  # then the texts are hidden as a whole
        owners = [id(leaf) for leaf, _, _ in units]
        spoiled: dict[_Leaf, list[tuple[int, int, str]]] = {}
        redactor = self.redactor
        for part in over_ends(pieces, owners, redactor.crossing, redactor.joining, self._coded_secret):
            leaf, begin, _ = units[part.piece]
            mark = f"[hidden: {part.rule}]" if part.begins else "[hidden]"
            spoiled.setdefault(leaf, []).append((begin + part.start, begin + part.end, mark))
        for leaf, parts in spoiled.items():
            leaf.text = self._replaced(leaf.text, parts)

    def _coded_secret(self, text: str) -> str:
        """The rule that hides something in a decoded text; "" for none."""
        inner = _Run(self.redactor)
        inner.text(text, CODED - 1)
        return min(inner.hidden, default="")

    def _replaced(self, text: str, parts: list[tuple[int, int, str]]) -> str:
        """The text with other words in these places; where they overlap, the first word for all of them."""
        pieces: list[str] = []
        at = 0
        for start, end, instead in sorted(parts, key=lambda part: (part[0], -part[1])):
            if start >= at:
                pieces += [text[at:start], instead]
                if instead.startswith("[hidden: "):
                    self.hidden[instead[len("[hidden: ") : -1]] += 1
            at = max(at, end)
        return "".join([*pieces, text[at:]]) if parts else text

    def _hide(self, rule: str) -> str:
        self.hidden[rule] += 1
        return f"[hidden: {rule}]"


def _put(holder: Any, at: Any) -> Callable[[Any], None]:
    return lambda text: holder.__setitem__(at, text)
