"""Checks of 32_one_or_several. What `decide` has to say is computed by labkit.clinic.guidance from the same facts."""

import random
from itertools import combinations
from typing import Any

from labkit.clinic.facts import Facts
from labkit.clinic.guidance import guide
from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Table = dict[str, Any]
NAMES = ["orders", "stock", "search", "letters", "payroll", "maps"]


def family(rng: random.Random, name: str, **more: Any) -> Table:
    """A family that is no reason for anything."""
    plain = {"tools": 1, "peak": 10, "computes_ms": rng.randint(2, 20), "promise_ms": rng.randint(2, 40) * 100}
    return {"name": name, **plain, "gpu": False, "zone": "", "state": "none"} | more


def company(rng: random.Random, count: int, tools: int, **more: Any) -> Table:
    """A company with so many families and tools in all, and nothing else to decide by."""
    names = rng.sample(NAMES, count)
    families = [family(rng, name) for name in names]
    families[0]["tools"] = tools - (count - 1)
    base = {"people": 20, "teams": 1, "where": "network", "separate_tenants": False, "idle_hours": rng.randint(0, 15)}
    return base | {"handshake": False, "families": families} | more


def parted(one: Table, other: Table) -> list[str]:
    short, long = sorted((one["computes_ms"], other["computes_ms"]))
    found = {
        "computes": long >= 50 and short <= long / 5,
        "gpu": one["gpu"] is not other["gpu"],
        "zone": one["zone"] != other["zone"],
    }
    return [reason for reason, holds in found.items() if holds]


def facts_of(given: Table) -> Facts:
    families = given["families"]
    apart = {reason for one, other in combinations(families, 2) for reason in parted(one, other)}
    peaks = sorted(each["peak"] for each in families)
    return Facts(
        tools=sum(each["tools"] for each in families),
        domains=len(families),
        people=given["people"],
        teams=given["teams"],
        local=given["where"] == "desktop",
        skew=peaks[-1] * (len(peaks) - 1) / sum(peaks[:-1]) if len(peaks) > 1 else 1.0,
        computing="computes" in apart,
        gpu=any(each["gpu"] for each in families),
        zones=int("zone" in apart),
        separate_tenants=given["separate_tenants"],
        idle_hours=given["idle_hours"],
        patient=min(each["promise_ms"] for each in families) >= 5000,
        sessions=any(each["state"] == "session" for each in families),
    )


def decided(submission: Submission, given: Table, reasons: list[str]) -> None:
    wanted = [guide(facts_of(given)).packaging, reasons]
    expect(submission.call("decide", given), wanted, f"decide({given})")


