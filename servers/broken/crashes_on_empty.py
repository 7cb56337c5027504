"""Defect: an empty list, which the schema allows, ends the server: it divides by the number of items."""

from _plain import Plain

NUMBERS = {
    "type": "object",
    "properties": {
        "numbers": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "What to take the mean of.",
            "examples": [[1, 2, 3]],
        }
    },
    "required": ["numbers"],
    "additionalProperties": False,
}

if __name__ == "__main__":
    Plain({"mean": (NUMBERS, lambda arguments: sum(arguments["numbers"]) / len(arguments["numbers"]))}).run()
