ATTEMPTS = 3


def run(world, steps):
    """Do all steps, or take back what was done."""
    raise NotImplementedError


class Refused(Exception):
    """The server has answered no: nothing was done."""


class Lost(Exception):
    """There was no answer: it may be done, or not."""


class Cancelled(BaseException):
    """The user has called it off; the call that was under way may be done, or not."""


# The rehearsal: servers that refuse, lose or cancel as in a script. Leave it as it is.
class World:
    def __init__(self, script):
        self.script, self.log = {tool: list(outcomes) for tool, outcomes in script.items()}, []

    def call(self, tool, arguments):
        self.log.append([tool, arguments])
        outcomes = self.script.get(tool, [])
        kind, said = outcomes.pop(0) if outcomes else ["answers", None]
        if kind == "answers":
            return said
        raise {"refuses": Refused, "loses": Lost, "cancels": Cancelled}[kind](said)


def rehearse(script, steps):
    world = World(script)
    try:
        found = {"report": run(world, steps)}
    except Cancelled as error:
        found = {"cancelled": str(error)}
    return {**found, "log": world.log}
