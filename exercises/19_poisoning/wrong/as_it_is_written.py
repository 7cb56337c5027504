"""fails: spellings, others
why: The patterns are applied to the text as it came: other letters and a line feed in the middle are enough.
"""

import re
import unicodedata

from mcp.server import MCPServer

ORDERS = re.compile(
    r"<\s*(?:important|system|secret|instructions?)\s*>"
    r"|before (?:using|calling) (?:this|any)"
    r"|(?:do not|don't) (?:tell|mention|show)"
    r"|without (?:telling|asking) the user"
    r"|ignore (?:all |the )?(?:previous|other) instructions",
    re.IGNORECASE,
)
SEEN = "\n\t\u200c\u200d"


def offer(servers):
    """What the model is given, and what is held back: {"tools": [...], "held": [[server, tool], ...]}."""
    tools, held = [], []
    for server, listed in servers.items():
        own = {tool["name"] for tool in listed}
        others = {tool["name"] for theirs in servers.values() for tool in theirs} - own
        for tool in listed:
            if any(suspicious(text, others) for text in texts(tool)):
                held.append([server, tool["name"]])
            else:
                tools.append({**tool, "name": f"{server}.{tool['name']}"})
    return {"tools": tools, "held": held}


def route(servers, name):
    """The server and the tool that a name from `offer` leads to, as [server, tool]; None for any other name."""
    if all(tool["name"] != name for tool in offer(servers)["tools"]):
        return None
    return name.split(".", 1)


def texts(value):
    """Every text in a definition, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def suspicious(text, others):
    """Whether it hides something, gives orders, or speaks of the tool of another server."""
    if any(unicodedata.category(c)[0] == "C" and c not in SEEN for c in text):
        return True
    plain = text
    named = {word for word in re.findall(r"[\w-]+", plain) if not word.isalpha()}
    return bool(ORDERS.search(plain) or named & others)


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def make(env):
    """A server to try the host on."""
    server = MCPServer("fixed-poisoning", log_level="CRITICAL")
    server.add_tool(add)
    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
