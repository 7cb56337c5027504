"""What a server promises, pinned in a file: every tool, prompt, resource and template with a hash, and what changed.

    old = await snapshot.take(conn)
    snapshot.write("contract.json", old)
    ...
    for change in snapshot.diff(snapshot.read("contract.json"), await snapshot.take(conn)):
        print(change)          # breaking: tool add: inputSchema.required: 'c' is now required

A change is *additive* (callers need not care), *breaking* (some call or answer that was right no longer is) or
*suspicious* (the words or annotations that a model or a person trusted have changed: possibly a rug pull).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from labkit.errors import LabError
from labkit.session.connection import Connection
from labkit.testbench.bench import Bench
from labkit.testbench.narrowing import Direction, compare
from labkit.testbench.raw import Json
from labkit.testbench.schemas import as_object, canonical
from labkit.testbench.tour import LISTS, objects

FORMAT = 1
Kind = Literal["additive", "breaking", "suspicious"]
Ask = Callable[[str, Json], Awaitable[Json]]

PINNED: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "tools": ("tools/list", "tool", "name", ("title", "description", "inputSchema", "outputSchema", "annotations")),
    "resources": ("resources/list", "resource", "uri", ("name", "title", "description", "mimeType", "annotations")),
    "templates": (
        "resources/templates/list",
        "template",
        "uriTemplate",
        ("name", "title", "description", "mimeType", "annotations"),
    ),
    "prompts": ("prompts/list", "prompt", "name", ("title", "description", "arguments")),
}
"""By part of a snapshot: the list it comes from, what one is called, what identifies it, what is pinned besides."""

PAGES = 200
"""Pages of one list that are read: a server may give cursors without end."""


@dataclass(frozen=True)
class Change:
    """One difference between what was pinned and what is there."""

    kind: Kind
    subject: str
    """`tool add`."""
    path: str
    """Where in it: `inputSchema.properties.a`; empty for the whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.path + ': ' if self.path else ''}{self.message}"


def pin(item: Json) -> str:
    """The hash of an item's pinned members."""
    return "sha256:" + hashlib.sha256(canonical(item).encode("utf-8", "surrogatepass")).hexdigest()


async def take(source: Bench | Connection) -> Json:
    """The snapshot of a server, from a bench or an open connection. A list that it does not have is empty."""
    if isinstance(source, Bench):
        wire = await source.shared(source.eras[-1])
        hello = source.hellos[source.eras[-1]].result
        announced, said = set(as_object(hello.get("capabilities"))), hello.get("instructions")

        async def ask(method: str, params: Json) -> Json:
            return (await wire.request(method, params)).result
    else:
        announced = source.capabilities.model_fields_set if source.capabilities else set[str]()
        ask, said = source.send, source.instructions
    items = {
        method: await everything(ask, method, member) if capability in announced else []
        for method, (capability, member) in LISTS.items()
    }
    return of_items(items, str(said or ""))


async def everything(ask: Ask, method: str, member: str) -> list[Json]:
    """All items of a list, page by page."""
    found: list[Json] = []
    params: Json = {}
    for _ in range(PAGES):
        page = await ask(method, params)
        found += objects(page.get(member))
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or params.get("cursor") == cursor:
            break
        params = {"cursor": cursor}
    return found


def of_items(items: dict[str, list[Json]], instructions: str = "") -> Json:
    """The snapshot of these items, given by list method."""
    made: Json = {"format": FORMAT, "instructions": instructions}
    for part, (method, _, key, members) in PINNED.items():
        made[part] = rows = cast(Json, {})
        for item in items.get(method, []):
            name = wanted = str(item.get(key))
            number = 1
            while name in rows:  # a second one of the same name must not hide behind the first
                number += 1
                name = f"{wanted} ({number})"
            pinned = {member: item[member] for member in members if item.get(member) is not None}
            rows[name] = {**pinned, "hash": pin({key: wanted, **pinned})}
    return made


