"""fails: total
why: Python can add, so why ask? Because the server was asked for its answer, not for ours.
"""


async def tool_names(conn):
    return sorted(tool.name for tool in conn.tools)


async def total(conn, a, b):
    return a + b


async def quotient(conn, a, b):
    result = await conn.call("divide", a=a, b=b)
    return None if result.is_error else result.data


async def motto(conn):
    return (await conn.read("lab://motto")).text
