"""Checks of 30_coordinated_omission. Times are whole milliseconds, and come from the seed."""

import random

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


def waited(due: list[int], service: list[int], clients: int) -> list[int]:
    free = [0] * clients
    found: list[int] = []
    for at, takes in zip(due, service, strict=True):
        first = free.index(min(free))
        free[first] = max(at, free[first]) + takes
        found.append(free[first] - at)
    return found


@check(
    "calls are due at their times, whatever the server does",
    points=3,
    reason="Users do not know each other: that one of them waits does not keep the next from calling.",
    about="schedule",
)
def test_schedule(submission: Submission, rng: random.Random) -> None:
    for rate in (rng.choice((2, 4, 5)), rng.choice((8, 10, 20))):
        seconds = rng.randint(1, 4)
        expected = [n * 1000 // rate for n in range(rate * seconds)]
        expect(submission.call("schedule", rate, seconds), expected, f"schedule({rate}, {seconds})")
    expect(submission.call("schedule", 1, 1), [0], "schedule(1, 1)")
    expect(submission.call("schedule", 1, 3), [0, 1000, 2000], "schedule(1, 3)")


@check(
    "latency counts from when a call was due",
    points=4,
    reason="A call that waits for the one before it is waited for by its user, too.",
    about="latencies",
)
def test_latencies(submission: Submission, rng: random.Random) -> None:
    due = list(range(0, 1000, 100))
    quick = [rng.randint(1, 99) for _ in due]
    expect(submission.call("latencies", due, quick), quick, f"latencies({due}, {quick}), nobody waits")
    stalled = list(quick)
    stalled[rng.randint(1, 4)] = rng.randint(350, 480)
    expect(submission.call("latencies", due, stalled), waited(due, stalled, 1), f"latencies({due}, {stalled})")
    late = [at + rng.randint(500, 900) for at in due]
    expect(
        submission.call("latencies", late, quick), waited(late, quick, 1), f"latencies({late}, {quick}), a late start"
    )
    expect(submission.call("latencies", [], []), [], "latencies([], [])")


@check(
    "a client that is free again does not owe the time before",
    points=2,
    reason="After a pause the next call is sent when it is due, not at once.",
    about="latencies",
)
def test_gaps(submission: Submission, rng: random.Random) -> None:
    takes = rng.randint(120, 250)
    due, service = [0, 100, 1000, 1050], [takes, 10, 70, 10]
    expect(submission.call("latencies", due, service), waited(due, service, 1), f"latencies({due}, {service})")


@check(
    "of several clients the one that is free first takes the next call",
    points=3,
    reason="A slow answer keeps one client busy; the others go on.",
    about="with_clients",
)
def test_clients(submission: Submission, rng: random.Random) -> None:
    due = list(range(0, 600, 50))
    for clients in (1, 2, 3):
        service = [rng.randint(20, 90) for _ in due]
        service[rng.randint(0, 3)] = rng.randint(300, 500)
        expected = waited(due, service, clients)
        expect(
            submission.call("with_clients", due, service, clients),
            expected,
            f"with_clients({due}, {service}, {clients})",
        )
    service = [rng.randint(100, 400) for _ in due]
    many = submission.call("with_clients", due, service, len(due))
    expect(many, service, f"with_clients({due}, {service}, {len(due)}), one client for each call")


@check(
    "a record that omits is filled in",
    points=3,
    reason="One call of ten intervals stands for the nine that would have been made meanwhile.",
    about="corrected",
)
def test_corrected(submission: Submission, rng: random.Random) -> None:
    interval = rng.randint(20, 60)
    whole = rng.randint(3, 6) * interval
    between = whole + rng.randint(1, interval - 1)
    short = rng.randint(1, interval - 1)
    for record in (
        [between, short],
        [short, whole, short],
        [2 * interval - 1, 2 * interval],
        [interval, interval + 1],
        [],
    ):
        hidden = [t - n * interval for t in record for n in range(1, 10) if t - n * interval >= interval]
        expected = sorted(record + hidden)
        expect(submission.call("corrected", record, interval), expected, f"corrected({record}, {interval})")
