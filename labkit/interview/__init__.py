"""Interview practice: a bank of questions, a scorer that says what it saw, mock sessions, and what to study next.

    from labkit.interview import load_bank, mock_interview, score
    session = mock_interview("server-developer", 45)  # begin; mock_interview() goes on with the interrupted one
    score(load_bank().find("how-to-scale"), "...")    # what an answer says, point by point

| module | what it has |
|---|---|
| `bank` | the questions of interview/questions |
| `scoring`, `words`, `matching`, `prose` | `score`: points seen and missed, with the passages |
| `judge` | a model as a second judge, marked as one |
| `roles`, `drawing` | what a session is made of, for a role and a length |
| `session`, `entries`, `store`, `hints` | a session, saved after every step |
| `record`, `repetition`, `history` | what was answered, when it should come again, how it went over time |
| `report`, `plan` | one page about a session; what to study next |
| `proofs`, `proving` | what proves the claims of model answers |
| `design` | the design case, from the clinic |
| `front`, `stage` | the way in from a notebook, and where a view comes in |

Names are imported on first use, so that the room costs nothing until somebody practises.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.interview.bank import Bank as Bank
    from labkit.interview.bank import InterviewError as InterviewError
    from labkit.interview.bank import Question as Question
    from labkit.interview.bank import load_bank as load_bank
    from labkit.interview.front import mock_interview as mock_interview
    from labkit.interview.record import Record as Record
    from labkit.interview.roles import load_roles as load_roles
    from labkit.interview.scoring import Score as Score
    from labkit.interview.scoring import score as score
    from labkit.interview.session import Session as Session

_HOME = {
    "Bank": "bank",
    "InterviewError": "bank",
    "Question": "bank",
    "load_bank": "bank",
    "mock_interview": "front",
    "Record": "record",
    "load_roles": "roles",
    "Score": "scoring",
    "score": "scoring",
    "Session": "session",
}

__all__ = [
    "Bank",
    "InterviewError",
    "Question",
    "Record",
    "Score",
    "Session",
    "load_bank",
    "load_roles",
    "mock_interview",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"labkit.interview has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"labkit.interview.{_HOME[name]}"), name)
    globals()[name] = value
    return value
