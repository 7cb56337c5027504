"""Interviewer: the lab's questions for any host that speaks MCP. It draws, takes answers, counts points, and remembers.

Run it by itself (it speaks MCP on stdin and stdout): python servers/interviewer/server.py
LABKIT_WORK names the folder of the learner's work, whose record it keeps; without it, work/ below the lab. There is one
learner: whoever connects adds to the same record.

Worth noticing:
- a solution is a resource that stays closed until an answer is recorded: what a model may not read yet is refused here,
  because an instruction in a prompt would only be a request;
- nothing is kept between two calls but the record: which questions were asked in this conversation, the host says
  (`avoid`), and which hint is wanted (`number`), so any process may answer the next call, in both eras;
- the score names the points that were seen, with the passage, and those that were missed; it does not judge style;
- the prompt makes an interviewer of the host's model; the tools are what it may do.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import UserMessage
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from labkit.interview.bank import InterviewError
from labkit.interview.hints import question_hints
from labkit.interview.history import History
from labkit.interview.record import Record
from labkit.interview.report import HOW
from labkit.interview.roles import load_roles
from labkit.interview.scoring import LIMIT, Score, score
from servers.interviewer import practice

T = TypeVar("T")
SHORTEST, LONGEST = 5, 120
"""Minutes of an interview."""

server = MCPServer(
    "interviewer",
    title="Interviewer",
    version="1.0.0",
    instructions="Draw a question, ask it, submit the answer word for word, and read out what was seen and missed."
    " interview://topics says what there is; a solution opens when an answer to its question is recorded.",
    log_level="WARNING",
)

LOOKS = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
Question = Annotated[str, Field(description="Id of the question, such as how-to-scale.", max_length=100)]
Topic = Annotated[str, Field(description="One of interview://topics; empty for any.", max_length=100)]
Level = Annotated[Literal["", "junior", "middle", "senior"], Field(description="Empty for any.")]
Count = Annotated[int, Field(description="Most entries to return.", ge=1, le=100)]


class Drawn(BaseModel):
    """A question to ask."""

    question: str = Field(description="Its id, for the other tools.")
    ask: str = Field(description="What to ask, as it is.")
    topic: str
    level: str
    minutes: int = Field(description="How long an answer may take.")
    points: int = Field(description="How many points a good answer makes.")
    hints: int = Field(description="How many hints there are.")
    why: str = Field(description="Why this one: due again, new, or answered before.")
    solution: str = Field(description="Where its solution will be: closed until an answer is recorded.")


class Seen(BaseModel):
    """A point that the answer makes, in full or in part."""

    point: str
    weight: int
    worth: float = Field(description="1 for a point that is made in full, less otherwise.")
    passage: str = Field(description="Where it was seen, in the learner's words.")


class Missed(BaseModel):
    """A point that was not seen."""

    point: str
    weight: int


class Wrong(BaseModel):
    """A common wrong answer that a passage sounds like."""

    says: str
    why: str = Field(description="Why that is wrong.")
    passage: str


class Result(BaseModel):
    """What was counted in an answer."""

    question: str
    fraction: float = Field(description="The share of the points' weight that was reached, from 0 to 1.")
    headline: str
    seen: list[Seen]
    missed: list[Missed]
    wrong: list[Wrong]
    notes: list[str]
    how: str = Field(description="What the count can tell, and what not. Tell the learner.")
    follow_ups: list[str] = Field(description="What an interviewer would go on with.")
    solution: str = Field(description="Where its solution is; open now.")
    due: str = Field(description="The day (UTC) at which the question should come again.")


class Hint(BaseModel):
    """One hint."""

    number: int
    of: int
    hint: str


class Answered(BaseModel):
    """An answer of the past."""

    question: str
    topic: str
    at: float = Field(description="Seconds since 1970.")
    fraction: float
    skipped: bool


class TopicSoFar(BaseModel):
    """How the questions of a topic went: means of the first and of the latest attempt at each."""

    topic: str
    questions: int
    attempts: int
    first: float
    latest: float


class Past(BaseModel):
    """The record, the latest answers first."""

    answers: list[Answered]
    topics: list[TopicSoFar]


class DueQuestion(BaseModel):
    """A question that should come again."""

    question: str
    ask: str
    topic: str
    since: str = Field(description="The day (UTC) from which on it is due.")
    last: float = Field(description="The fraction of the latest attempt.")
    attempts: int


class Waiting(BaseModel):
    """What is due: what was missed first."""

    due: list[DueQuestion]
    count: int = Field(description="How many are due in all.")
    next: str = Field(description="The day (UTC) at which another one will be due; empty when none will.")


@server.tool(title="Draw a question", annotations=LOOKS)
def draw_question(
    topic: Topic = "",
    level: Level = "",
    role: Annotated[str, Field(description="A role of interview://roles, to draw what it asks for.")] = "",
    avoid: Annotated[list[str], Field(description="Ids that were asked in this conversation.", max_length=300)] = [],  # noqa: B006
) -> Drawn:
    """The question to ask next: what is due again comes first, then what is new. Ask for one at a time."""
    question, why = said(lambda: practice.pick(topic, level, role, avoid))
    return Drawn(**practice.asked(question), points=len(question.points), hints=len(question_hints(question)), why=why)


@server.tool(
    title="Submit an answer",
    annotations=types.ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
    ),
)
def submit_answer(
    question: Question,
    answer: Annotated[
        str,
        Field(description="The learner's words as they are: no word added or mended.", min_length=1, max_length=LIMIT),
    ],
) -> Result:
    """Count the points of an answer and record it. That opens the solution. A second answer is recorded, too."""
    asked = said(lambda: practice.bank().find(question))
    if not answer.strip():
        raise ToolError("The answer is empty: submit what the learner said, be it that they do not know.")
    counted = score(asked, answer)
    said(lambda: Record().answered(asked, answer, counted))
    return Result(
        question=question,
        fraction=counted.fraction,
        headline=counted.headline,
        seen=seen(counted),
        missed=[Missed(point=each.point, weight=each.weight) for each in counted.missed],
        wrong=[Wrong(says=each.says, why=each.why, passage=each.passage) for each in counted.wrong],
        notes=list(counted.notes),
        how=HOW,
        follow_ups=list(asked.follow_ups),
        solution=practice.solution_uri(question),
        due=said(lambda: practice.when_due(question)),
    )


@server.tool(title="Get a hint", annotations=LOOKS)
def get_hint(
    question: Question,
    number: Annotated[int, Field(description="1 for the first; each says more than the one before.", ge=1)] = 1,
) -> Hint:
    """A hint to a question. It gives no point away."""
    hints = question_hints(said(lambda: practice.bank().find(question)))
    if number > len(hints):
        raise ToolError(f"There are {len(hints)} hints to {question!r}, so there is none with number {number}.")
    return Hint(number=number, of=len(hints), hint=hints[number - 1])


@server.tool(title="Past answers", annotations=LOOKS)
def get_history(topic: Topic = "", limit: Count = 20) -> Past:
    """How the learner did so far: the latest answers, and for each topic the first and the latest attempts."""
    past = said(History)
    answers = [each for each in reversed(past.attempts) if topic in ("", each.topic)]
    return Past(
        answers=[
            Answered(question=a.question, topic=a.topic, at=a.at, fraction=a.fraction, skipped=a.skipped)
            for a in answers[:limit]
        ],
        topics=[
            TopicSoFar(topic=name, questions=t.questions, attempts=t.attempts, first=t.first, latest=t.latest)
            for name, t in past.by_topic().items()
            if topic in ("", name)
        ],
    )


@server.tool(title="What is due", annotations=LOOKS)
def list_due(limit: Count = 20) -> Waiting:
    """The questions that should come again by now, what was missed first (spaced repetition)."""
    rows, then = said(practice.waiting)
    return Waiting(due=[DueQuestion(**row) for row in rows[:limit]], count=len(rows), next=then)


@server.resource("interview://topics", name="topics", title="Topics", mime_type="application/json")
def topics() -> str:
    """The topics, with how many questions there are of each level."""
    return page({"topics": practice.topics()})


@server.resource("interview://roles", name="roles", title="Roles", mime_type="application/json")
def roles() -> str:
    """The roles that an interview can be for."""
    return page({"roles": [{"role": id, "title": r.title, "about": r.about} for id, r in load_roles().items()]})


@server.resource("interview://questions", name="questions", title="All questions", mime_type="application/json")
def questions() -> str:
    """All questions: id, topic, level, and where to read one."""
    return page({"questions": [practice.listed(each) for each in practice.bank().values()]})


@server.resource("interview://questions/{id}", name="question", title="One question", mime_type="application/json")
def question(id: str) -> str:
    """One question, without its answer."""
    return page(practice.asked(found(id)))


@server.resource(
    "interview://questions/{id}/solution", name="solution", title="Its solution", mime_type="application/json"
)
def solution(id: str) -> str:
    """The model answer, what proves it, the points and common wrong answers. Closed until an answer is recorded."""
    asked = found(id)
    try:
        return page(practice.solution(asked, Record().attempts()))
    except InterviewError as error:
        raise ResourceError(str(error)) from error


@server.prompt(title="Mock interview")
def mock_interview(
    role: Annotated[str, Field(description="A role of interview://roles; completes.")] = "server-developer",
    minutes: Annotated[str, Field(description=f"How long, from {SHORTEST} to {LONGEST}.")] = "30",
) -> list[UserMessage]:
    """Be interviewed for a role: one question at a time, scored by the points that were seen."""
    known = load_roles()
    if role not in known:
        raise MCPError(types.INVALID_PARAMS, f"There is no role {role!r}: use {', '.join(known)}.")
    if not minutes.strip().isdecimal() or not SHORTEST <= int(minutes) <= LONGEST:
        raise MCPError(types.INVALID_PARAMS, f"minutes cannot be {minutes[:40]!r}: use {SHORTEST} to {LONGEST}.")
    return [
        UserMessage(
            f"You interview me for about {int(minutes)} minutes. The role: {known[role].title}. {known[role].about}\n"
            f"1. Draw a question: draw_question with role={role} and the ids that you have asked already as avoid.\n"
            "2. Ask it as it is, one at a time, and wait for my answer. Do not help unless I ask; then use get_hint.\n"
            "3. Submit my answer word for word with submit_answer. Do not add to it or mend it: it is scored by what I"
            " said.\n"
            "4. Tell me which points were seen and missed, and what sounded wrong and why. Say that the count does not"
            " judge style. Then ask one of the follow-ups, and go on.\n"
            "5. Do not read a solution before I have answered; the server refuses it.\n"
            "6. When the time is over, sum up by topic with get_history, and tell me which notebooks to read.\n"
            "Begin with the first question."
        )
    ]


@server.prompt(title="Repeat what is due")
def repeat_due() -> list[UserMessage]:
    """Go through the questions that should come again, what was missed first."""
    return [
        UserMessage(
            "Ask me the questions that list_due names, in its order, one at a time. Submit each answer word for word"
            " with submit_answer, tell me what was missed, and when the question comes again. Stop when none is left or"
            " when I say so."
        )
    ]


@server.completion()
async def complete(
    ref: types.PromptReference | types.ResourceTemplateReference,
    argument: types.CompletionArgument,
    context: types.CompletionContext | None,
) -> types.Completion | None:
    """Ids of questions for the templates, roles for the prompt."""
    offers: dict[str, list[str]] = {"id": list(practice.bank()), "role": list(load_roles())}
    if argument.name not in offers:
        return None
    values = [value for value in offers[argument.name] if value.startswith(argument.value)]
    return types.Completion(values=values[:100], total=len(values), has_more=len(values) > 100)


def said(act: Callable[[], T]) -> T:
    """What `act` gives; what the lab refuses is told to the model as it is."""
    try:
        return act()
    except InterviewError as error:
        raise ToolError(str(error)) from error


def found(id: str) -> Any:
    try:
        return practice.bank().find(id)
    except InterviewError as error:
        raise ResourceNotFoundError(str(error)) from error


def seen(counted: Score) -> list[Seen]:
    return [
        Seen(point=each.point, weight=each.weight, worth=each.worth, passage=each.passage)
        for each in (*counted.seen, *counted.partly)
    ]


def page(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    server.run()
