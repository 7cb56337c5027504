"""Defect: what goes wrong in a tool is answered with a traceback: no help to the caller, and a view of the insides."""

import traceback

from _plain import Plain

PRICE = {
    "type": "object",
    "properties": {
        "total": {"type": "integer", "description": "In cents."},
        "people": {"type": "integer", "minimum": 0, "maximum": 20, "description": "How many share it."},
    },
    "required": ["total", "people"],
    "additionalProperties": False,
}


def share(arguments):
    """What each pays."""
    try:
        return arguments["total"] // arguments["people"]
    except ZeroDivisionError:
        return {"content": [{"type": "text", "text": traceback.format_exc()}], "isError": True}


if __name__ == "__main__":
    Plain({"share": (PRICE, share)}).run()
