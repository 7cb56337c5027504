class Router:
    def __init__(self):
        self.listed, self.open = {}, {}

    def mount(self, prefix, server, tools):
        """Add a server under a prefix. Raises Collision, and adds nothing then."""
        if tools is None:
            taken, added = self.open, {prefix: [server]}
        else:
            taken, added = self.listed, {f"{prefix}.{own}" if prefix else own: [server, own] for own in tools}
        for name in added:
            if name in taken:
                raise Collision(f"{name} would be of {taken[name][0]} and of {server}")
        taken.update(added)

    def route(self, name):
        """The server and its own name for what clients call `name`. Raises UnknownTool."""
        if name in self.listed:
            return self.listed[name]
        words = name.split(".")
        for end in reversed(range(len(words))):
            prefix = ".".join(words[:end])
            if prefix in self.open:
                return [*self.open[prefix], ".".join(words[end:])]
        raise UnknownTool(f"no server has a tool {name}")


class Collision(Exception):
    """A name is taken; the message has the name and both servers."""


class UnknownTool(Exception):
    """No server has a tool of this name; the message has the name."""


# For the checks, which cannot see an exception from where they are. Leave it as it is.
def rehearse(mounts, names):
    router = Router()

    def attempt(function, *arguments):
        try:
            return function(*arguments)
        except (Collision, UnknownTool) as error:
            return [type(error).__name__, str(error)]

    refused = [attempt(router.mount, *mount) for mount in mounts]
    return {"refused": refused, "routes": [attempt(router.route, name) for name in names]}
