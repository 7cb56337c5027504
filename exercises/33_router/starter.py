class Router:
    def mount(self, prefix, server, tools):
        """Add a server under a prefix. Raises Collision, and adds nothing then."""
        raise NotImplementedError

    def route(self, name):
        """The server and its own name for what clients call `name`. Raises UnknownTool."""
        raise NotImplementedError


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
