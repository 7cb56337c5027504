"""Notes in one SQLite file, shared safely by any number of processes. Knows nothing of MCP.

Every operation is one transaction on a connection of its own. Writers take the write lock at once (`BEGIN IMMEDIATE`)
and wait for each other up to `BUSY_SECONDS`, so what two processes write at the same time is all there afterwards.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

BUSY_SECONDS = 10
MAX_TEXT = 100_000
"""Longest note, in characters."""
MimeType = Literal["text/markdown", "text/plain"]
MIME_TYPES = get_args(MimeType)
RESERVED = ("index",)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL
)
"""


class NoteError(Exception):
    """The request cannot be met; the message says why and what to do."""


class UnknownNote(NoteError):
    """There is no note of that name."""


@dataclass(frozen=True)
class Note:
    name: str
    text: str
    mime_type: str
    revision: int
    """1 when created, one more with every update."""
    created: str
    updated: str
    """ISO 8601, UTC."""


class NoteStore:
    """The notes in `path`; the file and its folder are made when first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[Note]:
        """Every note, by name."""
        with self._transaction() as db:
            return [Note(*row) for row in db.execute("SELECT * FROM notes ORDER BY name")]

    def read(self, name: str) -> Note:
        with self._transaction() as db:
            return _get(db, name)

    def create(self, name: str, text: str, mime_type: MimeType = "text/markdown") -> Note:
        _check_name(name)
        _check_text(text)
        if mime_type not in MIME_TYPES:
            raise NoteError(f"{mime_type!r} is not a type for notes: use one of {', '.join(MIME_TYPES)}")
        now = _now()
        with self._transaction(write=True) as db:
            try:
                db.execute("INSERT INTO notes VALUES (?, ?, ?, 1, ?, ?)", (name, text, mime_type, now, now))
            except sqlite3.IntegrityError:
                raise NoteError(f"there is a note {name!r} already: update it, or choose another name") from None
            return _get(db, name)

    def update(self, name: str, text: str, *, append: bool = False, if_revision: int | None = None) -> Note:
        """Replace the text of a note, or append to it. With `if_revision`, only if nobody has changed it since."""
        with self._transaction(write=True) as db:
            note = _get(db, name)
            if if_revision is not None and if_revision != note.revision:
                raise NoteError(
                    f"note {name!r} is at revision {note.revision}, not {if_revision}: "
                    "somebody changed it; read it again, then repeat your change"
                )
            text = note.text + text if append else text
            _check_text(text)
            db.execute(
                "UPDATE notes SET text = ?, revision = revision + 1, updated = ? WHERE name = ?", (text, _now(), name)
            )
            return _get(db, name)

    def delete(self, name: str) -> Note:
        """Delete a note and return what it was."""
        with self._transaction(write=True) as db:
            note = _get(db, name)
            db.execute("DELETE FROM notes WHERE name = ?", (name,))
            return note

    def search(self, query: str) -> list[Note]:
        """Notes that hold `query` in name or text, in any letter case of any language."""
        wanted = query.casefold()
        return [note for note in self.all() if wanted in note.name or wanted in note.text.casefold()]

    def state(self) -> dict[str, tuple[str, int]]:
        """Name -> something that differs whenever the note has changed in between, even by deletion and rebirth."""
        with self._transaction() as db:
            return {
                name: (created, revision)
                for name, created, revision in db.execute("SELECT name, created, revision FROM notes")
            }

    @contextmanager
    def _transaction(self, write: bool = False) -> Generator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                _prepare(db)
                db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise NoteError(
                f"cannot use the notes in {self.path}: {error}. Is the file writable, and free of other writers?"
            ) from error


def _prepare(db: sqlite3.Connection) -> None:
    """Readers and a writer at the same time (WAL), and the table. Both stay in the file, so mostly this only looks."""
    if db.execute("PRAGMA user_version").fetchone()[0] == 1:
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    db.execute(_SCHEMA)
    db.execute("PRAGMA user_version = 1")
    db.execute("COMMIT")


def _get(db: sqlite3.Connection, name: str) -> Note:
    row = db.execute("SELECT * FROM notes WHERE name = ?", (name,)).fetchone()
    if row is None:
        names = [found for (found,) in db.execute("SELECT name FROM notes ORDER BY name LIMIT 20")]
        there_are = f"there are {', '.join(names)}" if names else "there are no notes yet"
        raise UnknownNote(f"there is no note {name!r}: {there_are}")
    return Note(*row)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise NoteError(f"{name!r} is no name for a note: use lower-case letters, digits and . _ - (1 to 64 of them)")
    if name in RESERVED:
        raise NoteError(f"the name {name!r} is reserved: choose another one")


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise NoteError(f"a note holds at most {MAX_TEXT} characters, not {len(text)}: split it up")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
