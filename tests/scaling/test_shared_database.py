"""Replicas of a server of the catalog keep what they know in one PostgreSQL: each knows what another was told."""

from __future__ import annotations

import pytest

from labkit import connect
from labkit.scaling import replicas
from labkit.scaling.nginx import find_nginx

pytestmark = pytest.mark.anyio


async def test_what_one_replica_is_told_the_other_knows(postgres: str) -> None:
    behind = "nginx" if find_nginx() else "embedded"
    async with await replicas("leave_manager", n=2, behind=behind, env={"DATABASE_URL": postgres}) as pool:
        first, second = (each.url for each in pool.replicas)
        async with await connect(first) as one, await connect(second) as two:
            before = (await two.call("get_balance", employee_id="E001")).text
            told = await one.call(
                "apply_leave", employee_id="E001", start_date="2031-03-03", end_date="2031-03-04", reason="shared"
            )
            assert not told.is_error, told.text
            assert (await two.call("get_balance", employee_id="E001")).text != before
        async with await connect(pool.url) as conn:  # whichever it is that answers
            answers = {(await conn.call("get_history", employee_id="E001")).text for _ in range(4)}
            await conn.call(
                "cancel_leave", employee_id="E001", application_id=told.data["application"]["application_id"]
            )
        assert len(answers) == 1 and "2031-03-03" in answers.pop()
        assert min(each.calls for each in pool.replicas) >= 1
