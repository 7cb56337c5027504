"""fails: sum, fair, count, nobody, zero, memory
why: It returns False for a broken till. Whoever runs a test looks for an error, and reads no result.
"""


async def contract(conn):
    """Fail when the till behind `conn` breaks its contract."""
    for people in range(1, 13):
        for cents in (0, 1, 100, 997):
            parts = (await conn.call("split_bill", cents=cents, people=people)).data or [-1]
            if len(parts) != people or sum(parts) != cents or max(parts) - min(parts) > 1:
                return False
    return (await conn.call("split_bill", cents=100, people=0)).is_error
