"""A Redis for the tests of patterns that share something between processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labkit import services


@pytest.fixture(scope="session")
def redis_home() -> Iterator[services.Temporary]:
    """Where a Redis runs for this run: `up("redis")` and `down("redis")` as the test likes, data stays on disk."""
    with services.Temporary() as own:
        try:
            own.up("redis")
        except services.ServiceMissingError as error:
            pytest.skip(str(error))
        yield own


@pytest.fixture
def redis_url(redis_home: services.Temporary) -> str:
    """The URL of that Redis, which runs. Tests keep out of each other's way by names of their own."""
    return redis_home.up("redis")[0].url
