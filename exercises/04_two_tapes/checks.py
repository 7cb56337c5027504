"""Checks of 04_two_tapes. The tapes are fixed, so the right answers are never shown in a message."""

import random
from typing import Any

from labkit.grading.checks import check
from labkit.grading.submission import Submission


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@check(
    "the handshake tape",
    points=1,
    reason="Only one of them has to open the connection before it may work.",
    about="HANDSHAKE_TAPE",
)
def test_handshake_tape(submission: Submission, rng: random.Random) -> None:
    answer = submission.value("HANDSHAKE_TAPE")
    assert answer == "B", f"{answer!r} is not the tape that begins with a handshake"


@check(
    "frames that need no memory",
    points=1,
    reason="A frame that carries version, client and arguments can be answered by whoever can read the sealed state.",
    about="A_SELF_CONTAINED",
)
def test_self_contained(submission: Submission, rng: random.Random) -> None:
    answer = submission.value("A_SELF_CONTAINED")
    assert isinstance(answer, list), f"A_SELF_CONTAINED should be a list of frame numbers, is {answer!r}"
    assert sorted(answer, key=str) == [1, 3, 5], f"{answer!r} has too many frames of tape A, or too few"


@check(
    "the server's request",
    points=1,
    reason="A request has a method and an id, whoever sends it.",
    about="B_SERVER_ASKS",
)
def test_server_asks(submission: Submission, rng: random.Random) -> None:
    answer = submission.value("B_SERVER_ASKS")
    assert is_whole(answer) and answer == 5, f"frame {answer!r} of tape B is not a request of the server"


@check(
    "the client's answer",
    points=1,
    reason="An answer carries the id of the question and goes the other way; both sides count their own ids.",
    about="B_CLIENT_ANSWERS",
)
def test_client_answers(submission: Submission, rng: random.Random) -> None:
    answer = submission.value("B_CLIENT_ANSWERS")
    assert is_whole(answer) and answer == 6, f"frame {answer!r} of tape B does not answer the server's request"


@check(
    "where the memory went",
    points=1,
    reason="The server handed its memory to the client, sealed, and gets it back with the second call.",
    about="A_MEMORY",
)
def test_memory(submission: Submission, rng: random.Random) -> None:
    answer = submission.value("A_MEMORY")
    assert answer == "requestState", f"{answer!r} is not what the server needs to go on"


@check(
    "counting requests",
    points=1,
    reason="Notifications and answers are no requests; a question inside a result is none either.",
    about="REQUESTS",
)
def test_requests(submission: Submission, rng: random.Random) -> None:
    answer = submission.value("REQUESTS")
    assert isinstance(answer, dict) and set(answer) == {"A", "B"}, f"REQUESTS should have A and B, is {answer!r}"
    for tape in ("A", "B"):
        assert is_whole(answer[tape]) and answer[tape] == 3, f"tape {tape} does not hold {answer[tape]!r} requests"
