"""fails: quotient
why: Zero is a good answer, and `or None` throws it away together with the failures.
"""


async def tool_names(conn):
    return sorted(tool.name for tool in conn.tools)


async def total(conn, a, b):
    result = await conn.call("add", a=a, b=b)
    return result.data


async def quotient(conn, a, b):
    result = await conn.call("divide", a=a, b=b)
    return None if result.is_error or not result.data else result.data


async def motto(conn):
    return (await conn.read("lab://motto")).text
