"""The interviewer: what it draws, what an answer opens, what it remembers, and what it refuses."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError

from labkit.interview.bank import load_bank
from labkit.interview.record import Attempt, Record
from labkit.interview.repetition import due

from .conftest import call, refusal

pytestmark = pytest.mark.anyio
bank = functools.cache(load_bank)
ID = "how-to-scale"
ANSWER = (
    "I put several identical replicas behind a load balancer. Because requests are stateless, any of them can answer."
)


@pytest.fixture(
    scope="module", params=[("memory", "modern"), ("memory", "handshake"), ("stdio", "modern")], ids="-".join
)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Both eras in this process, and one as a process: nothing here depends on the transport."""
    return request.param


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
async def client(connect: Any, way: tuple[str, str], work: Path) -> AsyncIterator[Client]:
    async with connect("interviewer", way, env={"LABKIT_WORK": str(work)}) as client:
        yield client


@pytest.fixture
async def near(connect: Any, work: Path) -> AsyncIterator[Client]:
    """In this process, in the era of today: for what is the same in all."""
    async with connect("interviewer", ("memory", "modern"), env={"LABKIT_WORK": str(work)}) as client:
        yield client


async def read(client: Client, uri: str) -> Any:
    return json.loads((await client.read_resource(uri)).contents[0].text)  # type: ignore[union-attr]


def record(work: Path, question: str, fraction: float, days: float, **more: Any) -> None:
    """An attempt so many days ago."""
    at = time.time() - 86400 * days
    Record(work / "interview").add(Attempt(at, question, bank()[question].topic, fraction, **more))


async def test_an_answer_is_counted_recorded_and_opens_the_solution(client: Client, work: Path, contract: Any) -> None:
    await contract(client, "interviewer")
    uri = f"interview://questions/{ID}/solution"
    with pytest.raises(MCPError, match="The solution of 'how-to-scale' is closed: no answer .* submit_answer"):
        await client.read_resource(uri)
    told = await call(client, "submit_answer", question=ID, answer=ANSWER)
    assert 0 < told["fraction"] < 1 and told["solution"] == uri
    assert all(each["passage"] in ANSWER for each in told["seen"]) and told["seen"] and told["missed"]
    points = {point.point for point in bank()[ID].points}
    assert {each["point"] for each in (*told["seen"], *told["missed"])} == points
    assert "does not judge style" in told["how"] and told["follow_ups"] == list(bank()[ID].follow_ups)
    (kept,) = Record(work / "interview").attempts()
    assert (kept.question, kept.answer, kept.fraction) == (ID, ANSWER, told["fraction"])
    opened = await read(client, uri)
    assert [each["says"] for each in opened["answer"]] == [claim.says for claim in bank()[ID].answer]
    assert {each["point"] for each in opened["points"]} == points


async def test_before_an_answer_nothing_gives_it_away(near: Client) -> None:
    shown = [
        json.dumps(await call(near, "draw_question", topic="scaling")),
        json.dumps(await read(near, f"interview://questions/{ID}")),
        json.dumps([await call(near, "get_hint", question=ID, number=number) for number in (1, 2, 3)]),
    ]
    for secret in [point.point for point in bank()[ID].points] + [claim.says for claim in bank()[ID].answer]:
        assert not any(secret in text for text in shown), secret


async def test_a_draw_fits_what_was_asked_for(near: Client) -> None:
    drawn = await call(near, "draw_question", topic="testing", level="senior")
    asked = bank()[drawn["question"]]
    assert (asked.topic, asked.level, asked.ask) == ("testing", "senior", drawn["ask"])
    assert drawn["why"] == "new" and drawn["points"] == len(asked.points)
    senior = [each.id for each in bank().values() if (each.topic, each.level) == ("testing", "senior")]
    last = await call(near, "draw_question", topic="testing", level="senior", avoid=senior[1:])
    assert last["question"] == senior[0], "what was asked in this conversation is not asked again"
    assert bank()[(await call(near, "draw_question", role="architect"))["question"]].level != "junior"


async def test_what_is_due_comes_before_what_is_new(near: Client, work: Path) -> None:
    others = [each.id for each in bank().values() if each.topic == "scaling" and each.id != ID]
    record(work, ID, 0.2, days=3)
    record(work, others[0], 1.0, days=0)
    drawn = await call(near, "draw_question", topic="scaling")
    assert (drawn["question"], drawn["why"]) == (ID, "due again")
    waiting = await call(near, "list_due")
    (row,) = waiting["due"]
    assert (row["question"], row["last"], row["attempts"], waiting["count"]) == (ID, 0.2, 1, 1)
    assert row["since"] == due(Record(work / "interview").attempts())[0].due.date().isoformat() and waiting["next"]
    told = await call(near, "submit_answer", question=ID, answer=ANSWER)
    assert told["due"] > row["since"] and (await call(near, "list_due"))["due"] == []
    drawn = await call(near, "draw_question", topic="scaling", avoid=others[1:])
    assert drawn["why"] == "answered before"


