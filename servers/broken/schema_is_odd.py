"""Defect: limits in its schemas are texts, where JSON Schema has numbers."""

from _plain import TEXT, Plain


def odd(limits):
    """A schema of one argument, with these limits."""
    return {**TEXT, "properties": {"text": {"description": "Any text.", **limits}}}


class Odd(Plain):
    """Looks at its arguments as far as its schemas can be understood."""

    def refusal(self, schema, arguments):
        try:
            return super().refusal(schema, arguments)
        except TypeError:
            return None


if __name__ == "__main__":
    tools = {
        "shout": (TEXT, lambda arguments: arguments["text"].upper()),
        "shorten": (odd({"type": "string", "minLength": "two"}), lambda arguments: str(arguments["text"])[:2]),
        "double": (odd({"type": "integer", "minimum": "1"}), lambda arguments: str(arguments["text"]) * 2),
        "count": (odd({"type": "array", "minItems": "1"}), lambda arguments: len(arguments["text"])),
    }
    Odd(tools).run()
