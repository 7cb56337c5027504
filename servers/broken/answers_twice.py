"""Defect: a request that fails is answered twice: where it fails, and in the finally block of the caller."""

from _plain import TEXT, Plain


class Twice(Plain):
    """Says each error again."""

    def take(self, message):
        super().take(message)
        if isinstance(message, dict) and isinstance(message.get("method"), str) and "no-such" in message["method"]:
            self.write(self.reply(message))


if __name__ == "__main__":
    Twice({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
