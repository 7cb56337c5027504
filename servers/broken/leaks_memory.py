"""Defect: it keeps 50 kB of every call for ever."""

from _plain import TEXT, Plain

PAST = []


def shout(arguments):
    """Text in capitals, and one more thing to remember."""
    PAST.append(bytearray(50_000))
    return arguments["text"].upper()


if __name__ == "__main__":
    Plain({"shout": (TEXT, shout)}).run()
