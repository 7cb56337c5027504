"""Defect: the structured result is not as the output schema says: a text where a number is promised."""

from _plain import TEXT, Plain

COUNT = {"type": "object", "properties": {"words": {"type": "integer"}}, "required": ["words"]}


def count(arguments):
    """Count words; the number comes as text."""
    words = str(len(arguments["text"].split()))
    return {"content": [{"type": "text", "text": words}], "structuredContent": {"words": words}}


class Promising(Plain):
    """Declares its results."""

    def listing(self):
        return [tool | {"outputSchema": COUNT} for tool in super().listing()]


if __name__ == "__main__":
    Promising({"count": (TEXT, count)}).run()
