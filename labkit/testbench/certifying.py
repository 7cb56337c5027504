"""Run the checks against one server, in order, within a budget, and hold the outcome against a baseline."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from labkit.errors import LabError, did_you_mean
from labkit.session.connection import Connection
from labkit.session.sync import Connection as WaitingConnection
from labkit.session.tls import Tls
from labkit.testbench.again import another
from labkit.testbench.bench import ERAS, Bench, Options
from labkit.testbench.certificate import Certificate, without_folders
from labkit.testbench.check import CHECKS, Check, CheckResult, NotApplicable, Profile
from labkit.testbench.progress import notebook_listener
from labkit.testbench.raw import PREFIX

SECTIONS = (
    "doctor",
    "doctor_versions",
    "doctor_http",
    "protocol",
    "protocol_mcp",
    "protocol_modern",
    "protocol_flow",
    "protocol_http",
    "protocol_messages",
    "contract",
    "contract_tools",
    "contract_kept",
    "fuzz",
    "fuzz_sequence",
    "security",
    "security_sql",
    "security_cost",
    "security_text",
    "security_http",
    "security_state",
    "load",
)
"""Modules of this package whose checks are run, in this order."""

LONGEST = 20.0
"""Seconds that one check may take."""

Listener = Callable[[Check, CheckResult | None, int, int], None]
"""Hears of each check as it begins (no result yet) and ends, with how many are behind it and how many there are."""


def all_checks() -> dict[str, Check]:
    """Every check there is, by id."""
    modules = [import_module(f"labkit.testbench.{section}").__name__ for section in SECTIONS]
    # Registered as they were imported, and anyone may have imported one of them before.
    known = sorted(CHECKS.values(), key=lambda each: place(each.run.__module__, modules))
    return {each.id: each for each in known}


def place(module: str, modules: Sequence[str]) -> int:
    """The position of a check's module among those of this package; others come last."""
    return modules.index(module) if module in modules else len(modules)


def choose(profile: Profile, transport: str, only: Sequence[str] = ()) -> list[Check]:
    """The checks of a profile for a transport; `only` names sections or ids. LabError for a name there is not."""
    checks = all_checks()
    sections = {each.section for each in checks.values()}
    for name in only:
        if name not in checks and name not in sections:
            raise LabError(f"There is no check or section {name!r}. {did_you_mean(name, [*sections, *checks])}")
    return [
        each
        for each in checks.values()
        if transport in each.transports
        and (profile == "full" or each.profile == "quick")
        and (not only or each.id in only or each.section in only)
    ]


async def certify(
    target: Any,
    *,
    profile: Profile = "full",
    era: str | Sequence[str] = (),
    via: str | None = None,
    only: Sequence[str] = (),
    allow_destructive: bool = False,
    baseline: str | Path | None = None,
    snapshot: str | Path | None = None,
    seed: int = 0,
    budget: float = 60.0,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    headers: Mapping[str, str] | None = None,
    tls: Tls | Mapping[str, str | Path] | None = None,
    listener: Listener | None = None,
) -> Certificate:
    """Test a server - a catalog name, command, URL, .py file or server object - and return its certificate.

    For an open connection another instance of its server is started and tested, as the certificate says; an object of
    this kernel is tested itself, behind HTTP, and keeps what the tests left in it.

    `profile` is "quick" (a few seconds) or "full"; `era` one revision or several, by default both eras; `via` stdio or
    http for what can be reached over both; `only` sections or check ids. Tools that are not marked read-only are called
    with `allow_destructive` only. `headers` are for a URL, `tls` for one with https: files in PEM form, as {"ca": ...,
    "cert": ..., "key": ...}. `baseline` is a file of known failures, `snapshot` one in which the server's contract
    is pinned: it is written when it is not there, and compared with when it is. `seed` repeats the random choices of an
    earlier run; `budget` bounds the run, in seconds: what does not fit is skipped and said, and then the server is not
    certified; nor is it when no check applies. ConnectError when the server cannot be started or talked to, LabError
    for a name that is not there.
    """
    eras = [era] if isinstance(era, str) and era else list(era) or list(ERAS)
    if unknown := [each for each in eras if each not in ERAS]:
        raise LabError(f"certify tests the eras {' and '.join(ERAS)}, not {unknown[0]!r}.")
    known = read_baseline(baseline) if baseline else set[str]()
    name, note = "", ""
    if isinstance(target, Connection | WaitingConnection):
        name = target.name
        target, given, note = another(target)
        env, cwd = env or given.get("env"), cwd or given.get("cwd")
        headers, via = headers or given.get("headers"), via or given.get("via")
        tls = tls or given.get("tls")
    files = Tls.of(tls) if tls else None
    options = Options(profile, eras, allow_destructive, seed, budget, headers or {}, files, env or {}, cwd, via)
    options = replace(options, snapshot=Path(snapshot) if snapshot else None)
    began = time.monotonic()
    async with Bench(target, options) as bench:
        plan = bench.plan
        shown = without_folders(plan.shown)
        certificate = Certificate(name or plan.name, shown, bench.transport, bench.eras, profile)
        certificate.seed, certificate.budget = seed, budget
        certificate.note, certificate.server = note, _server_of(bench)
        tell = listener or notebook_listener(certificate.name)
        checks = choose(profile, bench.transport, only)
        for done, each in enumerate(checks):
            tell(each, None, done, len(checks))
            left = budget - (time.monotonic() - began)
            result = await _run(each, bench, min(left, LONGEST))
            certificate.results.append(result)
            tell(each, result, done + 1, len(checks))
        certificate.figures = bench.figures
    certificate.seconds = time.monotonic() - began
    hold(certificate, known)
    return certificate


