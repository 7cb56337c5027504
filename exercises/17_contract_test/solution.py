AMOUNTS = (0, 1, 100)


async def contract(conn):
    """Fail when the till behind `conn` breaks its contract."""
    bills = []
    for people in range(1, 13):
        for cents in AMOUNTS:
            answer = await conn.call("split_bill", cents=cents, people=people)
            assert not answer.is_error, answer.text
            parts = answer.data
            assert len(parts) == people, (cents, parts)
            assert sum(parts) == cents, (cents, parts)
            assert max(parts) - min(parts) <= 1, (cents, parts)
            bills.append(cents)
    for people in (0, -3):
        for cents in AMOUNTS:
            answer = await conn.call("split_bill", cents=cents, people=people)
            assert answer.is_error, (people, answer.data)
    assert (await conn.call("bills_today")).data == bills
