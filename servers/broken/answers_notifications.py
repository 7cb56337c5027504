"""Defect: it answers notifications too, with id null."""

from _plain import TEXT, Plain, well_formed


class Polite(Plain):
    """Has a word for everything."""

    def take(self, message):
        super().take(message)
        if well_formed(message) and "id" not in message:
            self.write({"jsonrpc": "2.0", "id": None, "result": {}})


if __name__ == "__main__":
    Polite({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
