"""Defect: it numbers its answers itself, from 1, instead of repeating the ids of the requests."""

from _plain import TEXT, Plain


class Counting(Plain):
    """Right for the first requests of a simple client, which counts too, and wrong for every other."""

    answered = 0

    def reply(self, message):
        self.answered += 1
        return super().reply(message) | {"id": self.answered}


if __name__ == "__main__":
    Counting({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
