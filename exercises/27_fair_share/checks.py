"""Checks of 27_fair_share. Each begins with a server that nobody has called, as limits remember."""

import random
import string

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission
from labkit.grading.talk import HANDSHAKE, MODERN, Reply, Session

USER = "lab.example/user"
ME = "io.modelcontextprotocol/clientInfo"


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=8))


def call(session: Session, user: str, tool: str = "forecast", client: str = "", **arguments: str) -> Reply:
    meta: dict[str, object] = {USER: user} if user else {}
    if client and session.era == MODERN:
        meta[ME] = {"name": client, "version": "1"}
    return session.request("tools/call", {"name": tool, "arguments": {"city": "Bern", **arguments}}, meta=meta)


def passed(session: Session, user: str, calls: int, tool: str = "forecast") -> int:
    return sum(not call(session, user, tool).is_error for _ in range(calls))


def new(submission: Submission, rng: random.Random) -> Session:
    return submission.fresh("memory", rng.choice((HANDSHAKE, MODERN)))


@check(
    "the tools do what they did",
    points=1,
    reason="A limit decides who is let through, not what they find.",
    about="server",
)
def test_tools(submission: Submission, rng: random.Random) -> None:
    session, city = submission.fresh("process", rng.choice((HANDSHAKE, MODERN))), word(rng)
    for tool, wanted in (("forecast", f"rain in {city}"), ("order_report", f"a report on {city} is on its way")):
        expect(call(session, word(rng), tool, city=city).text, wanted, f"{tool}({city!r})")


@check(
    "five calls for every user",
    points=2,
    reason="A limit for each caller is what keeps one of them from being all of the load.",
    about="server",
)
def test_own(submission: Submission, rng: random.Random) -> None:
    session, ada, ben = new(submission, rng), word(rng), word(rng)
    expect(passed(session, ada, 7), 5, "of seven calls of one user, let through")
    expect(passed(session, ben, 3), 3, "of three calls of another user, let through")
    expect(passed(session, ben, 1, "order_report") + passed(session, ben, 2), 2, "and of three more, with both tools")


@check(
    "twelve calls for all",
    points=2,
    reason="Many callers who keep to their limits are together too much for what stands behind.",
    about="server",
)
def test_all(submission: Submission, rng: random.Random) -> None:
    session = new(submission, rng)
    counts = [passed(session, word(rng), 3) for _ in range(5)]
    expect(counts, [3, 3, 3, 3, 0], "three calls of each of five users: let through")


@check(
    "a refused caller takes nothing from the others",
    points=3,
    reason="With the common limit outside, a call takes a place from all before its caller's own limit refuses it.",
    about="server",
)
def test_greedy(submission: Submission, rng: random.Random) -> None:
    session, greedy = new(submission, rng), word(rng)
    expect(passed(session, greedy, 40), 5, "of forty calls of a greedy user, let through")
    expect(passed(session, word(rng), 5), 5, "of five calls of another user afterwards, let through")
    session, greedy = new(submission, rng), word(rng)
    expect(passed(session, greedy, 40, "order_report"), 2, "of forty reports of a greedy user, let through")
    expect([passed(session, word(rng), 5) for _ in range(2)], [5, 5], "of five calls of two other users afterwards")


@check(
    "two reports for every user",
    points=2,
    reason="Tools differ in what they cost: paper is dearer than a forecast.",
    about="server",
)
def test_reports(submission: Submission, rng: random.Random) -> None:
    session, ada, ben = new(submission, rng), word(rng), word(rng)
    expect(passed(session, ada, 3, "order_report"), 2, "of three reports of one user, let through")
    expect(passed(session, ben, 2, "order_report"), 2, "of two reports of another user, let through")
    expect(passed(session, ada, 2), 2, "of two forecasts of the first user afterwards, let through")


@check(
    "nobody is more than one",
    points=2,
    reason="A name that the caller chooses is a new limit for each call.",
    about="server",
)
def test_names(submission: Submission, rng: random.Random) -> None:
    session, ada = submission.fresh("memory", MODERN), word(rng)
    renamed = sum(not call(session, ada, client=word(rng)).is_error for _ in range(6))
    expect(renamed, 5, "of six calls of one user, under six names of the client, let through")
    nobody = sum(not call(session, "", client=word(rng)).is_error for _ in range(6))
    expect(nobody, 5, "of six calls without a user, let through")
    session = submission.fresh("memory", HANDSHAKE)
    told = [session.request("tools/call", {"name": "forecast", "arguments": {"city": "Bern", "user": word(rng)}},
                            meta={USER: ada}) for _ in range(8)]  # fmt: skip
    expect(sum(not reply.is_error for reply in told), 5, "of eight calls of one user, with eight names as `user`")
