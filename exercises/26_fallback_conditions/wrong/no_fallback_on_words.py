"""fails: elsewhere, provenance, unknown
why: Whatever a server says is its answer, also when it says that it has not begun.
"""

import asyncio


def call(world, servers, tool):
    """The result of the first server that can give one. Raises NobodyAnswered."""
    tried = []
    for server in servers:
        if not world.offers(server):
            continue
        try:
            result = world.ask(server)
        except Unreachable:
            tried.append([server, "unreachable"])
        except NoAnswer:
            tried.append([server, "no answer"])
            if not (says(tool, "readOnlyHint") or says(tool, "idempotentHint")):
                break
        else:
            about = result.get("_meta", {})
            if True:
                return {**result, "_meta": {**about, **provenance(server, tried)}} if tried else result
            tried.append([server, "unavailable"])
    unknown = any(outcome == "no answer" for _, outcome in tried) and not says(tool, "readOnlyHint")
    raise NobodyAnswered(tried, unknown)


def provenance(server, tried):
    return {"labkit/source": server, "labkit/instead-of": tried}


def says(tool, hint):
    return tool.get("annotations", {}).get(hint) is True


class Unreachable(Exception):
    """Nothing has left: the server has not seen the call."""


class NoAnswer(Exception):
    """The call has left, and no answer has come."""


class NobodyAnswered(Exception):
    """All that could be asked has been; `tried` says whom, and what came of it, `unknown` whether it may be done."""

    def __init__(self, tried, unknown):
        self.tried, self.unknown = tried, unknown


# The rehearsal: servers that behave as in a script. Leave it as it is.
class World:
    def __init__(self, script):
        self.script, self.asked = script, []

    def offers(self, server):
        return server in self.script

    def ask(self, server):
        self.asked.append(server)
        behaves = self.script[server]
        if behaves in ("unreachable", "no answer"):
            raise Unreachable if behaves == "unreachable" else NoAnswer
        if behaves == "cancelled":
            raise asyncio.CancelledError
        return behaves


def rehearse(script, servers, tool):
    world = World(script)
    try:
        found = {"result": call(world, servers, tool)}
    except NobodyAnswered as error:
        found = {"tried": error.tried, "unknown": error.unknown}
    except asyncio.CancelledError:
        found = {"cancelled": True}
    return {**found, "asked": world.asked}
