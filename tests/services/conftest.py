"""Real services in a folder of their own, which ends with the tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.services import Temporary, programs
from labkit.services.service import ServiceMissingError


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """LAB_SERVICES for the tests of a module."""
    with Temporary() as own, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_SERVICES", str(own.folder))
        yield own.folder


@pytest.fixture
def postgres(home: Path) -> str:
    """The name of a service that can run here."""
    return available("postgres")


@pytest.fixture
def redis(home: Path) -> str:
    return available("redis")


def available(name: str) -> str:
    try:
        programs.postgres_programs() if name == "postgres" else programs.redis_program()
    except ServiceMissingError as error:
        pytest.skip(str(error))
    return name


class Talk:
    """Just enough of Redis's protocol: inline commands, the first line of each answer."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._lines = self._socket.makefile("rwb")

    def __call__(self, command: str) -> str:
        self._lines.write(command.encode() + b"\r\n")
        self._lines.flush()
        answer = self._lines.readline().decode().strip()
        return self._lines.readline().decode().strip() if answer.startswith("$") and answer != "$-1" else answer

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *exc: object) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def talk() -> type[Talk]:
    return Talk
