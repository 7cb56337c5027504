"""The meeting rooms, for both versions of the server. Knows nothing of MCP, nor of versions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """A room, as it is. How a version shows it is that version's affair."""

    number: str
    name: str
    seats: int
    floor: int
    screen: bool


_NAMES = "Abisko Bergen Cusco Dakar Elche Faro Graz Hanoi Ibiza Jena Kyoto Lagos Malmö Nairobi Oulu Porto"
ROOMS = [
    Room(f"{floor}.{place:02d}", name, seats, floor, screen=seats > 4)
    for (floor, place, seats), name in zip(
        [(floor, place, seats) for floor in range(1, 5) for place, seats in enumerate((2, 4, 8, 8 + 4 * floor), 1)],
        _NAMES.split(),
        strict=True,
    )
]


def with_seats(seats: int) -> list[Room]:
    """The rooms that are large enough, the smallest first."""
    return sorted((room for room in ROOMS if room.seats >= seats), key=lambda room: (room.seats, room.number))


def by_number(number: str) -> Room | None:
    """The room of that number, or None."""
    return next((room for room in ROOMS if room.number == number), None)
