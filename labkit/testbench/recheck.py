"""A cassette against a server: the recorded requests once more, and what the answers say now."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import mcp_types as types

from labkit.errors import CallTimeoutError, ConnectionClosedError, LabError, RpcError
from labkit.session.connection import Connection, connect
from labkit.session.tls import Tls
from labkit.testbench.cassette import HELLO, Cassette, Exchange, Json, masked
from labkit.testbench.pointers import Ignoring, differences
from labkit.testbench.report.text import escaped, visible

DEFAULT_IGNORED = ("/result/_meta",)
OPAQUE = {"requestState": "requestState", "nextCursor": "cursor"}
"""Members of a result that a server makes up, and the params that hand them back."""


@dataclass
class Difference:
    """One place in an answer that is not as it was."""

    exchange: Exchange
    pointer: str
    recorded: Any
    now: Any

    def __str__(self) -> str:
        return (
            f"{self.exchange.label}: {self.pointer or 'the answer'} was {_short(self.recorded)}, is {_short(self.now)}"
        )


@dataclass(repr=False)
class Comparison:
    """What has changed since the recording."""

    title: str
    same: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])
    not_sent: list[tuple[Exchange, str]] = field(default_factory=list[tuple[Exchange, str]])
    """Requests that were left out, and why."""

    @property
    def ok(self) -> bool:
        """Whether every answer was as recorded, and at least one was asked for."""
        return not self.differences and self.same > 0

    @property
    def headline(self) -> str:
        """One line."""
        changed = len({id(each.exchange) for each in self.differences})
        left_out = f", {len(self.not_sent)} not sent" if self.not_sent else ""
        return f"{self.title}: {self.same} answers as recorded, {changed} different{left_out}"

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        lines = [f"  ✗ {each}" for each in self.differences]
        lines += [f"  – {exchange.label}: {why}" for exchange, why in self.not_sent]
        return visible("\n".join([self.headline, *lines]))

    def as_dict(self) -> Json:
        """JSON-ready data."""
        rows = [
            {
                "request": {"method": each.exchange.method, "params": each.exchange.params},
                "pointer": each.pointer,
                "recorded": _short(each.recorded),
                "now": _short(each.now),
            }
            for each in self.differences
        ]
        not_sent = [{"method": exchange.method, "why": why} for exchange, why in self.not_sent]
        return {"ok": self.ok, "same": self.same, "differences": rows, "not_sent": not_sent}

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("request", "where", "recorded", "now"))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left;vertical-align:top'><code>{escaped(text)}</code></td>"
                for text in (each.exchange.label, each.pointer, _short(each.recorded), _short(each.now))
            )
            + "</tr>"
            for each in self.differences
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        left_out = "".join(f"<li>{escaped(exchange.label)}: {html.escape(why)}</li>" for exchange, why in self.not_sent)
        return f"<div><b>{escaped(self.headline)}</b>{table}{f'<ul>{left_out}</ul>' if left_out else ''}</div>"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


async def check(
    cassette: Cassette,
    target: Any,
    *,
    ignore: Sequence[str] = (),
    ignore_times: bool = False,
    via: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    headers: Mapping[str, str] | None = None,
    tls: Tls | Mapping[str, str | Path] | None = None,
    timeout: float = 30.0,
) -> Comparison:
    """Send the recorded requests to a server, in order and in the recorded era, and compare the answers.

    `ignore` are JSON pointers into an answer, with * for any one step, besides /result/_meta: `/result/content/*/text`.
    `ignore_times` lets points in time within texts differ. `timeout` bounds each request, in seconds. Questions of the
    server are answered as they were. ConnectError when it cannot be reached, LabError for a pointer that is none.
    """
    ignoring = Ignoring([*DEFAULT_IGNORED, *ignore], times=ignore_times)
    conn = await connect(
        target,
        era=cassette.era or "auto",
        via=via,
        env=env,
        cwd=cwd,
        headers=headers,
        tls=tls,
        timeout=timeout,
        listing=False,
        **_answers(cassette),
    )
    comparison = Comparison(f"{cassette.title or 'cassette'} against {conn.name}")
    live: dict[Any, Any] = {}
    ended = ""
    async with conn:
        for exchange in cassette.exchanges:
            if why := _unfit(exchange) or ended:
                comparison.not_sent.append((exchange, why))
                continue
            try:
                now = await _ask(conn, exchange, live)
            except ConnectionClosedError as error:
                now, ended = {"error": str(error)}, "the connection had ended"
            recorded = dict(exchange.answer)
            _note_opaque(recorded, now, live)
            found = list(differences(recorded, masked(now), ignoring))
            comparison.differences += [Difference(exchange, *each) for each in found]
            comparison.same += not found
    return comparison


def _unfit(exchange: Exchange) -> str:
    if not exchange.answer:
        return "it was not answered when it was recorded"
    if exchange.masked:
        return "something in it was masked when it was recorded"
    return ""


async def _ask(conn: Connection, exchange: Exchange, live: Mapping[Any, Any]) -> Json:
    """The answer as it is on the wire; a late one as an error of ours, which differs from anything recorded."""
    if exchange.method in HELLO:  # connecting has asked already
        frames = conn.tape.filter(exchange.method, direction="received").frames
        message = (frames[0].message or {}) if frames else {}
        return {name: message[name] for name in ("result", "error") if name in message}
    params = dict(exchange.params)
    for name in OPAQUE.values():
        if name in params:
            params[name] = live.get(params[name], params[name])
    try:
        return {"result": await conn.send(exchange.method, params)}
    except RpcError as error:
        more = {} if error.data is None else {"data": error.data}
        return {"error": {"code": error.code, "message": error.message, **more}}
    except CallTimeoutError as error:
        return {"error": str(error)}


def _note_opaque(recorded: Json, now: Json, live: dict[Any, Any]) -> None:
    """What the server makes up is handed back as it is now, and is no difference."""
    if not (isinstance(recorded.get("result"), dict) and isinstance(now.get("result"), dict)):
        return
    before, after = cast(Json, recorded["result"]), cast(Json, now["result"])
    for name in OPAQUE:
        if name in before and name in after:
            live[before[name]] = after[name]
            recorded["result"] = recorded["result"] | {name: after[name]}


def _answers(cassette: Cassette) -> dict[str, Any]:
    """Handlers that answer the server's questions as they were answered when it was recorded."""

    def recorded(method: str) -> Iterator[Json]:
        for exchange in cassette.exchanges:
            for message in exchange.before:
                if message["method"] == method and "answer" in message:
                    yield message["answer"].get("result") or {}

    elicited, sampled = recorded("elicitation/create"), recorded("sampling/createMessage")

    def on_elicit(message: str, schema: Json) -> types.ElicitResult:
        return types.ElicitResult.model_validate(_next(elicited, message))

    def on_sample(messages: Any, params: Any) -> types.CreateMessageResult:
        return types.CreateMessageResult.model_validate(_next(sampled, "a question to the model"))

    roots = next((each.get("roots", []) for each in recorded("roots/list")), None)
    given = {} if roots is None else {"on_roots": [str(root["uri"]) for root in roots]}
    return {"on_elicit": on_elicit, "on_sample": on_sample, **given}


def _next(answers: Iterator[Json], question: str) -> Json:
    for answer in answers:
        return answer
    raise LabError(f"The server asked {question!r}, which it did not ask when it was recorded.")
