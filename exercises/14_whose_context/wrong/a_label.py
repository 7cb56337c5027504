"""fails: words
why: The model is told whom it works for, as in the tutorials. It does no harm now, and is what an attacker writes over.
"""

import asyncio
import json

IDENTITY = {"user_id": "user", "tenant_id": "tenant"}


async def answer(world, session, text):
    """What the agent answers to whoever is signed in."""
    messages = [{"role": "user", "text": f"[User: {(session or {}).get('user')}] {text}"}]
    takes = {tool["name"]: set(IDENTITY) & set(tool["schema"]["properties"]) for tool in world.tools()}
    if not session:
        takes = {name: names for name, names in takes.items() if not names}
    offered = [without(tool, takes[tool["name"]]) for tool in world.tools() if tool["name"] in takes]
    while True:
        reply = await world.model(messages, offered)
        if not reply["calls"]:
            return reply["text"]
        for call in reply["calls"]:
            if call["name"] in takes:
                came = await ask(world, call["name"], injected(session, call["arguments"], takes[call["name"]]))
            else:
                came = f"there is no tool {call['name']}"
            messages.append({"role": "tool", "text": came})


def without(tool, names):
    """The tool as the model may see it."""
    schema = tool["schema"]
    left = {key: value for key, value in schema["properties"].items() if key not in names}
    required = [key for key in schema["required"] if key not in names]
    return {**tool, "schema": {**schema, "properties": left, "required": required}}


def injected(session, arguments, names):
    """The model's arguments, and the session's: no word of the model about who is asking goes through."""
    given = {key: value for key, value in arguments.items() if key not in IDENTITY}
    return {**given, **{name: session[IDENTITY[name]] for name in names}}


async def ask(world, name, arguments):
    """The answer of the server, which need not be asked the same twice."""
    key = json.dumps([name, arguments], sort_keys=True)
    if key not in world.cache:
        world.cache[key] = await world.call(name, arguments)
    return world.cache[key]


# The rehearsal: a server that believes what it is told, and models that want what a script says. Leave it as it is.
class World:
    def __init__(self, tools, data):
        self._tools, self.data, self.cache = tools, data, {}
        self.read, self.offered, self.called, self.models = {}, {}, [], {}

    def tools(self):
        return self._tools

    async def model(self, messages, tools):
        """The next reply of the model whose task this is: {"text": ..., "calls": [{"name", "arguments"}]}."""
        who = next(task for task in self.models if task in messages[0]["text"])
        self.read.setdefault(who, []).append(json.loads(json.dumps(messages)))
        self.offered.setdefault(who, []).append(json.loads(json.dumps(tools)))
        await asyncio.sleep(0)
        calls = self.models[who].pop(0) if self.models[who] else []
        return {"text": " | ".join(each["text"] for each in messages[1:]), "calls": calls}

    async def call(self, name, arguments):
        """What the server answers: it shows anybody's data to anybody."""
        self.called.append([name, arguments])
        return f"{name}: {self.data.get(arguments.get('user_id'), 'public')} {json.dumps(arguments, sort_keys=True)}"


async def rehearse(tools, data, visits):
    """Visits are rounds, one after the other; in a round several come at the same time: {session, task, wants}."""
    world, answers = World(tools, data), []
    for visitors in visits:
        world.models.update({each["task"]: list(each["wants"]) for each in visitors})
        answers.append(await asyncio.gather(*(answer(world, each["session"], each["task"]) for each in visitors)))
    return {"answers": answers, "called": world.called, "read": world.read, "offered": world.offered}
