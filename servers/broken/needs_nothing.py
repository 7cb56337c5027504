"""Defect: a required argument may be missing. The tool then works on something that nobody asked for."""

from _plain import TEXT, Plain


class Careless(Plain):
    """Checks what is there, not what is missing."""

    def refusal(self, schema, arguments):
        return super().refusal({**schema, "required": []}, arguments)


if __name__ == "__main__":
    Careless({"shout": (TEXT, lambda arguments: arguments.get("text", "nothing").upper())}).run()
