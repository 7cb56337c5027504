"""Defect: a message of more than 64 KB ends it: the limit of the reader it took, whose error nobody catches."""

import sys

from _plain import TEXT, Plain


class Short(Plain):
    """Reads as asyncio's StreamReader does when it is left as it is."""

    def take(self, message):
        if len(str(message)) > 64 * 1024:
            sys.exit("ValueError: Separator is not found, and chunk exceed the limit")
        super().take(message)


if __name__ == "__main__":
    Short({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
