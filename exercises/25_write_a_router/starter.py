def build(backends):
    """The routing table of these backends. Raises Collision."""
    raise NotImplementedError


def route(table, name):
    """The backend and its own name of the tool that clients know by this name. Raises UnknownTool."""
    raise NotImplementedError


def page(table, cursor, size):
    """At most so many names, and the cursor of the next page. Raises BadCursor."""
    raise NotImplementedError


class Collision(Exception):
    """Two tools would have one name; the message names the name and both backends."""


class BadCursor(Exception):
    """The cursor is none that a page has ended with."""


class UnknownTool(Exception):
    """Nobody offers a tool of this name."""


# For the checks, which cannot see an exception from where they are. Leave it as it is.
def attempt(function, *arguments):
    try:
        return {"answer": globals()[function](*arguments)}
    except (Collision, BadCursor, UnknownTool) as error:
        return {"raised": type(error).__name__, "says": str(error)}