@check(
    "what may not share a process",
    points=3,
    reason="What two tools have in common is their process: its time, its hardware, its secrets.",
    about="must_part",
)
def test_must_part(submission: Submission, rng: random.Random) -> None:
    long = rng.randrange(50, 400, 5)
    pairs = [
        ({}, {}),
        ({"computes_ms": long}, {"computes_ms": long // 5}),
        ({"computes_ms": long}, {"computes_ms": long // 5 + 1}),
        ({"computes_ms": 50}, {"computes_ms": 10}),
        ({"computes_ms": 49}, {"computes_ms": 1}),
        ({"gpu": True}, {}),
        ({"gpu": True}, {"gpu": True}),
        ({"zone": "health"}, {}),
        ({"zone": "health"}, {"zone": "payments"}),
        ({"zone": "health"}, {"zone": "health"}),
        ({"zone": "health", "gpu": True, "computes_ms": long}, {"computes_ms": 1}),
    ]
    rng.shuffle(pairs)
    for left, right in pairs:
        one, other = family(rng, "a", computes_ms=20) | left, family(rng, "b", computes_ms=20) | right
        for first, second in ((one, other), (other, one)):
            expect(submission.call("must_part", first, second), parted(one, other), f"must_part({first}, {second})")


@check(
    "by size",
    points=2,
    reason="It takes both, tools and domains to put them into: twenty tools of one domain are one server.",
    about="decide",
)
def test_size(submission: Submission, rng: random.Random) -> None:
    for count, tools in ((1, 4), (1, 20), (3, 4), (2, 5), (2, 15), (2, 16), (3, 30), (4, 15), (4, 16), (5, 40)):
        given = company(rng, count, tools, people=40, teams=1)
        decided(submission, given, ["people"] if count >= 4 and tools > 15 else ["size"])


@check(
    "by who looks after it",
    points=2,
    reason="Servers that nobody has time for are not independent, they are alone.",
    about="decide",
)
def test_people(submission: Submission, rng: random.Random) -> None:
    for people in (1, 3):
        decided(submission, company(rng, 3, 12, people=people), ["people"])
        decided(submission, company(rng, 5, rng.randint(16, 30), people=people), ["people"])
        decided(submission, company(rng, 1, 12, people=people), ["size"])
    decided(submission, company(rng, 3, 12, people=4), ["size"])
    decided(submission, company(rng, 5, 30, people=4), ["people"])
    decided(submission, company(rng, 5, 30, people=9, teams=rng.randint(2, 3)), ["size"])
    decided(submission, company(rng, 5, 30, people=3, teams=2), ["teams"])


@check(
    "by what has to be separated",
    points=3,
    reason="This is why one splits: not because there are many tools, but because two of them do not bear each other.",
    about="decide",
)
def test_needs(submission: Submission, rng: random.Random) -> None:
    def small(**more: Any) -> Table:
        given = company(rng, 3, 4, people=3, **more)
        for each in given["families"]:
            each["computes_ms"] = rng.randint(11, 20)
        return given

    decided(submission, small(), ["size"])
    decided(submission, small(teams=2), ["teams"])
    given = small()
    given["families"][1]["computes_ms"] = rng.randint(100, 300)
    decided(submission, given, ["computes"])
    given["families"][2]["zone"] = "health"
    decided(submission, given, ["computes", "zone"])
    for times, reasons in ((10, ["skew"]), (9, ["size"])):
        given = small()
        given["families"][2]["peak"] = 10 * times
        decided(submission, given, reasons)
    given["families"][2]["peak"] = 100
    given["families"][0]["peak"] = 11  # the mean of the others is 10.5
    decided(submission, given, ["size"])
    two = company(rng, 2, 4, people=3)
    two["families"][0]["zone"] = "health"
    decided(submission, two, ["zone"])
    alike = small()
    for each in alike["families"]:
        each |= {"zone": "health", "computes_ms": 200}
    decided(submission, alike, ["size"])
    alone = company(rng, 1, 4, people=30, teams=5)
    alone["families"][0] |= {"computes_ms": 900, "gpu": True, "zone": "health", "peak": 400}
    decided(submission, alone, ["size"])
    larger = company(rng, 3, 12)
    larger["families"][0]["zone"] = "health"
    decided(submission, larger, ["size"])


@check(
    "by teams",
    points=2,
    reason="Teams that release without each other need servers that start without each other.",
    about="decide",
)
def test_teams(submission: Submission, rng: random.Random) -> None:
    for count, teams, reasons in ((4, 4, ["teams"]), (4, 3, ["teams"]), (3, 9, ["teams"]), (6, 5, ["teams"])):
        decided(submission, company(rng, count, 6, people=3, teams=teams), reasons)
    given = company(rng, 4, 6, people=3, teams=4)
    given["families"][0]["zone"] = "health"
    decided(submission, given, ["teams"])
    given["teams"] = 2
    decided(submission, given, ["teams", "zone"])


@check(
    "shapes that one fact asks for",
    points=2,
    reason="Where everything is on one desk, or a contract says how, there is nothing to count.",
    about="decide",
)
def test_shapes(submission: Submission, rng: random.Random) -> None:
    def rare(**more: Any) -> Table:
        given = company(rng, 2, 4, people=2, **{"idle_hours": 16} | more)
        for each in given["families"]:
            each |= {"promise_ms": 5000, "computes_ms": rng.randint(11, 20)}
        return given

    decided(submission, rare(), ["idle"])
    decided(submission, rare(idle_hours=15), ["size"])
    decided(submission, rare(separate_tenants=True), ["contract"])
    decided(submission, rare(separate_tenants=True, where="desktop"), ["local"])
    decided(submission, company(rng, 5, 30, teams=5, where="desktop"), ["local"])
    decided(submission, company(rng, 5, 30, teams=5, separate_tenants=True), ["contract"])
    for change, reasons in (
        ({"promise_ms": 4999}, ["size"]),
        ({"state": "session"}, ["size"]),
        ({"gpu": True}, ["gpu"]),
    ):
        given = rare()
        given["families"][rng.randint(0, 1)] |= change
        decided(submission, given, reasons)
    durable = rare()
    durable["families"][0]["state"] = "durable"
    decided(submission, durable, ["idle"])
    for given in (company(rng, 2, 8), company(rng, 5, 40), company(rng, 3, 4, people=2)):
        given["families"][-1]["gpu"] = True
        decided(submission, given, ["gpu"])
    large = company(rng, 5, 40, teams=2)
    large["families"][0]["gpu"] = True
    decided(submission, large, ["size"])


@check(
    "more of it never leads back",
    points=1,
    reason="A rule that tells a growing company to merge its servers has a hole in it.",
    about="decide",
)
def test_monotone(submission: Submission, rng: random.Random) -> None:
    steps = ["monolith", "hybrid", "microservices"]
    for _ in range(12):
        given = company(rng, rng.randint(1, 6), rng.randint(6, 30), people=rng.randint(1, 9), teams=rng.randint(1, 4))
        for each in given["families"]:
            each["zone"] = rng.choice(["", "", "", "health"])
        more = given | {rng.choice(["people", "teams"]): 9}
        before, after = submission.call("decide", given)[0], submission.call("decide", more)[0]
        what = f"decide says {before} for {given}, and {after} with people {more['people']} and teams {more['teams']}"
        expect_true(before in steps and after in steps, what)
        expect_true(steps.index(after) >= steps.index(before), what)
        expect(after, guide(facts_of(more)).packaging, f"decide({more})")


def server(names: list[str], **more: Any) -> Table:
    return {"families": names, "replicas": 2, "state": "shared", "sessions": "none"} | more


@check(
    "faults in a decision",
    points=3,
    reason="Each of these works in a demonstration: with one client, one replica, and nothing that ends.",
    about="faults",
)
def test_faults(submission: Submission, rng: random.Random) -> None:
    given = company(rng, 3, 9, people=3, handshake=True)
    a, b, c = given["families"]
    for each in (a, b, c):
        each |= {"computes_ms": 15, "peak": rng.randint(2, 9)}
    b["state"], c["state"] = "session", "durable"
    a, b, c = (each["name"] for each in given["families"])
    whole = [a, b, c]
    rng.shuffle(whole)
    cases: list[tuple[list[Table], list[list[str]]]] = [
        ([server(whole)], []),
        ([server(whole, state="memory")], [["apart", b], ["apart", c], ["lost", c]]),
        ([server(whole, state="memory", replicas=1)], [["lost", c]]),
        ([server(whole, sessions="memory")], [["sessions", name] for name in whole]),
        ([server(whole, sessions="memory", replicas=1)], []),
        ([server(whole, sessions="sticky")], []),
        ([server([a]), server([b]), server([c], sessions="memory")], [["people"], ["sessions", c]]),
        ([server([a, c]), server([b], state="memory")], [["apart", b]]),
    ]
    for servers, wanted in cases:
        expect(submission.call("faults", given, servers), sorted(wanted), f"faults({given}, {servers})")
    quiet = given | {"handshake": False, "people": 4}
    servers = [server([a], sessions="memory"), server([b]), server([c])]
    expect(submission.call("faults", quiet, servers), [], f"faults({quiet}, {servers})")
    changes = [*((name, {"computes_ms": 200}) for name in whole), (b, {"gpu": True}), (c, {"zone": "health"})]
    for name, change in changes:
        families = [each | {"peak": 1} | (change if each["name"] == name else {}) for each in given["families"]]
        changed = given | {"families": families}
        pairs = [["part", *sorted((name, other))] for other in whole if other != name]
        expect(
            submission.call("faults", changed, [server(whole)]), sorted(pairs), f"faults({changed}, [{server(whole)}])"
        )
        rest = [other for other in whole if other != name]
        expect(submission.call("faults", changed, [server([name]), server(rest)]), [], f"faults({changed}, parted)")
    for rate, full in ((99, False), (100, True), (101, True)):  # 20 ms each, two replicas
        families = [each | {"computes_ms": 20, "peak": 0} for each in given["families"]]
        families[0]["peak"] = rate - 30
        families[1]["peak"] = 30
        busy = given | {"families": families}
        wanted = [["full", name] for name in whole] if full else []
        expect(submission.call("faults", busy, [server(whole)]), sorted(wanted), f"faults({busy}, [{server(whole)}])")
