"""fails: keeps, frees
why: The table is built anew each time, and who stands first in it gets the name, even if another one had it.
"""


class Aggregator:
    def __init__(self, backends, ask):
        self.backends, self.ask, self.table = dict(backends), ask, {}
        self.settle()
        for name, owner, other in self.problems():
            raise Collision(f"{name} would be a tool of {owner} and of {other}")

    def names(self):
        return sorted(self.table)

    def call(self, name):
        if name not in self.table:
            raise LookupError(f"there is no tool {name}")
        return self.ask(*self.table[name])

    def update(self, backend, tools):
        self.backends[backend] = tools
        self.settle()

    def problems(self):
        lost = [(name, backend) for name, backend, _ in self.wanted() if self.table[name][0] != backend]
        return sorted({(name, self.table[name][0], backend) for name, backend in lost})

    def settle(self):
        """Who has a name and still wants it keeps it; what is free goes to who has been there longest."""
        wanted = list(self.wanted())
        kept = {name: owner for name, owner in self.table.items() if not wanted}
        for name, backend, tool in wanted:
            kept.setdefault(name, (backend, tool))
        self.table = kept

    def wanted(self):
        for backend, tools in self.backends.items():
            for tool in tools:
                yield f"{backend}_{tool}", backend, tool


class Collision(Exception):
    """Two tools would have one name; the message names the name and both backends."""


# The rehearsal: clients list and call, backends change their tools, as in a script. Leave it as it is.
def rehearse(backends, events):
    reached = []

    def ask(backend, tool):
        reached.append([backend, tool])
        return [backend, tool]

    try:
        aggregator = Aggregator(backends, ask)
    except Collision as error:
        return {"collision": str(error)}
    log = []
    for kind, *given in events:
        reached.clear()
        if kind == "list":
            log.append(aggregator.names())
        elif kind == "update":
            aggregator.update(*given)
            log.append(aggregator.problems())
        else:
            try:
                log.append([aggregator.call(*given), *reached])
            except LookupError:
                log.append(["unknown", *reached])
    return {"log": log}
