"""The state of a mock interview: its items, its clock, and its file. The steps are in `session`.

The clock counts only while the session runs and its current item is open: not while it is paused, nor while a result is
read.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from labkit.interview.bank import Bank, InterviewError, Question, load_bank
from labkit.interview.drawing import Item
from labkit.interview.entries import Entry, weighted
from labkit.interview.scoring import Score, score
from labkit.interview.store import Store

State = Literal["running", "paused", "finished"]
Scorer = Callable[[Question, str], Score]


P = ParamSpec("P")
R = TypeVar("R")
K = TypeVar("K", bound="Kept")


def step(method: Callable[Concatenate[K, P], R]) -> Callable[Concatenate[K, P], R]:
    """A method during which no other thread changes the session."""

    @functools.wraps(method)
    def locked(self: K, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


class Kept:
    """A session as it is kept: `role`, `minutes`, `seed`, `began` (seconds since 1970), `entries`, `at` and `state`."""

    def __init__(
        self,
        id: str,
        data: Mapping[str, Any],
        *,
        bank: Bank,
        folder: Path | None,
        clock: Callable[[], float],
        scorer: Scorer | None,
    ) -> None:
        self.id = id
        self.role: str = data["role"]
        self.minutes: int = data["minutes"]
        self.seed: int = data["seed"]
        self.began: float = data["began"]
        """Seconds since 1970."""
        self.at: int = data["at"]
        """The place of the current item."""
        self.entries = [Entry.from_dict(each) for each in data["entries"]]
        self.state: State = data["state"]
        self.bank = bank
        self.folder = folder
        self.scorer: Scorer = scorer or score
        self._step: int = data["step"]
        self._clock = clock
        self._since: float | None = None
        self.lock = threading.RLock()
        """Held during a step."""

    @classmethod
    def of(
        cls,
        items: list[Item],
        role: str,
        minutes: int,
        seed: int = 0,
        *,
        bank: Bank | None = None,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        scorer: Scorer | None = None,
    ) -> Self:
        """A session of these items, with its clock running."""
        if not items:
            raise InterviewError(f"There is nothing to ask in {minutes} minutes: take a longer session.")
        data: dict[str, Any] = {
            "role": role,
            "minutes": minutes,
            "seed": seed,
            "began": time.time(),
            "at": 0,
            "state": "running",
            "step": -1,
            "entries": [Entry(item).as_dict() for item in items],
        }
        id = Store(folder).new_id(data["began"])
        session = cls(id, data, bank=bank or load_bank(), folder=folder, clock=clock, scorer=scorer)
        session.entries[0].begun = True
        session._start()
        session._save()
        return session

    @classmethod
    def load(
        cls,
        id: str = "",
        *,
        bank: Bank | None = None,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        scorer: Scorer | None = None,
    ) -> Self:
        """A session as it was saved, paused where it was; without an id the latest that is not finished.

        Raises InterviewError when there is none, and when its file is damaged: that is set aside.
        """
        store = Store(folder)
        if not id:
            open_ones = [data["id"] for data in store.all() if data.get("state") != "finished"]
            if not open_ones:
                raise InterviewError("There is no session to go on with: begin one.")
            id = open_ones[-1]
        data = store.read(id)
        try:
            session = cls(id, data, bank=bank or load_bank(), folder=folder, clock=clock, scorer=scorer)
            if not 0 <= session.at <= len(session.entries) or session.state not in ("running", "paused", "finished"):
                raise ValueError("its place or its state is none")
        except (KeyError, TypeError, ValueError) as error:
            raise store.damaged(id, error) from None
        if session.state == "running":
            session.state = "paused"
        return session

    @property
    def current(self) -> Entry | None:
        """The item it is at; None when it is finished."""
        return self.entries[self.at] if self.state != "finished" and self.at < len(self.entries) else None

    @property
    def question(self) -> Question:
        """The question of the current item. Raises InterviewError when that is none."""
        return self.bank.find(self._open("question", done=True).item.id)

    @property
    def running(self) -> bool:
        """Whether its clock counts now."""
        return self._since is not None

    @property
    def seconds(self) -> float:
        """How long its clock has run in all."""
        self._count()
        return sum(entry.seconds for entry in self.entries)

    @property
    def left(self) -> float:
        """Seconds of its length that are left; negative when it took longer."""
        return self.minutes * 60 - self.seconds

    @property
    def fraction(self) -> float | None:
        """The mean of the results so far, weighted by minutes; what was skipped counts as nothing. None without any."""
        return weighted((each.item.minutes, each.fraction) for each in self.entries if each.status != "open")

    @property
    def moved(self) -> bool:
        """Whether it went on in another window since it was read or saved here."""
        return Store(self.folder).step(self.id) != self._step

    def _unfinished(self) -> None:
        if self.state == "finished":
            raise InterviewError(f"The session {self.id} is finished. Begin another one.")

    def _going(self) -> None:
        self._unfinished()
        if self.state == "paused":
            raise InterviewError(f"The session {self.id} is paused. Resume it first.")

    def _open(self, *kinds: str, done: bool = False) -> Entry:
        """The current item, if it is of one of these kinds and, unless `done` will do, has no result yet."""
        self._unfinished()
        entry = self.entries[self.at]
        if entry.item.kind not in kinds:
            raise InterviewError(f"The current item is a {entry.item.kind}, not a {' or a '.join(kinds)}.")
        if entry.status != "open" and not done:
            raise InterviewError(f"{entry.item.title!r} has its result already. Go on to the next item.")
        return entry

    def _done(self, entry: Entry) -> None:
        self._halt()
        entry.status = "done"

    def _forward(self) -> None:
        self.at += 1
        if self.at >= len(self.entries):
            self.state = "finished"
        else:
            self.entries[self.at].begun = True
            if self.state == "running":
                self._start()
        self._save()

    def _start(self) -> None:
        if self._since is None and self.entries[self.at].status == "open":
            self._since = self._clock()

    def _count(self) -> None:
        """Give the time that has run to the current item."""
        with self.lock:
            if self._since is not None:
                now = self._clock()
                self.entries[self.at].seconds += max(0.0, now - self._since)
                self._since = now

    def _halt(self) -> None:
        self._count()
        self._since = None

    def _work(self) -> Path | None:
        return self.folder.parent if self.folder else None

    def as_dict(self) -> dict[str, Any]:
        """The session as JSON-ready data, as it is saved."""
        self._count()
        keys = ("role", "minutes", "seed", "began", "at", "state")
        return {key: getattr(self, key) for key in keys} | {"entries": [entry.as_dict() for entry in self.entries]}

    def _save(self, *, told: bool = True) -> None:
        Store(self.folder).write(self.id, self.as_dict() | {"step": self._step + 1}, after=self._step)
        self._step += 1
        if told:
            self._tell()

    def _tell(self) -> None:
        """Tell who looks on that a step was made."""
