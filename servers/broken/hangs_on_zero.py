"""Defect: zero, which the schema allows, is counted down from for ever."""

import time

from _plain import Plain

COUNT = {
    "type": "object",
    "properties": {"start": {"type": "integer", "minimum": 0, "maximum": 100, "description": "Where to begin."}},
    "required": ["start"],
    "additionalProperties": False,
}


def countdown(arguments):
    """Count down to one. From zero there is no way there."""
    left = arguments["start"]
    while left != 1:
        left -= 1
        if left < 0:
            time.sleep(0.01)
    return "done"


if __name__ == "__main__":
    Plain({"countdown": (COUNT, countdown)}).run()
