"""Defect: ids come back as text: a request with the number 7 is answered with "7"."""

from _plain import TEXT, Plain


class Texts(Plain):
    """Turns every id into text."""

    def reply(self, message):
        return super().reply(message) | {"id": str(message["id"])}


if __name__ == "__main__":
    Texts({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
