"""Defect: members without a value are sent as null, as a dataclass made into JSON does."""

from _plain import TEXT, Plain


class Nulls(Plain):
    """Writes what it does not have."""

    def listing(self):
        return [tool | {"title": None, "icons": None} for tool in super().listing()]


if __name__ == "__main__":
    Nulls({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