def _server_of(bench: Bench) -> dict[str, str]:
    """Name and version as the server gives them."""
    for answer in bench.hellos.values():
        meta = answer.result.get("_meta")
        for place, key in ((answer.result, "serverInfo"), (meta, f"{PREFIX}serverInfo")):
            info = cast("dict[str, Any]", place).get(key) if isinstance(place, dict) else None
            if isinstance(info, dict):
                found = cast("dict[str, Any]", info)
                return {part: str(found.get(part, ""))[:200] for part in ("name", "version")}
    return {}


async def _run(check: Check, bench: Bench, seconds: float) -> CheckResult:
    if seconds <= 0:
        return CheckResult(check, "skipped", reason="the budget of time was used up: give a larger one", late=True)
    result = CheckResult(check, "passed")
    began = time.perf_counter()
    try:
        async with asyncio.timeout(seconds), contextlib.aclosing(check.run(bench)) as findings:
            async for finding in findings:
                result.findings.append(finding)
    except NotApplicable as nothing:
        result.status, result.reason = "skipped", str(nothing)
    except TimeoutError:
        result.status, result.reason = "broken", f"it did not come to an end within {seconds:.0f} s"
        if seconds < LONGEST:  # the run was out of time, not the check
            result.status, result.reason = "skipped", "the budget of time was used up while it ran: give a larger one"
            result.late = True
    except Exception as error:  # the check's own fault, or the server gone in its middle: told, and the others go on
        result.status, result.reason = "broken", f"{type(error).__name__}: {error}"
    if result.findings and result.status != "broken":
        result.status = "failed"
    result.seconds = time.perf_counter() - began
    return result


def read_baseline(path: str | Path) -> set[str]:
    """Known failures: a JSON list of check ids, or an object whose keys they are and whose values say why."""
    try:
        data: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"Cannot read the baseline {path}: {error.strerror or error}. Check the path.") from error
    except ValueError as error:
        raise LabError(f"The baseline {path} is not JSON: {error}. It is a list of check ids.") from error
    entries: list[Any] = list(cast("dict[Any, Any] | list[Any]", data)) if isinstance(data, dict | list) else [None]
    if not all(isinstance(entry, str) for entry in entries):
        raise LabError(f"The baseline {path} must be a list of check ids, or an object from check id to reason.")
    return set(entries)


def write_baseline(certificate: Certificate, path: str | Path) -> set[str]:
    """Write what keeps it from being certified, each with its first error as the reason, and return the ids.

    Warnings and advice do not, and an entry would hide an error of the same check later on. LabError when the file
    cannot be written.
    """
    failed: dict[str, str] = {}
    for result, finding in certificate.of("error"):
        failed.setdefault(result.check.id, finding.message)
    try:
        Path(path).write_text(json.dumps(failed, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise LabError(f"Cannot write the baseline {path}: {error.strerror or error}. Give another place.") from error
    return set(failed)


def hold(certificate: Certificate, known: set[str]) -> None:
    """Mark expected failures, and list what the baseline says that is not so, as the conformance suite does."""
    checks = all_checks()
    by_id = {result.check.id: result for result in certificate.results}
    for entry in sorted(known):
        result = by_id.get(entry)
        if entry not in checks:
            certificate.stale.append(f"{entry}: there is no such check. {did_you_mean(entry, checks)}")
        elif result is None or result.status == "skipped":
            continue
        elif result.status == "failed":
            result.expected = True
        elif result.status == "passed":
            certificate.stale.append(f"{entry} is listed as failing and passes: take it out")
