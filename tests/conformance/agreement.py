"""Certify and the official conformance suite, side by side: `python tests/conformance/agreement.py [NAME ...]`.

Runs both on servers/everything and on broken servers behind HTTP, and prints a table in Markdown. What the suite finds
in a broken server is what fails there and not in the same server without its defect: most of its scenarios want
fixtures that a broken server does not have. servers/broken/README.md says who is right where the two differ.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "conformance"), str(TESTS / "testbench")]

import npm_packages  # noqa: E402
import yaml  # noqa: E402
from broken_servers import BROKEN, FOLDER, printed_url  # noqa: E402
from test_server_conformance import NODE, PACKAGE, SCORED, run_suite  # noqa: E402

import labkit as lab  # noqa: E402
from labkit.testbench import certify  # noqa: E402

CHOSEN = (
    "any_origin",
    "trusts_headers",
    "takes_plain_text",
    "echoes_version",
    "changes_id_type",
    "wrong_code",
    "skips_meta",
    "no_result_type",
    "no_cache_hints",
    "null_members",
    "wrong_content",
    "endless_pages",
)
"""Broken servers whose defect shows over HTTP."""


@contextmanager
def over_http(name: str) -> Iterator[str]:
    """Run a broken server, or `_plain` (without a defect), behind HTTP."""
    path = FOLDER / (BROKEN[name]["path"] if name in BROKEN else f"{name}.py")
    arguments = [] if BROKEN.get(name, {}).get("via") == "url" else ["http"]
    with printed_url([sys.executable, str(path), *arguments]) as url:
        yield url


def scenarios(revision: str) -> list[str]:
    """Those that count."""
    package = npm_packages.install(PACKAGE, at_least=NODE) / "@modelcontextprotocol" / "conformance"
    return yaml.safe_load((package / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8"))["server"]


async def suite(url: str) -> tuple[set[str], dict[str, str]]:
    """The scenarios that passed, as `revision scenario`, and each check that failed with its reason."""
    package = npm_packages.install(PACKAGE, at_least=NODE) / "@modelcontextprotocol" / "conformance"
    passed, failed = set[str](), dict[str, str]()
    for revision in SCORED:
        with tempfile.TemporaryDirectory() as folder:
            report = await asyncio.to_thread(run_suite, package, revision, url, Path(folder))
        passed |= {f"{revision} {scenario}" for scenario in report.passed}
        for scenario, checks in report.failed.items():
            failed |= {f"{revision} {scenario} {check.partition(':')[0]}": check for check in checks}
    return passed, failed


async def verdict(url: str, **options: Any) -> str:
    """The checks of certify that blame the server."""
    certificate = await certify(url, only=["doctor", "protocol"], **options)
    grave = {r.check.id for r, f in certificate.findings if (f.severity or r.check.severity) != "info"}
    return ", ".join(sorted(grave)) or "nothing"


def told(found: set[str]) -> str:
    """The failing checks, each with the scenarios that have it."""
    by_check: dict[str, list[str]] = {}
    for each in sorted(found):
        revision, scenario, check = each.split(" ")
        by_check.setdefault(check, []).append(f"{scenario} {revision}")
    rows = [
        f"{check} ({where[0] if len(where) == 1 else f'{len(where)} scenarios'})" for check, where in by_check.items()
    ]
    return "<br>".join(rows) or "nothing"


async def main(names: list[str]) -> None:
    """Print the table, row by row."""
    print("| server | certify | the suite |\n|---|---|---|", flush=True)
    if not names:
        running = await lab.serve("everything", via="http")
        try:
            passed, _ = await suite(running.url)
            scored = {f"{revision} {each}" for revision in SCORED for each in scenarios(revision)}
            summary = f"{len(scored & passed)} of {len(scored)} scored scenarios pass"
            print(f"| everything | {await verdict(running.url)} | {summary} |", flush=True)
        finally:
            await running.stop()
    with over_http("_plain") as url:
        _, usual = await suite(url)
        print(f"| no defect | {await verdict(url)} | {len(usual)} checks fail for want of fixtures |", flush=True)
    for name in names or CHOSEN:
        with over_http(name) as url:
            _, failed = await suite(url)
            found = told(set(failed) - set(usual))
            print(f"| {name} | {await verdict(url, allow_destructive=True)} | {found} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
