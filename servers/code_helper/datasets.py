"""Small tables to ask questions about: made up, and the same on every machine and every day."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True)
class Dataset:
    """A table with what one would ask about it."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Random], Iterator[tuple[Any, ...]]]
    questions: tuple[str, ...]

    def csv(self) -> str:
        """The table as CSV, with a line of names."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows(Random(f"2026:{self.title}")))
        return file.getvalue()


def _sales(random: Random) -> Iterator[tuple[Any, ...]]:
    prices = {"keyboard": 49, "monitor": 219, "headset": 79}
    for month in range(1, 13):
        for region in ("north", "south", "west"):
            for product, price in prices.items():
                units = random.randrange(20, 80) + (40 if month in (11, 12) else 0)
                yield f"2025-{month:02}", region, product, units, units * price


def _sensors(random: Random) -> Iterator[tuple[Any, ...]]:
    for hour in range(72):
        for sensor in ("roof", "cellar"):
            usual = 12 + 6 * (1 - abs(hour % 24 - 14) / 12) if sensor == "roof" else 15
            # A sensor that fails sometimes, and one wild value: what an analysis has to notice.
            value = "" if random.random() < 0.04 else f"{usual + random.uniform(-0.8, 0.8):.1f}"
            yield (
                f"2026-03-{1 + hour // 24:02}T{hour % 24:02}:00",
                sensor,
                "85.0" if (hour, sensor) == (31, "roof") else value,
            )


def _survey(random: Random) -> Iterator[tuple[Any, ...]]:
    for number in range(1, 61):
        years = random.randrange(0, 25)
        yield (
            number,
            random.choice(("python", "typescript", "go", "java")),
            years,
            min(5, 1 + years // 6 + random.randrange(3)),
        )


DATASETS = {
    "sales": Dataset(
        "Sales of a small shop",
        ("month", "region", "product", "units", "revenue"),
        _sales,
        (
            "Which region sells most, and of what?",
            "How do sales change over the year?",
            "Which product brings most revenue?",
        ),
    ),
    "sensors": Dataset(
        "Temperatures of two sensors",
        ("time", "sensor", "celsius"),
        _sensors,
        ("Which values are missing or cannot be right?", "How does the day show in each sensor?"),
    ),
    "survey": Dataset(
        "Answers of programmers",
        ("id", "language", "years", "confidence"),
        _survey,
        ("Does confidence grow with experience?", "Do languages differ?"),
    ),
}
