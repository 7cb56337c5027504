"""Defect: a request whose id is null is carried out, and answered under null."""

from _plain import TEXT, Plain


class Nullable(Plain):
    """Takes null for an id."""

    def take(self, message):
        if isinstance(message, dict) and message.get("id", 0) is None and isinstance(message.get("method"), str):
            self.write(self.reply(message))
        else:
            super().take(message)


if __name__ == "__main__":
    Nullable({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
