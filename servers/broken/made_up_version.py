"""Defect: it has a version of its own, and gives that to clients that propose an older one than it likes."""

from _plain import HANDSHAKE, TEXT, Plain


class Numbered(Plain):
    """Says 1.0 to older clients."""

    def version(self, asked):
        return "1.0" if asked < HANDSHAKE else HANDSHAKE


if __name__ == "__main__":
    Numbered({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
