"""Defect: it makes as many copies as it is asked for, and nothing says how many that may be."""

from _plain import Plain

COPY = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "What is copied.", "maxLength": 1000},
        "times": {"type": "integer", "description": "How often.", "minimum": 0},
    },
    "required": ["text", "times"],
    "additionalProperties": False,
}


def repeat(arguments):
    """A text, many times."""
    return arguments["text"] * int(arguments["times"])


if __name__ == "__main__":
    Plain({"repeat": (COPY, repeat)}).run()