def write(path: str | Path, snapshot: Json) -> None:
    """Save a snapshot, in a form that is read well in a review. Raises LabError."""
    text = json.dumps(snapshot, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        Path(path).write_text(text, encoding="utf-8", errors="surrogatepass")
    except OSError as error:
        raise LabError(f"Cannot write the snapshot {path}: {error.strerror or error}. Check the path.") from error


def read(path: str | Path) -> Json:
    """Load a snapshot. Raises LabError when it is none, or when a hash does not fit what stands beside it."""
    try:
        found = as_object(json.loads(Path(path).read_text(encoding="utf-8", errors="surrogatepass")))
    except OSError as error:
        raise LabError(f"Cannot read the snapshot {path}: {error.strerror or error}. Check the path.") from error
    except ValueError as error:
        raise LabError(f"The snapshot {path} is not JSON: {error}. Delete it to pin anew.") from error
    if found.get("format") != FORMAT:
        raise LabError(f"{path} is no snapshot of format {FORMAT}. Delete it to pin anew.")
    for part, (_, what, key, _) in PINNED.items():
        for name, row in as_object(found.get(part)).items():
            pinned = {member: value for member, value in as_object(row).items() if member != "hash"}
            names = {name, name.rpartition(" (")[0]}
            if as_object(row).get("hash") not in {pin({key: each, **pinned}) for each in names}:
                raise LabError(f"In the snapshot {path} the hash of the {what} {name!r} does not fit: it was edited.")
    return found


def diff(old: Json, new: Json) -> list[Change]:
    """What changed from one snapshot to another, the gravest first; [] when nothing did."""
    found: list[Change] = []
    if old.get("instructions", "") != new.get("instructions", ""):
        found.append(Change("suspicious", "the server", "instructions", "the text has changed"))
    for part, (_, what, _, _) in PINNED.items():
        olds, news = as_object(old.get(part)), as_object(new.get(part))
        for name in sorted({*olds, *news}):
            subject = f"{what} {name}"
            if name not in news:
                found.append(Change("breaking", subject, "", "is gone"))
            elif name not in olds:
                found.append(Change("additive", subject, "", "is new"))
            elif canonical(olds[name]) != canonical(news[name]):
                changes = list(_item(subject, as_object(olds[name]), as_object(news[name])))
                found += changes or [Change("suspicious", subject, "", "is written in another way")]
    return sorted(found, key=lambda change: ("breaking", "suspicious", "additive").index(change.kind))


def _item(subject: str, old: Json, new: Json) -> Iterator[Change]:
    for member in sorted({*old, *new} - {"hash"}):
        before, after = old.get(member), new.get(member)
        if canonical(before) == canonical(after):
            continue
        if member in ("inputSchema", "outputSchema"):
            yield from _schema(subject, member, before, after)
        elif member == "arguments":
            yield from _arguments(subject, objects(before), objects(after))
        elif member == "mimeType":
            yield Change("breaking", subject, member, f"was {before!r}, is {after!r}")
        elif member == "annotations":
            for name in sorted({*as_object(before), *as_object(after)}):
                was, now = as_object(before).get(name), as_object(after).get(name)
                if canonical(was) != canonical(now):
                    yield Change("suspicious", subject, f"annotations.{name}", f"was {was!r}, is {now!r}")
        else:
            yield Change("suspicious", subject, member, f"was {_quoted(before)}, is {_quoted(after)}")


def _quoted(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _schema(subject: str, member: str, before: Any, after: Any) -> Iterator[Change]:
    output = member == "outputSchema"
    if before is None or after is None:
        gone = after is None
        yield Change("breaking" if gone or not output else "additive", subject, member, "is gone" if gone else "is new")
        return
    kinds: dict[Direction, Kind] = {
        "narrower": "additive" if output else "breaking",  # who reads answers is glad of fewer, who calls is not
        "wider": "breaking" if output else "additive",
        "added": "additive",
        "removed": "breaking",
        "unclear": "breaking",
        "text": "suspicious",
    }
    for step in compare(before, after):
        yield Change(kinds[step.direction], subject, f"{member}.{step.path}".rstrip("."), step.message)


def _arguments(subject: str, before: list[Json], after: list[Json]) -> Iterator[Change]:
    olds, news = ({str(each.get("name")): each for each in those} for those in (before, after))
    for name in sorted({*olds, *news}):
        path, was, now = f"arguments.{name}", olds.get(name), news.get(name)
        if was is None or now is None:
            needed = now is not None and now.get("required") is True
            yield Change(
                "breaking" if now is None or needed else "additive",
                subject,
                path,
                "is gone" if now is None else "is new and required" if needed else "is new",
            )
            continue
        if bool(was.get("required")) != bool(now.get("required")):
            needed = bool(now.get("required"))
            said = "is now required" if needed else "is no longer required"
            yield Change("breaking" if needed else "additive", subject, path, said)
        for member in ("title", "description"):
            if was.get(member) != now.get(member):
                said = f"was {_quoted(was.get(member))}, is {_quoted(now.get(member))}"
                yield Change("suspicious", subject, f"{path}.{member}", said)
