"""Defect: the schema asks for a whole number, the tool takes nothing but text. No caller can know."""

from _plain import Plain

DAYS = {
    "type": "object",
    "properties": {"days": {"type": "integer", "description": "How many days."}},
    "required": ["days"],
    "additionalProperties": False,
}


class Liar(Plain):
    """Checks for something else than it says."""

    def refusal(self, schema, arguments):
        return None if isinstance(arguments.get("days"), str) else "days must be a text, such as 'three'"


if __name__ == "__main__":
    Liar({"plan": (DAYS, lambda arguments: f"planned {arguments['days']} days")}).run()
