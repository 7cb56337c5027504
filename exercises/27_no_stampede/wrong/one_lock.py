"""fails: beside
why: A lock lets nobody look while an answer is on its way - whoever's it is.
"""

import asyncio


async def answers(conn, rounds):
    kept, lock = {}, asyncio.Lock()

    async def ask(wanted, now):
        key = (wanted["tool"], wanted["city"], wanted["user"] if wanted["tool"] == "agenda" else None)
        async with lock:
            if key not in kept or now >= kept[key][0]:
                answer = await fetch(conn, wanted)
                kept[key] = now + (5 if answer["error"] else 60), answer
            return kept[key][1]

    return [await asyncio.gather(*(ask(wanted, each["at"]) for wanted in each["asks"])) for each in rounds]


async def fetch(conn, wanted):
    result = await conn.call(wanted["tool"], city=wanted["city"], user=wanted["user"])
    return {"text": result.raw["content"][0]["text"], "error": result.is_error}
