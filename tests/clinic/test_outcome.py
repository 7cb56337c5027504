"""What is said about measured calls: before, while and after a process was away; and the tables and the plot."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.clinic.brief import Brief, load_brief
from labkit.clinic.calls import Call, Client, Kept, Stream
from labkit.clinic.decision import Decision
from labkit.clinic.outcome import Outcome
from labkit.clinic.plan import plan_of
from labkit.clinic.propose import proposal

HARBOUR = load_brief("harbour_parcels")


def outcome(brief: Brief = HARBOUR, decision: Decision | None = None, **more: Any) -> Outcome:
    plan = plan_of(brief, decision or proposal(brief))
    return Outcome(plan, first_start=0.8, memory=50 * 2**20, killed_at=2.0, back_at=3.0, **more)


def call(family: str, due: float, took: float, error: str = "", tenant: str = "a") -> Call:
    return Call(Stream(family, tenant, "2026-07-28", 1.0), due, due + took, error)


def said(found: Outcome, good: bool) -> str:
    return "\n".join(each.text for each in found.consequences if each.good is good)


def kept(family: str, **counts: int) -> Kept:
    async def never() -> Any: ...

    return Kept(family, family, Client(never), "a", "2026-07-28", **counts)


def test_a_call_on_its_way_when_the_process_is_killed_belongs_to_the_kill() -> None:
    calls = [call("tracking", at, 0.01) for at in (0.1, 0.5, 1.0)]
    calls += [call("tracking", 1.9, 0.3, "gone"), call("tracking", 2.5, 0.01, "gone"), call("rates", 2.5, 0.01)]
    found = outcome(calls=[*calls, call("tracking", 3.1, 0.01)])
    assert (len(found.calls), found.lost, found.survived) == (7, 2, ["rates"])
    assert found.made("before") == (3, {}) and found.made("while")[0] == 3 and found.made("after") == (1, {})
    assert "All 3 calls were answered before" in said(found, True)
    assert "2 of 3 calls meanwhile were lost, of tracking; rates went on" in said(found, False)


def test_losses_without_a_kill_are_said_with_their_reason() -> None:
    errors = ["HTTP 404 Session not found"] * 3 + ["HTTP 502"]
    found = outcome(calls=[call("rates", 0.1 * n, 0.01, error) for n, error in enumerate([*errors, "", ""])])
    assert "4 of 6 calls (67%) were lost before anything was killed. Most often: HTTP 404" in said(found, False)
    late = outcome(calls=[call("rates", 4.0, 0.01, "HTTP 404 Session not found")])
    assert "1 of 1 calls were still lost when the process was back" in said(late, False)


def test_a_percentile_is_held_against_the_promise_once_there_are_enough_answers() -> None:
    promise = outcome().plan.promise("rates")
    late = outcome(calls=[call("rates", 0.1, 2 * promise)] * 5 + [call("tracking", 0.1, 9.0)] * 4)
    assert "rates: p95 is" in said(late, False) and "tracking" not in said(late, False)
    assert "What rates answered came in time" in said(outcome(calls=[call("rates", 0.1, promise / 2)] * 5), True)


def test_state_that_is_gone_foreign_or_there() -> None:
    gone = outcome(kept=[kept("claims", asked=6, found=6, asked_after=6, found_after=1)])
    assert "after the kill a text was found 1 of 6 times; a conversation had to be begun again" in said(gone, False)
    mixed = outcome(kept=[kept("claims", asked=6, found=3, asked_after=6, found_after=6, foreign=3)])
    assert "3 of 6 times a text that had been kept was found, before" in said(mixed, False)
    assert "3 of 12 times a tenant who asked for a text of its own got one of another" in said(mixed, False)
    there = outcome(kept=[kept("claims", asked=6, found=6, asked_after=6, found_after=6)])
    assert "all texts were found, 6 times before and 6 times after" in said(there, True)
    lantern = load_brief("lantern_press")
    lost = outcome(lantern, kept=[kept("books", asked=6, found=6, asked_after=6, found_after=0)])
    assert "it must survive" in said(lost, False)


@pytest.mark.parametrize(("id", "who"), [("cedar_practices", "tenant"), ("quill_desk", "user")])
def test_with_a_process_each_the_others_notice_nothing(id: str, who: str) -> None:
    brief = load_brief(id)
    family = next(iter(brief.families))
    calls = [call(family, 2.5, 0.01, "gone"), call(family, 2.5, 0.01, tenant="b")]
    assert f"1 of 1 calls lost, and 0 of 1 of {who} b" in said(outcome(brief, calls=calls), True)
    other = outcome(brief, calls=[*calls, call(family, 2.6, 0.01, "gone", tenant="b")])
    assert f"and 1 of 2 of {who} b" in said(other, False)


def test_money_and_cold_starts() -> None:
    clocktower = load_brief("clocktower_events")
    assert "waits for a start: 0.8 s here, 8 s are promised" in said(outcome(clocktower), True)
    dear = Decision.of(HARBOUR, parts=[{"families": [*HARBOUR.families], "least": 20, "most": 20}])
    assert "It costs about 500 a month, and 400 are there" in said(outcome(decision=dear), False)


def test_the_tables_and_the_plot() -> None:
    found = outcome(calls=[call("tracking", 0.1, 0.01), call("tracking", 2.5, 0.01, "gone")])
    table = found.table()
    assert list(table.index) == ["tracking", "rates", "claims"]
    assert (table.loc["tracking", "calls"], table.loc["tracking", "lost"]) == (2, 1)
    assert table.loc["tracking", "while one was away"] == "0 of 1 answered"
    assert "2 calls, 1 lost; 50 MB a process, 4 at the peak" in found.summary
    assert "other work" not in found.summary
    found.lag = 0.08
    assert "this machine had other work to do, and added some 80 ms" in found.summary
    for page in (repr(found), found.as_html()):
        assert "tracking" in page and "✗" in page
    figure = found.plot()
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "s; grey: a process is away; red: calls lost",
        "p95, ms; line: promised",
    ]
