"""fails: late
why: Whatever call ends, no probe is on its way any more - one thinks.
"""

import asyncio


class Breaker:
    def __init__(self, failures, cooldown, clock):
        self.failures, self.cooldown, self.clock = failures, cooldown, clock
        self.row, self.opened, self.times, self.probing = 0, None, 0, False

    async def call(self, function):
        """What the function gives or raises; Open when it is not asked."""
        probe = self.opened is not None
        if probe:
            left = self.opened + self.cooldown - self.clock()
            if left > 0 or self.probing:
                raise Open(max(left, 0))
            self.probing = True
        times = self.times
        try:
            result = await function()
        except Exception:
            if times == self.times:
                self.row += 1
                if probe or self.row == self.failures:
                    self.opened = self.clock()
                    self.times += 1
            raise
        else:
            if times == self.times:
                self.opened, self.row = None, 0
            return result
        finally:
            self.probing = False


class Open(Exception):
    """Raised instead of a call: `Open(seconds)`, the time after which it is worth to come back."""


# For the checks: calls that begin and end as events say, by a clock that is set. Leave it as it is.
async def rehearse(failures, cooldown, events):
    clock, calls, gates, log = [0], {}, {}, []
    breaker = Breaker(failures, cooldown, lambda: clock[0])

    async def run(name):
        try:
            return await breaker.call(lambda: gates.setdefault(name, asyncio.Future()))
        except BaseException as error:
            return [type(error).__name__, *error.args]

    for kind, name in events:
        if kind == "wait":
            clock[0] += name
        elif kind == "call":
            calls[name] = asyncio.create_task(run(name))
        elif kind == "good":
            gates[name].set_result({"from": name})
        elif kind == "failed":
            gates[name].set_exception(OSError(name))
        else:
            calls[name].cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        if kind != "wait":
            log.append(calls[name].result() if calls[name].done() else "runs" if name in gates else "waits")
    for call in calls.values():
        call.cancel()
    return log
