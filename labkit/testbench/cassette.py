"""A recorded session: what was asked and what was answered, as JSON lines that can be read, edited and kept in Git.

    cassette = lab.Cassette.from_tape(conn.tape)          # after some calls
    cassette.save("weather.jsonl")

    conn = await lab.connect(cassette.server(), era=cassette.era)      # replayed as a server, in this kernel
    labkit replay weather.jsonl                                        # ... over stdio, for any client
    await cassette.check("python server.py")                           # replayed against a server: what has changed?

Ids, clients' names and progress tokens are not kept: a request is found again by its method and params. String members
whose names sound like a credential are masked, in params and in results; text inside texts is not looked into, so look
at a cassette before you share it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labkit.errors import LabError
from labkit.files import replace_text
from labkit.wire import Tape, mask_headers
from labkit.wire.frame import Frame

if TYPE_CHECKING:
    from labkit.testbench.recheck import Comparison

Json = dict[str, Any]
FORMAT = 1
HELLO = ("initialize", "server/discover")
"""How a client begins. What it says of itself there is not what a session is about."""
_OURS = "io.modelcontextprotocol/"


@dataclass
class Exchange:
    """One request of the client, and all that the server sent for it."""

    method: str
    params: Json = field(default_factory=dict[str, Any])
    before: list[Json] = field(default_factory=list[Json])
    """Messages before the answer. One with an `answer` is a request of the server, and what the client said to it."""
    answer: Json = field(default_factory=dict[str, Any])
    """`{"result": ...}` or `{"error": ...}`; empty when none came."""
    after: list[Json] = field(default_factory=list[Json])
    """Notifications that came later, before the next request."""
    masked: bool = False
    """Whether something in the params is masked: such a request can be found again, but not sent again."""

    @property
    def label(self) -> str:
        """Method, name, and arguments, in one line."""
        named = self.params.get("name") or self.params.get("uri") or ""
        given = self.params.get("arguments")
        text = " ".join(part for part in (self.method, str(named), json.dumps(given) if given else "") if part)
        return text if len(text) <= 120 else text[:117] + "..."

    def to_json(self) -> Json:
        """As a line of a cassette."""
        line: Json = {"method": self.method}
        for name in ("params", "before", "answer", "after", "masked"):
            if value := getattr(self, name):
                line |= value if name == "answer" else {name: value}
        return line

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Exchange:
        """The inverse. Raises KeyError, TypeError or ValueError for a line that is none."""
        answer = {name: line[name] for name in ("result", "error") if name in line}
        method, params, before, after = (
            line["method"],
            line.get("params", {}),
            line.get("before", []),
            line.get("after", []),
        )
        fits = isinstance(method, str) and isinstance(params, dict) and len(answer) < 2
        if not (fits and all(isinstance(each, dict) and "method" in each for each in [*before, *after])):
            raise ValueError("it needs a method, params as an object, and a result or an error")
        return cls(method, cast(Json, params), list(before), answer, list(after), bool(line.get("masked")))


class Cassette:
    """Exchanges in the order in which they happened."""

    def __init__(
        self, exchanges: Sequence[Exchange] = (), *, title: str = "", era: str = "", recorded: str = ""
    ) -> None:
        self.exchanges = list(exchanges)
        self.title, self.era = title, era
        self.recorded = recorded or datetime.now(UTC).isoformat(timespec="seconds")

    @classmethod
    def from_tape(cls, tape: Tape, *, mask: bool = True) -> Cassette:
        """What is on a tape. LabError when there is no request on it, or when its beginning is gone."""
        if tape.dropped:
            raise LabError(f"{tape.dropped} frames have left the tape: make a cassette of a shorter session.")
        exchanges = _exchanges(tape.frames)
        if not exchanges:
            raise LabError("There is no request on this tape: make some calls first.")
        if mask:
            for each in exchanges:
                shown = masked(each.params)
                each.masked, each.params = shown != each.params, shown
                each.before, each.answer, each.after = masked(each.before), masked(each.answer), masked(each.after)
        started = tape.started.isoformat(timespec="seconds")
        return cls(exchanges, title=tape.title, era=tape.era or _era(tape.frames), recorded=started)

    def save(self, path: str | Path) -> Path:
        """Write a header and one exchange a line. Replaces the file in one step. LabError when it cannot."""
        path = Path(path)
        head = {"cassette": FORMAT, "title": self.title, "era": self.era, "recorded": self.recorded}
        lines = [json.dumps(head), *(json.dumps(each.to_json(), ensure_ascii=False) for each in self.exchanges)]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, "\n".join(lines) + "\n", errors="surrogatepass", newline="\n")
        except OSError as error:
            raise LabError(
                f"Cannot write the cassette {path}: {error.strerror or error}. Give another place."
            ) from error
        return path

    @classmethod
    def load(cls, path: str | Path) -> Cassette:
        """Read a cassette. Raises LabError naming the line that cannot be read."""
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="surrogatepass").split("\n")
        except OSError as error:
            raise LabError(f"Cannot read the cassette {path}: {error.strerror or error}. Check the path.") from error
        number = 1
        try:
            head: Json = json.loads(lines[0])
            if head.get("cassette") != FORMAT:
                raise ValueError(f"format {head.get('cassette')!r}; this labkit reads format {FORMAT}")
            exchanges: list[Exchange] = []
            for line in lines[1:]:
                number += 1
                if line.strip():
                    exchanges.append(Exchange.from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabError(f"{path}, line {number} is not part of a cassette: {error}. Record it again.") from error
        title, era, recorded = (str(head.get(name, "")) for name in ("title", "era", "recorded"))
        return cls(exchanges, title=title, era=era, recorded=recorded)

    def server(self, ignore: Sequence[str] = ()) -> Any:
        """A server object that answers as recorded, for `lab.connect` and `lab.serve`: see `replay`."""
        from labkit.testbench.replay import server

        return server(self, ignore)

    async def check(self, target: Any, **options: Any) -> Comparison:
        """Ask a server again, and compare. See `labkit.testbench.recheck.check` for the options."""
        from labkit.testbench.recheck import check

        return await check(self, target, **options)

    def __len__(self) -> int:
        return len(self.exchanges)

    def __repr__(self) -> str:
        head = f"Cassette: {self.title}, era {self.era}, {len(self)} exchanges, recorded {self.recorded}"
        return "\n".join([head, *(f"  {each.label}" for each in self.exchanges[:50])])


def masked(value: Any) -> Any:
    """A copy in which strings are masked whose member's name sounds like a credential."""
    if isinstance(value, dict):
        members = cast(Json, value)
        return {name: _hidden(name, each) if isinstance(each, str) else masked(each) for name, each in members.items()}
    return [masked(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _hidden(name: str, text: str) -> str:
    # The rule of the tape for headers, but for the one word that in bodies means somebody who writes.
    if name.lower().startswith("author") and "authoriz" not in name.lower():
        return text
    shown = mask_headers({name: text})[name.lower()]
    return shown if "***" in shown and "://" not in text else text


def _exchanges(frames: Sequence[Frame]) -> list[Exchange]:
    found: list[Exchange] = []
    open_: dict[str, Exchange] = {}
    asked: dict[str, Json] = {}
    for frame in frames:
        message, key = frame.message or {}, json.dumps(frame.id)
        if frame.kind == "request" and frame.direction == "sent":
            open_[key] = Exchange(frame.method, _params(message))
            found.append(open_[key])
        elif frame.kind in ("response", "error") and frame.direction == "received":
            if exchange := open_.pop(key, None):
                exchange.answer = {name: message[name] for name in ("result", "error") if name in message}
        elif frame.kind in ("request", "notification") and frame.direction == "received":
            kept = {name: message[name] for name in ("method", "params") if name in message}
            if frame.kind == "request":
                asked[key] = kept
            if found:
                exchange = _about(message, open_) or next(reversed(open_.values()), None)
                (exchange.before if exchange else found[-1].after).append(kept)
        elif frame.kind in ("response", "error") and key in asked:
            asked.pop(key)["answer"] = {name: message[name] for name in ("result", "error") if name in message}
    return found


def _about(message: Json, open_: Mapping[str, Exchange]) -> Exchange | None:
    """The open request that a notification names: by its progress token, or as its subscription."""
    params: Json = message.get("params") or {}
    meta: Json = params.get("_meta") or {}
    return open_.get(json.dumps(params.get("progressToken", meta.get(f"{_OURS}subscriptionId"))))


def _params(message: Json) -> Json:
    """The params without what a client adds to each request."""
    params = dict(message.get("params") or {})
    meta: Json = {
        name: value
        for name, value in dict(params.pop("_meta", None) or {}).items()
        if not name.startswith(_OURS) and name != "progressToken"
    }
    return params | ({"_meta": meta} if meta else {})


def _era(frames: Sequence[Frame]) -> str:
    """The revision spoken, for tapes that nobody told."""
    for frame in frames:
        message = frame.message or {}
        if frame.method == "initialize" and "result" in message:
            return str(message["result"].get("protocolVersion", ""))
        params: Json = message.get("params") or {}
        meta: Json = params.get("_meta") or {}
        if frame.kind == "request" and f"{_OURS}protocolVersion" in meta:
            return str(meta[f"{_OURS}protocolVersion"])
    return ""
