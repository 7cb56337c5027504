"""What a server offers, as tables with tab completion: tools, resources, templates, prompts."""

from __future__ import annotations

import html
import inspect
import json
import keyword
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import mcp_types as types

from labkit.errors import UnknownNameError, did_you_mean
from labkit.session.sendable import cut

Item = TypeVar("Item")
Use = Callable[..., Awaitable[Any]]

_PYTHON: dict[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


def properties_of(schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties that a schema names, each as an object: a server may write anything there, `true` too."""
    found: Any = schema.get("properties")
    if not isinstance(found, dict):
        return {}
    properties = cast("dict[str, Any]", found)
    return {name: cast("dict[str, Any]", p) if isinstance(p, dict) else {} for name, p in properties.items()}


def required_of(schema: Mapping[str, Any]) -> list[str]:
    """The names that a schema requires."""
    found: Any = schema.get("required")
    return [str(name) for name in cast("list[Any]", found)] if isinstance(found, list) else []


def signature_of(schema: dict[str, Any]) -> inspect.Signature:
    """A tool's input schema as a Python signature of keyword arguments.

    Names that Python keeps for itself, such as `from`, cannot stand there: `**others` does, and a dict passes them.
    """
    properties, required = properties_of(schema), required_of(schema)
    parameters: list[inspect.Parameter] = []
    for name, prop in properties.items():
        if not _is_plain(name):
            continue
        kind: Any = _PYTHON.get(str(prop.get("type")), inspect.Parameter.empty)
        default = inspect.Parameter.empty if name in required else prop.get("default")
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default))
    if len(parameters) < len(properties):
        parameters.append(inspect.Parameter("others", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def _is_plain(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and name != "others"


_MORE_NAMES = (
    *("additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties", "dependentSchemas"),
    *("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if"),
)
"""Keywords of JSON Schema beside which `properties` need not hold every name."""


class Handle:
    """One tool or prompt of a connection: call it with keyword arguments; `?` shows its documentation."""

    def __init__(self, item: types.Tool | types.Prompt, use: Use) -> None:
        self.item = item
        self.name = self.__name__ = item.name
        self._use = use
        if isinstance(item, types.Tool):
            self.schema = item.input_schema
        else:
            names = item.arguments or []
            self.schema = {
                "type": "object",
                "properties": {a.name: {"type": "string", "description": a.description or ""} for a in names},
                "required": [a.name for a in names if a.required],
            }
        self.__signature__ = signature_of(self.schema)
        self.__doc__ = _documentation(item, self.schema)

    def __call__(self, *args: Any, **arguments: Any) -> Awaitable[Any]:
        return self._use(self.name, *args, **arguments)

    def __repr__(self) -> str:
        return f"{self.name}{self.__signature__}\n{self.__doc__}"


def _documentation(item: types.Tool | types.Prompt, schema: dict[str, Any]) -> str:
    lines = [item.description or item.title or "(no description)"]
    properties, required = properties_of(schema), required_of(schema)
    if properties:
        lines += ["", "Arguments:"]
        for name, prop in properties.items():
            must = "required" if name in required else "optional"
            about = prop.get("description") or ""
            rest = {k: v for k, v in prop.items() if k not in ("title", "description")}
            lines.append(f"  {name} ({must}) {json.dumps(rest, ensure_ascii=False)} {about}".rstrip())
    if isinstance(item, types.Tool) and item.output_schema:
        lines += ["", f"Returns: {json.dumps(item.output_schema, ensure_ascii=False)}"]
    return "\n".join(lines)


class Listing(Generic[Item]):
    """Things of one kind by name. `names`, indexing by name or number, iteration, a table in a notebook."""

    kind = "item"

    def __init__(self, items: list[Item], server: str) -> None:
        self._items, self._server = items, server

    def _name(self, item: Item) -> str:
        return str(getattr(item, "name", ""))

    def _about(self, item: Item) -> tuple[str, ...]:
        return (self._name(item), str(getattr(item, "description", None) or ""))

    @property
    def names(self) -> list[str]:
        """All names."""
        return [self._name(item) for item in self._items]

    def find(self, name: str) -> Item:
        """The item of that name. Raises UnknownNameError naming the closest ones."""
        for item in self._items:
            if self._name(item) == name:
                return item
        shown = cut(repr(name))
        if not self._items:
            raise UnknownNameError(f"The server {self._server!r} has no {self.kind}s: there is no {shown} to ask for.")
        hint = did_you_mean(str(name), self.names)  # a key that is no text has come through [...]
        raise UnknownNameError(f"The server {self._server!r} has no {self.kind} {shown}. {hint}")

    def __getitem__(self, key: int | str) -> Any:
        return self._items[key] if isinstance(key, int) else self.find(key)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    def __repr__(self) -> str:
        if not self._items:
            return f"(no {self.kind}s)"
        return "\n".join(
            "  ".join(part for part in self._about(item) if part).partition("\n")[0] for item in self._items
        )

    def _repr_html_(self) -> str:
        if not self._items:
            return f"<i>{html.escape(self._server)} has no {self.kind}s</i>"
        rows = ""
        for item in self._items:
            name, *rest = self._about(item)
            cells = "".join(
                f"<td style='text-align:left;white-space:pre-wrap'>{html.escape(text)}</td>" for text in rest
            )
            rows += f"<tr><td style='text-align:left'><code>{html.escape(name)}</code></td>{cells}</tr>"
        return f"<table><tr><th style='text-align:left'>{self.kind}</th><th style='text-align:left'>what it is</th></tr>{rows}</table>"


class _Callables(Listing[Item]):
    """A listing whose items can be called: `conn.tools.add(a=2, b=3)`."""

    def __init__(self, items: list[Item], server: str, use: Use) -> None:
        super().__init__(items, server)
        self._use = use

    def __getattr__(self, name: str) -> Handle:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except UnknownNameError as error:
            raise AttributeError(str(error)) from None

    def __getitem__(self, key: int | str) -> Handle:
        return Handle(super().__getitem__(key), self._use)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(n for n in self.names if n.isidentifier() and not keyword.iskeyword(n))]

    def _about(self, item: Item) -> tuple[str, ...]:
        handle = Handle(cast(Any, item), self._use)
        return (f"{handle.name}{handle.__signature__}", str(getattr(item, "description", None) or ""))


class Tools(_Callables[types.Tool]):
    """The tools of a connection."""

    kind = "tool"


class Known:
    """A tool, and which argument names it takes: worked out once, since every call asks.

    `required` are the names that must be there, `names` those that may, None when the schema leaves them open.
    """

    __slots__ = ("names", "required", "tool")

    def __init__(self, tool: types.Tool) -> None:
        schema: dict[str, Any] = tool.input_schema
        self.tool = tool
        self.required = frozenset(required_of(schema))
        # Which names there are may be said elsewhere, or not at all.
        is_open = "properties" not in schema or any(schema.get(key) for key in _MORE_NAMES)
        self.names = None if is_open else frozenset(properties_of(schema))

    def fits(self, arguments: dict[str, Any]) -> bool:
        """Whether the names of `arguments` are right. Values are the server's to judge."""
        given = arguments.keys()
        return given >= self.required and (self.names is None or given <= self.names)


def misfit(known: Known, arguments: dict[str, Any]) -> str:
    """How the names of `arguments` do not fit the tool's input schema, with the schema."""
    tool, schema = known.tool, known.tool.input_schema
    properties = properties_of(schema)
    missing = [n for n in required_of(schema) if n not in arguments]
    extra = [] if known.names is None else [n for n in arguments if n not in known.names]
    said = [f"it needs {', '.join(repr(n) for n in missing)}"] if missing else []
    said += [
        f"it does not take {cut(repr(n))} ({did_you_mean(n, properties, has='it takes').rstrip('?.')})" for n in extra
    ]
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    return f"Tool {tool.name!r} was not called: {'; '.join(said)}. Its input schema:\n{text}"


def by_name(method: str, handle: Handle | None, name: str, values: Sequence[Any]) -> str:
    """What to write instead, when the arguments of a tool or a prompt were given by place."""
    if handle is None:
        return f"{name!r} takes its arguments by name: {method}({name!r}, NAME=VALUE), or one dict of all."
    pairs = zip(properties_of(handle.schema), values, strict=False)
    shown = ", ".join([repr(name), *(f"{key}={cut(repr(value))}" for key, value in pairs if _is_plain(key))])
    return (
        f"{name!r} takes its arguments by name: it is {name}{handle.__signature__}. Write {method}({shown}),"
        " or give one dict of all."
    )


class Prompts(_Callables[types.Prompt]):
    """The prompts of a connection."""

    kind = "prompt"


class Resources(Listing[types.Resource]):
    """The resources of a connection, by URI."""

    kind = "resource"

    def _name(self, item: types.Resource) -> str:
        return str(item.uri)

    def _about(self, item: types.Resource) -> tuple[str, ...]:
        return (str(item.uri), " ".join(p for p in (item.name, item.mime_type, item.description) if p))


class Templates(Listing[types.ResourceTemplate]):
    """The resource templates of a connection, by URI template (RFC 6570)."""

    kind = "resource template"

    def _name(self, item: types.ResourceTemplate) -> str:
        return item.uri_template

    def _about(self, item: types.ResourceTemplate) -> tuple[str, ...]:
        return (item.uri_template, " ".join(p for p in (item.name, item.mime_type, item.description) if p))


def explain_arguments(tool: types.Tool, arguments: dict[str, Any]) -> str:
    """Which arguments do not fit the schema, or '' when all do, or when the schema itself is no use."""
    from jsonschema import Draft202012Validator
    from referencing.jsonschema import EMPTY_REGISTRY

    try:
        # A registry of our own: the default one would fetch a `$ref` to another host, on the server's say-so.
        validator: Any = Draft202012Validator(tool.input_schema, registry=EMPTY_REGISTRY)
        faults: list[Any] = list(validator.iter_errors(arguments))
    except Exception:  # a pattern that does not compile, an unknown type, a `$ref` to nowhere: the server's mistake
        return ""
    if not faults:
        return ""
    places = [cut(".".join(str(part) for part in fault.absolute_path)) or "arguments" for fault in faults[:5]]
    # A message begins with the value, and ends with what is wrong with it.
    lines = [f"  {place}: {cut(fault.message)}" for place, fault in zip(places, faults, strict=False)]
    schema = cut(json.dumps(tool.input_schema.get("properties", {}), ensure_ascii=False), 4000)
    return "The arguments do not fit the tool's input schema:\n" + "\n".join(lines) + f"\n  schema: {schema}"
