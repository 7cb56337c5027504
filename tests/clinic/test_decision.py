"""The decision form: what it takes, and what it says of what it does not take."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from labkit.clinic.brief import ClinicError, load_brief
from labkit.clinic.decision import CHOICES, Decision, Part, form_schema
from labkit.clinic.propose import proposal

BRIEF = load_brief("harbour_parcels")


def test_nothing_said_is_one_server_for_all() -> None:
    decision = Decision.of(BRIEF)
    assert decision.packaging == "monolith"
    assert decision.parts == (Part(("tracking", "rates", "claims")),)


def test_parts_can_be_lists_tables_or_parts() -> None:
    decision = Decision.of(BRIEF, parts=["tracking", ["rates"], {"families": ["claims"], "least": 2, "most": 3}])
    assert decision.parts == (Part(("tracking",)), Part(("rates",)), Part(("claims",), 2, 3))
    assert decision.part_of("claims").most == 3
    again = Decision.of(BRIEF, decision.as_json())
    assert again == decision
    assert decision.but(BRIEF, state="redis").parts == decision.parts


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"sesions": "sticky"}, "Did you mean 'sessions'"),
        ({"packaging": "hybrit"}, "Did you mean 'hybrid'"),
        ({"auth": 3}, "Auth cannot be 3"),
        ({"parts": [["tracking"], ["rates"]]}, "No part has the tools claims"),
        ({"parts": [["tracking", "rates", "claims"], ["rates"]]}, "a tool has one server"),
        ({"parts": [["tracking", "rates", "claim"], ["claims"]]}, "Did you mean 'claims'"),
        ({"parts": [[], ["tracking", "rates", "claims"]]}, "A part has no tools"),
        ({"parts": [{"families": [*BRIEF.families], "least": 3, "most": 2}]}, "3 to 2 replicas"),
        ({"parts": [{"families": [*BRIEF.families], "least": 0, "most": 0}]}, "0 to 0 replicas"),
        ({"parts": [{"families": [*BRIEF.families], "least": True, "most": 2}]}, "True to 2 replicas"),
        ({"parts": [{"families": [*BRIEF.families], "least": 1, "most": 900}]}, "up to 900 replicas"),
    ],
)
def test_an_answer_that_cannot_be_used_is_said(answers: dict[str, Any], said: str) -> None:
    with pytest.raises(ClinicError) as caught:
        Decision.of(BRIEF, answers)
    assert said in str(caught.value)


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(ClinicError) as caught:
        Decision.of(BRIEF, {"packaging": "x", "state": "y", "parts": [["tracking"]]})
    assert all(word in str(caught.value) for word in ("Packaging", "State", "rates, claims"))


def test_the_form_offers_each_choice_with_its_meaning_and_takes_what_the_clinic_decides() -> None:
    schema = form_schema(BRIEF)
    for name, choices in CHOICES.items():
        offered = {each["const"]: each["title"] for each in schema["properties"][name]["oneOf"]}
        assert offered == {value: f"{value}: {meaning}" for value, meaning in choices.items()}
    validator: Any = Draft202012Validator(schema)
    assert validator.is_valid(proposal(BRIEF).as_json())
    assert not validator.is_valid(proposal(BRIEF).as_json() | {"state": "paper"})
