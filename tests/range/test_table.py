"""The tables in the docs of the range are what is made from the drills, and what is counted now."""

from __future__ import annotations

from pathlib import Path

import pytest
from guards import GUARDS, numbers, with_numbers

from labkit.catalog import LAB_ROOT
from labkit.errors import CatalogError
from labkit.range import drills, table

PAGE = table.PAGE.read_text(encoding="utf-8")
MAKE = "run: python -m tests.range.guards"


def test_the_table_of_the_classes_is_what_the_drills_say() -> None:
    made = table.classes(drills().values())
    assert table.between(PAGE, "classes") == made, MAKE
    assert made.count("\n") == 1 + len(drills())
    for row, drill in zip(made.splitlines()[2:], drills().values(), strict=True):
        assert row.startswith(f"| {drill.number} ") and int(row.split("|")[-2]) >= 4, row


def test_the_table_of_the_guards_is_what_is_counted_now() -> None:
    counted = numbers()
    assert table.between(PAGE, "guards") == table.guards(counted), MAKE
    for guard, (attacks, passed, legitimate, refused) in counted:
        assert refused == 0 and attacks >= 25 and legitimate > 0, guard
        # What a reader of descriptions misses is listed with the corpus; a guard that misses is none.
        assert passed == 0 or guard.startswith("descriptions"), guard


def test_every_guard_that_is_counted_is_in_the_table() -> None:
    assert sorted(GUARDS) == with_numbers()
    assert [where for where in GUARDS.values() if not (LAB_ROOT / where).is_file()] == []


def test_a_table_is_put_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n\n<!-- t -->\nold\n<!-- end of t -->\n\nb\n", encoding="utf-8")
    assert table.write("t", table.markdown(["x"], [["1|2"]]), page)
    assert page.read_text(encoding="utf-8") == (
        "a\n\n<!-- t -->\n\n| x |\n| --- |\n| 1\\|2 |\n<!-- end of t -->\n\nb\n"
    )
    assert not table.write("t", table.markdown(["x"], [["1|2"]]), page)
    with pytest.raises(CatalogError, match="no marks <!-- u -->"):
        table.write("u", "", page)
