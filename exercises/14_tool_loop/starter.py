import asyncio
import copy
import json


async def run(model, tools, task, steps):
    """Let the model do the task; how it ended, and what was said."""
    messages = [{"role": "user", "text": task}]
    while True:
        reply = await model(messages)
        messages.append({"role": "assistant", **reply})
        if not reply["calls"]:
            return {"ended": "answered", "messages": messages}
        running = [make(tools, call) for call in reply["calls"]]
        for call, done in zip(reply["calls"], asyncio.as_completed(running), strict=True):
            messages.append({"role": "tool", "call_id": call["id"], "text": await done, "is_error": False})


async def make(tools, call):
    """What the model is told of one call."""
    try:
        return await tools[call["name"]](json.loads(call["arguments"]))
    except OSError:
        return ""


# The rehearsal: a model and tools that do what a script says. Leave it as it is.
class Stage:
    def __init__(self, replies, tools):
        self.replies, self.read, self.log, self.task = list(replies), [], [], None
        self.tools = {name: self.tool(name, does) for name, does in tools.items()}

    async def model(self, messages):
        self.read.append(copy.deepcopy(messages))
        return self.replies.pop(0)

    def tool(self, name, does):
        async def call(arguments):
            self.log.append(["begins", name, arguments])
            try:
                for _ in range(does["takes"]):
                    await asyncio.sleep(0)
                if "stops" in does:
                    self.task.cancel()
                    await asyncio.Event().wait()
            finally:
                self.log.append(["ends", name, arguments])
            if "raises" in does:
                raise OSError(does["raises"])
            return f"{does['gives']} {json.dumps(arguments)}"

        return call


async def rehearse(replies, tools, task, steps):
    stage = Stage(replies, tools)
    stage.task = asyncio.create_task(run(stage.model, stage.tools, task, steps))
    await asyncio.wait([stage.task])
    log = list(stage.log)
    try:
        found = {"told": stage.task.result()}
    except BaseException as error:
        found = {"raised": f"{type(error).__name__}: {error}"}
    return {**found, "read": stage.read, "log": log}
