"""Tool definitions as they were when somebody trusted them: one that changes afterwards is held back until approved.

    pins = Pins(Path("pins.json"))
    kept, held = pins.check("calc", tools, registry_name)    # offer `kept`; refuse calls of `held` with its sentence
    Pins(Path("pins.json")).approve("calc.add")              # what `labkit gateway approve` does, in any process

A model does what a tool's description says, and a server can say something else tomorrow (a "rug pull"). So the first
definition of a tool is remembered, and with it the hash of all that a model or a host reads. The file has both the
definition that is trusted and the one that waits, so that they can be compared and approved without the server.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from labkit.errors import GatewayConfigError, UnknownNameError, did_you_mean
from labkit.files import replace_text
from labkit.locks import try_lock

Json = dict[str, Any]
FIELDS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
"""What is pinned: what hosts show, what models read, and what hosts decide by."""
MOST = 5000
"""Tools of one backend that are remembered. A server that invents names for ever does not fill the disk."""
PATIENCE = 5.0
"""Seconds to wait for another process that writes the file."""
FORMAT = 1
State = Literal["pinned", "changed", "new"]


@dataclass(frozen=True)
class Held:
    """A tool that is held back."""

    owner: str
    tool: str
    name: str
    """What clients call it."""
    changed: tuple[str, ...]
    """The fields that are not what they were; none for a tool that was never approved."""
    detail: str
    """What changed, for the eyes of whoever approves. It quotes the server: never show it to a model."""
    config: str = "FILE"

    @property
    def sentence(self) -> str:
        """The answer to a call. It has no word of the server's new text in it: that might be the attack."""
        how = f"An operator can look at it and approve it: labkit gateway approve {self.name} --config {self.config}"
        if not self.changed:
            return f"{self.name} was not called: nobody has approved this tool yet. {how}"
        what = " and ".join(self.changed)
        return f"{self.name} was not called: its {what} changed since it was approved, so it is held back. {how}"


@dataclass(frozen=True)
class Pinned:
    """One line of `status`."""

    owner: str
    tool: str
    name: str
    state: State
    sha256: str
    detail: str = ""


def digest(tool: Mapping[str, Any]) -> str:
    """SHA-256 of a tool's definition, in hexadecimal digits. The order of keys does not count; absent means null."""
    return hashlib.sha256(_canonical({name: tool.get(name) for name in FIELDS}).encode("ascii")).hexdigest()


