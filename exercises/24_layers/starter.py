def call(world, tools, name):
    """The answer of a tool, made of those below it. Raises Failed."""
    raise NotImplementedError


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
