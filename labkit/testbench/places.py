"""Where text of ours can go into a server: arguments of tools and of prompts, variables of templates, addresses."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from weakref import WeakKeyDictionary

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, Severity
from labkit.testbench.inputs import call_line, literal
from labkit.testbench.raw import Answer, Json
from labkit.testbench.schemas import as_object, expand
from labkit.testbench.tour import fitting, objects, sample, tour

PATIENCE = 3.0
"""Seconds to wait for an answer to one probe."""
MOST = 40
"""Places of one server that are probed."""
URIS = 3
"""Listed resources whose addresses are led on."""
FOLDERS = 4
"""Folders that a server was lent, of which the way out is looked for."""
DEEP = 3
"""Steps into the arguments: a text, in an object, in a list."""
SILENCES = 3
"""Probes without an answer, after which a place is left alone."""
_SILENT: WeakKeyDictionary[Bench, Counter[tuple[str, str]]] = WeakKeyDictionary()
_VARIABLE = re.compile(r"\{([+#./;?&]?)(\w+)[*]?\}")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Place:
    """One argument that takes text."""

    kind: str
    """tool, prompt, template or resource."""
    owner: str
    """The name of the tool or prompt, the URI template, or the URI from which a path leads on."""
    argument: str
    """Its name, with the way to it when it lies in another: `files[0].path`."""
    schema: Json
    others: Json
    """The other arguments, filled in with what the schema asks for."""
    steps: tuple[str | int, ...] = ()
    """The way to it within the arguments of a tool: names of members, and 0 into a list."""

    def words(self, *any_of: str) -> bool:
        """Whether the name of the argument, or its format, has one of these words."""
        text = f"{self.argument} {self.schema.get('format', '')}".lower()
        return any(word in text for word in any_of)

    def request(self, payload: str) -> tuple[str, Json]:
        """Method and parameters that bring `payload` to this place."""
        if self.kind == "tool":
            return "tools/call", {"name": self.owner, "arguments": _put(self.others, self.steps, payload)}
        if self.kind == "prompt":
            return "prompts/get", {"name": self.owner, "arguments": {**self.others, self.argument: payload}}
        if self.kind == "resource":
            return "resources/read", {"uri": payload if _ABSOLUTE.match(payload) else f"{self.owner}/{payload}"}
        filled = _VARIABLE.sub(lambda m: quote(payload, safe="") if m[2] == self.argument else "x", self.owner)
        return "resources/read", {"uri": filled}

    def call(self, payload: str) -> str:
        """A Python line that does the same."""
        method, params = self.request(payload)
        if method == "resources/read":
            return f"await conn.read({literal(params['uri'])})"
        if method == "tools/call":
            return call_line(self.owner, params["arguments"])
        return f"await conn.prompt({self.owner!r}, {literal(params['arguments'])})"

    async def send(self, bench: Bench, era: str, payload: str) -> Answer:
        """Bring `payload` there, on the shared wire."""
        wire = await bench.shared(era)
        method, params = self.request(payload)
        answer = await wire.request(method, params, timeout=PATIENCE)
        await wire.give_up(answer)
        if answer.came == "silence":
            _SILENT.setdefault(bench, Counter())[self.owner, self.argument] += 1
        return answer

    def waits(self, bench: Bench) -> bool:
        """Whether it gave no answer in time, again and again: it waits for something, and has taken enough time."""
        return _SILENT.get(bench, Counter[tuple[str, str]]())[self.owner, self.argument] >= SILENCES

    def finding(
        self, said: str, payload: str, answer: Answer, era: str, *, severity: Severity | None = None
    ) -> Finding:
        """A finding about this argument, with what went over the wire and a call that shows the same."""
        said = f"the argument {self.argument!r} {said}"
        return Finding(said, answer.sent, answer.received, self.owner, era, self.call(payload), severity)


def _put(value: Any, steps: tuple[str | int, ...], payload: Any) -> Any:
    """A copy of a JSON value with `payload` at the end of the way; what lacks on the way is made."""
    if not steps:
        return payload
    first, *rest = steps
    if isinstance(first, int):
        items = cast("list[Any]", value) if isinstance(value, list) else []
        return [_put(items[0] if items else None, tuple(rest), payload), *items[1:]]
    members = as_object(value)
    return {**members, first: _put(members.get(first), tuple(rest), payload)}


def _texts(tool: Json) -> Iterator[Place]:
    """The members of a tool's arguments that take any text, those in lists and in objects too; the outermost first."""
    schema = expand(tool.get("inputSchema"))
    todo: list[tuple[tuple[str | int, ...], Json, Any]] = [((), as_object(schema), fitting(schema))]
    while todo:
        steps, part, base = todo.pop(0)
        if steps and any(_is_text(kind) for kind in _choices(part)):
            shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
            yield Place("tool", str(tool.get("name")), shown.removeprefix("."), part, base, steps)
        if len(steps) == DEEP:
            continue
        for kind in _choices(part):
            below: dict[str | int, Any] = {**as_object(kind.get("properties"))}
            if steps and "items" in kind:
                below[0] = kind["items"]
            # An object that may be left out is made whole first: the text alone might not be taken.
            whole = _put(base, steps, sample(kind)) if steps and below else base
            todo += [((*steps, step), as_object(each), whole) for step, each in below.items()]


