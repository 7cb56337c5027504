"""Checks of 26_two_versions. Parcels come from the seed; the server is in memory."""

import json
import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Session

STATUSES = ("waiting", "moving", "delivered", "lost")
UNTIL = "2027-06-30"
OLD = ("code", "state", "weight")


class Depot:
    """Parcels, and the server for them."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.customer, other = self.word(rng), self.word(rng)
        # More than ten and fewer than fifty of one customer, each status among them; weights are no whole kilograms.
        mine = [self.row(rng, self.customer, STATUSES[n % 4]) for n in range(rng.randint(21, 31))]
        self.rows = [*mine, *(self.row(rng, other, "waiting") for _ in range(60))]
        rng.shuffle(self.rows)
        self.server: Session = submission.made({"PARCELS": json.dumps(self.rows)})

    def word(self, rng: random.Random) -> str:
        return "".join(rng.choices(string.ascii_lowercase, k=7))

    def row(self, rng: random.Random, customer: str, status: str) -> list[Any]:
        return [self.word(rng), customer, status, 1000 * rng.randint(1, 30) + rng.randint(1, 999)]

    def mine(self, status: str = "") -> list[list[Any]]:
        return [row for row in self.rows if row[1] == self.customer and status in ("", row[2])]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        reply = self.server.call(tool, **arguments)
        expect_true(not reply.is_error, f"{tool}({arguments}) failed: {reply.text}")
        return reply.data or {}

    def refused(self, tool: str, code: str) -> None:
        reply = self.server.call(tool, code=code)
        said = f"{tool} of a parcel that there is not: {reply.text}"
        expect_true(reply.is_error and "there is no" in reply.text and code in reply.text, said)


def as_before(row: list[Any]) -> dict[str, Any]:
    return {"code": row[0], "state": "moving" if row[2] == "lost" else row[2], "weight": row[3] / 1000}


def old(parcel: dict[str, Any]) -> dict[str, Any]:
    """What an old client reads of it."""
    return {name: parcel.get(name) for name in OLD}


def new(parcel: dict[str, Any]) -> list[Any]:
    """What a new client reads of it."""
    return [parcel.get(name) for name in ("code", "status", "grams")]


@check(
    "version 1: track goes on",
    points=3,
    reason="A tool that is gone is an error in somebody's agent, at night.",
    about="make",
)
def test_track(submission: Submission, rng: random.Random) -> None:
    depot = Depot(submission, rng)
    for status in STATUSES:
        row = depot.mine(status)[0]
        expect(old(depot.call("track", code=row[0])), as_before(row), f"track of a parcel that is {status}")
    depot.refused("track", depot.word(rng))


@check(
    "version 1: list_parcels goes on",
    points=3,
    reason="What is left out is a part of the contract: who leaves it out counts on it.",
    about="make",
)
def test_listed(submission: Submission, rng: random.Random) -> None:
    depot = Depot(submission, rng)
    found = depot.call("list_parcels", customer=depot.customer)["parcels"]
    expect([old(each) for each in found], [as_before(row) for row in depot.mine()], "list_parcels, as of before")
    few = rng.randint(2, 9)
    found = depot.call("list_parcels", customer=depot.customer, limit=few)["parcels"]
    expect([old(each) for each in found], [as_before(row) for row in depot.mine()[:few]], f"with limit {few}")
    other = next(row[1] for row in depot.rows if row[1] != depot.customer)
    expect(len(depot.call("list_parcels", customer=other)["parcels"]), 50, "parcels of one who has 60")


@check(
    "version 1: the schemas promise what they did",
    points=2,
    reason="Clients are generated from schemas, and models read them.",
    about="make",
)
def test_schemas(submission: Submission, rng: random.Random) -> None:
    tools = Depot(submission, rng).server.tools()
    listing = tools["list_parcels"]["inputSchema"]
    expect(listing.get("required"), ["customer"], "what list_parcels requires")
    expect(listing["properties"].get("limit", {}).get("default"), 50, "the default of its limit")
    text = json.dumps(tools["list_parcels"].get("outputSchema"))
    wanted = json.dumps(["waiting", "moving", "delivered"])
    expect_true(f'"enum": {wanted}' in text, f"the output schema of list_parcels does not say {wanted}: {text}")


@check(
    "what is new: get_parcel, status and grams",
    points=3,
    reason="A server that never changes keeps every client, and gets no new ones.",
    about="make",
)
def test_news(submission: Submission, rng: random.Random) -> None:
    depot = Depot(submission, rng)
    for status in STATUSES:
        row = depot.mine(status)[-1]
        found = depot.call("get_parcel", code=row[0])
        expect(new(found), [row[0], status, row[3]], f"code, status and grams by get_parcel of one that is {status}")
        expect([name for name in OLD if name not in found], [], f"members of before that get_parcel lacks: {found}")
    depot.refused("get_parcel", depot.word(rng))


@check(
    "what is new: a filter",
    points=2,
    reason="An argument that may be left out is the way to add one.",
)
def test_filter(submission: Submission, rng: random.Random) -> None:
    depot = Depot(submission, rng)
    for status in STATUSES:
        found = depot.call("list_parcels", customer=depot.customer, status=status, limit=40)["parcels"]
        wanted = [[row[0], status, row[3]] for row in depot.mine(status)]
        expect([new(each) for each in found], wanted, f"code, status and grams by list_parcels with status {status}")


@check(
    "what ends says so, and nothing else does",
    points=3,
    reason="Nobody reads a change log. Models read descriptions, programs read _meta.",
    about="make",
)
def test_deprecated(submission: Submission, rng: random.Random) -> None:
    tools = Depot(submission, rng).server.tools()
    expect_true("track" in tools, f"there is no tool track: there are {', '.join(tools)}")
    said = str(tools["track"].get("description"))
    expect_true(said.startswith("Deprecated"), f"the description of track does not begin with Deprecated: {said}")
    expect_true("get_parcel" in said and UNTIL in said, f"the description does not name get_parcel and {UNTIL}: {said}")
    note = {"use": "get_parcel", "until": UNTIL}
    notes = {name: tool.get("_meta", {}).get("lab/deprecation") for name, tool in tools.items()}
    expect(notes, {name: note if name == "track" else None for name in tools}, "lab/deprecation in _meta, by tool")
    loud = [name for name, tool in tools.items() if name != "track" and "eprecated" in str(tool.get("description"))]
    expect(loud, [], "other tools whose description says so")
