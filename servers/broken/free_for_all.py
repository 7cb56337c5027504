"""Defect: one argument takes anything at all, and nothing says what it is for."""

from _plain import Plain

ANYTHING = {"type": "object", "properties": {"payload": {}}, "additionalProperties": False}

if __name__ == "__main__":
    Plain({"send": (ANYTHING, lambda arguments: "sent")}).run()
