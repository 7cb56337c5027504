import asyncio


async def answers(conn, rounds):
    kept = {}

    async def ask(wanted):
        key = wanted["tool"] + wanted["city"]
        if key not in kept:
            kept[key] = await fetch(conn, wanted)
        return kept[key]

    return [await asyncio.gather(*map(ask, each["asks"])) for each in rounds]


async def fetch(conn, wanted):
    result = await conn.call(wanted["tool"], city=wanted["city"], user=wanted["user"])
    return {"text": result.raw["content"][0]["text"], "error": result.is_error}
