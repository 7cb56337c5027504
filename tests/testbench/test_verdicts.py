"""The two promises of certify: each broken server is found by the checks named for it and no others, and no good server
of the lab is blamed."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from broken_servers import BROKEN, FOLDER, broken

from labkit.catalog import load_catalog
from labkit.session.loading import load_server
from labkit.session.node import NodeError
from labkit.testbench import certify
from labkit.testbench.certificate import Certificate
from labkit.testbench.certifying import all_checks

pytestmark = pytest.mark.anyio
SLOW = ("security", "fuzz", "load")
ALSO = {
    "calculator": ("security", "fuzz", "load"),
    "database": ("security", "fuzz"),
    "filesystem": ("security",),
}
"""Slow sections that good servers go through in every run, about ten seconds each; `LAB_WHOLE=1` takes all of them through
all. The fixed twins of the range go through security, too."""
OTHERWISE = (
    *("calculator_lowlevel", "composite", "dynamic", "everything"),
    *("notes", "user_data", "weather", "weather_typescript"),
)
"""Good servers that speak the protocol in a way of their own. The rest leaves it to the SDK, and goes through contract only,
in this process: a certificate of a program starts it three times."""

OVER_HTTP = ("calculator", "notes", "database")
"""Good servers that go through what there is over HTTP only, in every run; with `LAB_WHOLE=1` all do."""
BUDGET = 240.0
"""Seconds: what is left out for want of time is not certified, and a busy machine is no defect."""


def blamed(certificate: Certificate) -> list[str]:
    """The ids of the checks with a finding of warning level or above."""
    return sorted({r.check.id for r, f in certificate.findings if (f.severity or r.check.severity) != "info"})


def sections(finds: Sequence[str]) -> list[str]:
    """All, but that the slow ones are run only on the servers that are broken there: there are many servers."""
    named = {each.partition(".")[0] for each in finds}
    everything = dict.fromkeys(check.section for check in all_checks().values())
    return [section for section in everything if section not in SLOW or section in named]


def in_question(finds: Sequence[str]) -> list[str]:
    """The sections that a broken server goes through: those it is broken in and the contract; with `LAB_WHOLE=1` more."""
    named = {each.partition(".")[0] for each in finds}
    return [each for each in sections(finds) if each in named or each == "contract" or os.environ.get("LAB_WHOLE")]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_server_is_found(name: str) -> None:
    with broken(name) as (target, options):
        certificate = await certify(target, allow_destructive=True, only=in_question(BROKEN[name]["finds"]), **options)
    assert blamed(certificate) == sorted(BROKEN[name]["finds"]), str(certificate)
    assert [r.reason for r in certificate.results if r.status == "broken"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", load_catalog())
async def test_a_good_server_is_not_blamed(name: str) -> None:
    own, whole = name in (*ALSO, *OTHERWISE), bool(os.environ.get("LAB_WHOLE"))
    only = () if whole else sections(ALSO.get(name, ())) if own else ["contract"]
    entry = load_catalog()[name]
    target = name if own or whole or not entry.is_python else load_server(entry.path, entry.object)[0]
    try:
        certificate = await certify(target, only=only, budget=BUDGET)
    except NodeError as error:
        pytest.skip(str(error))
    assert blamed(certificate) == [] and certificate.passed, str(certificate)


def http_only() -> list[str]:
    """The ids of the checks that no server over stdio meets."""
    return [check.id for check in all_checks().values() if check.transports == {"http"}]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [e.name for e in load_catalog().values() if e.is_python] if os.environ.get("LAB_WHOLE") else OVER_HTTP
)
async def test_a_good_server_is_not_blamed_over_http(name: str) -> None:
    certificate = await certify(name, via="http", only=http_only(), budget=BUDGET)
    assert certificate.transport == "http" and blamed(certificate) == [] and certificate.passed, str(certificate)
    ran = {result.check.id for result in certificate.results if result.status == "passed"}
    assert {"doctor.http-origin", "doctor.http-host", "protocol.headers", "security.sessions"} <= ran


def test_each_broken_server_says_what_is_wrong_with_it() -> None:
    for name, entry in BROKEN.items():
        source = (FOLDER / entry["path"]).read_text(encoding="utf-8")
        assert source.startswith('"""Defect: ') and entry["defect"] and entry["finds"], name


def test_the_table_in_the_docs_is_the_catalog() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [f"| {name} | {entry['defect']} | {', '.join(entry['finds'])} |" for name, entry in BROKEN.items()]
    assert [row for row in rows if row not in page] == []
    assert len(rows) >= 25