def _choices(part: Json) -> list[Json]:
    return [part, *objects(part.get("anyOf")), *objects(part.get("oneOf"))]


def _is_text(part: Json) -> bool:
    kind: Any = part.get("type")
    takes = "string" in cast("list[Any]", kind) if isinstance(kind, list) else kind == "string"
    return takes and not {"enum", "const", "pattern"} & set(part)


async def places(bench: Bench, era: str) -> list[Place]:
    """The places of this server that may be used: of tools, those that may be called."""
    seen = await tour(bench, era)
    found: list[Place] = []
    for tool in seen.safe_tools(bench.options.allow_destructive):
        found += _texts(tool)
    for template in seen.items.get("resources/templates/list", []):
        uri = str(template.get("uriTemplate"))
        found += [Place("template", uri, m[2], {}, {}) for m in _VARIABLE.finditer(uri)]
    for prompt in seen.items.get("prompts/list", []):
        arguments = objects(prompt.get("arguments"))
        for argument in arguments:
            others = {str(a.get("name")): "x" for a in arguments if a.get("required")}
            found.append(Place("prompt", str(prompt.get("name")), str(argument.get("name")), {}, others))
    found.sort(key=lambda place: max(1, len(place.steps)))  # what lies deep is the first that may be left out
    return found[:MOST]


async def addresses(bench: Bench, era: str) -> list[Place]:
    """Where a URI that nothing lists can be asked for: from the root, and beside and below what is listed."""
    if not bench.capability(era, "resources"):
        return []
    listed = [str(each["uri"]) for each in (await tour(bench, era)).items.get("resources/list", []) if "uri" in each]
    owners = ["file://", *(owner for uri in listed[:URIS] for owner in (uri.rpartition("/")[0], uri))]
    return [Place("resource", owner, "uri", {}, {}) for owner in dict.fromkeys(owners) if owner]


def lent(bench: Bench) -> list[Path]:
    """The folders for this test: those that the server was started with - as arguments, settings or where it runs -
    and that lie in the system's folder for temporary files, with the folders in them.

    In these something may be made for a moment. Others hold what is somebody's, and are left alone.
    """
    params, temporary = bench.plan.params, Path(tempfile.gettempdir()).resolve()
    given = [*bench.options.env.values(), str(bench.options.cwd or "")]
    given += [*params.args, *(params.env or {}).values(), str(params.cwd or "")] if params else []
    found: list[Path] = []
    for text in given:
        with suppress(OSError, ValueError):
            path = Path(text).resolve()
            if text and path.is_dir() and path.is_relative_to(temporary) and path != temporary:
                found += [path, *(each for each in sorted(path.iterdir()) if each.is_dir() and not each.is_symlink())]
    return list(dict.fromkeys(found))[:FOLDERS]
