"""Reading a ledger: is it whole, and what does it say? Nothing here writes, and a copy of the folder will do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.patterns.ledger import START, TAIL, Head, files_of, fingerprint, link, parsed


@dataclass(frozen=True)
class Verdict:
    """What `verify` found."""

    ok: bool
    records: int
    """Lines that fit, from the beginning to the end or to the first that does not."""
    head: Head
    """The last that fits. Keep it elsewhere, and give it to `verify` the next time."""
    starts_at: int = 1
    """The number of the first record: greater than 1 when older files are gone."""
    file: str = ""
    """Where the chain breaks: name of the file, number of the line in it, record that was expected there, and why."""
    line: int = 0
    reason: str = ""
    torn: bool = False
    """Whether half a line stands at the end: somebody is writing, or died while writing."""

    def __str__(self) -> str:
        if self.ok:
            tail = "; half a line at the end" if self.torn else ""
            return f"whole: {self.records} records, {self.starts_at} to {self.head.n}{tail}"
        return f"broken at {self.file}, line {self.line}: {self.reason} ({self.records} records before it fit)"


class _Broken(Exception):
    """The chain breaks here."""


class _Chain:
    """Where the chain stands while it is followed."""

    def __init__(self, key: bytes | None, head: Head | None) -> None:
        self.key, self.kept = key, head
        self.n, self.chain = 0, START
        self.first, self.count = 0, 0
        self.garbage: list[bytes] = []

    def follow(self, line: bytes, opens: bool) -> None:
        found = parsed(line)
        if found is None:
            if opens:
                raise _Broken("the first line of the file is not a record")
            self.garbage.append(line)
            return
        if opens:
            self._enter(found)
        if found["n"] != self.n + 1:
            raise _Broken(f"record {found['n']} where {self.n + 1} should be: lines were removed, added or moved")
        if str(found["chain"]) != link(self.chain, line[:-TAIL], self.key):
            raise _Broken("its hash does not fit: it was changed, or the key is another")
        if self.garbage:
            if found.get("event") != "torn" or found.get("sha256") != fingerprint(b"\n".join(self.garbage)):
                raise _Broken("not a record, and no record tells of it")
            self.garbage.clear()
        self.n, self.chain = int(found["n"]), str(found["chain"])
        self.count += 1
        if self.kept and self.kept.n == self.n and self.kept.chain != self.chain:
            raise _Broken("another record stood here when the head was kept: the chain was made anew")

    def _enter(self, found: dict[str, Any]) -> None:
        if found.get("event") != "file":
            raise _Broken("the file does not begin with the line that ties it to the one before")
        if self.count == 0:  # older files may be gone: the first line says what it follows
            self.n, self.chain, self.first = int(found["n"]) - 1, str(found.get("prev")), int(found["n"])
        elif found.get("prev") != self.chain:
            raise _Broken("the file does not continue the one before: lines at its end, or a file, are missing")


def verify(folder: str | Path, *, key: bytes | None = None, head: Head | tuple[int, str] | None = None) -> Verdict:
    """Follow the chain through all files and name the first line that breaks it.

    `key` is the ledger's, if it has one; `head` the last record as it was known before: then cutting off the end shows.
    """
    state = _Chain(key, Head(*head) if head else None)
    name, number, torn = "", 0, b""
    bad = 0

    def verdict(reason: str = "", line: int = 0) -> Verdict:
        at = Head(state.n, state.chain)
        return Verdict(not reason, state.count, at, state.first or 1, name if reason else "", line, reason, bool(torn))

    files = files_of(Path(folder))
    for path in files:
        name = path.name
        *lines, torn = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            clean = not state.garbage
            try:
                state.follow(line, opens=number == 1)
            except _Broken as broken:
                return verdict(str(broken), number if clean else bad)
            if clean and state.garbage:
                bad = number
        if state.garbage:
            return verdict("not a record, and no record tells of it", bad)
        if torn and path != files[-1]:
            return verdict("the file ends in half a line", number + 1)
        if not lines and path != files[-1]:
            return verdict("the file is empty", 1)
    if state.kept and state.n < state.kept.n:
        return verdict(f"it ends with record {state.n}, and {state.kept.n} was there: its end is cut off", number)
    return verdict()


def search(
    folder: str | Path, *, since: str = "", until: str = "", text: str = "", limit: int | None = None, **wanted: Any
) -> Iterator[dict[str, Any]]:
    """Records whose members have these values, oldest first: `search(folder, who="ada", outcome="refused")`.

    `since` (included) and `until` (not) compare with the member `at`, ISO 8601 in UTC; `text` stands anywhere in the
    line; `limit` ends it after so many. Lines that are no records are passed over: `verify` is for those.
    """
    needle = text.encode()
    for path in files_of(Path(folder)):
        for line in path.read_bytes().split(b"\n"):
            if needle not in line or (found := parsed(line)) is None or "event" in found:
                continue
            at = str(found.get("at", ""))
            if (since and at < since) or (until and at >= until):
                continue
            if all(found.get(name) == value for name, value in wanted.items()):
                if limit is not None and limit <= 0:
                    return
                yield found
                limit = None if limit is None else limit - 1
