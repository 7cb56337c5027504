"""Tools defined by data: a formula over numbers, or a text with gaps. Never by code that somebody sends."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import Field, StrictFloat, StrictInt, WithJsonSchema

from servers.calculator import arithmetic
from servers.calculator.arithmetic import CalculationError, Number

MAX_PARAMETERS = 10
NAMES = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
MAX_RESULT = 10_000
"""Characters of a finished text."""

TRIALS: tuple[Number, ...] = (1, 2, 10, 0.5, 100, -1, 0)
"""A formula has to give a result for one of these values at least."""

Real = Annotated[StrictInt | StrictFloat, WithJsonSchema({"type": "number"})]


class DefinitionError(Exception):
    """The definition cannot become a tool; the message says why and what to do."""


@dataclass(frozen=True)
class Definition:
    """What a tool is made of."""

    name: str
    description: str
    kind: Literal["formula", "text"]
    body: str
    parameters: dict[str, str]
    """Name -> description."""


def formula(name: str, description: str, body: str, parameters: dict[str, str]) -> Definition:
    """A tool that computes. Raises DefinitionError unless the formula can be computed from its parameters."""
    _check_names(name, parameters)
    used = set(NAMES.findall(body))
    unknown = used - parameters.keys() - arithmetic.CONSTANTS.keys() - arithmetic.FUNCTIONS.keys()
    if unknown:
        raise DefinitionError(f"the formula uses {_listed(unknown)}, which is no parameter: describe it in parameters")
    if unused := parameters.keys() - used:
        raise DefinitionError(f"the formula does not use {_listed(unused)}: leave it out of parameters")
    made = Definition(name, description, "formula", body, dict(parameters))
    errors: list[CalculationError] = []
    for value in TRIALS:
        try:
            compute(made, dict.fromkeys(parameters, value))
            return made
        except CalculationError as error:  # sqrt(x - 5) is a formula, although 1 is no good value
            errors.append(error)
    raise DefinitionError(f"the formula cannot be computed: {errors[0]}")


def text(name: str, description: str, body: str) -> Definition:
    """A tool that fills gaps, written {like_this}. Raises DefinitionError if a gap is more than a name."""
    gaps: dict[str, str] = {}
    try:
        for _, gap, form, conversion in Formatter().parse(body):
            if gap is None:
                continue
            # str.format would follow {x.__class__} into the program, and {x:>999999999} into all of its memory.
            if form or conversion or not gap.isidentifier():
                raise DefinitionError(f"the text has a gap {{{gap}}} that is not just a name: write it {{like_this}}")
            gaps[gap] = f"What to put for {gap}."
    except ValueError as error:
        raise DefinitionError(f"the text cannot be read: {error}. Write {{{{ and }}}} for braces") from error
    _check_names(name, gaps)
    return Definition(name, description, "text", body, gaps)


def function(definition: Definition, refused: type[Exception]) -> Callable[..., Any]:
    """A function with the signature of the definition, from which the SDK makes the schemas of the tool."""

    def run(**values: Any) -> Any:
        try:
            return compute(definition, values)
        except (CalculationError, DefinitionError) as error:
            raise refused(str(error)) from error

    kind: Any = Real if definition.kind == "formula" else str
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, Field(description=about)])
        for name, about in definition.parameters.items()
    ]
    run.__name__ = definition.name
    run.__signature__ = inspect.Signature(parameters, return_annotation=kind)  # type: ignore[attr-defined]
    return run


def compute(definition: Definition, values: dict[str, Any]) -> Number | str:
    """What the tool answers."""
    if definition.kind == "text":
        filled = definition.body.format(**values)
        if len(filled) > MAX_RESULT:
            raise DefinitionError(f"the text would have {len(filled)} characters, more than {MAX_RESULT}: fill in less")
        return filled
    # In parentheses, or -2 ** 2 would not be the square of -2.
    return arithmetic.evaluate(
        NAMES.sub(lambda name: f"({values[name[0]]!r})" if name[0] in values else name[0], definition.body)
    )


def _check_names(name: str, parameters: dict[str, str]) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise DefinitionError(f"{name!r} is no name for a tool: use lower-case letters, digits and _, a letter first")
    if len(parameters) > MAX_PARAMETERS:
        raise DefinitionError(f"a tool takes at most {MAX_PARAMETERS} parameters, not {len(parameters)}")
    taken = arithmetic.CONSTANTS.keys() | arithmetic.FUNCTIONS.keys()
    for parameter in parameters:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", parameter) or keyword.iskeyword(parameter) or parameter in taken:
            raise DefinitionError(
                f"{parameter!r} is no name for a parameter: use lower-case letters, digits and _, "
                f"and none of {', '.join(sorted(taken))}"
            )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


TOOLBOXES = {
    "temperature": [
        formula("celsius_to_fahrenheit", "Convert degrees Celsius.", "c * 9 / 5 + 32", {"c": "Degrees."}),
        formula("fahrenheit_to_celsius", "Convert degrees Fahrenheit.", "(f - 32) * 5 / 9", {"f": "Degrees."}),
    ],
    "geometry": [
        formula("circle_area", "Area of a circle.", "pi * radius ** 2", {"radius": "Radius."}),
        formula("hypotenuse", "Long side of a right triangle.", "sqrt(a ** 2 + b ** 2)", {"a": "Side.", "b": "Side."}),
    ],
    "letters": [
        text("invitation", "Write an invitation.", "Dear {name},\nplease come to {event} on {day}.\n"),
        text("thanks", "Write a note of thanks.", "Dear {name},\nthank you for {what}!\n"),
    ],
}
