"""fails: reading, midway
why: The tools are called in the order of the list, and the last of them may refuse after the first has changed
something.
"""


def call(world, tools, name):
    """The answer of a tool, made of those below it. Raises Failed."""
    for layer, path in ways(tools, name, []).items():
        if not world.ping(layer):
            raise Failed(path, "away", [])
    return work(world, tools, name, [], [])


def ways(tools, name, above):
    """The layers that a call goes through, each with the first way down to it."""
    path = [*above, tools[name]["layer"]]
    found = {path[-1]: path}
    for below in tools[name]["below"]:
        for layer, way in ways(tools, below, path).items():
            found.setdefault(layer, way)
    return found


def work(world, tools, name, above, done):
    tool = tools[name]
    path = [*above, tool["layer"]]
    answers = {}
    for below in tool["below"]:
        answers[below] = work(world, tools, below, path, done)
    try:
        answer = world.work(name, answers)
    except Trouble as trouble:
        raise Failed(path, str(trouble), done) from trouble
    if tool["changes"]:
        done.append(name)
    return answer


def changes(tools, name):
    return tools[name]["changes"] or any(changes(tools, below) for below in tools[name]["below"])


# The rehearsal: layers that end, and tools that refuse, as in a script. Leave it as it is.
class Trouble(Exception):
    """A tool did nothing; the message says why."""


class Failed(Exception):
    """A call did not work: the way down to where it failed, why, and the tools that have changed something before."""

    def __init__(self, path, why, done):
        changed = f"done already: {', '.join(done)}" if done else "nothing was changed"
        super().__init__(f"{' > '.join(path)}: {why}; {changed}")


class World:
    def __init__(self, tools, script):
        self.tools, self.script, self.log = tools, script, []
        self.left = dict(script["left"])  # how often a layer works before it ends

    def ping(self, layer):
        self.log.append(["ping", layer])
        return self.left.get(layer) != 0

    def work(self, name, answers):
        layer = self.tools[name]["layer"]
        if self.left.get(layer) == 0:
            raise Trouble("away")
        if layer in self.left:
            self.left[layer] -= 1
        if name in self.script["refuses"]:
            raise Trouble(self.script["refuses"][name])
        self.log.append(["work", name, answers])
        return f"{name}({', '.join(answers[each] for each in sorted(answers))})"


def rehearse(tools, name, script):
    world = World(tools, script)
    try:
        return {"answer": call(world, tools, name), "log": world.log}
    except Failed as error:
        return {"failed": str(error), "log": world.log}
