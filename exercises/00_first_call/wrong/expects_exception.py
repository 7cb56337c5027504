"""fails: quotient
why: In Python a failure is an exception, so it is caught here. A failed tool call raises nothing.
"""


async def tool_names(conn):
    return sorted(tool.name for tool in conn.tools)


async def total(conn, a, b):
    result = await conn.call("add", a=a, b=b)
    return result.data


async def quotient(conn, a, b):
    try:
        return (await conn.call("divide", a=a, b=b)).data
    except Exception:
        return None


async def motto(conn):
    return (await conn.read("lab://motto")).text
