"""Checks of 27_bounded_limiter. Times, ids and limits are new at each run."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission


def name(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=9))


def play(submission: Submission, calls: list[tuple[int, str]], limit: int, seconds: int, most: int) -> dict[str, Any]:
    return submission.call("play", [list(call) for call in calls], limit, seconds, most)


def answers(submission: Submission, calls: list[Any], limit: int, seconds: int, most: int = 9) -> list[bool]:
    return play(submission, calls, limit, seconds, most)["answers"]


@check(
    "never more than the limit, in any window",
    points=3,
    reason="A count that starts anew each minute lets twice the limit through around the turn of the minute.",
    about="Limiter.allow",
)
def test_window(submission: Submission, rng: random.Random) -> None:
    limit, seconds, begin, ada = rng.randint(3, 6), 10 * rng.randint(3, 9), rng.randint(1000, 9000), name(rng)
    late = begin - begin % seconds + seconds - 1  # just before a round time
    calls = [(late, ada)] * limit + [(late + 1, ada), (late + seconds - 1, ada), (late + seconds, ada)]
    wanted = [True] * limit + [False, False, True]
    expect(answers(submission, calls, limit, seconds), wanted, f"{limit} calls at {late}, and one each at {late + 1}, "
           f"{late + seconds - 1} and {late + seconds}, where {limit} in {seconds} s are allowed")  # fmt: skip
    spread = [(late + second, ada) for second in range(0, 4 * seconds, 2)]
    passed = [at for (at, _), ok in zip(spread, answers(submission, spread, limit, seconds), strict=True) if ok]
    worst = max(sum(end - seconds < at <= end for at in passed) for end in passed)
    expect(worst, limit, f"calls let through in the fullest window of {seconds} s")


@check(
    "each id for itself",
    points=2,
    reason="One caller's calls are no reason to refuse another's.",
    about="Limiter.allow",
)
def test_apart(submission: Submission, rng: random.Random) -> None:
    limit, ids = rng.randint(2, 5), [name(rng) for _ in range(4)]
    calls = [(1000, id) for id in ids for _ in range(limit + 1)]
    wanted = ([True] * limit + [False]) * len(ids)
    expect(answers(submission, calls, limit, 60), wanted, f"{limit + 1} calls of each of four ids, limit {limit}")


@check(
    "a refused call does not count",
    points=2,
    reason="Else whoever asks again too early is never let through any more, and what they ask is kept.",
    about="Limiter.allow",
)
def test_refused(submission: Submission, rng: random.Random) -> None:
    limit, ada = rng.randint(1, 4), name(rng)
    calls = [(1000, ada)] * limit + [(1000 + second, ada) for second in range(1, 60)] + [(1060, ada)]
    wanted = [True] * limit + [False] * 59 + [True]
    expect(answers(submission, calls, limit, 60), wanted, f"{limit} calls, then one each second, limit {limit} in 60 s")
    once, often = ([(1000, ada)] * (limit + more) for more in (1, 4000))
    grown = play(submission, often, limit, 60, 5)["bytes"] - play(submission, once, limit, 60, 5)["bytes"]
    expect_true(grown < 1000, f"4000 refused calls made the limiter {grown} bytes larger")


@check(
    "what is kept is bounded",
    points=3,
    reason="Whoever calls chooses the ids: what grows with them grows until the process ends.",
    about="Limiter",
)
def test_room(submission: Submission, rng: random.Random) -> None:
    most, limit = rng.randint(20, 40), rng.randint(2, 4)
    flood = [(1000, name(rng)) for _ in range(3000)]
    found = play(submission, flood, limit, 60, most)
    expect(sum(found["answers"]), most, f"of 3000 made-up ids, how many are let through where {most} may be remembered")
    expect_true(found["bytes"] < 2000 + most * 100, f"after 3000 made-up ids the limiter holds {found['bytes']} bytes")
    expect(found["answers"][:most], [True] * most, "the first of them")
    # Also one by one, with time to forget: each comes once, and its call counts for 60 s.
    slow = [(1000 + second, name(rng)) for second in range(0, 9000, 3)]
    found = play(submission, slow, limit, 60, most)
    expect_true(found["bytes"] < 2000 + most * 100, f"after 3000 ids in 9000 s it holds {found['bytes']} bytes")
    steady = name(rng)
    found = play(submission, [(second, steady) for second in range(20_000)], limit, 60, most)
    expect_true(found["bytes"] < 2000, f"after 20000 calls of one id the limiter holds {found['bytes']} bytes")


@check(
    "a flood of ids resets nobody",
    points=2,
    reason="Who throws out a known id to make room gives everybody a way to begin anew.",
    about="Limiter.allow",
)
def test_reset(submission: Submission, rng: random.Random) -> None:
    most, limit, ada = rng.randint(5, 20), rng.randint(2, 4), name(rng)
    used = [(1000, ada)] * (limit + 1)
    flood = [(1001 + number // 20, name(rng)) for number in range(400)]
    found = answers(submission, [*used, *flood, (1050, ada), (1060, ada)], limit, 60, most)
    expect(found[: limit + 1], [True] * limit + [False], "before the flood")
    expect(found[-2:], [False, True], "after the flood, and when the calls do not count any more")
    half = answers(submission, [(1000, ada), *flood, *[(1050, ada)] * limit], limit, 60, most)[-limit:]
    expect(half, [True] * (limit - 1) + [False], f"a known id with room for {limit - 1} more calls, after a flood")


@check(
    "silence makes room",
    points=2,
    reason="A limiter that is full for ever has become a list of who came first.",
    about="Limiter",
)
def test_silence(submission: Submission, rng: random.Random) -> None:
    most, begin = rng.randint(3, 9), rng.randint(1000, 5000)
    first, second, third = ([name(rng) for _ in range(most)] for _ in range(3))
    calls = [(at, id) for at, ids in ((begin, first), (begin + 59, second), (begin + 60, third)) for id in ids]
    wanted = [True] * most + [False] * most + [True] * most
    expect(answers(submission, calls, 2, 60, most), wanted, f"{most} ids at once, {most} others 59 s and 60 s later")
    stays = first[0]
    calls = [(begin, id) for id in first] + [(begin + 30, stays)] + [(begin + 61, id) for id in second]
    wanted = [True] * (most + 1) + [True] * (most - 1) + [False]
    expect(answers(submission, calls, 2, 60, most), wanted, "one of them called again after 30 s and keeps its place")