class Pins:
    """The pins of all backends, in a file that several processes may use, or in memory without one."""

    def __init__(self, path: Path | None = None, *, config: str | Path = "FILE") -> None:
        self.path = path
        self._config = str(config)
        self._stamp: tuple[int, ...] | None = None
        self._pins: dict[str, dict[str, Json]] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the file if it is not the one that was read last: whether something may be new.

        Raises GatewayConfigError for a file that is damaged: to begin again would be to trust whatever is there now.
        """
        if self.path is None or (stamp := _stamp(self.path)) in (None, self._stamp):
            return False  # A file that has gone says nothing: what is known stays, and is written again.
        self._pins, self._stamp = _read(self.path), stamp
        return True

    def check(
        self,
        owner: str,
        tools: Sequence[Json],
        name_of: Callable[[str], str] | None = None,
        *,
        strict: bool = False,
    ) -> tuple[list[Json], dict[str, Held]]:
        """The tools that may be offered, and those held back, by their names at the backend.

        A tool that was never seen is pinned and offered, or held back when `strict`. `name_of` tells what clients call
        it, for messages and for `approve`. Raises GatewayConfigError when the file cannot be used.
        """
        self.refresh()
        kept, held, edits = self._compare(owner, tools, name_of, strict)
        if edits:
            with self._alone():
                # Somebody else may have written meanwhile, and what they trusted first is what counts.
                kept, held, edits = self._compare(owner, tools, name_of, strict)
                self._pins[owner] = {**self._pins.get(owner, {}), **edits}
                self._save()
        return kept, held

    def approve(self, name: str, sha256: str = "") -> list[Pinned]:
        """Trust what waits under a name that clients see, under `BACKEND/TOOL`, or all of `BACKEND/*`.

        With `sha256`, or the beginning of it, only a definition with that hash: the one that was looked at. What was
        approved comes back; nothing when nothing waits. Raises UnknownNameError, naming what is pinned.
        """
        with self._alone():
            each = list(self._each())
            found = [(o, tool) for o, tool, pin in each if name in (pin["name"], f"{o}/{tool}", f"{o}/*")]
            if not found:
                raise UnknownNameError(
                    f"No tool {name!r} is pinned. {did_you_mean(name, [p['name'] for *_, p in each])}"
                )
            approved: list[Pinned] = []
            for owner, tool in found:
                pin = self._pins[owner][tool]
                waits = pin.get("waits")
                if waits and waits["sha256"].startswith(sha256.lower()):
                    self._pins[owner][tool] = {"name": pin["name"], **waits}
                    approved.append(_line(owner, tool, self._pins[owner][tool]))
            if approved:
                self._save()
        return approved

    def status(self) -> list[Pinned]:
        """Every tool that is pinned or waits, in order of backends and names."""
        self.refresh()
        return [_line(owner, tool, pin) for owner, tool, pin in sorted(self._each(), key=lambda e: e[:2])]

    def _compare(
        self, owner: str, tools: Sequence[Json], name_of: Callable[[str], str] | None, strict: bool
    ) -> tuple[list[Json], dict[str, Held], dict[str, Json]]:
        kept: list[Json] = []
        held: dict[str, Held] = {}
        edits: dict[str, Json] = {}
        known, seen = self._pins.get(owner, {}), set[str]()
        for tool in tools:
            there: Any = tool.get("name")
            if not isinstance(there, str) or there in seen:
                continue  # The second of a name is none that a registry offers.
            seen.add(there)
            name = name_of(there) if name_of else f"{owner}.{there}"
            pin, now = known.get(there), _definition(tool)
            if pin is None and len(known) + len(edits) >= MOST:
                held[there] = Held(owner, there, name, (), "", self._config)
                continue
            if pin is None:  # trusted at first sight, or not
                pin = {"name": name, "sha256": "", "definition": None} if strict else {"name": name, **now}
            same = pin["sha256"] == now["sha256"]
            wanted = {"name": name, "sha256": pin["sha256"], "definition": pin["definition"]}
            if not same:
                wanted["waits"] = now
            if wanted != known.get(there):
                edits[there] = wanted
            if same:
                kept.append(tool)
            else:
                changed, detail = _difference(pin["definition"], now["definition"])
                held[there] = Held(owner, there, name, changed, detail, self._config)
        return kept, held, edits

    def _each(self) -> Iterator[tuple[str, str, Json]]:
        for owner, tools in self._pins.items():
            for tool, pin in tools.items():
                yield owner, tool, pin

    @contextmanager
    def _alone(self) -> Generator[None]:
        """The only one that writes, with what the others have written."""
        if self.path is None:
            yield
            return
        deadline = time.monotonic() + PATIENCE
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_name(f"{self.path.name}.lock").open("ab") as lock:
                while not try_lock(lock.fileno()):
                    if time.monotonic() > deadline:
                        raise GatewayConfigError(f"Another process has held {lock.name} for {PATIENCE:g} s: end it.")
                    time.sleep(0.01)
                self.refresh()
                yield
        except OSError as error:
            raise GatewayConfigError(
                f"Cannot write the pins {self.path}: {error.strerror or error}. Give 'pins' a path in a folder that can"
                " be written."
            ) from error

    def _save(self) -> None:
        if self.path is None:
            return
        text = json.dumps({"pins": FORMAT, "backends": self._pins}, indent=1, sort_keys=True)
        replace_text(self.path, text + "\n")
        self._stamp = _stamp(self.path)


def _definition(tool: Mapping[str, Any]) -> Json:
    fields = {name: tool[name] for name in FIELDS if tool.get(name) is not None}
    return {"sha256": digest(tool), "definition": fields}


def _difference(before: Any, now: Json) -> tuple[tuple[str, ...], str]:
    if before is None:
        return (), "; ".join(f"{name}: {_clip(_plain(now[name]), 0)}" for name in FIELDS if name in now)
    changed = tuple(name for name in FIELDS if _canonical(before.get(name)) != _canonical(now.get(name)))
    return changed, "; ".join(f"{name}: {_both(_plain(before.get(name)), _plain(now.get(name)))}" for name in changed)


def _both(before: str, now: str) -> str:
    pairs = zip(before, now, strict=False)
    first = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(now)))
    return f"{_clip(before, first)} -> {_clip(now, first)}"


def _plain(value: Any) -> str:
    """A text in which nothing hides: what does not show is written as its code."""
    text = value if isinstance(value, str) else "nothing" if value is None else _canonical(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _clip(text: str, at: int, around: int = 20, after: int = 120) -> str:
    begin = max(0, at - around)
    end = at + after
    return f'"{"..." * (begin > 0)}{text[begin:end]}{"..." * (end < len(text))}"'


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _line(owner: str, tool: str, pin: Json) -> Pinned:
    waits = pin.get("waits")
    if waits is None:
        return Pinned(owner, tool, pin["name"], "pinned", pin["sha256"])
    state: State = "changed" if pin["sha256"] else "new"
    return Pinned(
        owner, tool, pin["name"], state, waits["sha256"], _difference(pin["definition"], waits["definition"])[1]
    )


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> dict[str, dict[str, Json]]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        backends = whole["backends"]
        for tools in backends.values():
            for pin in tools.values():
                _check(pin, pin["name"], pin["sha256"])
                if "waits" in pin:
                    _check(pin["waits"], pin["waits"]["sha256"])
        return cast("dict[str, dict[str, Json]]", backends)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GatewayConfigError(
            f"The pins {path} cannot be read ({type(error).__name__}: {error}). Restore the file; deleting it means to"
            " trust all tools as they are now."
        ) from error


def _check(pin: Any, *texts: Any) -> None:
    definition = pin["definition"]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a pin has no name or no hash")
    if definition is not None and digest(definition) != pin["sha256"]:
        raise ValueError(f"the definition of {definition.get('name')!r} is not the one that its hash is of")
