"""What the lab's calculators evaluate (servers/calculator/arithmetic.py): two corpora, and texts made up by chance."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.calculator.arithmetic import CONSTANTS, MAX_BITS, CalculationError, evaluate

CORPUS = Path(__file__).with_name("corpus")
KNOWN = {"sqrt": math.sqrt, "abs": abs, "round": round, "min": min, "max": max, **CONSTANTS}


def lines(name: str) -> list[str]:
    found: list[str] = []
    for line in (CORPUS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("REPEAT "):
            _, times, text = line.split(" ", 2)
            line = text * int(times)
        if not line.startswith("# "):
            found.append(json.loads(line) if line.startswith('"') else line)
    return found


ATTACKS, LEGITIMATE = lines("expressions_attacks.txt"), lines("expressions_legitimate.txt")


def answer(text: str) -> int | float | None:
    """The value, or None for a refusal; anything else is raised."""
    try:
        return evaluate(text)
    except CalculationError:
        return None


def is_right(text: str) -> bool:
    found = answer(text)
    wanted = eval(text.strip(), {"__builtins__": {}}, KNOWN)  # ours, from the corpus
    return found is not None and math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-12)


def numbers() -> tuple[int, int, int, int]:
    """Attacks, how many of them were computed; legitimate expressions, how many were refused or are wrong."""
    passed = sum(answer(text) is not None for text in ATTACKS)
    return len(ATTACKS), passed, len(LEGITIMATE), sum(not is_right(text) for text in LEGITIMATE)


def test_the_numbers_for_the_table() -> None:
    attacks, passed, legitimate, refused = numbers()
    assert attacks >= 40 and legitimate >= 40 and passed == refused == 0


def test_what_is_no_arithmetic_is_refused_with_a_sentence() -> None:
    for text in ATTACKS:
        with pytest.raises(CalculationError) as caught:
            evaluate(text)
        assert 10 < len(str(caught.value)) < 400, text


def test_what_is_arithmetic_is_computed() -> None:
    assert [text for text in LEGITIMATE if not is_right(text)] == []


PIECES = st.lists(
    st.sampled_from([
        *("1", "9", "2.5", "1e300", "10**9", "**", "*", "+", "-", "/", "//", "%", "(", ")", ",", ".", " ", "sqrt(", "max("),
        *("pi", "__class__", "x", "'a'", "[", "]", "lambda:", "True", "j", "\0", "\n", "ſ", "if", "else", "<<", "^"),
    ]),
    max_size=10,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # such as 1if
@settings(max_examples=400, derandomize=True, deadline=None)
@given(pieces=PIECES)
def test_no_text_gives_anything_but_a_number_within_the_limits(pieces: list[str]) -> None:
    found = answer("".join(pieces))
    if found is not None:
        assert type(found) in (int, float) and math.isfinite(found)
        assert isinstance(found, float) or found.bit_length() <= MAX_BITS
        assert not {"__class__", "x", "'a'", "[", "lambda:", "True", "if", "<<", "^"} & set(pieces)
