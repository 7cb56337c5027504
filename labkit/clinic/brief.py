"""Design briefs: interview/briefs/ID.toml, checked against interview/brief.schema.json and against itself.

Times are milliseconds, rates calls a second in the busiest minute, money is a month's.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from labkit._lean import lean_jsonschema
from labkit.catalog import LAB_ROOT
from labkit.errors import LabError, did_you_mean

BRIEFS = LAB_ROOT / "interview" / "briefs"
SCHEMA = LAB_ROOT / "interview" / "brief.schema.json"


class ClinicError(LabError):
    """A brief or a decision that cannot be used: the message says what is wrong, and what to write."""


@dataclass(frozen=True)
class Family:
    """Tools that belong together, and their calls."""

    name: str
    does: str
    tools: int
    team: str
    peak: float
    computes_ms: float
    waits_ms: float
    payload_kb: float
    promise_ms: float
    state: str
    gpu_ms: float = 0.0
    zone: str = ""
    uses: str = ""

    def computing(self, on_gpu: bool) -> float:
        """Milliseconds that a call keeps its process from everything else."""
        return self.gpu_ms if on_gpu and self.gpu_ms else self.computes_ms


@dataclass(frozen=True)
class Brief:
    """A company's situation. `families` by name; the schema says what each field means."""

    id: str
    title: str
    company: str
    asks: str
    people: int
    teams: int
    money: float
    replica_price: float
    gpu_price: float
    where: str
    eras: Mapping[str, float]
    burst: float
    idle_hours: float
    availability: float
    tenants: int
    isolation: str
    residency: str
    outside: bool
    audit: str
    families: Mapping[str, Family]
    incident: str
    """The family whose part is killed in the miniature."""
    happened: str
    tempts: str
    trap: str
    """Why what it tempts to is wrong."""
    packaging: str
    """What the lab would choose."""
    why: str

    @property
    def tools(self) -> int:
        """Of all families together."""
        return sum(family.tools for family in self.families.values())

    @property
    def handshake(self) -> float:
        """The share of calls that come from clients of the handshake era."""
        return sum(share for era, share in self.eras.items() if era < "2026")

    def facts(self) -> dict[str, str]:
        """What has to be known, as label and text: for the form and for a table."""
        people = f"{self.people} people, {many(self.teams, 'team')}"
        eras = ", ".join(f"{share:.0%} {era}" for era, share in self.eras.items())
        where = "each on the user's own machine" if self.where == "desktop" else "over the network"
        tenants = {
            "none": "all belong together",
            "data": "nobody reads what is another's",
            "process": "a process and a store for each, by contract",
        }[self.isolation]
        residency = f"stays in {self.residency}" if self.residency else "may be anywhere"
        audit = {"none": "none asked for", "calls": "every call", "tenant": "a trail for each tenant"}[self.audit]
        gpu = "; one with a GPU " + f"{self.gpu_price:g}" if any(f.gpu_ms for f in self.families.values()) else ""
        return {
            "team": people,
            "money a month": f"{self.money:g}; a process costs {self.replica_price:g}{gpu}",
            "clients": f"{where}; {eras}",
            "traffic": f"{sum(f.peak for f in self.families.values()):g} calls a second at the peak, the worst second"
            f" {self.burst:g} times that; idle {self.idle_hours:g} hours a day",
            "availability": f"{self.availability:g} % of calls are to be answered well",
            "tenants": f"{self.tenants}; {tenants}" if self.tenants > 1 else "one",
            "data": f"{residency}; {'may' if self.outside else 'may not'} be sent to services of others",
            "audit": audit,
            "incident": self.happened,
        }

    def rows(self) -> list[dict[str, Any]]:
        """The families as rows of a table."""
        return [
            {
                "tools": f"{family.tools} x {family.name}",
                "team": family.team,
                "calls/s": family.peak,
                "computes": f"{family.computes_ms:g} ms" + (f" ({family.gpu_ms:g} on a GPU)" if family.gpu_ms else ""),
                "waits": f"{family.waits_ms:g} ms" + (f", calls {family.uses}" if family.uses else ""),
                "answer": f"{family.payload_kb:g} kB",
                "p95 promised": f"{family.promise_ms:g} ms",
                "state": family.state,
                "zone": family.zone or "-",
            }
            for family in self.families.values()
        ]

    def __repr__(self) -> str:
        lines = [self.title, "", self.company, "", self.asks, ""]
        lines += [f"{label:<14} {text}" for label, text in self.facts().items()]
        lines += ["", *("  ".join(f"{name} {value}" for name, value in row.items()) for row in self.rows())]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_html(self) -> str:
        """The brief as a page."""
        facts = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{_html(text)}</td></tr>"
            for label, text in self.facts().items()
        )
        texts = "".join(f"<p>{_html(text)}</p>" for text in (self.company, self.asks))
        return f"<h3>{_html(self.title)}</h3>{texts}<table>{facts}</table>{html_table(self.rows())}"


