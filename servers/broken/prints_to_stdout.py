"""Defect: it says on stdout what it is doing, between the messages. Strict clients end the connection there."""

from _plain import TEXT, Plain


class Chatty(Plain):
    """Announces each request."""

    def reply(self, message):
        print("handling", message["method"], flush=True)
        return super().reply(message)


if __name__ == "__main__":
    Chatty({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
