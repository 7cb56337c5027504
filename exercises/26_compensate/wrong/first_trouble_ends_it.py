"""fails: left, failing, retries, cancelled
why: An undo that fails ends the taking back, and leaves what it has not come to.
"""

ATTEMPTS = 3


def run(world, steps):
    """Do all steps, or take back what was done."""
    done = []
    for step in steps:
        try:
            done.append((step, world.call(*step["call"])))
        except (Refused, Lost) as error:
            undone, left = take_back(world, done)
            unknown = [step["name"]] if isinstance(error, Lost) else []
            state = "stuck" if left or unknown else "undone"
            told = {"undone": undone, "left": left, "unknown": unknown}
            return {"state": state, "failed": step["name"], "why": str(error), **told}
        except BaseException:
            take_back(world, done)
            raise
    return {"state": "done", "answers": {step["name"]: answer for step, answer in done}}


def take_back(world, done):
    """The names of the steps that were taken back, and of those that were not."""
    undone, left = [], []
    for step, answer in reversed(done):
        if step["undo"] and undo(world, step["undo"], answer):
            undone.append(step["name"])
        else:
            left.append(step["name"])
            return undone, left + [each["name"] for each, _ in reversed(done[: done.index((step, answer))])]
    return undone, left


def undo(world, tool, answer):
    for _ in range(ATTEMPTS):
        try:
            world.call(tool, answer)
            return True
        except Refused:
            break
        except Lost:
            pass
    return False


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