def html_table(rows: list[dict[str, Any]]) -> str:
    """Rows of plain values as an HTML table; what stands between backticks is code."""
    if not rows:
        return ""
    head = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{_html(str(each))}</td>" for each in row.values()) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _html(text: str) -> str:
    """A text of a brief: what stands between backticks is code. As `briefText` in brief.js."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def brief_ids(folder: Path = BRIEFS) -> list[str]:
    """The ids of all briefs."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_briefs(folder: Path = BRIEFS) -> dict[str, Brief]:
    """All briefs by id. Raises ClinicError."""
    return {id: load_brief(id, folder) for id in brief_ids(folder)}


def load_brief(id: str, folder: Path = BRIEFS) -> Brief:
    """One brief. Raises ClinicError with all that is wrong with it."""
    path = folder / f"{id}.toml"
    if not path.is_file():
        raise ClinicError(f"There is no brief {id!r}. {did_you_mean(id, brief_ids(folder), has='There are')}")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ClinicError(f"{path.name} cannot be read: {error}. Mend that first.") from error
    return brief_of(id, data)


def brief_of(id: str, data: Mapping[str, Any]) -> Brief:
    """A brief from data as in its file. Raises ClinicError with all that is wrong with it."""
    if faults := [*_schema_faults(data)]:
        raise ClinicError(f"The brief {id!r} does not fit brief.schema.json: {'; '.join(faults)}.")
    families = {each["name"]: Family(**each) for each in data["family"]}
    if faults := [*_own_faults(data, families)]:
        raise ClinicError(f"The brief {id!r} contradicts itself: {'; '.join(faults)}.")
    clients, traffic, compliance, budget = (data[name] for name in ("clients", "traffic", "compliance", "budget"))
    return Brief(
        id,
        data["title"],
        " ".join(data["company"].split()),
        " ".join(data["asks"].split()),
        data["team"]["people"],
        data["team"]["teams"],
        budget["month"],
        budget["replica"],
        budget["gpu"],
        clients["where"],
        dict(sorted(clients["eras"].items())),
        traffic["burst"],
        traffic["idle_hours"],
        data["availability"],
        data["tenants"]["count"],
        data["tenants"]["isolation"],
        compliance["residency"],
        compliance["outside"],
        compliance["audit"],
        families,
        data["incident"]["family"],
        data["incident"]["what"],
        data["trap"]["tempts"],
        data["trap"]["why"],
        data["answer"]["packaging"],
        data["answer"]["why"],
    )


def _schema_faults(data: Mapping[str, Any]) -> Iterator[str]:
    for fault in sorted(_validator().iter_errors(data), key=lambda each: str(each.json_path)):
        yield f"{fault.json_path.removeprefix('$').removeprefix('.') or 'the file'}: {fault.message}"


@cache
def _validator() -> Any:
    lean_jsonschema()
    from jsonschema import Draft202012Validator

    return cast("Any", Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))))


def _own_faults(data: Mapping[str, Any], families: Mapping[str, Family]) -> Iterator[str]:
    """What no schema can say."""
    if len(families) < len(data["family"]):
        yield "two families have one name"
    if abs(sum(data["clients"]["eras"].values()) - 1) > 1e-6:
        yield "the shares of the eras are not 1 together"
    if (named := data["incident"]["family"]) not in families:
        yield f"the incident names the family {named!r}, which it does not have"
    for family in families.values():
        if family.uses and (family.uses not in families or families[family.uses].uses or family.uses == family.name):
            yield f"{family.name} uses {family.uses!r}, which is no other family that stands by itself"
        if family.computes_ms + family.waits_ms <= 0:
            yield f"{family.name} neither computes nor waits"
    if data["team"]["teams"] > data["team"]["people"]:
        yield "there are more teams than people"
    if data["tenants"]["isolation"] == "process" and data["tenants"]["count"] < 2:
        yield "one tenant cannot be kept apart from others"


def many(count: int, noun: str) -> str:
    """A number of things in words: `1 team`, `2 teams`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
