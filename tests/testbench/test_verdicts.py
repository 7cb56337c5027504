"""The two promises of certify: each broken server is found by the checks named for it and no others, and no good server
of the lab is blamed."""

from __future__ import annotations

import os

import pytest
from broken_servers import BROKEN, FOLDER, broken

from labkit.catalog import load_catalog
from labkit.testbench import certify
from labkit.testbench.certificate import Certificate
from labkit.testbench.certify import all_checks

pytestmark = pytest.mark.anyio
SLOW = ("security", "fuzz", "load")
ALSO = {
    "calculator": ("fuzz", "load"),
    "database": ("fuzz",),
    "filesystem": ("fuzz",),
}
"""Slow sections that good servers go through besides security, in every run; `LAB_WHOLE=1` adds the rest."""


def blamed(certificate: Certificate) -> list[str]:
    """The ids of the checks with a finding of warning level or above."""
    return sorted({r.check.id for r, f in certificate.findings if (f.severity or r.check.severity) != "info"})


def sections(finds: list[str]) -> list[str]:
    """All, but that the slow ones are run only on the servers that are broken there: there are many servers."""
    named = {each.partition(".")[0] for each in finds}
    everything = dict.fromkeys(check.section for check in all_checks().values())
    return [section for section in everything if section not in SLOW or section in named]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_server_is_found(name: str) -> None:
    with broken(name) as (target, options):
        certificate = await certify(target, allow_destructive=True, only=sections(BROKEN[name]["finds"]), **options)
    assert blamed(certificate) == sorted(BROKEN[name]["finds"]), str(certificate)
    assert [r.reason for r in certificate.results if r.status == "broken"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", load_catalog())
async def test_a_good_server_is_not_blamed(name: str) -> None:
    only = () if os.environ.get("LAB_WHOLE") else sections(["security", *ALSO.get(name, ())])
    certificate = await certify(name, only=only)
    assert blamed(certificate) == [] and certificate.passed, str(certificate)


def test_each_broken_server_says_what_is_wrong_with_it() -> None:
    for name, entry in BROKEN.items():
        source = (FOLDER / entry["path"]).read_text(encoding="utf-8")
        assert source.startswith('"""Defect: ') and entry["defect"] and entry["finds"], name


def test_the_table_in_the_docs_is_the_catalog() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [f"| {name} | {entry['defect']} | {', '.join(entry['finds'])} |" for name, entry in BROKEN.items()]
    assert [row for row in rows if row not in page] == []
    assert len(rows) >= 25
