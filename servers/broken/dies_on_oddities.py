"""Defect: JSON that is no object ends it, as does an object without a method: it asks for members without looking."""

from _plain import TEXT, Plain


class Hasty(Plain):
    """Takes everything for a request."""

    def take(self, message):
        if message["method"] and message.get("id") is not None:
            self.write(self.reply(message))


if __name__ == "__main__":
    Hasty({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
