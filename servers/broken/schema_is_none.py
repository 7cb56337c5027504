"""Defect: the input schema has a type that JSON does not know. Clients that compile it drop the tool, or the server."""

from _plain import Plain

TYPO = {
    "type": "object",
    "properties": {"text": {"type": "sting", "description": "Any text."}},
    "additionalProperties": False,
}

if __name__ == "__main__":
    Plain({"shout": (TYPO, lambda arguments: str(arguments.get("text")).upper())}).run()
