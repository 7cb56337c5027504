"""Does a value fit a JSON Schema, and if not: where, and in the words of someone filling in a form.

`jsonschema` does the checking (draft 2020-12, or the draft that the schema names). The schema comes from a server that
may be careless or hostile, so nothing is fetched, a check ends after `PATIENCE` seconds, and a pattern that could keep
Python's `re` busy for ever is left to the server. A form is never wrong about the server's mind: whatever is let pass
here, the server still checks.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import date, datetime
from datetime import time as clock
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Any, NotRequired, TypedDict, cast
from urllib.parse import urlsplit

from labkit._lean import lean_jsonschema
from labkit.ui.saying import say, shown

PATIENCE = 1.0
"""Seconds that one check may take."""
MOST = 50
"""Problems told at once."""
WORK = 10_000_000
"""Steps that a pattern may cost, by a rough estimate, before it is left to the server."""

Path = list[str | int]
_deadline: ContextVar[float] = ContextVar("deadline")


class Problem(TypedDict):
    """What does not fit. `schema` is True when it is the schema's fault: then nothing is known about the value."""

    path: Path
    message: str
    schema: NotRequired[bool]


class _TooLong(Exception):
    pass


def errors(schema: Any, value: Any) -> list[Problem]:
    """What does not fit, at most MOST, those nearest the top first; [] when all does. Never raises for a bad schema."""
    lean_jsonschema()
    from jsonschema.exceptions import UndefinedTypeCheck, UnknownType
    from referencing.exceptions import Unresolvable

    reset = _deadline.set(time.monotonic() + PATIENCE)
    try:
        found = list(_found(schema, value))
    except _TooLong:
        fault = f"the schema takes longer than {PATIENCE:g} s to check"
    except RecursionError:
        fault = "the schema or the value is nested too deeply, or the schema refers to itself without end"
    except Unresolvable as error:
        where = f"#{error.ref}" if error.ref.startswith("/") else error.ref
        fault = f"the schema refers to {shown(where)}, which is not in it (nothing is fetched from elsewhere)"
    except (UnknownType, UndefinedTypeCheck) as error:
        fault = f"the schema asks for a type that JSON does not have: {shown(getattr(error, 'type', None))}"
    except Exception as error:  # a schema may hold anything: `required: 3`, `minimum: "x"`, `properties: []`
        fault = f"the schema is not usable ({type(error).__name__}: {shown(str(error))})"
    else:
        return found
    finally:
        _deadline.reset(reset)
    return [{"path": [], "message": f"Not checked here: {fault}. The server's own check counts.", "schema": True}]


def _found(schema: Any, value: Any) -> Iterator[Problem]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    checker = _bounded(validator_for(schema, default=Draft202012Validator))
    # A registry of our own: the default one would fetch a `$ref` to another host, on the server's say-so.
    validator = checker(schema, registry=EMPTY_REGISTRY, format_checker=_formats())
    faults: list[Any] = []
    for fault in validator.iter_errors(value):
        faults.append(fault)
        if len(faults) == MOST:
            break
    told: set[str] = set()
    for fault in sorted(faults, key=lambda fault: len(fault.absolute_path)):
        for path, message in say(fault):
            if (key := json.dumps([path, message], default=str)) not in told and len(told) < MOST:
                told.add(key)
                yield {"path": path, "message": message}


@cache
def _bounded(base: Any) -> Any:
    """The validator class with a deadline and careful patterns, also where a part of a schema names its own draft."""
    from jsonschema import validators

    extend: Any = cast("Any", validators).extend

    def in_time(check: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        def checked(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[Any]:
            if time.monotonic() > _deadline.get():
                raise _TooLong
            yield from check(validator, rule, value, schema) or ()

        return checked

    rules: dict[str, Any] = {**base.VALIDATORS, "pattern": _pattern, "multipleOf": _multiple_of}
    if "patternProperties" in rules:
        rules["patternProperties"] = _pattern_properties
    bounded = extend(base, {name: in_time(check) for name, check in rules.items()})
    evolve = bounded.evolve

    def stay(self: Any, **changes: Any) -> Any:
        part = changes.get("schema", self.schema)
        if isinstance(part, dict) and "$schema" in part:  # it would choose an unbounded class
            changes["schema"] = {key: rule for key, rule in cast("dict[str, Any]", part).items() if key != "$schema"}
        return evolve(self, **changes)

    bounded.evolve = stay
    return bounded


def _pattern(validator: Any, pattern: Any, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and _matches(str(pattern), value) is False:
        yield ValidationError("")


def _multiple_of(validator: Any, step: Any, value: Any, schema: Any) -> Iterator[Any]:
    """As written, in decimals: for jsonschema 0.3 is no multiple of 0.1."""
    from jsonschema.exceptions import ValidationError

    if not validator.is_type(value, "number"):
        return
    try:
        rest = Decimal(str(value)) % Decimal(str(step))
    except InvalidOperation:  # beyond the 28 digits of a Decimal
        return
    if rest:
        yield ValidationError("")


def _pattern_properties(validator: Any, patterns: dict[str, Any], value: Any, schema: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for pattern, rule in patterns.items():
            for key, each in cast("dict[str, Any]", value).items():
                if _matches(pattern, key):
                    yield from validator.descend(each, rule, path=key, schema_path=pattern)


def _matches(pattern: str, text: str) -> bool | None:
    """Whether the pattern is somewhere in the text; None when that is not known here."""
    compiled, nested, cost = _read(pattern)
    if compiled is None or (nested and len(text) > 12) or cost(len(text) + 1) > WORK:
        return None
    return compiled.search(text) is not None


@lru_cache(500)
def _read(pattern: str) -> tuple[re.Pattern[str] | None, bool, Callable[[int], int]]:
    """The pattern, whether it repeats what has choices itself, and about how many steps a text of a length costs.

    The look at its text is rough, and errs on the side of "may take long". None: not a pattern of Python's.
    """
    try:
        compiled = re.compile(pattern) if len(pattern) < 2000 else None
    except (re.error, RecursionError, OverflowError):  # `\p{L}` and others: the pattern is ECMAScript's
        compiled = None
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern).replace("(?", "(")
    loops, choices = len(re.findall(r"[*+{]", bare)), len(re.findall(r"[?|]", bare))
    nested = bool(re.search(r"\)[*+{]", bare)) and loops + choices > 1
    return compiled, nested or bool(re.search(r"\\[1-9]", pattern)), lambda size: size ** max(loops, 1) * 2**choices


@cache
def _formats() -> Any:
    """Formats as forms know them, without the grammar of URIs that takes a second to build."""
    from jsonschema import FormatChecker

    checker = FormatChecker(())
    tests: dict[str, Callable[[str], object]] = {
        "date": lambda text: re.fullmatch(r"\d{4}-\d\d-\d\d", text) and date.fromisoformat(text),
        "time": lambda text: clock.fromisoformat(text).tzinfo,
        "date-time": lambda text: re.match(r"\d{4}-\d\d-\d\d[Tt ]", text) and datetime.fromisoformat(text).tzinfo,
        "email": lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text),
        "uri": lambda text: re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S", text) and urlsplit(text) and " " not in text,
        "uuid": lambda text: re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text),
    }

    def of(test: Callable[[str], object]) -> Callable[[object], bool]:
        return lambda value: not isinstance(value, str) or bool(test(value))

    for name, test in tests.items():
        checker.checks(name, raises=ValueError)(of(test))
    return checker
