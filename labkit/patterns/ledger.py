"""Records that are only ever added to, in files that show when somebody changed them.

    with Ledger("logs/audit") as ledger:
        ledger.append({"who": "ada", "did": "read"})
    verify("logs/audit")               # ok, or the first line that does not fit
    list(search("logs/audit", who="ada"))

Each line holds a number and the hash of itself and of the hash before it: a changed, missing, added or moved line
breaks the chain at its place, across files too. What the chain alone cannot show: whoever may write the files and knows
how may make a new chain from the changed line to the end, unless it needs a `key` that is kept elsewhere; and lines cut
off at the end leave no gap, unless a `head` is kept elsewhere. Both are arguments of `verify`.

A process that dies while it writes leaves half a line. That is no tampering: the next one to open the ledger ends the
line, writes down what it found, and goes on. Nothing is ever taken away but whole files, the oldest, beyond `keep`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from labkit.errors import LabError
from labkit.locks import try_lock
from labkit.patterns.records import encoded

_MARK = b',"chain":"'
START = "0" * 64
"""The hash before the first."""
TAIL = len(_MARK) + 64 + len('"}')
"""Bytes at the end of a line that hold its hash, and are not part of it."""


class LedgerError(LabError):
    """A ledger cannot be opened; the message says why and what to do."""


class Head(NamedTuple):
    """The last record: its number and its hash. Kept elsewhere, it proves later that nothing was cut off."""

    n: int
    chain: str


class Ledger:
    """One folder, one writer. Files of about `max_bytes`, the newest `keep` of them. Any thread may append."""

    def __init__(
        self, folder: str | Path, *, key: bytes | None = None, max_bytes: int = 10_000_000, keep: int = 20
    ) -> None:
        if key is not None and len(key) < 16:
            raise ValueError("A key has at least 16 bytes: secrets.token_bytes(32). An empty one would be none.")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key, self._max_bytes, self._keep = key, max_bytes, keep
        self._lock = threading.Lock()
        self._fd = -1
        self._size = 0
        self._n, self._chain = 0, START
        # Two writers would each continue the same chain. The lock ends with its holder, however that ends.
        self._only = (self.folder / "lock").open("a+b")
        if not try_lock(self._only.fileno()):
            self._only.close()
            raise LedgerError(f"Somebody else writes to {self.folder}: close that ledger, or give each its own folder.")
        try:
            self._resume()
        except BaseException:
            self.close()
            raise

    @property
    def head(self) -> Head:
        """The last record that was written."""
        return Head(self._n, self._chain)

    def append(self, record: Mapping[str, Any]) -> int:
        """Write a record and tell its number. OSError when it could not be written: try again later, or give up."""
        with self._lock:
            if self._fd < 0:
                if self._only.closed:
                    raise ValueError(f"The ledger in {self.folder} is closed.")
                self._resume()
            if self._size >= self._max_bytes:
                self._begin(self._number + 1)
            return self._write(record)

    def close(self) -> None:
        """Let go of the files. Closing twice is fine."""
        self._drop()
        self._only.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, record: Mapping[str, Any]) -> int:
        n = self._n + 1
        body = encoded({"n": n, **record})[:-1]
        chain = link(self._chain, body, self._key)
        line = b"".join((body, _MARK, chain.encode(), b'"}\n'))
        try:
            # One call for the whole line: what else writes here cannot get in between.
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written to {self.folder}")
        except OSError:
            self._drop()  # there may be half a line now: the next append looks, as after a crash
            raise
        self._n, self._chain = n, chain
        self._size += len(line)
        return n

    def _begin(self, number: int) -> None:
        """A new file. Its first line repeats the hash it follows: so it can be verified when the others are gone."""
        self._drop()
        self._number = number
        self._open()
        self._write({"event": "file", "prev": self._chain})
        for old in files_of(self.folder)[: -self._keep]:
            old.unlink(missing_ok=True)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        path = self.folder / f"ledger-{self._number:08}.jsonl"
        self._fd = os.open(path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _resume(self) -> None:
        """Go on where the files end."""
        files = files_of(self.folder)
        while files:
            data = files[-1].read_bytes()
            if b"\n" not in data:  # a file whose first line is not whole says nothing: begin it again
                files.pop().unlink()
                continue
            last, torn = _last_record(data)
            if last is None:
                raise LedgerError(f"No line of {files[-1]} is a record. Move {self.folder} away, and keep it.")
            self._n, self._chain = last["n"], last["chain"]
            self._number = int(files[-1].stem.partition("-")[2])
            self._open()
            if torn:
                self._mend(torn)
            return
        self._begin(1 if self._n == 0 else self._number)

    def _mend(self, torn: bytes) -> None:
        whole = parsed(torn)
        if not torn.endswith(b"\n"):
            self._size += os.write(self._fd, b"\n")
        if whole and whole["n"] == self._n + 1 and whole["chain"] == link(self._chain, torn[:-TAIL], self._key):
            self._n, self._chain = whole["n"], whole["chain"]  # only its end of line was missing
        else:
            self._write({"event": "torn", "bytes": len(torn), "sha256": fingerprint(torn)})

    def _drop(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def link(before: str, body: bytes, key: bytes | None = None) -> str:
    """The hash of a line: of the hash before it, and of its text up to its own hash."""
    text = before.encode() + body
    # With a key nobody without it can make one that fits.
    return hmac.digest(key, text, "sha256").hex() if key else hashlib.sha256(text).hexdigest()


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line as a record; None when it is not a whole one."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    fits = isinstance(found, dict) and type(found.get("n")) is int and isinstance(found.get("chain"), str)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return found if fits and line[-TAIL:].startswith(_MARK) else None  # pyright: ignore[reportUnknownVariableType]


def fingerprint(torn: bytes) -> str:
    """What a record remembers half a line by."""
    return hashlib.sha256(torn.rstrip(b"\n")).hexdigest()


def files_of(folder: Path) -> list[Path]:
    """The files of a ledger, oldest first."""
    return sorted(folder.glob("ledger-*.jsonl"))


def _last_record(data: bytes) -> tuple[dict[str, Any] | None, bytes]:
    """The last line that is a record, and whatever stands behind it."""
    torn, end = b"", len(data)
    if not data.endswith(b"\n"):
        end = data.rfind(b"\n") + 1
        torn = data[end:]
    while end:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        if found := parsed(data[begin : end - 1]):
            return found, torn
        torn, end = data[begin:], begin
    return None, data
