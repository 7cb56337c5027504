"""Defect: one slow tool holds up everything: it sleeps in the loop that reads."""

import time

from _plain import Plain

SECONDS = {
    "type": "object",
    "properties": {"seconds": {"type": "number", "description": "How long.", "minimum": 0, "maximum": 5}},
    "required": ["seconds"],
    "additionalProperties": False,
}


def nap(arguments):
    """Sleep."""
    time.sleep(arguments["seconds"])
    return "rested"


if __name__ == "__main__":
    Plain({"nap": (SECONDS, nap)}).run()
