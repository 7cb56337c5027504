"""Checks of 31_ready_or_alive. States, thresholds and rows of looks come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

State = dict[str, Any]


def well(rng: random.Random) -> State:
    names = rng.sample(["database", "cache", "mail", "search", "billing"], 3)
    checks = {name: {"ok": True, "critical": number == 0} for number, name in enumerate(names)}
    return {"started": True, "draining": False, "stuck": False, "checks": checks}


def asked(submission: Submission, state: State, health: int, ready: int) -> None:
    for path, wanted in (("/health", health), ("/ready", ready)):
        expect(submission.call("answer", path, state), wanted, f"answer({path!r}, {state})")


@check(
    "alive: no to what a restart mends, and to nothing else",
    points=3,
    reason="A database that is away makes every replica say no at once. If that restarts them, the outage is longer.",
    about="answer",
)
def test_alive(submission: Submission, rng: random.Random) -> None:
    asked(submission, well(rng), 200, 200)
    asked(submission, well(rng) | {"stuck": True}, 503, 503)
    asked(submission, well(rng) | {"draining": True}, 200, 503)
    asked(submission, well(rng) | {"started": False}, 200, 503)
    state = well(rng)
    state["checks"] = {name: {**each, "ok": False} for name, each in state["checks"].items()}
    asked(submission, state, 200, 503)
    path = rng.choice(["/", "/metrics", "/healthz", "/ready/"])
    expect(submission.call("answer", path, well(rng)), 404, f"answer({path!r}, ...)")


@check(
    "ready: without what it cannot do without, no",
    points=3,
    reason="What it can do without makes it slower or poorer. To take it away for that is to make the outage.",
    about="answer",
)
def test_ready(submission: Submission, rng: random.Random) -> None:
    for critical in (True, False):
        state = well(rng)
        name = rng.choice([name for name, each in state["checks"].items() if each["critical"] is critical])
        state["checks"][name]["ok"] = False
        asked(submission, state, 200, 503 if critical else 200)
    asked(submission, well(rng) | {"checks": {}}, 200, 200)


def looks(*parts: tuple[bool, int]) -> list[bool]:
    return [value for value, count in parts for _ in range(count)]


@check(
    "calls come after enough successes, and stop after enough failures",
    points=4,
    reason="One slow look must not take a replica out, and one lucky one must not bring it back.",
    about="in_service",
)
def test_in_service(submission: Submission, rng: random.Random) -> None:
    for _ in range(4):
        n, m = rng.sample(range(2, 6), 2)
        probe = {"failureThreshold": n, "successThreshold": m}
        row = looks(
            (False, 2), (True, m - 1), (False, 1), (True, m + 1), (False, n - 1), (True, 1), (False, n + 1), (True, m)
        )
        wanted = looks((False, 2), (False, m - 1), (False, 1), (False, m - 1), (True, 2), (True, n - 1), (True, 1))
        wanted += looks((True, n - 1), (False, 2), (False, m - 1), (True, 1))
        expect(submission.call("in_service", probe, row), wanted, f"in_service({probe}, {row})")
    probe = {"failureThreshold": 1, "successThreshold": 1}
    row = [rng.random() < 0.5 for _ in range(8)]
    expect(submission.call("in_service", probe, row), row, f"in_service({probe}, {row})")
    expect(submission.call("in_service", probe, []), [], "in_service of no looks")


@check(
    "a start has its own patience, and a server that hangs has less",
    points=4,
    reason="Judged by liveness, a slow start is killed, and the next one as well: it never comes up.",
    about="restarts",
)
def test_restarts(submission: Submission, rng: random.Random) -> None:
    for _ in range(4):
        s, n = rng.randint(6, 9), rng.randint(2, 5)
        startup, liveness = {"failureThreshold": s}, {"failureThreshold": n}
        cases: list[tuple[list[bool], list[int]]] = [
            (looks((False, s - 1), (True, 1), (False, n - 1), (True, 1)), []),
            (looks((False, 2 * s + 1)), [s - 1, 2 * s - 1]),
            (looks((True, 1), (False, n), (False, s - 1), (True, 1)), [n]),
            (looks((True, 2), (False, n), (False, s), (True, 1), (False, n)), [n + 1, n + 1 + s, n + 2 + s + n]),
            (looks((False, s - 1), (True, 1), (False, n)), [s - 1 + n]),
            (looks((True, 1), (False, n - 1), (True, 1), (False, n - 1)), []),
        ]
        for row, wanted in cases:
            got = submission.call("restarts", startup, liveness, row)
            expect(got, wanted, f"restarts({startup}, {liveness}, {row})")
