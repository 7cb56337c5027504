"""What certify says about servers that nobody here wrote. Each finding was confirmed by hand: see the reasons."""

from __future__ import annotations

from pathlib import Path

import npm_packages
import pytest
from broken_servers import printed_url
from typescript_sdk import typescript

from labkit.testbench import certify
from labkit.testbench.certificate import Certificate

REFERENCE = [f"@modelcontextprotocol/server-{name}@2026.8.31" for name in ("everything", "filesystem", "memory")]
SECURITY = ["security.hidden-text", "security.instructions", "security.shadowed", "security.secrets"]
"""Those that take a second or two; the probes of the section found nothing in any of these servers."""
SECTIONS = ["doctor", "protocol", "contract", *SECURITY]

pytestmark = [pytest.mark.anyio, pytest.mark.network, pytest.mark.timeout(npm_packages.INSTALL_SECONDS + 120)]


def blamed(certificate: Certificate) -> set[str]:
    """The ids of the checks with a finding of warning level or above."""
    assert [r.reason for r in certificate.results if r.status == "broken"] == []
    return {r.check.id for r, f in certificate.findings if (f.severity or r.check.severity) != "info"}


def advised(certificate: Certificate) -> set[str]:
    """The ids of the checks that only give advice."""
    return {r.check.id for r, _ in certificate.findings} - blamed(certificate)


@pytest.mark.parametrize("name", ["everything", "filesystem", "memory"])
async def test_the_reference_servers_keep_to_the_rules_over_stdio(name: str, tmp_path: Path) -> None:
    script = npm_packages.install(*REFERENCE) / "@modelcontextprotocol" / f"server-{name}" / "dist" / "index.js"
    command = [str(npm_packages.node(20).exe), str(script), *([str(tmp_path)] if name == "filesystem" else [])]
    env = {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}
    certificate = await certify(command, only=SECTIONS, env=env)
    # get-env is there to show the environment, all of it: a tool for tests, and the finding that it is made for.
    shown = {"security.secrets"} if name == "everything" else set[str]()
    assert certificate.eras == ["2025-11-25"] and blamed(certificate) == shown, str(certificate)
    # An unknown tool comes as a result with isError, tools/call without params as -32603, cursors are not looked at.
    # Not all arguments are described.
    advice = {"doctor.eras", "protocol.unknown-tool", "protocol.params", "protocol.cursor", "contract.arguments"}
    assert advised(certificate) - {"doctor.stderr"} == advice, str(certificate)


async def test_the_typescript_sdk_looks_at_the_version_once_over_stdio() -> None:
    certificate = await certify([str(npm_packages.node(20).exe), str(typescript())], only=SECTIONS)
    assert certificate.eras == ["2025-11-25", "2026-07-28"]
    # After the first request of 2026-07-28 the connection takes any version: tools/list of 2099-01-01 gets the tools.
    # As the first request of a connection the same is refused, with -32022.
    assert blamed(certificate) == {"doctor.version-unknown"}, str(certificate)
    # Its own tools (typescript_server.mjs) are described in a word.
    assert advised(certificate) == {"protocol.cursor", "contract.descriptions"}, str(certificate)
    ran = {r.check.id for r in certificate.results if r.status == "passed"}
    assert {"protocol.cancellation", "protocol.blocking", "protocol.subscriptions"} <= ran


async def test_over_http_it_carries_out_batches() -> None:
    with printed_url([str(npm_packages.node(20).exe), str(typescript()), "http"]) as url:
        certificate = await certify(url, only=SECTIONS)
    # In a session of 2025-11-25, which has no batches: an array of two pings gets two results.
    assert blamed(certificate) == {"protocol.batch"}, str(certificate)
