"""Every claim's link leads to something that can prove it; the checker finds the links that do not.

What cells show is checked by tests/notebooks, where the notebooks are run anyway; linked tests run with the suite.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labkit.interview import proofs
from labkit.interview.bank import Bank, Claim, load_bank
from labkit.interview.proofs import broken_links, fault, outputs_text, shows, unproved
from labkit.interview.proving import Proved, prove, run_command
from tests.interview.conftest import FIXTURES


def test_every_link_of_the_bank_leads_to_its_proof(bank: Bank) -> None:
    assert [str(broken) for broken in broken_links(bank)] == []


def test_most_claims_have_a_proof(bank: Bank) -> None:
    claims = [claim for question in bank.values() for claim in question.answer]
    assert sum(bool(claim.shown) for claim in claims) >= 0.6 * len(claims)


def test_linked_commands_print_what_they_should(bank: Bank) -> None:
    wanted: dict[str, set[str]] = {}
    for question in bank.values():
        for claim in question.answer:
            if claim.shown.startswith("labkit "):
                wanted.setdefault(claim.shown, set()).add(claim.shows)
    for command, texts in wanted.items():
        _, printed = run_command(command)
        assert [text for text in texts if not shows(text, printed)] == [], command


@pytest.mark.parametrize(
    ("shown", "text", "why"),
    [
        ("04_stateless_era#first", "x", ""),
        ("04_stateless_era#first", "", "needs `shows`"),
        ("04_stateless_era#nothing-of-this-name", "x", "no code cell"),
        ("98_no_such_notebook#first", "x", "no notebook"),
        ("tests/wire/test_frame.py::test_kind", "", ""),
        ("tests/wire/test_frame.py::test_of_something_else", "", "no function"),
        ("tests/wire/test_no_such_file.py::test_kind", "", "no such file"),
        ("labkit servers", "", "needs `shows`"),
        ("labkit servers", "calculator", ""),
    ],
)
def test_a_link_that_leads_nowhere_is_found(shown: str, text: str, why: str) -> None:
    found = fault(Claim("A claim.", shown, text))
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\n\n@pytest.mark.skipif(True, reason='x')\ndef test_a(): ...\n",
        "import pytest\n\n@pytest.mark.xfail\ndef test_a(): ...\n",
        "import pytest\n\npytestmark = pytest.mark.network\n\nasync def test_a(): ...\n",
        "import pytest\n\npytestmark = [pytest.mark.slow, pytest.mark.browser]\n\ndef test_a(): ...\n",
    ],
)
def test_a_test_that_may_be_skipped_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(proofs, "LAB_ROOT", tmp_path)
    assert "skipped" in fault(Claim("A claim.", "tests/test_it.py::test_a"))


def test_a_broken_link_in_a_bank_is_told_with_its_question(tmp_path: Path) -> None:
    text = (FIXTURES / "sample.toml").read_text(encoding="utf-8").replace("::test_kind", "::test_kinds")
    (tmp_path / "sample.toml").write_text(text, encoding="utf-8")
    (broken,) = broken_links(load_bank(tmp_path))
    assert str(broken).startswith("any-replica: tests/wire/test_frame.py::test_kinds: ")


def cell(id: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "cell_type": "code", "source": "what is not shown", "outputs": list(outputs)}


def linked(tmp_path: Path, shown: str, text: str) -> Bank:
    link = 'shown = "tests/wire/test_frame.py::test_kind"'
    sample = (FIXTURES / "sample.toml").read_text(encoding="utf-8")
    assert link in sample
    (tmp_path / "sample.toml").write_text(
        sample.replace(link, f"shown = '{shown}', shows = '{text}'"), encoding="utf-8"
    )
    return load_bank(tmp_path)


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "stream", "text": "at first\nerror   -32601\n"},
        {"output_type": "stream", "text": ["error ", "\x1b[31m-32601\x1b[0m"]},
        {"output_type": "execute_result", "data": {"text/plain": "['error -32601']"}},
        {"output_type": "display_data", "data": {"text/html": "<tr><td>error</td><td>-32601</td></tr>"}},
        {"output_type": "display_data", "data": {"text/html": "<b>error -3</b>2601 &lt;"}},
    ],
)
def test_what_a_cell_put_out_proves_its_claims(tmp_path: Path, output: dict[str, Any]) -> None:
    bank = linked(tmp_path, "07_any#gone", "error -32601")
    assert unproved(bank, "07_any", [cell("first"), cell("gone", output)]) == []


def test_a_claim_that_its_cell_does_not_show_is_found(tmp_path: Path) -> None:
    bank = linked(tmp_path, "07_any#gone", "what is not shown")
    (elsewhere,) = unproved(bank, "07_any", [cell("first", {"text": "what is not shown"}), cell("gone")])
    assert "does not have 'what is not shown'" in str(elsewhere)
    (absent,) = unproved(bank, "07_any", [cell("first")])
    assert "no code cell 'gone'" in absent.why
    assert unproved(bank, "08_another", [cell("first")]) == []


def test_errors_of_a_cell_are_no_proof() -> None:
    assert outputs_text([{"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["x"]}]) == ""


def test_proofs_are_run_claim_by_claim(small: Bank) -> None:
    told: list[Proved] = []
    found = prove(small["any-replica"], on_claim=told.append)
    assert [each.held for each in found] == [True, None, None]
    assert told == found


def test_a_proof_that_does_not_hold_says_what_was_seen(tmp_path: Path) -> None:
    bank = linked(tmp_path, "labkit --version", "labkit 99")
    held = prove(bank["any-replica"])[0]
    assert held.held is False
    assert "labkit 0." in held.told
    assert str(held).startswith("✗ ")
