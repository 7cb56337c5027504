"""What belongs to one user stays with that user: a store that cannot be asked without one, and handles bound to one.

    store = Owned(dict[str, int]())                # or any mapping of texts that several processes share
    store.of(principal)["cents"] = 7               # raises NoPrincipalError for ""

    carts = Handles[Cart](seconds=900)
    handle = carts.issue(principal, Cart())        # random; goes to the client, comes back as an argument
    carts.find(principal, handle)                  # raises NoSuchHandleError: unknown, ended, another's

A handle is no proof of who calls: having one is not enough, and a model shows them around. The principal is to come
from a verified credential (`Call.principal`), never from an argument. `sealing` is for state that travels with the
client.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from labkit.errors import LabError
from labkit.patterns.calls import joined
from labkit.patterns.clock import SYSTEM, Clock

V = TypeVar("V")
BYTES = 16
"""Random bytes of a handle: 128 bits cannot be guessed, whatever the number of tries."""


class NoPrincipalError(LabError):
    """Somebody's data were asked for, and nobody was named."""


class NoSuchHandleError(LabError):
    """The handle is not known, has ended, or is another's: whoever gets this cannot tell which."""

    def __init__(self, handle: str) -> None:
        super().__init__(f"There is nothing with the handle {handle[:60]!r}: begin anew.")


class TooManyHandlesError(LabError):
    """Somebody has as many handles as one may have."""


def owner(principal: str) -> str:
    """The principal, if it is one. Raises NoPrincipalError."""
    if not isinstance(principal, str) or not principal:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise NoPrincipalError("Nobody is signed in: what belongs to a user is given to that user only.")
    return principal


class Owned(Generic[V]):
    """A store of many users. There is no way to all of it: ask for a user's shelf."""

    __slots__ = ("_store",)

    def __init__(self, store: MutableMapping[str, V]) -> None:
        self._store = store

    def of(self, principal: str) -> Shelf[V]:
        """What belongs to this user. Raises NoPrincipalError."""
        return Shelf(self._store, joined([owner(principal)]))


class Shelf(MutableMapping[str, V]):
    """The part of a store that belongs to one user: a mapping like any other."""

    __slots__ = ("_prefix", "_store")

    def __init__(self, store: MutableMapping[str, V], prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def __getitem__(self, name: str) -> V:
        try:
            return self._store[self._prefix + name]
        except KeyError:
            raise KeyError(name) from None  # the key as the caller knows it

    def __setitem__(self, name: str, value: V) -> None:
        self._store[self._prefix + name] = value

    def __delitem__(self, name: str) -> None:
        try:
            del self._store[self._prefix + name]
        except KeyError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        size = len(self._prefix)
        return iter([whole[size:] for whole in list(self._store) if whole.startswith(self._prefix)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<shelf with {len(self)} entries>"


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    ends: float


class Handles(Generic[V]):
    """Things that a server keeps for its callers, each under a random handle, for so many seconds.

    `each` bounds how many one user may have, `most` how many there are: the oldest of the same user go for new ones,
    and of others nothing goes. Handles are kept as hashes: whoever reads the memory of this finds none to use.
    """

    def __init__(self, seconds: float = 900.0, *, each: int = 100, most: int = 10_000, clock: Clock = SYSTEM) -> None:
        if not 0 < seconds < math.inf or each < 1 or most < 1:
            raise ValueError("a handle has to be good for some time, and a user to have room for one")
        self._seconds, self._each, self._most, self._clock = seconds, each, most, clock
        self._users: dict[str, OrderedDict[bytes, _Entry[V]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def issue(self, principal: str, value: V, *, seconds: float | None = None) -> str:
        """Keep a thing; the handle for it. Raises NoPrincipalError, TooManyHandlesError."""
        ends = self._until(seconds)
        mine = self._users.get(owner(principal), OrderedDict[bytes, _Entry[V]]())
        self._let_go(principal, mine)
        while len(mine) >= self._each:
            mine.popitem(last=False)
            self._count -= 1
        if self._count >= self._most:
            self._sweep()
            if self._count >= self._most:
                raise TooManyHandlesError("There is no room for more at the moment: end what you no longer need.")
        handle = secrets.token_urlsafe(BYTES)
        mine[_hash(handle)] = _Entry(value, ends)
        self._users[principal] = mine
        self._count += 1
        return handle

    def find(self, principal: str, handle: str) -> V:
        """The thing. Raises NoPrincipalError, NoSuchHandleError."""
        return self._entry(principal, handle).value

    def renew(self, principal: str, handle: str, *, seconds: float | None = None) -> None:
        """Let it begin its time anew. Raises NoPrincipalError, NoSuchHandleError."""
        entry = self._entry(principal, handle)
        entry.ends = self._until(seconds)

    def end(self, principal: str, handle: str) -> V:
        """The thing, which is kept no longer. Raises NoPrincipalError, NoSuchHandleError."""
        value = self._entry(principal, handle).value
        del self._users[principal][_hash(handle)]
        self._count -= 1
        self._forget_empty(principal)
        return value

    def _entry(self, principal: str, handle: str) -> _Entry[V]:
        # By the user first: a handle is looked for among one's own, so there is no comparing of owners to forget.
        mine = self._users.get(owner(principal))
        found = mine.get(_hash(handle)) if mine is not None else None
        if found is None or self._clock.now() >= found.ends:
            raise NoSuchHandleError(handle)
        return found

    def _until(self, seconds: float | None) -> float:
        lasts = self._seconds if seconds is None else seconds
        if not lasts < math.inf:  # nor what is no number: nothing comes after that
            raise ValueError("a handle has an end")
        return self._clock.now() + lasts

    def _let_go(self, principal: str, mine: OrderedDict[bytes, _Entry[V]]) -> None:
        now = self._clock.now()
        for ended in [each for each, entry in mine.items() if now >= entry.ends]:
            del mine[ended]
            self._count -= 1
        self._forget_empty(principal)

    def _sweep(self) -> None:
        for principal, mine in list(self._users.items()):
            self._let_go(principal, mine)

    def _forget_empty(self, principal: str) -> None:
        if not self._users.get(principal, True):
            del self._users[principal]


def _hash(handle: str) -> bytes:
    return hashlib.sha256(handle.encode("utf-8", "surrogatepass")).digest()