async def test_the_past_is_told_latest_first(near: Client, work: Path) -> None:
    record(work, ID, 0.2, days=3)
    record(work, ID, 0.6, days=2)
    record(work, "one-or-several", 0.0, days=1, skipped=True)
    past = await call(near, "get_history", limit=2)
    assert [(each["question"], each["fraction"]) for each in past["answers"]] == [("one-or-several", 0.0), (ID, 0.6)]
    topics = {each["topic"]: each for each in past["topics"]}
    topic = topics[bank()[ID].topic]
    assert sum(each["attempts"] for each in topics.values()) == 3
    assert topic["first"] < topic["latest"]
    assert (await call(near, "get_history", topic="testing"))["answers"] == []


async def test_a_skipped_question_stays_closed(near: Client, work: Path) -> None:
    record(work, ID, 0.0, days=0, skipped=True)
    with pytest.raises(MCPError, match="closed"):
        await near.read_resource(f"interview://questions/{ID}/solution")


def refusals() -> list[tuple[str, dict[str, Any], str]]:
    """Calls, and what the refusal of each says."""
    return [
        ("draw_question", {"topic": "cooking"}, "There is no topic 'cooking': there are "),
        ("draw_question", {"role": "architec"}, "There is no role 'architec'. Did you mean 'architect'"),
        ("draw_question", {"avoid": list(bank())}, "All questions that fit were asked"),
        ("draw_question", {"level": "expert"}, "junior"),
        ("submit_answer", {"question": "how-to-scal", "answer": "x"}, "The bank has no question 'how-to-scal'"),
        ("submit_answer", {"question": ID, "answer": " \n"}, "The answer is empty"),
        ("submit_answer", {"question": ID, "answer": "x" * 20_001}, "20000"),
        ("get_hint", {"question": ID, "number": 9}, f"There are 3 hints to '{ID}', so there is none with number 9."),
    ]


async def test_what_it_refuses_it_says(near: Client, work: Path) -> None:
    for tool, arguments, text in refusals():
        assert text in await refusal(near, tool, **arguments), (tool, arguments)
    assert Record(work / "interview").attempts() == [], "a refused answer leaves nothing"
    with pytest.raises(MCPError, match="The bank has no question 'nope'") as raised:
        await near.read_resource("interview://questions/nope/solution")
    assert raised.value.error.code == -32602


async def test_topics_roles_and_questions(near: Client) -> None:
    listed = (await read(near, "interview://questions"))["questions"]
    assert [each["question"] for each in listed] == list(bank())
    assert (await read(near, listed[5]["uri"]))["ask"] == bank()[listed[5]["question"]].ask
    topics = (await read(near, "interview://topics"))["topics"]
    assert sum(each["questions"] for each in topics) == len(bank())
    assert all(each["questions"] == each["junior"] + each["middle"] + each["senior"] for each in topics)
    roles = [each["role"] for each in (await read(near, "interview://roles"))["roles"]]
    assert "server-developer" in roles


async def test_the_prompt_makes_an_interviewer_of_these_tools(near: Client) -> None:
    prompt = await near.get_prompt("mock_interview", {"role": "architect", "minutes": "20"})
    text = prompt.messages[0].content.text  # type: ignore[union-attr]
    assert "for about 20 minutes" in text and "role=architect" in text
    named = {tool.name for tool in (await near.list_tools()).tools if tool.name in text}
    assert named == {"draw_question", "get_hint", "submit_answer", "get_history"}
    due = (await near.get_prompt("repeat_due")).messages[0].content.text  # type: ignore[union-attr]
    assert "list_due" in due
    for arguments, said in (({"role": "cook"}, "There is no role 'cook': use "), ({"minutes": "999"}, "use 5 to 120")):
        with pytest.raises(MCPError, match=said):
            await near.get_prompt("mock_interview", arguments)


async def test_only_an_answer_changes_anything(near: Client) -> None:
    hints = {tool.name: tool.annotations for tool in (await near.list_tools()).tools}
    assert {name for name, hint in hints.items() if hint and hint.read_only_hint} == hints.keys() - {"submit_answer"}
    answer = hints["submit_answer"]
    assert answer and answer.destructive_hint is False and answer.idempotent_hint is False
