async def contract(conn):
    """Fail when the till behind `conn` breaks its contract."""
    answer = await conn.call("split_bill", cents=1000, people=3)
    assert answer.data == [334, 333, 333]
