"""Where text of ours can go into a server: the text arguments of tools, of prompts, and the variables of templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, Severity
from labkit.testbench.raw import Answer, Json
from labkit.testbench.tour import objects, sample, tour

PATIENCE = 3.0
"""Seconds to wait for an answer to one probe."""
MOST = 40
"""Places of one server that are probed."""
_VARIABLE = re.compile(r"\{([+#./;?&]?)(\w+)[*]?\}")


@dataclass(frozen=True)
class Place:
    """One argument that takes text."""

    kind: str
    """tool, prompt or template."""
    owner: str
    """The name of the tool or prompt, or the URI template."""
    argument: str
    schema: Json
    others: Json
    """The other arguments, filled in with what the schema asks for."""

    def words(self, *any_of: str) -> bool:
        """Whether the name of the argument, or its format, has one of these words."""
        text = f"{self.argument} {self.schema.get('format', '')}".lower()
        return any(word in text for word in any_of)

    def request(self, payload: str) -> tuple[str, Json]:
        """Method and parameters that bring `payload` to this place."""
        if self.kind == "tool":
            return "tools/call", {"name": self.owner, "arguments": {**self.others, self.argument: payload}}
        if self.kind == "prompt":
            return "prompts/get", {"name": self.owner, "arguments": {**self.others, self.argument: payload}}
        filled = _VARIABLE.sub(lambda m: quote(payload, safe="") if m[2] == self.argument else "x", self.owner)
        return "resources/read", {"uri": filled}

    def call(self, payload: str) -> str:
        """A Python line that does the same."""
        method, params = self.request(payload)
        if method == "resources/read":
            return f"await conn.read({params['uri']!r})"
        face = "call" if method == "tools/call" else "prompt"
        return f"await conn.{face}({self.owner!r}, {params['arguments']!r})"

    async def send(self, bench: Bench, era: str, payload: str) -> Answer:
        """Bring `payload` there, on the shared wire."""
        wire = await bench.shared(era)
        method, params = self.request(payload)
        answer = await wire.request(method, params, timeout=PATIENCE)
        await wire.give_up(answer)
        return answer

    def finding(
        self, said: str, payload: str, answer: Answer, era: str, *, severity: Severity | None = None
    ) -> Finding:
        """A finding about this argument, with what went over the wire and a call that shows the same."""
        said = f"the argument {self.argument!r} {said}"
        return Finding(said, answer.sent, answer.received, self.owner, era, self.call(payload), severity)


def _texts(schema: Any) -> Iterator[tuple[str, Json]]:
    """Top-level members that take any text."""
    properties = cast(Json, schema).get("properties") if isinstance(schema, dict) else None
    for name, described in (cast(Json, properties) if isinstance(properties, dict) else {}).items():
        given = cast(Json, described) if isinstance(described, dict) else {}
        kinds = [given, *objects(given.get("anyOf")), *objects(given.get("oneOf"))]
        if any(k.get("type") == "string" and not {"enum", "const", "pattern"} & set(k) for k in kinds):
            yield name, given


async def places(bench: Bench, era: str) -> list[Place]:
    """The places of this server that may be used: of tools, those that may be called."""
    seen = await tour(bench, era)
    found: list[Place] = []
    for tool in seen.safe_tools(bench.options.allow_destructive):
        schema = tool.get("inputSchema")
        others = sample(schema)
        for name, described in _texts(schema):
            found.append(Place("tool", str(tool.get("name")), name, described, others))
    for template in seen.items.get("resources/templates/list", []):
        uri = str(template.get("uriTemplate"))
        found += [Place("template", uri, m[2], {}, {}) for m in _VARIABLE.finditer(uri)]
    for prompt in seen.items.get("prompts/list", []):
        arguments = objects(prompt.get("arguments"))
        for argument in arguments:
            others = {str(a.get("name")): "x" for a in arguments if a.get("required")}
            found.append(Place("prompt", str(prompt.get("name")), str(argument.get("name")), {}, others))
    return found[:MOST]
