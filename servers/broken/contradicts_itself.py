"""Defect: a tool says to be read-only and destructive at once. Whether a host asks the user first is left to chance."""

from _plain import TEXT, Plain


class Undecided(Plain):
    """Both."""

    def listing(self):
        return [tool | {"annotations": {"readOnlyHint": True, "destructiveHint": True}} for tool in super().listing()]


if __name__ == "__main__":
    Undecided({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
