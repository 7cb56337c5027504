"""Defect: the result breaks the output schema when there is nothing to report: null, where a number is promised."""

from _plain import Plain

NUMBERS = {
    "type": "object",
    "properties": {
        "numbers": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "description": "What to search."}
    },
    "required": ["numbers"],
    "additionalProperties": False,
}
LARGEST = {"type": "object", "properties": {"even": {"type": "integer"}}, "required": ["even"]}


def largest_even(arguments):
    """The largest even number, if there is one."""
    even = max((number for number in arguments["numbers"] if number % 2 == 0), default=None)
    return {"content": [{"type": "text", "text": str(even)}], "structuredContent": {"even": even}}


class Promising(Plain):
    """Declares its results. `examples` shows a call that goes well."""

    def listing(self):
        return [tool | {"outputSchema": LARGEST} for tool in super().listing()]


if __name__ == "__main__":
    NUMBERS["properties"]["numbers"]["examples"] = [[1, 2, 3]]
    Promising({"largest_even": (NUMBERS, largest_even)}).run()
