"""Defect: it requires an argument that is not among the properties, so that no call can be right."""

from _plain import Plain

TYPO = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Name of a city."}},
    "required": ["town"],
    "additionalProperties": False,
}

if __name__ == "__main__":
    Plain({"weather": (TYPO, lambda arguments: "sunny")}).run()
