"""Defect: arguments are not checked. What is wrong is taken for something, and answered as if it were right."""

from _plain import Plain

SEATS = {
    "type": "object",
    "properties": {"seats": {"type": "integer", "minimum": 1, "maximum": 8, "description": "How many seats."}},
    "additionalProperties": False,
}


class Trusting(Plain):
    """Believes everything."""

    def refusal(self, schema, arguments):
        return None


if __name__ == "__main__":
    Trusting({"book": (SEATS, lambda arguments: f"booked {arguments.get('seats', 1)} seats")}).run()
