"""Defect: it matches any pattern with an engine that tries one way after another, for as long as that takes."""

import re

from _plain import Plain

MATCH = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "description": "A regular expression."},
        "text": {"type": "string", "description": "Where it is looked for."},
    },
    "required": ["pattern", "text"],
    "additionalProperties": False,
}


def find(arguments):
    """The first match."""
    try:
        found = re.search(arguments["pattern"], arguments["text"])
    except re.error as error:
        return {"content": [{"type": "text", "text": str(error)}], "isError": True}
    return found[0] if found else "no match"


if __name__ == "__main__":
    Plain({"find": (MATCH, find)}).run()
