"""fails: hidden
why: Names are compared first and filtered afterwards: a tool that nobody offers blocks another one.
"""

from fnmatch import fnmatchcase

MARK = "after:"


def build(backends):
    """The routing table of these backends. Raises Collision."""
    table, seen = {}, {}
    for backend, about in backends.items():
        for own in about["tools"]:
            name = about.get("names", {}).get(own, about.get("prefix", "") + own)
            if name in seen:
                raise Collision(f"{name} would be a tool of {seen[name]} and of {backend}")
            seen[name] = backend
            if offered(own, about):
                table[name] = [backend, own]
    return table


def offered(own, about):
    def fits(patterns):
        return any(fnmatchcase(own, pattern) for pattern in patterns)

    return fits(about.get("only", ["*"])) and not fits(about.get("never", []))


def route(table, name):
    """The backend and its own name of the tool that clients know by this name. Raises UnknownTool."""
    if name not in table:
        raise UnknownTool(f"there is no tool {name}")
    return table[name]


def page(table, cursor, size):
    """At most so many names, and the cursor of the next page. Raises BadCursor."""
    names = sorted(table)
    if cursor is not None:
        if not cursor.startswith(MARK):
            raise BadCursor("list again from the start, without a cursor")
        names = [name for name in names if name > cursor.removeprefix(MARK)]
    return {"tools": names[:size], "next": MARK + names[size - 1] if len(names) > size else None}


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
