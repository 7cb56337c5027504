"""One error family. Every message says what happened, to what, and what to do next.

LabError
├── CatalogError           a name or a file the lab does not have
├── HostConfigError        a host configuration that cannot be used
│   └── GatewayConfigError ... because what it says about a gateway is wrong
├── CollisionError         two servers behind a gateway want one name
├── PrincipalError         a signed principal that is not to be believed
├── WorkflowError          a workflow that cannot be run as it is written
├── ConnectError           a connection could not be opened
│   └── EraError           ... because the server does not speak the era asked for
├── ConnectionClosedError  the connection ended, here or at the other side
│   └── ServerDiedError    ... because the server process ended
├── CallTimeoutError       no answer in the time allowed
├── UnknownNameError       no tool, prompt or resource of that name
├── ArgumentsError         arguments that do not fit the schema
├── RpcError               the server answered with a JSON-RPC error
├── ResultError            the server's answer breaks the protocol or its own schema
└── NotebookError          a notebook run that failed
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def did_you_mean(name: str, known: Iterable[str], *, has: str = "It has") -> str:
    """A hint to end a message with: the names close to `name`, or all that there are."""
    names = list(known)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    return f"{has}: {', '.join(names)}." if names else f"{has} none."


def show_as(error: BaseException, sentence: str) -> None:
    """Let IPython show `sentence` in place of the traceback of an exception that must keep its type."""
    error._render_traceback_ = lambda: [sentence]  # pyright: ignore[reportAttributeAccessIssue]


class LabError(Exception):
    """Base of all errors raised by labkit."""

    def _render_traceback_(self) -> list[str]:
        """Let IPython show the sentence instead of sixty lines of library frames."""
        lines = [f"\x1b[31m{type(self).__name__}\x1b[0m: {self}"]
        return lines + [f"  {note}" for note in getattr(self, "__notes__", ())]


class CatalogError(LabError):
    """A server name or a file that the lab does not have."""


class HostConfigError(LabError):
    """A host configuration file that cannot be read or does not name the server asked for."""


class GatewayConfigError(HostConfigError):
    """A gateway's configuration that cannot be used. `mistakes` has all that is wrong with it, one sentence each."""

    def __init__(self, message: str, mistakes: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.mistakes = tuple(mistakes)


class CollisionError(LabError):
    """Two servers behind a gateway offer something under the same name."""


class PrincipalError(LabError):
    """The signed principal of a request is absent, or not to be believed."""


class WorkflowError(LabError):
    """A workflow that cannot be run as it is written. `mistakes` has all that is wrong with it, one sentence each."""

    def __init__(self, message: str, mistakes: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.mistakes = tuple(mistakes)


class ConnectError(LabError):
    """A connection could not be opened."""


class EraError(ConnectError):
    """The server does not speak the protocol revision that was asked for."""


class ConnectionClosedError(LabError):
    """The connection has ended; connect again to go on."""


class ServerDiedError(ConnectionClosedError):
    """The server process ended while the connection was open."""


class CallTimeoutError(LabError):
    """No answer arrived in the time allowed; the request was cancelled."""


class UnknownNameError(LabError):
    """The server has no tool, prompt or resource of that name."""


class ArgumentsError(LabError):
    """Arguments that do not fit the tool's or the prompt's schema."""


class RpcError(LabError):
    """The server answered a request with a JSON-RPC error object.

    `code`, `message` and `data` are the members of that object (JSON-RPC 2.0, section 5.1).
    """

    def __init__(self, code: int, message: str, data: Any = None, *, method: str = "") -> None:
        self.code, self.message, self.data, self.method = code, message, data, method
        where = f"{method}: " if method else ""
        detail = f" {data!r}" if data not in (None, "", {}) else ""
        super().__init__(f"{where}the server answered with error {code}: {message}{detail}")


class ResultError(LabError):
    """The server's answer does not conform to the protocol revision, or to the tool's own output schema."""


class NotebookError(LabError):
    """A notebook could not be run to its end."""
