"""fails: home
why: Sending is sending: colleagues are asked about as well.
"""

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

EVERYTHING = ("private", "untrusted", "sends")


def decide(policy, past, call):
    """Whether a call is made: {"verdict": "run"}, or {"verdict": "ask", "private": [...], "untrusted": [...]} when a
    person has to say so, with the tools whose results are the reason, sorted.

    policy  {"labels": {tool: ["private", "untrusted", "sends"] or some of them},
             "where": {tool: [the arguments that say where it sends to]}, "home": [addresses of the user's own]}
    past    the calls that were made, oldest first: {"tool": ..., "arguments": {...}, "text": ...}
    call    {"tool": ..., "arguments": {...}}
    """
    labels = policy["labels"]
    sources = {
        label: sorted({each["tool"] for each in past if label in labels.get(each["tool"], EVERYTHING)})
        for label in ("private", "untrusted")
    }
    leaves = "sends" in labels.get(call["tool"], EVERYTHING)
    if leaves and all(sources.values()):
        return {"verdict": "ask", **sources}
    return {"verdict": "run"}


def stays_home(policy, call):
    """Whether all the places that a call sends to are the user's own."""
    places = []
    for name in policy["where"].get(call["tool"], []):
        value = call["arguments"].get(name) or []
        places += value if isinstance(value, list) else [value]
    return bool(places) and all(place in policy["home"] for place in places)


def read_inbox() -> str:
    """Show the mail of today."""
    return "From: ben. The report is done. Lunch at twelve?"


def make(env):
    """A server to try the host on."""
    server = MCPServer("fixed-toxic_flow", log_level="CRITICAL")
    server.add_tool(read_inbox, annotations=ToolAnnotations(read_only_hint=True))
    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
