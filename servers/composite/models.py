"""What the tools of the composite server answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from servers.composite.tables import Function, Rows


class Fetched(BaseModel):
    """What an address answered."""

    url: str
    data: Any = Field(description="The JSON.")


class Table(BaseModel):
    """Rows, each with the same columns."""

    rows: Rows
    count: int = Field(description="How many rows there are.")


class Columns(BaseModel):
    """What columns hold, one entry each."""

    columns: list[dict[str, Any]]
    count: int = Field(description="How many rows there are.")


class Measure(BaseModel):
    """What to compute for each group."""

    column: str
    function: Function


class Excerpt(BaseModel):
    """The sentences that matter most, in their order."""

    sentences: list[str]


class Found(BaseModel):
    """Articles that were found, best first."""

    names: list[str]
    scores: list[int] = Field(description="How often the words of the query occur in each.")


class ArticleText(BaseModel):
    """One article."""

    name: str
    title: str
    text: str


class StepReport(BaseModel):
    """What a step of a pipeline has done."""

    step: int
    tool: str
    saved_as: str
    rows: int | None = Field(description="How many rows it answered, if it answered rows.")


class Checked(BaseModel):
    """A pipeline without mistakes."""

    steps: int
    saved_as: list[str] = Field(description="Names of the answers, in order.")


class Outcome(BaseModel):
    """What a pipeline has done."""

    steps: list[StepReport]
    result: Any = Field(description="The answer of the last step.")


class Research(BaseModel):
    """What is known about a topic."""

    topic: str
    key_points: list[str]
    sources: list[str] = Field(description="Names of the articles, best first.")
    report: str = Field(description="All of it as Markdown.")
