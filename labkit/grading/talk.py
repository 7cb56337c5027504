"""A small, strict, bounded MCP client for checks: one conversation with the learner's server, frame by frame.

It does what the SDK's client does not want to: send any frame, see every frame, stop at a byte limit, and treat a line
on stdout that is no JSON-RPC frame as the fault it is. Blocking, because checks are plain functions.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from labkit.grading.checks import CheckFailed, Crashed, RpcFault, show

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
_PREFIX = "io.modelcontextprotocol/"
Frame = dict[str, Any]
Responder = Callable[[Frame], Frame]


class Pipe(Protocol):
    """Where frames go and come from."""

    def send(self, frame: Frame) -> None:
        """Send one frame."""
        ...

    def receive(self, timeout: float) -> Frame:
        """The next frame. Raises Crashed when there will be none, CheckFailed on a line that is no frame."""
        ...


class Reply(dict[str, Any]):
    """A result object as it came over the wire, with short names for what checks look at."""

    @property
    def data(self) -> Any:
        """`structuredContent`, or None."""
        return self.get("structuredContent")

    @property
    def is_error(self) -> bool:
        """Whether a tool call failed."""
        return self.get("isError") is True

    @property
    def text(self) -> str:
        """All text of a tool result, a resource or a prompt."""
        parts: list[Any] = [*self.get("content", []), *self.get("contents", [])]
        parts += [message.get("content", {}) for message in self.get("messages", [])]
        return "\n".join(str(part["text"]) for part in parts if "text" in part)


class Session:
    """A conversation in one era over one transport."""

    def __init__(self, pipe: Pipe, era: str, transport: str, timeout: float) -> None:
        self._pipe, self._timeout = pipe, timeout
        self._ids = itertools.count(1)
        self.era, self.transport = era, transport
        self.notifications: list[Frame] = []
        self.responders: dict[str, Responder] = {}
        self.trouble = False
        """Whether an answer was an error since `Submission.begin_check`: then a traceback may be on its way."""
        self.hello: Reply = Reply()
        """What the server said about itself: the `initialize` or the `server/discover` result."""

    def __str__(self) -> str:
        return f"{self.transport}, {self.era}"

    def open(self) -> Session:
        """Say hello as the era wants it."""
        if self.era == MODERN:
            self.hello = self.request("server/discover")
        else:
            client = {"name": "labkit-judge", "version": "1"}
            self.hello = self.request(
                "initialize", {"protocolVersion": self.era, "capabilities": {}, "clientInfo": client}
            )
            self.notify("notifications/initialized")
        return self

    def notify(self, method: str, params: Frame | None = None) -> None:
        """Send a notification."""
        self._pipe.send({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})

    def request(self, method: str, params: Frame | None = None, *, meta: Frame | None = None) -> Reply:
        """Send a request and wait for its result.

        Raises RpcFault on a JSON-RPC error, Crashed when the server ends or does not answer in time.
        """
        return self.exchange(self._frame(method, params, meta))

    def _frame(self, method: str, params: Frame | None, meta: Frame | None = None) -> Frame:
        """A request with the envelope of the session's era."""
        body = dict(params or {})
        meta = {**(meta or {}), **body.pop("_meta", {})}
        if self.era == MODERN:
            meta = {
                f"{_PREFIX}protocolVersion": MODERN,
                f"{_PREFIX}clientInfo": {"name": "labkit-judge", "version": "1"},
                f"{_PREFIX}clientCapabilities": {},
            } | meta
        if meta:
            body["_meta"] = meta
        frame: Frame = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        return frame | ({"params": body} if body else {})

    def exchange(self, frame: Frame) -> Reply:
        """Send a frame exactly as given and wait for the answer with its id."""
        self._pipe.send(frame)
        end = time.monotonic() + self._timeout
        while True:
            answer = self._pipe.receive(max(0.0, end - time.monotonic()))
            if "method" in answer:
                self._serve(answer)
            elif answer.get("id") == frame["id"]:
                break
        if "error" in answer:
            self.trouble = True
            raise RpcFault(str(frame.get("method")), answer["error"])
        if not isinstance(answer.get("result"), dict):
            raise CheckFailed(f"the answer to {frame.get('method')} has no result: {show(answer)}")
        reply = Reply(answer["result"])
        self.trouble |= reply.is_error
        return reply

    def abandon(self, method: str, params: Frame) -> None:
        """Send a request and cancel it at its first progress report. A cancelled request gets no answer."""
        frame = self._frame(method, params, {"progressToken": "abandoned"})
        self._pipe.send(frame)
        end = time.monotonic() + self._timeout
        while (seen := self._pipe.receive(max(0.0, end - time.monotonic()))).get("id") != frame["id"]:
            if seen.get("method") == "notifications/progress":
                self.notify("notifications/cancelled", {"requestId": frame["id"], "reason": "no longer wanted"})
                return
            if "method" in seen:
                self._serve(seen)
        raise CheckFailed(f"{method} was answered before it reported any progress: {show(seen)}")

    def listen(self, wanted: Frame) -> int | None:
        """Ask to hear of changes: `wanted` is the filter of subscriptions/listen, such as {"toolsListChanged": True}.

        Returns once the server has agreed, with the id that its notifications will carry. They join `notifications`
        whenever a reply is waited for. In the handshake era servers push: nothing is sent, and there is no id.
        """
        if self.era != MODERN:
            return None
        frame = self._frame("subscriptions/listen", {"notifications": wanted})
        self._pipe.send(frame)
        end = time.monotonic() + self._timeout
        while (seen := self._pipe.receive(max(0.0, end - time.monotonic()))).get("id") != frame["id"]:
            if seen.get("method") == "notifications/subscriptions/acknowledged":
                return frame["id"]
            if "method" in seen:
                self._serve(seen)
        if "error" in seen:
            raise RpcFault("subscriptions/listen", seen["error"])
        raise CheckFailed(f"subscriptions/listen ended before it was acknowledged: {show(seen)}")

    def race(self, *requests: tuple[str, Frame]) -> list[str]:
        """Send several requests at once; their methods in the order of the answers."""
        sent = [self._frame(method, params) for method, params in requests]
        waiting = {frame["id"]: str(frame["method"]) for frame in sent}
        for frame in sent:
            self._pipe.send(frame)
        end, order = time.monotonic() + self._timeout, list[str]()
        while waiting:
            answer = self._pipe.receive(max(0.0, end - time.monotonic()))
            if "method" in answer:
                self._serve(answer)
            elif answer.get("id") in waiting:
                order.append(waiting.pop(answer["id"]))
        return order

    def tools(self) -> dict[str, Frame]:
        """The tools by name."""
        return {tool["name"]: tool for tool in self.request("tools/list")["tools"]}

    def resources(self) -> dict[str, Frame]:
        """The fixed resources by URI."""
        return {item["uri"]: item for item in self.request("resources/list")["resources"]}

    def templates(self) -> dict[str, Frame]:
        """The resource templates by URI template."""
        return {item["uriTemplate"]: item for item in self.request("resources/templates/list")["resourceTemplates"]}

    def prompts(self) -> dict[str, Frame]:
        """The prompts by name."""
        return {item["name"]: item for item in self.request("prompts/list")["prompts"]}

    def call(self, name: str, /, **arguments: Any) -> Reply:
        """Call a tool."""
        return self.request("tools/call", {"name": name, "arguments": arguments})

    def read(self, uri: str) -> Reply:
        """Read a resource."""
        return self.request("resources/read", {"uri": uri})

    def prompt(self, name: str, /, **arguments: str) -> Reply:
        """Get a prompt."""
        return self.request("prompts/get", {"name": name, "arguments": arguments})

    def _serve(self, frame: Frame) -> None:
        if "id" not in frame:
            self.notifications.append(frame)
            return
        responder = self.responders.get(frame["method"])
        if responder:
            self._pipe.send({"jsonrpc": "2.0", "id": frame["id"], "result": responder(frame)})
        else:
            error = {"code": -32601, "message": "not offered by this client"}
            self._pipe.send({"jsonrpc": "2.0", "id": frame["id"], "error": error})


def parse(line: bytes) -> Frame:
    """One line of a stdio server as a frame. Raises CheckFailed when it is none."""
    try:
        frame: Frame = dict(json.loads(line))
    except (ValueError, TypeError, RecursionError):
        frame = {}
    if frame.get("jsonrpc") != "2.0":
        text = line.decode("utf-8", "replace")
        raise CheckFailed(f"a line on stdout is not a JSON-RPC frame: {show(text, 120)}")
    return frame


__all__ = ["HANDSHAKE", "MODERN", "Crashed", "Frame", "Pipe", "Reply", "Responder", "RpcFault", "Session", "parse"]
