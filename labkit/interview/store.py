"""The sessions on disk: work/interview/sessions/ID.json, each written whole after every step.

A file that cannot be read is set aside under a dated name with a message: nothing is deleted.
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

from labkit.errors import did_you_mean
from labkit.files import replace_text
from labkit.interview.bank import InterviewError
from labkit.interview.record import DamagedRecord, place

VERSION = 1


class Store:
    """The folder of sessions."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = place(folder) / "sessions"

    def ids(self) -> list[str]:
        """The sessions there are, the oldest first: ids begin with the time at which they were begun."""
        return sorted(path.stem for path in self.folder.glob("*.json") if "damaged" not in path.stem)

    def path(self, id: str) -> Path:
        """The file of a session."""
        return self.folder / f"{id}.json"

    def new_id(self, at: float) -> str:
        """An id that no session has, from the time (seconds since 1970, shown as local time)."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(at))
        taken, number, id = set(self.ids()), 1, stamp
        while id in taken:
            number += 1
            id = f"{stamp}-{number}"
        return id

    def read(self, id: str) -> dict[str, Any]:
        """What was saved of a session.

        Raises InterviewError when there is none of that id, or when its file is damaged; it is then set aside.
        """
        path = self.path(id)
        if id not in self.ids():
            raise InterviewError(f"There is no session {id!r}. {did_you_mean(id, self.ids(), has='There are')}")
        try:
            data: Any = json.loads(path.read_text(encoding="utf-8"))
            if data["version"] != VERSION or data["id"] != id:
                raise ValueError("it is of another version or of another session")
        except OSError as error:
            raise InterviewError(f"The session {id} cannot be read: {error}.") from None
        except (ValueError, KeyError, TypeError) as error:
            raise self.damaged(id, error) from None
        return data

    def damaged(self, id: str, error: Exception) -> InterviewError:
        """Set the file of a session aside; the caller raises what comes back."""
        path = self.path(id)
        aside = path.with_name(f"{id}.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json")
        path.replace(aside)
        return InterviewError(
            f"The session {id} cannot be read ({error}). It was kept as {aside.name}; begin another one, what you"
            " answered is in the history."
        )

    def write(self, id: str, data: dict[str, Any], *, after: int) -> None:
        """Save a session in one step; `after` is the step that was last read or saved here, -1 for a new one.

        Raises InterviewError when it went on elsewhere since, or when the file cannot be written.
        """
        if self.step(id) != after:
            raise InterviewError(
                f"The session {id} went on in another window. Resume it here to see where it is: nothing was changed."
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_text(
                self.path(id), json.dumps({"version": VERSION, "id": id, **data}, ensure_ascii=False, indent=1)
            )
        except OSError as error:
            raise InterviewError(f"The session {id} cannot be saved in {self.folder}: {error}.") from None

    def step(self, id: str) -> int:
        """The number of the last step that was saved; -1 where there is none."""
        try:
            return int(json.loads(self.path(id).read_text(encoding="utf-8"))["step"])
        except (OSError, ValueError, KeyError, TypeError):
            return -1

    def all(self) -> list[dict[str, Any]]:
        """What was saved of every session that can be read; the others are set aside with a DamagedRecord warning."""
        found: list[dict[str, Any]] = []
        for id in self.ids():
            try:
                found.append(self.read(id))
            except InterviewError as error:
                warnings.warn(str(error), DamagedRecord, stacklevel=2)
        return found
