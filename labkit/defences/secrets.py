"""Secrets that are asked for when they are needed, forgotten in time, and not shown on the way.

    secrets = Secrets(Files("/run/secrets"), Environment(), ttl=60)
    key = await secrets.get("BANK_API_KEY")            # a Secret; raises SecretNotFoundError, SecretUnavailableError
    headers = {"Authorization": f"Bearer {key.reveal()}"}

A `Secret` shows itself as ***: in logs, tracebacks, f-strings, notebooks. It cannot be pickled or turned into JSON.
What `reveal` gives is a plain text again: call it where the text is used, and keep none.

Providers are asked in turn, and the next one only when a secret is *not there*. One that cannot be reached is an error:
a server that falls back to another place then would use a secret that somebody left there. What was found is kept for
`ttl` seconds, and never longer than it is good for, so that a rotation is seen; `lru_cache` on a getter sees none.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from labkit.errors import LabError
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.masking import HIDDEN

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
LARGEST = 64 * 1024
"""Bytes of a secret in a file."""


class SecretError(LabError):
    """A secret that cannot be had. No message has one in it."""


class SecretNotFoundError(SecretError):
    """There is no secret of that name."""


class SecretUnavailableError(SecretError):
    """The place where it is kept cannot be reached, or does not give it out. Not the same as not there."""


class Secret:
    """A text that shows itself as ***."""

    __slots__ = ("__text", "lasts", "lease", "name", "version")

    def __init__(
        self, text: str, *, name: str = "", version: str = "", lasts: float | None = None, lease: str = ""
    ) -> None:
        self.__text = text
        self.name, self.version = name, version
        self.lasts = lasts
        """Seconds that it is good for from when it was given; None for no end."""
        self.lease = lease
        """The id of the lease that it can be renewed or ended by; "" for none."""

    def reveal(self) -> str:
        """The text itself."""
        return self.__text

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, {HIDDEN})" if self.name else f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (each.encode("utf-8", "surrogatepass") for each in (self.__text, other.__text))
        return hmac.compare_digest(mine, theirs)

    __hash__ = None  # type: ignore[assignment]  # a hash of it would be something to try words against

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret is not pickled: send its name, and let the other side ask for it")


class Provider(Protocol):
    """A place where secrets are kept."""

    async def fetch(self, name: str) -> Secret:
        """The secret as it is now. Raises SecretNotFoundError, SecretUnavailableError."""
        ...


class Environment:
    """Variables of the environment, with a prefix if one is given: SECRET_NAME. Read each time.

    They are seen by every child process, and in /proc, and change with a restart only: a place to begin with.
    """

    def __init__(self, prefix: str = "", environ: Mapping[str, str] | None = None) -> None:
        self._prefix, self._environ = prefix, environ

    async def fetch(self, name: str) -> Secret:
        """The variable. An empty one is not there."""
        environ = os.environ if self._environ is None else self._environ
        text = environ.get(self._prefix + _checked(name))
        if not text:
            raise SecretNotFoundError(f"The environment has no {self._prefix + name}: set it, or name another place.")
        return Secret(text, name=name)


class Files:
    """A folder with a file for each secret, as Docker and Kubernetes mount them. Read each time, whole.

    A file that others may read is refused where the system knows permissions. Rotate by renaming a new file over the
    old one: a file that is written in place can be read half.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    async def fetch(self, name: str) -> Secret:
        """The text of the file, without the line end behind it."""
        return await asyncio.to_thread(self._read, _checked(name))

    def _read(self, name: str) -> Secret:
        found = self._found(name)
        if isinstance(found, Exception):  # raised here, where nothing is handled: an error carries the one it came from
            raise found
        return found

    def _found(self, name: str) -> Secret | SecretError:
        path = self._folder / name
        try:
            # A link within the folder is how Kubernetes rotates; one that leads out of it is not.
            if not path.resolve(strict=True).is_relative_to(self._folder.resolve()):
                raise SecretUnavailableError(
                    f"The secret file {name} leads out of its folder: put the file itself there."
                )
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                self._look_at(name, about)
                text = file.read(LARGEST + 1).decode("utf-8")
        except FileNotFoundError:
            return SecretNotFoundError(f"There is no secret file {name} in {self._folder}.")
        except (OSError, UnicodeDecodeError) as error:  # the latter carries the bytes
            return SecretUnavailableError(f"The secret file {name} cannot be read: {type(error).__name__}.")
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            return SecretNotFoundError(f"The secret file {name} is empty.")
        return Secret(text, name=name, version=str(about.st_mtime_ns))

    @staticmethod
    def _look_at(name: str, about: os.stat_result) -> None:
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
            raise SecretUnavailableError(f"The secret file {name} is no file of at most {LARGEST} bytes.")
        if os.name == "posix" and about.st_mode & 0o077:
            mode = stat.S_IMODE(about.st_mode)
            raise SecretUnavailableError(f"Others may use the secret file {name} (mode {mode:o}): chmod 600 it.")


@dataclass(slots=True)
class _Kept:
    secret: Secret
    until: float
    ends: float


class Secrets:
    """What a server asks. `ttl`: seconds that a secret is kept, and after which a rotation is seen.

    `stale`: seconds more that it may be used while its place cannot be reached, if it is still good; 0 by default.
    """

    def __init__(self, *providers: Provider, ttl: float = 60.0, stale: float = 0.0, clock: Clock = SYSTEM) -> None:
        if not providers:
            raise ValueError("say where the secrets are: Secrets(Files(...), Environment())")
        self._providers, self._ttl, self._stale, self._clock = providers, ttl, stale, clock
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, name: str) -> Secret:
        """The secret. Raises SecretNotFoundError, SecretUnavailableError."""
        kept = self._kept.get(name)
        if kept is not None and self._clock.now() < min(kept.until, kept.ends):
            return kept.secret
        async with self._locks.setdefault(name, asyncio.Lock()):
            kept = self._kept.get(name)
            now = self._clock.now()
            if kept is not None and now < min(kept.until, kept.ends):
                return kept.secret  # somebody else has asked meanwhile
            try:
                secret = await self._ask(name)
            except SecretUnavailableError:
                if kept is not None and now < min(kept.until + self._stale, kept.ends):
                    return kept.secret
                self.forget(name)
                raise
            except SecretNotFoundError:
                self.forget(name)  # taken away is taken away
                raise
            # From before it was asked for: a slow answer must not make it last longer.
            ends = float("inf") if secret.lasts is None else now + secret.lasts
            self._kept[name] = _Kept(secret, now + self._ttl, ends)
            return secret

    def forget(self, name: str | None = None) -> None:
        """Ask anew next time: what to do when a secret was refused where it is used. Without a name, forget all."""
        for each in [name] if name is not None else list(self._kept):
            self._kept.pop(each, None)

    async def _ask(self, name: str) -> Secret:
        *others, last = self._providers
        for provider in others:
            with contextlib.suppress(SecretNotFoundError):
                return await provider.fetch(name)
        return await last.fetch(name)

    def __repr__(self) -> str:
        return f"<secrets from {', '.join(type(each).__name__ for each in self._providers)}; {len(self._kept)} kept>"


def _checked(name: str) -> str:
    """The name, if it is one: what a caller makes up must not become a path."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise SecretNotFoundError(f"{name[:60]!r} is no name of a secret: letters, digits, '_', '-' and '.'.")
    return name
