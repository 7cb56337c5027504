"""The judge's client, against a server that is a list of frames."""

from __future__ import annotations

import pytest

from labkit.grading.checks import CheckFailed, RpcFault
from labkit.grading.talk import HANDSHAKE, MODERN, Frame, Session

PROGRESS = {
    "jsonrpc": "2.0",
    "method": "notifications/progress",
    "params": {"progressToken": "abandoned", "progress": 1},
}
LOG = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "working"}}


class Script:
    """A pipe that says what it was told to, and keeps what it hears."""

    def __init__(self, *frames: Frame) -> None:
        self.left, self.heard = list(frames), list[Frame]()

    def send(self, frame: Frame) -> None:
        self.heard.append(frame)

    def receive(self, timeout: float) -> Frame:
        return self.left.pop(0)


def test_abandon_cancels_the_request_at_its_first_progress_report() -> None:
    pipe = Script(LOG, PROGRESS, PROGRESS)
    session = Session(pipe, HANDSHAKE, "memory", 5)
    session.abandon("tools/call", {"name": "slow"})
    request, cancelled = pipe.heard
    assert request["method"] == "tools/call" and request["params"]["_meta"] == {"progressToken": "abandoned"}
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"]["requestId"] == request["id"]
    assert pipe.left == [PROGRESS], "it does not wait for more"
    assert session.notifications == [LOG]


def test_abandon_says_so_when_the_answer_comes_first() -> None:
    pipe = Script({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
    with pytest.raises(CheckFailed, match="answered before it reported any progress"):
        Session(pipe, HANDSHAKE, "memory", 5).abandon("tools/call", {"name": "quick"})


WANTED = {"toolsListChanged": True}
AGREED = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {"notifications": WANTED}}


def test_listen_returns_when_the_server_has_agreed() -> None:
    pipe = Script(LOG, AGREED, PROGRESS)
    session = Session(pipe, MODERN, "memory", 5)
    number = session.listen(WANTED)
    [request] = pipe.heard
    assert (request["method"], request["id"]) == ("subscriptions/listen", number)
    assert request["params"]["notifications"] == WANTED
    assert session.notifications == [LOG] and pipe.left == [PROGRESS]


def test_listen_sends_nothing_in_the_handshake_era() -> None:
    pipe = Script()
    assert Session(pipe, HANDSHAKE, "memory", 5).listen(WANTED) is None
    assert pipe.heard == []


def test_listen_says_so_when_it_is_refused_or_ends_at_once() -> None:
    refused = Script({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}})
    with pytest.raises(RpcFault, match="-32601"):
        Session(refused, MODERN, "memory", 5).listen(WANTED)
    ended = Script({"jsonrpc": "2.0", "id": 1, "result": {}})
    with pytest.raises(CheckFailed, match="ended before it was acknowledged"):
        Session(ended, MODERN, "memory", 5).listen(WANTED)
