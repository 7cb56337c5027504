"""Defect: a tool does not say what it does. A model can only guess from the name."""

from _plain import TEXT, Plain


class Mute(Plain):
    """Says nothing."""

    def listing(self):
        return [{"name": tool["name"], "inputSchema": tool["inputSchema"]} for tool in super().listing()]


if __name__ == "__main__":
    Mute({"process": (TEXT, lambda arguments: arguments["text"].upper())}).run()
