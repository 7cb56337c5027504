"""What JSON has no word for: arguments are looked at before they are sent, and named when they cannot be.

The SDK would fail in the middle of sending (an object, half a character), close the connection (an integer of
thousands of digits, over HTTP), or send something else than was given (NaN goes out as null).
"""

from __future__ import annotations

import inspect
import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from numbers import Complex, Integral, Real
from typing import Any, cast

from pydantic_core import to_json, to_jsonable_python

from labkit.errors import ArgumentsError

_write = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode
_DEPTH = 250
"""Levels of lists and objects in one another that the SDK can write, with the request around them: about 250."""


def check_sendable(values: Mapping[str, Any], refused: str, called: str = "arguments") -> None:
    """Raise ArgumentsError, beginning with `refused`, if one of `values` (by name) cannot become JSON as it is.

    What the SDK writes as text, a list or an object, such as a date, a path, a tuple or a dataclass, can. `called`
    is what the values are together.
    """
    for name in values:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentsError(
                f"{refused}: its {called} have text for names, and {cut(repr(name), 80)} is {_a(name)}."
            )
    try:
        _write(values)  # first: the other one would use up a generator
        to_json([[[values]]])  # what json lets through: half characters; the request is three levels more
    except Exception:  # as many kinds as there are classes that pydantic may try to write
        if fault := _fault_in(values, called):
            raise ArgumentsError(f"{refused}: {fault}.") from None


def check_text(value: Any, refused: str, what: str) -> None:
    """Raise ArgumentsError, beginning with `refused`, if `value`, which is `what`, is no text that can be sent."""
    if not isinstance(value, str):
        kind = "" if value is None else f", {_a(value)}"
        raise ArgumentsError(f"{refused}: {what} is text, not {cut(repr(value), 80)}{kind}.")
    if half := _half(value):
        raise ArgumentsError(f"{refused}: {what} has {half}.")


def cut(text: str, most: int = 300) -> str:
    """`text`, with its middle left out and counted when it has more than `most` characters: both ends may say why."""
    if len(text) <= most:
        return text
    end = most // 3
    begin = most - end
    return f"{text[:begin]} ... {len(text) - most:,} more characters ... {text[-end:]}"


def _fault_in(values: Mapping[str, Any], called: str) -> str:
    for name, value in values.items():
        if half := _half(name):
            return f"the name {cut(repr(name), 80)} has {half}"
        path = cut(name, 80) if name.isidentifier() else f"{called}[{cut(repr(name), 80)}]"
        if fault := _fault(value, path, ()):
            return fault
    return ""


def _fault(value: Any, path: str, within: tuple[int, ...]) -> str:
    """What is wrong with the value that the expression `path` stands for, and what to do; '' when nothing is."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        half = _half(value)
        return f"{path} has {half}: replace it, {path}.encode('utf-8', 'replace').decode()" if half else ""
    if isinstance(value, int):
        return _too_many_digits(value, path)
    if isinstance(value, float):
        if value - value == 0:
            return ""
        return (
            f"{path} is {float.__repr__(value)}, and JSON has no such number (it would arrive as null): leave it out,"
            " or give None where the tool takes null"
        )
    if id(value) in within:
        return f"{path} contains itself, which JSON cannot write: give a copy without that"
    if len(within) >= _DEPTH:
        return f"{cut(path, 80)} is more than {_DEPTH} levels deep, and the SDK writes no more: give it as text"
    within = (*within, id(value))
    if isinstance(value, dict):
        return _fault_in_object(cast("dict[Any, Any]", value), path, within)
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        many = cast("Collection[Any]", value)
        place = path if isinstance(value, (list, tuple, deque)) else f"list({path})"
        faults = (_fault(each, f"{place}[{number}]", within) for number, each in enumerate(many))
        return next((fault for fault in faults if fault), "")
    return _fault_of_other(value, path, within)


def _fault_in_object(value: dict[Any, Any], path: str, within: tuple[int, ...]) -> str:
    for key, each in value.items():
        place = f"{path}[{cut(repr(key), 80)}]"
        if isinstance(key, str):
            if half := _half(key):
                return f"a name in {path}, {cut(repr(key), 80)}, has {half}"
        elif not _can(to_json, {key: None}):
            return f"a name in {path}, {cut(repr(key), 80)}, is {_a(key)}, and JSON has only text there: take str(...)"
        if fault := _fault(each, place, within):
            return fault
    return ""


def _fault_of_other(value: Any, path: str, within: tuple[int, ...]) -> str:
    wordless = f"{path} is {_a(value)}, which JSON has no word for"
    if isinstance(value, Iterator):  # the SDK would write it as a list once, and as an empty one when it tries again
        return f"{wordless}: convert it, list({path})"
    try:
        plain = to_jsonable_python(value, inf_nan_mode="constants")
        to_json(plain)
    except Exception:
        return f"{wordless}: {_advice(value, path)}"
    return _fault(plain, path, within)


def _can(write: Any, value: Any) -> bool:
    try:
        write(value)
    except Exception:
        return False
    return True


def _half(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return (
            f"half a character, U+{ord(text[error.start]):04X}, at index {error.start}"
            " (a lone surrogate), which UTF-8 cannot write"
        )
    return ""


def _too_many_digits(value: int, path: str) -> str:
    try:
        int.__repr__(value)
    except ValueError:
        return f"{path} is an integer with more digits than Python writes: give it as text, hex({path})"
    return ""


def _a(value: Any) -> str:
    """'a numpy.int64', 'an object'."""
    kind = cast("type[Any]", type(value))
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _advice(value: Any, path: str) -> str:
    from labkit.session.results import PromptResult, ResourceResult, Result

    if inspect.isawaitable(value):
        return f"await it first, await {path}"
    if isinstance(value, Result):
        return f"give what it holds, {path}.data"
    if isinstance(value, (PromptResult, ResourceResult)):
        return f"give what it holds, {path}.text"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"give text, such as base64.b64encode({path}).decode()"
    if isinstance(value, type) or callable(value):
        return "give a value, not what makes one"
    if type(value).__name__ in ("NAType", "NaTType"):
        return "give None, JSON's null, or leave it out"
    return _conversion(value, path)


def _conversion(value: Any, path: str) -> str:
    # NumPy's scalars say what they are through the abstract classes, its truth value only by its name.
    if type(value).__name__ in ("bool", "bool_"):
        return f"convert it, bool({path})"
    if isinstance(value, (Integral, Real)):
        return f"convert it, {'int' if isinstance(value, Integral) else 'float'}({path})"
    if isinstance(value, Complex):
        return f"convert it, [{path}.real, {path}.imag]"
    if getattr(value, "dtype", None) is not None and not getattr(value, "ndim", 1):
        return f"convert it, str({path})"  # a NumPy scalar that is no number, such as a date
    if hasattr(value, "tolist"):
        return f"convert it, {path}.tolist()"
    if hasattr(value, "to_dict"):
        return f"convert it, {path}.to_dict('records')"
    if isinstance(value, Mapping):
        return f"convert it, dict({path})"
    if isinstance(value, Collection):
        return f"convert it, list({path})"
    return "make it of text, numbers, true and false, null, lists, and dicts with text for names"
