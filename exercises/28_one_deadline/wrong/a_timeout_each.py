"""fails: left, over
why: Every step has a time-out, so nothing takes for ever. How long all of them take together, nobody asked.
"""

import asyncio

STEP = 2.0


class NoBriefing(Exception):
    """A part that is needed could not be had; the message names it."""


async def briefing(world, parts, seconds):
    """The answers of the parts, in order, within so many seconds; optional ones that are missing are named."""
    end = world.now + seconds
    answers, missing = {}, {}
    try:
        for part in parts:
            name = part["name"]
            try:
                answers[name] = await ask_in_time(world, name, end)
            except Exception as error:
                if part["needed"]:
                    raise NoBriefing(f"{name}: {reason(error)}") from error
                missing[name] = reason(error)
        return {"answers": answers, "missing": missing}
    finally:
        await world.release()


async def ask_in_time(world, name, end):
    return await world.ask(name, STEP, {"labkit/timeout": end - world.now})


def reason(error):
    return "out of time" if isinstance(error, TimeoutError) else str(error)


# The rehearsal: servers that take the time a script says, and a clock that jumps. Leave it as it is.
class World:
    def __init__(self, script):
        self.script, self.now, self.asked, self.released = script, 0.0, [], 0

    async def ask(self, name, timeout, meta):
        self.asked.append([name, round(timeout, 6), meta])
        step = self.script[name]
        self.now += min(step["takes"], timeout)
        if step["takes"] > timeout:
            raise TimeoutError
        if "raises" in step:
            raise asyncio.CancelledError if step["raises"] == "cancelled" else OSError(step["raises"])
        return step["answer"]

    async def release(self):
        self.released += 1


async def rehearse(script, parts, seconds):
    world = World(script)
    try:
        found = {"answer": await briefing(world, parts, seconds)}
    except BaseException as error:
        found = {"raised": type(error).__name__, "says": str(error)}
    return {**found, "asked": world.asked, "released": world.released, "ended": world.now}
