"""Defect: it carries out batches, which MCP no longer has: a gateway in front of it sees none of them."""

from _plain import TEXT, Plain, well_formed


class Batching(Plain):
    """Answers an array with an array."""

    def take(self, message):
        if isinstance(message, list) and message and all(map(well_formed, message)):
            self.write([self.reply(each) for each in message if "id" in each])
        else:
            super().take(message)


if __name__ == "__main__":
    Batching({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
