import asyncio
import random

ATTEMPTS = 3
BASE = 0.5
TRANSIENT = {"unavailable", "timeout"}


async def call(world, tool, deadline):
    """The tool's result: the first that is no failure of the moment, or the last there was time for."""
    for attempt in range(1, ATTEMPTS + 1):
        result = await world.proceed()
        if attempt == ATTEMPTS or not may_repeat(tool) or not may_change(result):
            return result
        wait = random.uniform(0, BASE * 2 ** (attempt - 1)) + retry_after(result)
        if world.now + wait >= deadline:
            return result
        await world.sleep(wait)


def may_repeat(tool):
    hints = tool.get("annotations", {})
    return bool(hints.get("readOnlyHint") or hints.get("idempotentHint"))


def may_change(result):
    about = result.get("_meta", {})
    return result["isError"] and (about.get("labkit/reason") in TRANSIENT or "labkit/retryAfter" in about)


def retry_after(result):
    return result.get("_meta", {}).get("labkit/retryAfter", 0)


# The rehearsal: answers from a script, and a clock that jumps. Leave it as it is.
class World:
    def __init__(self, script):
        self.script, self.now, self.asked = script, 0.0, []

    async def proceed(self):
        step = self.script[len(self.asked)]
        self.asked.append(self.now)
        self.now += step["takes"]
        if "raises" in step:
            raise asyncio.CancelledError if step["raises"] == "cancelled" else KeyError("a bug")
        return step["result"]

    async def sleep(self, seconds):
        self.now += seconds


async def rehearse(script, tool, deadline):
    world = World(script)
    try:
        return {"result": await call(world, tool, deadline), "asked": world.asked, "ended": world.now}
    except BaseException as error:
        return {"raised": type(error).__name__, "asked": world.asked}
