class Aggregator:
    def __init__(self, backends, ask):
        self.backends, self.ask = dict(backends), ask

    def names(self):
        return sorted(f"{backend}_{tool}" for backend, tools in self.backends.items() for tool in tools)

    def call(self, name):
        backend, _, tool = name.partition("_")
        if backend not in self.backends:
            raise LookupError(f"there is no tool {name}")
        return self.ask(backend, tool)

    def update(self, backend, tools):
        self.backends[backend] = tools

    def problems(self):
        return []


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
