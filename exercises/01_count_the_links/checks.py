"""Checks of 01_count_the_links."""

import random

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission


@check(
    "without a protocol every pair costs",
    points=2,
    reason="Each host writes an adapter for each service.",
    about="without_protocol",
)
def test_without(submission: Submission, rng: random.Random) -> None:
    for hosts, services in ((1, 1), (rng.randint(3, 9), rng.randint(10, 99))):
        got = submission.call("without_protocol", hosts, services)
        expect(got, hosts * services, f"without_protocol({hosts}, {services})")


@check(
    "with a protocol every party costs once",
    points=2,
    reason="Speaking the protocol is learned once per host and once per service.",
    about="with_protocol",
)
def test_with(submission: Submission, rng: random.Random) -> None:
    for hosts, services in ((1, 1), (rng.randint(3, 9), rng.randint(10, 99))):
        got = submission.call("with_protocol", hosts, services)
        expect(got, hosts + services, f"with_protocol({hosts}, {services})")


@check(
    "worth_it_from finds the turning point",
    points=2,
    reason="Equal is not fewer, and for one host the protocol is always one implementation more.",
    about="worth_it_from",
)
def test_worth(submission: Submission, rng: random.Random) -> None:
    for hosts in (1, 2, 3, rng.randint(4, 50)):
        fewer = [n for n in range(1, 10) if hosts + n < hosts * n]
        expect(submission.call("worth_it_from", hosts), fewer[0] if fewer else None, f"worth_it_from({hosts})")


@check(
    "every duty has its role",
    points=2,
    reason="The host decides and asks, a client carries frames for one server, a server offers and executes.",
    about="ROLES",
)
def test_roles(submission: Submission, rng: random.Random) -> None:
    host, client, server = "host", "client", "server"
    roles = submission.value("ROLES")
    for duty, role in (
        ("asks the person before a dangerous tool runs", host),
        ("keeps the connection to exactly one server", client),
        ("says which tools there are and runs them", server),
        ("decides which servers to start", host),
        ("turns a method and its parameters into a frame", client),
        ("checks the arguments of a call against the schema it published", server),
    ):
        # The right role is not told: three tries would be enough otherwise.
        assert duty in roles, f"the duty '{duty}' is gone from ROLES"
        assert roles[duty] == role, f"ROLES says {roles[duty]!r} for '{duty}'"
