"""The design briefs: all can be read, each mistake is said in a sentence, and the eight ask for different things."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from labkit.clinic.brief import BRIEFS, ClinicError, brief_of, load_brief, load_briefs
from labkit.clinic.desk import Cases

GOOD: dict[str, Any] = tomllib.loads((BRIEFS / "harbour_parcels.toml").read_text(encoding="utf-8"))


def test_the_eight_briefs_ask_for_eight_packagings() -> None:
    briefs = load_briefs()
    assert len(briefs) >= 8
    assert len({brief.packaging for brief in briefs.values()}) == 8, "none of the packagings is left out"


@pytest.mark.parametrize("id", [path.stem for path in sorted(BRIEFS.glob("*.toml"))])
def test_a_brief_says_what_a_decision_needs(id: str) -> None:
    brief = load_brief(id)
    page = re.sub("</?code>", "`", brief.as_html())
    for text in (brief.company, brief.asks, brief.happened, *brief.families):
        assert text.replace("'", "&#x27;") in page
    assert "None" not in repr(brief) and brief.trap not in page, "the trap is not given away"


def test_code_in_a_text_of_a_brief_is_shown_as_code() -> None:
    asks = "Two answer `<b> not found`, one `stops. What do you build instead of all these?"
    page = brief_of("mine", copy.deepcopy(GOOD) | {"asks": asks}).as_html()
    assert "<p>Two answer <code>&lt;b&gt; not found</code>, one `stops." in page, "escaped, and only what is a pair"
    assert "<code>load</code></h3>" in load_brief("tidewater_grid").as_html()
    assert "<code>Session not found</code>" in Cases(load_briefs())._repr_html_()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": "?"}, "title"),
        ({"money": 3}, "money"),
        ({"clients": {"where": "moon", "eras": {"2026-07-28": 1.0}}}, "clients.where"),
        ({"clients": {"where": "network", "eras": {"2026-07-28": 0.5}}}, "shares of the eras"),
        ({"incident": {"family": "trakcing", "what": "It went away."}}, "trakcing"),
        ({"team": {"people": 1, "teams": 2}}, "more teams than people"),
        ({"tenants": {"count": 1, "isolation": "process"}}, "one tenant"),
        ({"family": [GOOD["family"][0], GOOD["family"][0]]}, "two families"),
        ({"family": [GOOD["family"][0] | {"uses": "rates"}]}, "'rates'"),
        ({"family": [GOOD["family"][0] | {"computes_ms": 0, "waits_ms": 0}]}, "neither computes nor waits"),
    ],
)
def test_a_mistake_in_a_brief_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ClinicError, match=re.escape(said)):
        brief_of("mine", copy.deepcopy(GOOD) | change)


def test_a_brief_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ClinicError, match="Did you mean 'harbour_parcels'"):
        load_brief("harbor_parcels")
    (tmp_path / "torn.toml").write_text("title = ", encoding="utf-8")
    with pytest.raises(ClinicError, match=r"torn\.toml cannot be read"):
        load_brief("torn", tmp_path)
