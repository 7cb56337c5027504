"""fails: answered, deadline, cancelled, dropped
why: Answers come in the order of the requests - with one server, on one afternoon.
"""

import asyncio


class Caller:
    def __init__(self, send):
        self.send, self.pending, self.last = send, {}, 0

    async def call(self, method, params, seconds):
        """The result. Raises RpcError, TimeoutError."""
        self.last += 1
        id, answer = self.last, asyncio.Future()
        self.pending[id] = answer
        try:
            async with asyncio.timeout(seconds):
                await self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
                frame = await answer
        except (TimeoutError, asyncio.CancelledError) as gone:
            about = {"requestId": id, "reason": type(gone).__name__}
            await self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": about})
            raise
        finally:
            del self.pending[id]
        if "error" in frame:
            raise RpcError(frame["error"]["code"], frame["error"]["message"])
        return frame["result"]

    def receive(self, frame):
        """A frame of the server has come."""
        waiting = [each for each in self.pending.values() if not each.done()]
        answer = waiting[0] if waiting else None
        if answer and "method" not in frame and not answer.done():
            answer.set_result(frame)


class RpcError(Exception):
    """The server answered with an error: `RpcError(code, message)`."""


# For the checks: calls, and a server that does what events say. Leave it as it is.
async def rehearse(events):
    before, sent, calls, ended, log = len(asyncio.all_tasks()), [], {}, {}, []

    def answer(id, members):
        caller.receive({"jsonrpc": "2.0", "id": id, **members})

    async def send(frame):
        sent.append(frame)
        if frame["method"] == "lost":
            raise ConnectionError("nobody is there")
        if frame["method"] == "instant":  # the answer is faster than the sending
            answer(frame["id"], {"result": {}})
        if frame["method"] == "notifications/cancelled":  # and so is this one, which is too late
            answer(frame["params"]["requestId"], {"result": {}})
        await asyncio.sleep(0)

    async def run(name, method, seconds):
        try:
            ended[name] = {"result": await caller.call(method, {"name": name}, seconds)}
        except BaseException as error:
            ended[name] = [type(error).__name__, *error.args]

    caller = Caller(send)
    for kind, name, *rest in events:
        if kind == "call":
            calls[name] = asyncio.create_task(run(name, *rest))
        elif kind == "answer":
            ids = {frame["params"].get("name"): frame.get("id") for frame in sent}
            answer(ids[name], rest[0])
        elif kind == "cancel":
            calls[name].cancel()
        else:
            await asyncio.wait({calls[name]}, timeout=3)
            log.append(ended.get(name))
        for _ in range(5):
            await asyncio.sleep(0)
    return {"log": log, "sent": sent, "pending": len(caller.pending), "tasks": len(asyncio.all_tasks()) - before}
