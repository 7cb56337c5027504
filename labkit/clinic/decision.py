"""The decision form: what can be chosen for each question, in plain words, and `Decision`, which holds the choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from labkit.clinic.brief import Brief, ClinicError
from labkit.errors import did_you_mean

MOST_REPLICAS = 32
CHOICES: dict[str, dict[str, str]] = {
    "packaging": {
        "local": "A program that each user's host starts on the user's machine, over stdio.",
        "monolith": "One server with all tools.",
        "hybrid": "Two to four servers, cut where load, owners or data differ.",
        "microservices": "A server for each domain.",
        "specialised": "A server for the part that needs other hardware, and one for the rest.",
        "layered": "A server that knows how to get data, and servers above it that know what is asked.",
        "serverless": "Processes that the first call starts, and that end when none come.",
        "per_tenant": "An instance of all tools for each tenant, with a store of its own.",
    },
    "transport": {
        "stdio": "Pipes between one host and one process.",
        "http": "Streamable HTTP.",
        "sse": "HTTP with SSE, the transport of 2024.",
    },
    "eras": {
        "both": "Clients of the handshake era and of 2026-07-28.",
        "modern": "2026-07-28 only.",
        "handshake": "The handshake era only.",
    },
    "sessions": {
        "memory": "Sessions of the handshake era in the memory of each replica, calls dealt out to any.",
        "sticky": "The balancer sends each session to the replica that began it.",
        "stateless": "No sessions: a handshake client gets none, and any replica may answer.",
        "gateway": "The gateway holds the sessions, and speaks the stateless era to what is behind it.",
    },
    "state": {
        "memory": "In the process.",
        "local_file": "In a file beside the process.",
        "redis": "In a store that all replicas share, such as Redis.",
        "database": "In a database that all replicas share.",
    },
    "scaling": {
        "none": "The number of replicas is fixed.",
        "cpu": "By processor time.",
        "queue": "By requests in a replica.",
        "latency": "By the time that calls take.",
        "memory": "By memory.",
    },
    "tenants": {
        "together": "All tenants in one process and one store, told apart by what the caller says, or not at all.",
        "identity": "In one process, told apart in every call by who has proved to be calling.",
        "instance": "A process and a store for each tenant.",
    },
    "auth": {
        "none": "Nobody is asked who they are.",
        "api_key": "A key for each client.",
        "oauth": "Tokens of an issuer, made for this server (OAuth 2.1).",
        "passthrough": "The client's token is checked, and handed on to what is behind.",
    },
    "audit": {
        "none": "Logs only.",
        "calls": "Each call with its arguments, masked, in a chain that shows changes.",
        "tenant": "The same, a trail for each tenant.",
    },
    "limits": {
        "none": "As many calls as come.",
        "total": "So many calls a minute in all.",
        "caller": "So many for each caller.",
        "tenant": "So many for each tenant.",
    },
    "gateway": {
        "no": "Clients connect to the servers.",
        "yes": "One address; behind it any number of servers.",
    },
    "gpu": {
        "none": "No GPU anywhere.",
        "same": "In the server that has the other tools, too.",
        "own": "In a server of its own.",
        "hosted": "At an inference service of somebody else.",
    },
    "target": {
        "desktop": "Installed on users' machines.",
        "compose": "One machine, with Compose.",
        "kubernetes": "A cluster.",
        "serverless": "A platform that starts and ends processes.",
    },
}
"""Question -> choice -> what it means."""


@dataclass(frozen=True)
class Part:
    """One server of the packaging: which families it has, and how many replicas of it there are."""

    families: tuple[str, ...]
    least: int = 1
    """Replicas that are always there; 0: it is started when it is called."""
    most: int = 1

    @property
    def name(self) -> str:
        """For tables and messages."""
        return "+".join(self.families)


@dataclass(frozen=True)
class Decision:
    """The answers. Make one with `Decision.of`, which checks them."""

    packaging: str = "monolith"
    parts: tuple[Part, ...] = ()
    transport: str = "http"
    eras: str = "both"
    sessions: str = "memory"
    state: str = "memory"
    scaling: str = "none"
    tenants: str = "together"
    auth: str = "none"
    audit: str = "none"
    limits: str = "none"
    gateway: str = "no"
    gpu: str = "none"
    target: str = "compose"

    @classmethod
    def of(cls, brief: Brief, answers: Mapping[str, Any] | None = None, /, **more: Any) -> Decision:
        """A decision for a brief. `parts` is a list of Part, of lists of family names, or of tables with `families`,
        `least` and `most`; left out: all families in one.

        Raises ClinicError with all that is wrong with the answers.
        """
        given: dict[str, Any] = {**(answers or {}), **more}
        unknown = sorted(given.keys() - set(_QUESTIONS))
        faults = [f"there is no question {name!r}. {did_you_mean(name, _QUESTIONS)}" for name in unknown]
        for name, choices in CHOICES.items():
            value = given.get(name, next(iter(choices)))
            if value not in choices:
                faults.append(f"{name} cannot be {value!r}. {did_you_mean(str(value), choices, has='There are')}")
        parts = _parts(brief, given.get("parts"), faults)
        if faults:
            raise ClinicError(f"The decision cannot be used: {' '.join(_sentence(fault) for fault in faults)}")
        whole: dict[str, Any] = {**given, "parts": parts}
        return cls(**whole)

    def but(self, brief: Brief, /, **changes: Any) -> Decision:
        """The same with some answers changed. Raises ClinicError."""
        return Decision.of(brief, {field.name: getattr(self, field.name) for field in fields(self)} | changes)

    def part_of(self, family: str) -> Part:
        """The part that has a family."""
        return next(part for part in self.parts if family in part.families)

    def as_json(self) -> dict[str, Any]:
        """The answers as JSON-ready data, as `of` takes them."""
        return {**asdict(self), "parts": [{**asdict(part), "families": list(part.families)} for part in self.parts]}

    def rows(self) -> list[dict[str, str]]:
        """Question, answer and what the answer means."""
        rows = [{"question": "parts", "answer": "; ".join(map(_shown, self.parts)), "meaning": ""}]
        for name, choices in CHOICES.items():
            value = str(getattr(self, name))
            rows.append({"question": name, "answer": value, "meaning": choices[value]})
        return rows

    def __repr__(self) -> str:
        return "\n".join(f"{row['question']:<10} {row['answer']:<14} {row['meaning']}".rstrip() for row in self.rows())


_QUESTIONS = ("parts", *CHOICES)


def form_schema(brief: Brief) -> dict[str, Any]:
    """The JSON Schema of the form: each question with its choices, each choice with its meaning."""
    questions = {
        name: {
            "title": name,
            "oneOf": [{"const": value, "title": f"{value}: {meaning}"} for value, meaning in choices.items()],
            "default": next(iter(choices)),
        }
        for name, choices in CHOICES.items()
    }
    count = {"type": "integer", "minimum": 0, "maximum": MOST_REPLICAS}
    part = {
        "type": "object",
        "required": ["families", "least", "most"],
        "properties": {
            "families": {"type": "array", "minItems": 1, "items": {"enum": list(brief.families)}},
            "least": {**count, "default": 1, "description": "Replicas that are always there."},
            "most": {**count, "minimum": 1, "default": 1, "description": "Replicas at the peak."},
        },
    }
    parts = {"parts": {"type": "array", "minItems": 1, "items": part, "description": "Which tools share a server."}}
    first = {"packaging": questions.pop("packaging")}
    return {"type": "object", "required": ["packaging", "parts"], "properties": first | parts | questions}


def _parts(brief: Brief, given: Any, faults: list[str]) -> tuple[Part, ...]:
    if given is None:
        return (Part(tuple(brief.families)),)
    parts = [_part(each, faults) for each in given]
    named = [family for part in parts for family in part.families]
    for family in dict.fromkeys(named):
        if family not in brief.families:
            faults.append(f"there are no tools {family!r}. {did_you_mean(family, brief.families, has='There are')}")
        elif named.count(family) > 1:
            faults.append(f"the tools {family!r} are in {named.count(family)} parts; a tool has one server")
    if missing := [family for family in brief.families if family not in named]:
        faults.append(f"no part has the tools {', '.join(missing)}")
    return tuple(parts)


def _part(given: Any, faults: list[str]) -> Part:
    if isinstance(given, Part):
        part = given
    elif isinstance(given, Mapping):
        table = cast("Mapping[str, Any]", given)
        part = Part(_names(table.get("families")), table.get("least", 1), table.get("most", table.get("least", 1)))
    else:
        part = Part(_names(given))
    if not part.families:
        faults.append("a part has no tools")
    numbers: tuple[Any, Any] = (part.least, part.most)
    if not all(type(each) is int for each in numbers) or not 0 <= part.least <= part.most or not part.most:
        count = f"{part.least!r} to {part.most!r} replicas"
        faults.append(f"the part {part.name!r} has {count}; least is a number from 0, most one from 1 and no less")
    elif part.most > MOST_REPLICAS:
        faults.append(f"the part {part.name!r} has up to {part.most} replicas; the clinic goes to {MOST_REPLICAS}")
    return part


def _names(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    return tuple(str(each) for each in cast("Iterable[Any]", given)) if isinstance(given, Sequence) else ()


def _shown(part: Part) -> str:
    count = str(part.most) if part.least == part.most else f"{part.least} to {part.most}"
    return f"{count} x {part.name}"


def _sentence(fault: str) -> str:
    text = fault[0].upper() + fault[1:]
    return text if text.endswith(("?", ".")) else f"{text}."
