"""fails: failure
why: The text of the failure is told, and that it is one is not: a model reads it as the result.
"""

import asyncio
import copy
import json


async def run(model, tools, task, steps):
    """Let the model do the task; how it ended, and what was said."""
    messages = [{"role": "user", "text": task}]
    for step in range(1, steps + 1):
        reply = await model(messages)
        messages.append({"role": "assistant", **reply})
        if not reply["calls"]:
            return {"ended": "answered", "messages": messages}
        if step == steps:
            results = [told("not made: there are no more steps", True) for _ in reply["calls"]]
        else:
            results = await asyncio.gather(*(make(tools, call) for call in reply["calls"]))
        for call, result in zip(reply["calls"], results, strict=True):
            messages.append({"role": "tool", "call_id": call["id"], **result})
    return {"ended": "steps", "messages": messages}


async def make(tools, call):
    """What the model is told of one call."""
    tool = tools.get(call["name"])
    if tool is None:
        return told(f"there is no tool {call['name']!r}; there are {', '.join(tools)}", True)
    try:
        arguments = json.loads(call["arguments"])
        if not isinstance(arguments, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        return told(f"the arguments are no JSON object: {error}", True)
    try:
        return told(await tool(arguments), False)
    except Exception as error:
        return told(str(error), False)


def told(text, is_error):
    return {"text": text, "is_error": is_error}


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
